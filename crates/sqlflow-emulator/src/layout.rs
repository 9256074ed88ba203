//! The drawn lineage: tables in layers from left to right, and an edge for each source of each relationship.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::analysis::{ColumnIndex, ObjectIndex, Relationship};
use super::selection::{ExportOptions, LineageView, unquoted};

const TABLE_WIDTH: f64 = 162.0;
const HEADER_HEIGHT: f64 = 25.97;
const ROW_HEIGHT: f64 = 16.0;
const LAYER_GAP: f64 = 50.0;
const TABLE_GAP: f64 = 20.0;
const CHARACTER_WIDTH: f64 = 7.0;

/// A drawing.
#[derive(Debug)]
pub(super) struct Drawing {
    pub(super) tables: Vec<DrawnTable>,
    pub(super) edges: Vec<DrawnEdge>,
}

/// A box with rows.
#[derive(Debug, Serialize)]
pub(super) struct DrawnTable {
    pub(super) id: String,
    pub(super) label: DrawnLabel,
    #[serde(skip)]
    object_id: u32,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) columns: Vec<DrawnColumn>,
}

/// A row of a box.
#[derive(Debug, Serialize)]
pub(super) struct DrawnColumn {
    pub(super) id: String,
    pub(super) label: DrawnLabel,
    #[serde(skip)]
    column_id: u32,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// An arrow.
#[derive(Debug, Serialize)]
pub(super) struct DrawnEdge {
    pub(super) id: String,
    #[serde(rename = "sourceId")]
    pub(super) source: String,
    #[serde(rename = "targetId")]
    pub(super) target: String,
    #[serde(skip)]
    pub(super) kind: &'static str,
    #[serde(skip)]
    relation_id: u32,
}

impl Drawing {
    /// Draws the selected part of a lineage.
    pub(super) fn of(view: &LineageView<'_>, options: &ExportOptions) -> Self {
        let by_table = view.table_level || options.hide_columns;
        let linked = linked_columns(&view.relationships);
        let drawn: Vec<ObjectIndex> = view
            .objects()
            .map(|(index, _)| index)
            .filter(|index| !options.link_only || linked.contains_key(index))
            .collect();
        let mut tables = Vec::with_capacity(drawn.len());
        let mut names: HashMap<ColumnIndex, String> = HashMap::new();
        let mut table_names: HashMap<ObjectIndex, String> = HashMap::new();
        for (number, index) in drawn.iter().enumerate() {
            let object = view.lineage.object(*index);
            let id = format!("n{number}");
            let rows = if by_table { Vec::new() } else { rows(view, *index, &linked, options) };
            let columns = rows.into_iter().enumerate().map(|(row, column)| {
                let id = format!("{id}::n{row}");
                names.insert(column, id.clone());
                let described = view.lineage.column(column);
                DrawnColumn {
                    id,
                    label: DrawnLabel::new(unquoted(&described.name)),
                    column_id: described.id,
                    x: 0.0,
                    y: 0.0,
                    width: 0.0,
                    height: ROW_HEIGHT,
                }
            });
            let columns: Vec<DrawnColumn> = columns.collect();
            table_names.insert(*index, id.clone());
            tables.push(DrawnTable {
                id,
                label: DrawnLabel::new(unquoted(&object.display_name)),
                object_id: object.id,
                x: 0.0,
                y: 0.0,
                width: TABLE_WIDTH,
                height: 0.0,
                columns,
            });
        }
        let edges = if by_table {
            table_edges(&view.relationships, &table_names)
        } else {
            column_edges(&view.relationships, &names)
        };
        place(&mut tables, &layers(&drawn, &view.relationships));
        Self { tables, edges }
    }
}

/// Writes the `graph` of a response.
impl Serialize for Drawing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut graph = serializer.serialize_map(Some(4))?;
        graph.serialize_entry("elements", &Elements { tables: &self.tables, edges: &self.edges })?;
        graph.serialize_entry("tooltip", &BTreeMap::<&str, &str>::new())?;
        graph.serialize_entry("relationshipIdMap", &RelationshipIds(&self.edges))?;
        graph.serialize_entry("listIdMap", &ElementIds(&self.tables))?;
        graph.end()
    }
}

#[derive(Serialize)]
struct Elements<'a> {
    tables: &'a [DrawnTable],
    edges: &'a [DrawnEdge],
}

/// The relationship that each edge stands for: `{"e0": ["7", "fdd"]}`.
struct RelationshipIds<'a>(&'a [DrawnEdge]);

impl Serialize for RelationshipIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer
            .collect_map(self.0.iter().map(|edge| (&edge.id, [edge.relation_id.to_string(), edge.kind.to_owned()])))
    }
}

/// The table or column that each element stands for: `{"n0": ["1"], "n0::n0": ["2"]}`.
struct ElementIds<'a>(&'a [DrawnTable]);

impl Serialize for ElementIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ids = serializer.serialize_map(None)?;
        for table in self.0 {
            ids.serialize_entry(&table.id, &[table.object_id.to_string()])?;
            for column in &table.columns {
                ids.serialize_entry(&column.id, &[column.column_id.to_string()])?;
            }
        }
        ids.end()
    }
}

/// The text of a table or a row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DrawnLabel {
    pub(super) content: String,
    font_family: &'static str,
    font_size: &'static str,
    width: f64,
    height: f64,
    x: f64,
    y: f64,
}

impl DrawnLabel {
    fn new(content: String) -> Self {
        Self { content, font_family: "Segoe UI Symbol", font_size: "12", width: 0.0, height: 17.97, x: 0.0, y: 0.0 }
    }
}

