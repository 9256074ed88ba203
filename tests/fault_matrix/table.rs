//! The table, as Markdown.

use std::fmt::Write as _;

use crate::calls::{Call, CallClass};
use crate::cell::{CallOutcome, Observation};
use crate::faults::{FaultKind, Recurrence};

const HEAD: &str = include_str!("head.md");

/// A row before it is written: its fault, how long it lasts, and a text for each call.
struct Row {
    fault_kind: FaultKind,
    recurrence: &'static str,
    cells: Vec<String>,
}

/// Returns the whole page. `observed` holds the observation of each call of a row.
pub(crate) fn page(rows: Vec<(FaultKind, Recurrence, Vec<Option<Observation>>)>) -> String {
    let mut written: Vec<Row> = Vec::new();
    for (fault_kind, recurrence, observed) in rows {
        let cells = Call::ALL.iter().zip(&observed).map(|(call, observed)| cell(*call, observed.as_ref())).collect();
        if let Some(last) = written.last_mut().filter(|last| last.fault_kind == fault_kind && last.cells == cells) {
            last.recurrence = "once or always";
        } else {
            let recurrence = if recurrence == Recurrence::Once { "once" } else { "always" };
            written.push(Row { fault_kind, recurrence, cells });
        }
    }
    let mut page = HEAD.to_owned();
    let columns = columns(&written);
    let headers = columns.iter().map(|alike| alike.iter().map(|call| call.label()).collect::<Vec<_>>().join(",<br>"));
    line(&mut page, ["fault".to_owned(), "for how long".to_owned()].into_iter().chain(headers));
    line(&mut page, (0..columns.len() + 2).map(|_| "---".to_owned()));
    for row in &written {
        let fault = format!("{} (`{}`)", row.fault_kind.label(), row.fault_kind.code());
        let cells = columns.iter().map(|alike| row.cells[place(alike[0])].clone());
        line(&mut page, [fault, row.recurrence.to_owned()].into_iter().chain(cells));
    }
    page
}

/// Groups the calls into columns: calls with the same result for every fault share one.
fn columns(rows: &[Row]) -> Vec<Vec<Call>> {
    let alike = |one: Call, other: Call| rows.iter().all(|row| row.cells[place(one)] == row.cells[place(other)]);
    let mut columns: Vec<Vec<Call>> = Vec::new();
    for call in Call::ALL {
        match columns.iter_mut().find(|column| alike(column[0], call)) {
            Some(column) => column.push(call),
            None => columns.push(vec![call]),
        }
    }
    columns
}

fn place(call: Call) -> usize {
    Call::ALL.iter().position(|one| *one == call).expect("all calls are there")
}

fn cell(call: Call, observed: Option<&Observation>) -> String {
    let Some(observed) = observed else { return "–".to_owned() };
    let mut text = match observed.outcome {
        CallOutcome::Ok => "ok".to_owned(),
        CallOutcome::Without => "without it".to_owned(),
        CallOutcome::Cut => "**cut**".to_owned(),
        CallOutcome::Garbled => "**garbled**".to_owned(),
        CallOutcome::Failed(kind) => format!("{kind:?}"),
    };
    // The number of requests of a wait depends on timing.
    if call.class() != CallClass::Watch {
        let _ = write!(text, ", {}", observed.requests);
    }
    if matches!(observed.outcome, CallOutcome::Failed(_)) && call.changes() {
        text += if observed.done == 0 { ", not done" } else { ", done" };
    }
    text
}

fn line(page: &mut String, cells: impl Iterator<Item = String>) {
    page.push('|');
    for cell in cells {
        let _ = write!(page, " {cell} |");
    }
    page.push('\n');
}

/// Returns the lines in which two pages differ.
pub(crate) fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<_>, Vec<_>) = (old.lines().collect(), new.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}\n"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}\n"));
    gone.chain(come).collect()
}
