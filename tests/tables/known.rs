//! A lineage with the keys that its tables have, and the answers of the library by these keys.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use arrow_array::cast::AsArray as _;
use sqlflow_client::lineage::{Column, Lineage, Object, Process, TableName, Tables, Trace};

pub(crate) struct KnownLineage<'a> {
    pub(crate) lineage: &'a Lineage,
    columns: HashMap<Column<'a>, String>,
    objects: HashMap<Object<'a>, String>,
}

impl<'a> KnownLineage<'a> {
    pub(crate) fn new(lineage: &'a Lineage, tables: &Tables<'_>) -> Self {
        Self {
            lineage,
            columns: keyed(lineage.columns(), keys(tables, TableName::Columns)),
            objects: keyed(lineage.objects(), keys(tables, TableName::Objects)),
        }
    }

    /// Returns the columns that questions are asked about: all that walks end at.
    pub(crate) fn shown_columns(&self) -> Vec<(Column<'a>, String)> {
        let is_shown = |column: &Column<'a>| is_shown(column.object()) && !column.is_record_set();
        self.lineage.columns().filter(is_shown).map(|column| (column, self.column(column))).collect()
    }

    /// Returns the objects that a database stores.
    pub(crate) fn stored_objects(&self) -> Vec<(Object<'a>, String)> {
        let is_stored = |object: &Object<'a>| !object.is_intermediate() && !object.is_routine();
        self.lineage.objects().filter(is_stored).map(|object| (object, self.object(object))).collect()
    }

    pub(crate) fn column(&self, column: Column<'a>) -> String {
        self.columns[&column].clone()
    }

    pub(crate) fn object(&self, object: Object<'a>) -> String {
        self.objects[&object].clone()
    }

    pub(crate) fn found(&self, trace: Trace<'a, Column<'a>>) -> BTreeSet<String> {
        trace.into_iter().map(|column| self.column(column)).collect()
    }

    /// Returns what a trace finds, each with the number of steps to it.
    pub(crate) fn distances(&self, trace: &Trace<'a, Column<'a>>) -> BTreeSet<String> {
        let all = trace.to_vec().len();
        let mut distances: BTreeMap<String, u32> = BTreeMap::new();
        for depth in 1.. {
            if distances.len() == all {
                break;
            }
            for key in self.found(trace.clone().depth(depth)) {
                distances.entry(key).or_insert(depth);
            }
        }
        distances.into_iter().map(|(key, distance)| format!("{key}\t{distance}")).collect()
    }

    pub(crate) fn paths(&self, trace: &Trace<'a, Column<'a>>) -> BTreeSet<String> {
        let written = |steps: &[Column<'a>]| {
            let keys: Vec<String> = steps.iter().map(|column| self.column(*column)).collect();
            keys.join(" → ")
        };
        trace.paths().map(|path| written(path.steps())).collect()
    }

    /// Returns each flow as its source and target.
    pub(crate) fn flows(&self) -> BTreeSet<String> {
        let flows = self.lineage.column_flows().into_iter();
        flows.map(|flow| format!("{}\t{}", self.column(flow.source), self.column(flow.target))).collect()
    }
}

/// Returns statements as the queries show them.
pub(crate) fn shown_statements(statements: &[Process<'_>]) -> BTreeSet<String> {
    statements.iter().map(shown_statement).collect()
}

pub(crate) fn shown_statement(statement: &Process<'_>) -> String {
    let location = statement.location();
    let line = location.line().map_or("null".to_owned(), |line| line.to_string());
    format!("{}\t{}\t{line}", statement.name(), location.script().unwrap_or("null"))
}

pub(crate) fn is_shown(object: Object<'_>) -> bool {
    (!object.is_intermediate() && !object.is_routine()) || object.is_result_set()
}

fn keys(tables: &Tables<'_>, table: TableName) -> Vec<String> {
    let mut keys = Vec::new();
    for batch in tables.batches(table) {
        let batch = batch.unwrap();
        let column = batch.column_by_name("key").unwrap().as_string::<i32>().clone();
        keys.extend(column.iter().map(|key| key.unwrap().to_owned()));
    }
    keys
}

fn keyed<T: Eq + Hash>(records: impl Iterator<Item = T>, keys: Vec<String>) -> HashMap<T, String> {
    let records: Vec<T> = records.collect();
    assert_eq!(records.len(), keys.len());
    let distinct: BTreeSet<&String> = keys.iter().collect();
    assert_eq!(distinct.len(), keys.len(), "a key is unique");
    records.into_iter().zip(keys).collect()
}
