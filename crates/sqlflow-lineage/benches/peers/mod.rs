//! The code that a competent user would write without this crate: structs with derived `Deserialize`, with `String` for
//! texts and the known fields of documents of this layout.

// The fields are only read from JSON.
#![allow(dead_code)]

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sqlflow_lineage::Lineage;

/// Reads a document as a peer does.
pub(crate) fn parsed<T: DeserializeOwned>(body: &[u8]) -> T {
    serde_json::from_slice(body).expect("the generator writes JSON")
}

/// Reads a document as this crate does.
pub(crate) fn lineage(body: &[u8]) -> Lineage {
    Lineage::from_slice(body).expect("the generator writes lineage")
}

/// Counts the columns upstream of a column.
pub(crate) fn count_upstream(lineage: &Lineage, column: &str) -> usize {
    lineage.column_by_id(column).expect("the generator names one of its columns").upstream().to_vec().len()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    pub(crate) code: i64,
    pub(crate) data: Data,
    pub(crate) session_id: Option<String>,
    pub(crate) job_id: Option<String>,
}

/// A drawn answer, whose picture nobody reads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DrawnDocument {
    pub(crate) code: i64,
    pub(crate) data: DrawnData,
    pub(crate) session_id: Option<String>,
    pub(crate) job_id: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DrawnData {
    pub(crate) mode: Option<String>,
    pub(crate) sqlflow: Data,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Data {
    pub(crate) dbvendor: Option<String>,
    pub(crate) dbobjs: Dbobjs,
    pub(crate) relationships: Vec<Relationship>,
    #[serde(default)]
    pub(crate) processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dbobjs {
    pub(crate) created_by: Option<String>,
    #[serde(default)]
    pub(crate) servers: Vec<Server>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) db_vendor: Option<String>,
    pub(crate) supports_catalogs: bool,
    pub(crate) supports_schemas: bool,
    #[serde(default)]
    pub(crate) databases: Vec<Database>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Database {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) schemas: Vec<Schema>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schema {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) tables: Vec<Object>,
    #[serde(default)]
    pub(crate) views: Vec<Object>,
    #[serde(default)]
    pub(crate) others: Vec<Object>,
    #[serde(default)]
    pub(crate) procedures: Vec<Procedure>,
    #[serde(default)]
    pub(crate) processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Object {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
    pub(crate) sub_type: Option<String>,
    pub(crate) alias: Option<String>,
    pub(crate) query_hash_id: Option<String>,
    #[serde(default)]
    pub(crate) arguments: Vec<Argument>,
    pub(crate) procedure_name: Option<String>,
    pub(crate) uri: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) file_type: Option<String>,
    pub(crate) parent: Option<String>,
    pub(crate) is_target: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Column {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
    pub(crate) data_type: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) ui_visible: Option<bool>,
    pub(crate) primary_key: Option<bool>,
    pub(crate) foreign_key: Option<bool>,
    pub(crate) unqiue_key: Option<bool>,
    pub(crate) qualified_table: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Procedure {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
    #[serde(default)]
    pub(crate) arguments: Vec<Argument>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Argument {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data_type: Option<String>,
    pub(crate) inout: Option<String>,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Process {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) procedure_name: Option<String>,
    pub(crate) procedure_id: Option<String>,
    pub(crate) query_hash_id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
    pub(crate) ui_visible: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Relationship {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) effect_type: Option<String>,
    pub(crate) target: Option<Endpoint>,
    #[serde(default)]
    pub(crate) sources: Vec<Endpoint>,
    pub(crate) caller: Option<Callable>,
    #[serde(default)]
    pub(crate) callees: Vec<Callable>,
    pub(crate) process_id: Option<String>,
    pub(crate) process_type: Option<String>,
    pub(crate) function: Option<String>,
    pub(crate) timestamp_min: Option<String>,
    pub(crate) timestamp_max: Option<String>,
    pub(crate) join_type: Option<String>,
    pub(crate) clause: Option<String>,
    pub(crate) condition: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) id: String,
    pub(crate) column: Option<String>,
    pub(crate) parent_id: Option<String>,
    pub(crate) parent_name: Option<String>,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
    pub(crate) clause_type: Option<String>,
    pub(crate) source_id: Option<String>,
    pub(crate) source_name: Option<String>,
    pub(crate) column_type: Option<String>,
    pub(crate) function: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    #[serde(default)]
    pub(crate) transforms: Vec<Transform>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transform {
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) code: Option<String>,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Callable {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) coordinates: Vec<Coordinate>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Coordinate {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) hash_code: Option<String>,
}
