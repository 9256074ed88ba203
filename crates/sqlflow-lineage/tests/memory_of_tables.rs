//! The memory that tables take, counted by a global allocator. This program has only one test, because the memory of
//! others would be counted too.

#[path = "../benches/allocations/mod.rs"]
#[allow(dead_code)]
mod allocations;

use std::fmt::Write as _;
use std::io;

use sqlflow_lineage::{Lineage, TableName};

use self::allocations::{CountingAllocator, measured};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Returns a chain of tables of 500 columns, each of which flows into the column of the next table. All names are equally
/// long, so that every batch has as much text as any other: buffers grow in steps.
fn chain(tables: usize) -> Lineage {
    let mut objects = String::new();
    let mut relationships = String::new();
    for table in 0..tables {
        let comma = if table > 0 { "," } else { "" };
        write!(
            objects,
            r#"{comma}{{"id": "t{table:03}", "name": "warehouse_table_{table:03}", "type": "table", "columns": ["#
        )
        .unwrap();
        for column in 0..500 {
            let comma = if column > 0 { "," } else { "" };
            write!(objects, r#"{comma}{{"id": "{table:03}-{column:03}", "name": "column_{column:03}"}}"#).unwrap();
            if table > 0 {
                let comma = if relationships.is_empty() { "" } else { "," };
                write!(
                    relationships,
                    r#"{comma}{{"id": "r{table:03}-{column:03}", "type": "fdd", "target": {{"id": "{table:03}-{column:03}"}},
                        "sources": [{{"id": "{:03}-{column:03}"}}]}}"#,
                    table - 1
                )
                .unwrap();
            }
        }
        objects.push_str("]}");
    }
    format!(r#"{{"dbobjs": [{objects}], "relationships": [{relationships}]}}"#).parse().unwrap()
}

#[test]
fn the_memory_of_a_table_does_not_grow_with_its_rows() {
    let peaks = [135, 270].map(|tables| {
        let lineage = chain(tables);
        // The indexes of the lineage are built by the first question, and belong to the lineage.
        let flows = lineage.column_flows().len();
        assert_eq!(flows, (tables - 1) * 500);
        TableName::ALL.map(|table| {
            let (count, of_batches) =
                measured(|| lineage.tables().batches(table).map(|it| it.unwrap().num_rows()).sum());
            let expected: usize = match table {
                TableName::Columns => tables * 500,
                TableName::Flows | TableName::Relationships => flows,
                TableName::Objects => tables,
                _ => count,
            };
            assert_eq!(count, expected);
            let ((), of_file) = measured(|| lineage.tables().write_parquet(table, io::sink()).unwrap());
            println!("{tables} tables, {table}: batches {}, file {}", of_batches.peak, of_file.peak);
            (of_batches.peak, of_file.peak)
        })
    });
    for (table, (small, large)) in TableName::ALL.into_iter().zip(peaks[0].iter().zip(&peaks[1])) {
        // The rows are twice as many.
        assert!(large.0 < small.0 * 4 / 3 + 200_000, "batches of {table}: {small:?}, then {large:?}");
        assert!(large.1 < 80 << 20, "file of {table}: {} bytes", large.1);
    }
}