fn linked_columns(relationships: &[Relationship]) -> HashMap<ObjectIndex, BTreeSet<usize>> {
    let mut linked: HashMap<ObjectIndex, BTreeSet<usize>> = HashMap::new();
    for relationship in relationships {
        for end in std::iter::once(&relationship.target).chain(&relationship.sources) {
            linked.entry(end.column.object).or_default().insert(end.column.column);
        }
    }
    linked
}

fn rows(
    view: &LineageView<'_>,
    object: ObjectIndex,
    linked: &HashMap<ObjectIndex, BTreeSet<usize>>,
    options: &ExportOptions,
) -> Vec<ColumnIndex> {
    let linked = linked.get(&object);
    let is_linked = |column: &usize| linked.is_some_and(|linked| linked.contains(column));
    let columns = view.lineage.object(object).columns.iter().enumerate();
    let drawn =
        columns.filter(|(column, described)| is_linked(column) || !options.link_only && !described.is_relation_rows());
    drawn.map(|(column, _)| ColumnIndex { object, column }).collect()
}

fn column_edges(relationships: &[Relationship], names: &HashMap<ColumnIndex, String>) -> Vec<DrawnEdge> {
    let mut edges = Vec::new();
    for relationship in relationships {
        for source in &relationship.sources {
            if let (Some(from), Some(to)) = (names.get(&source.column), names.get(&relationship.target.column)) {
                edges.push(edge(edges.len(), relationship, from, to));
            }
        }
    }
    edges
}

fn table_edges(relationships: &[Relationship], names: &HashMap<ObjectIndex, String>) -> Vec<DrawnEdge> {
    let mut edges = Vec::new();
    let mut drawn = BTreeSet::new();
    for relationship in relationships {
        for source in &relationship.sources {
            let ends = (source.column.object, relationship.target.column.object);
            if let (Some(from), Some(to)) = (names.get(&ends.0), names.get(&ends.1))
                && drawn.insert((ends, relationship.kind))
            {
                edges.push(edge(edges.len(), relationship, from, to));
            }
        }
    }
    edges
}

fn edge(number: usize, relationship: &Relationship, from: &str, to: &str) -> DrawnEdge {
    DrawnEdge {
        id: format!("e{number}"),
        source: from.to_owned(),
        target: to.to_owned(),
        kind: relationship.kind.name(),
        relation_id: relationship.id,
    }
}

/// Returns the layer of each table: one to the right of all tables it reads from. Tables that form a cycle come after
/// the tables that feed the cycle.
fn layers(drawn: &[ObjectIndex], relationships: &[Relationship]) -> Vec<usize> {
    let numbers: HashMap<ObjectIndex, usize> =
        drawn.iter().enumerate().map(|(number, index)| (*index, number)).collect();
    let mut readers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for relationship in relationships {
        let Some(&to) = numbers.get(&relationship.target.column.object) else { continue };
        for from in relationship.sources.iter().filter_map(|source| numbers.get(&source.column.object)) {
            if *from != to {
                readers.entry(*from).or_default().insert(to);
            }
        }
    }
    let mut unread = vec![0usize; drawn.len()];
    readers.values().flatten().for_each(|to| unread[*to] += 1);
    let mut layers = vec![0usize; drawn.len()];
    let mut done = vec![false; drawn.len()];
    let mut ready: Vec<usize> = (0..drawn.len()).filter(|number| unread[*number] == 0).collect();
    let mut circular = 0..drawn.len();
    loop {
        let Some(number) = ready.pop().or_else(|| circular.find(|number| !done[*number])) else { return layers };
        if std::mem::replace(&mut done[number], true) {
            continue;
        }
        for &reader in readers.get(&number).into_iter().flatten().filter(|reader| !done[**reader]) {
            layers[reader] = layers[reader].max(layers[number] + 1);
            unread[reader] = unread[reader].saturating_sub(1);
            if unread[reader] == 0 {
                ready.push(reader);
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a drawing has far fewer rows than would matter")]
fn place(tables: &mut [DrawnTable], layers: &[usize]) {
    let mut widths: BTreeMap<usize, f64> = BTreeMap::new();
    for (table, layer) in tables.iter_mut().zip(layers) {
        let labels = table.columns.iter().map(|column| &column.label).chain([&table.label]);
        let longest = labels.map(|label| label.content.chars().count()).max().unwrap_or_default();
        table.width = (longest as f64 * CHARACTER_WIDTH + 20.0).max(TABLE_WIDTH);
        table.label.width = table.width;
        table.height = HEADER_HEIGHT + table.columns.len() as f64 * ROW_HEIGHT;
        let width = widths.entry(*layer).or_default();
        *width = width.max(table.width);
    }
    let mut left = 0.0;
    let mut lefts: BTreeMap<usize, f64> = BTreeMap::new();
    for (layer, width) in widths {
        lefts.insert(layer, left);
        left += width + LAYER_GAP;
    }
    let mut bottoms: BTreeMap<usize, f64> = BTreeMap::new();
    for (table, layer) in tables.iter_mut().zip(layers) {
        let bottom = bottoms.entry(*layer).or_default();
        table.x = lefts.get(layer).copied().unwrap_or_default();
        table.y = *bottom;
        *bottom += table.height + TABLE_GAP;
        for (row, column) in table.columns.iter_mut().enumerate() {
            column.x = table.x + 1.0;
            column.y = table.y + HEADER_HEIGHT + row as f64 * ROW_HEIGHT;
            column.width = table.width - 2.0;
            column.label.width = column.width;
        }
    }
}
