//! Lineages to ask about: the shipped example, and generated ones with cycles and unusual names.

use std::fs;
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use sqlflow_client::emulator::Emulator;
use sqlflow_client::job::Polling;
use sqlflow_client::lineage::{Lineage, RelationType};
use sqlflow_client::{Client, Credentials, Vendor};

pub(crate) const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sql");

/// Returns the lineage of SQL files, with everything that questions about impact need.
pub(crate) async fn analyzed(sql: impl AsRef<Path>) -> Lineage {
    let quick = Emulator::builder().time_in_create(Duration::ZERO).time_in_process(Duration::from_millis(20));
    let emulator = quick.start().await.unwrap();
    let polling = Polling::every(Duration::from_millis(5));
    let credentials = Credentials::on_premise();
    let client = Client::builder(emulator.url()).credentials(credentials).polling(polling).build().unwrap();
    let job = client.submit(Vendor::PostgreSql).path(sql.as_ref()).for_impact().send().await.unwrap();
    job.wait().await.unwrap().lineage().await.unwrap()
}

/// Returns the lineage of the shipped example after a change: a report reads another column.
pub(crate) async fn changed_example() -> Lineage {
    let directory = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(SQL).unwrap() {
        let entry = entry.unwrap();
        let sql = fs::read_to_string(entry.path()).unwrap();
        let sql =
            sql.replace("select country,\n       max(revenue)", "select customer as country,\n       max(orders)");
        fs::write(directory.path().join(entry.file_name()), sql).unwrap();
    }
    analyzed(directory.path()).await
}

const TABLES: [&str; 9] = [
    "ORDERS",
    "\"Mixed.Case\"",
    "\"a.b.c\"",
    "with'apostrophe",
    "größe",
    "\"()\"",
    "item#2",
    "back\\slash",
    "\"//host/name\"",
];
const COLUMNS: [&str; 3] = ["ID", "\"first.last\"", "it's \"so\""];
const STATEMENTS: usize = 6;

/// Returns a lineage with cycles, results inside statements, result sets, routines, filters, joins, foreign keys, and an
/// edge that cannot be followed.
pub(crate) fn generated(seed: u64) -> Lineage {
    let document = GeneratedDocument::new(seed).finish();
    let reader = Lineage::reader().requested_types(RelationType::DEPENDENCIES);
    reader.read_slice(document.to_string().as_bytes()).unwrap()
}

struct GeneratedDocument {
    rng: Rng,
    objects: Vec<Value>,
    relationships: Vec<Value>,
    /// The ids of the columns of tables, without record sets.
    columns: Vec<String>,
    record_sets: Vec<String>,
    tables: Vec<String>,
}

impl GeneratedDocument {
    fn new(seed: u64) -> Self {
        let mut document = Self {
            rng: Rng::with_seed(seed),
            objects: Vec::new(),
            relationships: Vec::new(),
            columns: Vec::new(),
            record_sets: Vec::new(),
            tables: Vec::new(),
        };
        for (at, name) in TABLES.iter().enumerate() {
            let id = format!("t{at}");
            let columns = Self::columns_of(&id, &COLUMNS);
            document.columns.extend((0..COLUMNS.len()).map(|column| format!("{id}c{column}")));
            document.record_sets.push(format!("{id}r"));
            document.objects.push(json!({
                "id": id, "name": name, "type": if at % 3 == 2 { "view" } else { "table" },
                "schema": if at % 2 == 0 { "\"Sales.EU\"" } else { "dbo" }, "columns": columns,
            }));
            document.tables.push(id);
        }
        for at in 0..STATEMENTS {
            document.objects.push(json!({
                "id": format!("p{at}"), "name": format!("Query Insert-{at}"), "type": "process",
                "coordinates": [{"x": at + 1, "y": 1}, {"x": at + 2, "y": 9}],
            }));
        }
        document.add_relationships(seed);
        document
    }

    fn columns_of(id: &str, names: &[&str]) -> Vec<Value> {
        let values = names.iter().enumerate().map(|(at, name)| json!({"id": format!("{id}c{at}"), "name": name}));
        let record_set = json!({"id": format!("{id}r"), "name": "RelationRows", "source": "system"});
        values.chain([record_set]).collect()
    }

