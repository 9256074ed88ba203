//! Combines every fault of the emulator with every call of the client, checks the results against the promises of the
//! docs, and writes them to `docs/fault-matrix.md`.

mod calls;
mod cell;
mod faults;
mod promise;
mod table;

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};

use crate::calls::Call;
use crate::cell::{Cell, Observation};
use crate::faults::FaultKind;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fault-matrix.md");

/// The number of cells that run at the same time. It is high because most of them only wait.
const MAX_CONCURRENT_CELLS: usize = 16;

/// The time limit of a cell, far more than any cell takes.
const MAX_CELL_TIME: Duration = Duration::from_secs(60);

async fn observed(cell: Cell) -> Observation {
    let observing = tokio::spawn(async move { tokio::time::timeout(MAX_CELL_TIME, cell.observe()).await });
    match observing.await {
        Ok(Ok(observation)) => observation,
        Ok(Err(_)) => panic!("{cell:?} does not end"),
        Err(error) => panic!("{cell:?}: {error}"),
    }
}

#[cfg_attr(not(target_os = "linux"), ignore = "elsewhere a reset may drop what came before it")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_call_keeps_its_promise_under_every_fault() {
    let rows = FaultKind::rows();
    let cells =
        rows.iter().flat_map(|&(fault_kind, recurrence)| Call::ALL.map(|call| Cell { call, fault_kind, recurrence }));
    let observations = stream::iter(cells.enumerate()).map(|(place, cell)| async move {
        let observation = if cell.call.can_meet(cell.fault_kind) { Some(observed(cell).await) } else { None };
        (place, cell, observation)
    });
    let mut observations: Vec<_> = observations.buffer_unordered(MAX_CONCURRENT_CELLS).collect().await;
    observations.sort_by_key(|(place, ..)| *place);
    let broken: Vec<_> = observations
        .iter()
        .filter_map(|(_, cell, observation)| {
            let promise = |cell: &Cell| promise::promised(cell.call, cell.fault_kind, cell.recurrence);
            observation.as_ref().and_then(|observation| cell.broken(promise(cell), observation))
        })
        .collect();
    let mut observations = observations.into_iter().map(|(.., observation)| observation);
    let rows = rows.into_iter().map(|(fault_kind, recurrence)| {
        (fault_kind, recurrence, observations.by_ref().take(Call::ALL.len()).collect())
    });
    let page = table::page(rows.collect());
    println!("{page}");
    assert!(broken.is_empty(), "{} promises are broken:\n{}", broken.len(), broken.join("\n"));

    if std::env::var_os("UPDATE_FAULT_MATRIX").is_some() {
        std::fs::write(PAGE, page).expect("the page can be written");
        return;
    }
    let old = std::fs::read_to_string(PAGE).unwrap_or_default();
    let difference = table::difference(&old, &page);
    assert!(old == page, "{PAGE} is not what was observed; UPDATE_FAULT_MATRIX=1 writes it anew:\n{difference}");
}
