//! One model as a document in each of the layouts that servers write.

use serde_json::{Value, json};
use sqlflow_lineage::Lineage;

/// The layouts, in the order of the years in which servers wrote them.
pub(crate) const LAYOUTS: [&str; 4] = ["flat with `relations`", "flat", "tree", "tree in `sqlflow`"];

/// A model without a layout.
#[derive(Clone, Debug, Default)]
pub(crate) struct SmallModel {
    /// Objects, each with the array of a tree that lists it.
    pub(crate) objects: Vec<(&'static str, Value)>,
    pub(crate) relationships: Vec<Value>,
    pub(crate) processes: Vec<Value>,
}

impl SmallModel {
    /// Adds an object whose columns have ids made from its own: `t.a`.
    pub(crate) fn object(mut self, kind: &str, id: &str, name: &str, columns: &[&str]) -> Self {
        let columns: Vec<Value> = columns
            .iter()
            .map(|column| {
                let source = if *column == "RelationRows" { "system" } else { "" };
                json!({"id": format!("{id}.{column}"), "name": column, "source": source, "coordinates": []})
            })
            .collect();
        let section = match kind {
            "table" => "tables",
            "view" => "views",
            "procedure" => "procedures",
            _ => "others",
        };
        let object = json!({"id": id, "name": name, "type": kind, "columns": columns, "coordinates": []});
        self.objects.push((section, object));
        self
    }

    pub(crate) fn process(mut self, id: &str, name: &str) -> Self {
        self.processes.push(json!({"id": id, "name": name, "procedureName": "batchQueries", "queryHashId": "h"}));
        self
    }

    /// Adds a relationship of which the endpoints are given as they are written.
    pub(crate) fn relationship(mut self, kind: &str, effect: &str, sources: &[Value], target: &Value) -> Self {
        let id = format!("r{}", self.relationships.len());
        self.relationships
            .push(json!({"id": id, "type": kind, "effectType": effect, "target": target, "sources": sources}));
        self
    }

    /// Adds a relationship between records, by their ids.
    pub(crate) fn edge(self, kind: &str, effect: &str, source: &str, target: &str) -> Self {
        self.relationship(kind, effect, &[end(source)], &end(target))
    }

    pub(crate) fn flow(self, source: &str, target: &str) -> Self {
        self.edge("fdd", "select", source, target)
    }

    /// Returns the document in every layout.
    pub(crate) fn documents(&self) -> [String; 4] {
        let flat: Vec<Value> = self.objects.iter().map(|(_, object)| object.clone()).collect();
        let process_objects = self.processes.iter().map(|process| {
            let mut process = process.clone();
            process["type"] = "process".into();
            process
        });
        let with_processes: Vec<Value> = flat.iter().cloned().chain(process_objects).collect();
        let mut schema = json!({"name": "DEFAULT"});
        for (section, object) in &self.objects {
            if schema[*section].is_null() {
                schema[*section] = json!([]);
            }
            schema[*section].as_array_mut().unwrap().push(object.clone());
        }
        let tree = json!({"createdBy": "sqlflow v1.0.0", "servers": [{
            "name": "DEFAULT_SERVER", "dbVendor": "dbvoracle", "supportsCatalogs": true, "supportsSchemas": true,
            "databases": [{"name": "DEFAULT", "schemas": [schema]}],
        }]});
        [
            json!({"dbvendor": "dbvoracle", "dbobjs": with_processes, "relations": self.relationships}),
            json!({"code": 200, "data": {"mode": "global", "sqlflow": {
                "dbvendor": "dbvoracle", "dbobjs": with_processes, "relationships": self.relationships}}}),
            json!({"code": 200, "data": {
                "dbobjs": tree, "relationships": self.relationships, "processes": self.processes}}),
            json!({"mode": "global", "sqlflow": {
                "relationships": self.relationships, "processes": self.processes, "dbobjs": tree}}),
        ]
        .map(|document| document.to_string())
    }

    /// Returns the lineage of each layout, with the name of the layout.
    pub(crate) fn lineages(&self) -> impl Iterator<Item = (&'static str, Lineage)> {
        let lineages = self.documents().map(|document| -> Lineage { document.parse().unwrap() });
        LAYOUTS.into_iter().zip(lineages)
    }
}

pub(crate) fn end(id: &str) -> Value {
    json!({"id": id, "coordinates": []})
}