    fn add_relationships(&mut self, seed: u64) {
        // A cycle of three columns that something flows into, a column that feeds itself, and values that go anywhere.
        let ring: Vec<String> = self.columns.iter().step_by(5).take(3).cloned().collect();
        for at in 0..ring.len() {
            self.relate("fdd", &ring[at], &ring[(at + 1) % ring.len()].clone());
        }
        let alone = self.column();
        self.relate("fdd", &alone, &alone.clone());
        for _ in 0..14 {
            let (from, to) = (self.column(), self.column());
            self.relate("fdd", &from, &to);
        }
        for at in 0..4 {
            self.add_result(&format!("s{at}"), "select_list", at == 3);
        }
        self.add_result("u0", "select_union", false);
        self.add_routine(seed);
        for _ in 0..5 {
            let (from, rows) = (self.column(), self.record_set());
            self.relate("fdr", &from, &rows);
        }
        let (rows, to) = (self.record_set(), self.column());
        self.relate("frd", &rows, &to);
        for kind in ["join", "join", "er", "fdr"] {
            let (from, to) = (self.column(), self.column());
            self.relate(kind, &from, &to);
        }
        let (from, to) = (self.column(), self.column());
        self.relate("fdd", &from, &to);
        if let Some(foreign_key) = self.relationships.last_mut() {
            foreign_key["effectType"] = json!("foreign_key");
        }
        let (from, to) = (self.table(), self.table());
        self.relate("fdd", &from, &to);
        let (from, to) = (self.table(), self.table());
        self.relate("fdd", &from, "p0");
        self.relate("fdd", "p0", &to);
        let to = self.column();
        self.relate("fdd", "404", &to);
    }

    /// Adds a result inside a statement; one that `ends` is the result of a query that stores nothing.
    fn add_result(&mut self, id: &str, kind: &str, ends: bool) {
        let columns = Self::columns_of(id, &COLUMNS[..2]);
        self.objects.push(json!({"id": id, "name": format!("RS-{id}"), "type": kind, "columns": columns}));
        for at in 0..2 {
            let from = self.column();
            self.relate("fdd", &from, &format!("{id}c{at}"));
            if !ends {
                let to = self.column();
                self.relate("fdd", &format!("{id}c{at}"), &to);
            }
        }
        let filter = self.column();
        self.relate("fdr", &filter, &format!("{id}r"));
        if !ends {
            let rows = self.record_set();
            self.relate("fdr", &format!("{id}r"), &rows);
            // The result as a whole, next to its columns.
            let (from, to) = (self.column(), self.column());
            self.relate("fdd", &from, id);
            self.relate("fdd", id, &to);
        }
    }

    /// Adds a routine that no other lineage has: a merge would join it with others, and values would flow through it from
    /// one job to another.
    fn add_routine(&mut self, seed: u64) {
        let argument = json!([{"id": "f0a", "name": "x"}]);
        let columns = Self::columns_of("f0", &COLUMNS[..1]);
        self.objects
            .push(json!({"id": "f0", "name": format!("rate_{seed}"), "type": "function", "arguments": argument, "columns": columns}));
        let (from, to) = (self.column(), self.column());
        self.relate("fdd", &from, "f0a");
        self.relate("fdd", "f0c0", &to);
    }

    fn relate(&mut self, kind: &str, from: &str, to: &str) {
        let at = self.relationships.len();
        let statement = format!("p{}", self.rng.usize(0..STATEMENTS));
        self.relationships.push(json!({
            "id": format!("r{at}"), "type": kind, "effectType": "insert", "processId": statement,
            "target": {"id": to}, "sources": [{"id": from}],
        }));
    }

    fn column(&mut self) -> String {
        self.columns[self.rng.usize(..self.columns.len())].clone()
    }

    fn record_set(&mut self) -> String {
        self.record_sets[self.rng.usize(..self.record_sets.len())].clone()
    }

    fn table(&mut self) -> String {
        self.tables[self.rng.usize(..self.tables.len())].clone()
    }

    fn finish(self) -> Value {
        json!({"dbobjs": self.objects, "relationships": self.relationships})
    }
}
