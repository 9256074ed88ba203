//! The drawn lineage: tables in layers from left to right, and an edge for each source of each relationship.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::analysis::{Column, ColumnIndex, Object, ObjectIndex, Relationship, RelationshipKind};
use super::model::LazySequence;
use super::selection::{ExportOptions, LineageView, ShownRelationship, unquoted};

const TABLE_WIDTH: f64 = 162.0;
pub(super) const HEADER_HEIGHT: f64 = 25.97;
const ROW_HEIGHT: f64 = 16.0;
const LAYER_GAP: f64 = 50.0;
const TABLE_GAP: f64 = 20.0;
pub(super) const CHARACTER_WIDTH: f64 = 7.0;

/// A drawing. What is drawn is made while it is written: as text it is many times larger.
#[derive(Debug)]
pub(super) struct Drawing<'a> {
    tables: Vec<TableBox<'a>>,
    edges: Vec<Edge>,
}

/// The place of a table, and the indexes of its drawn columns.
#[derive(Debug)]
struct TableBox<'a> {
    number: usize,
    object: &'a Object,
    columns: Vec<usize>,
    x: f64,
    y: f64,
    width: f64,
}

/// A table, or a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Element {
    table: usize,
    row: Option<usize>,
}

impl Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.table)?;
        self.row.map_or(Ok(()), |row| write!(f, "::n{row}"))
    }
}

/// The ends of an arrow, and the relationship that it stands for.
#[derive(Debug)]
struct Edge {
    from: Element,
    to: Element,
    kind: RelationshipKind,
    relation_id: u32,
}

/// A box with rows.
#[derive(Serialize)]
pub(super) struct DrawnTable<'a> {
    pub(super) id: String,
    pub(super) label: DrawnLabel,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) columns: DrawnColumns<'a>,
}

/// An area of a drawing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rectangle {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The ends of an arrow as positions in the drawing.
#[derive(Debug)]
pub(super) struct DrawnLine {
    pub(super) from: (f64, f64),
    pub(super) to: (f64, f64),
    pub(super) carries_values: bool,
}

impl DrawnTable<'_> {
    pub(super) fn rectangle(&self) -> Rectangle {
        Rectangle { x: self.x, y: self.y, width: self.width, height: self.height }
    }
}

impl DrawnColumn {
    pub(super) fn rectangle(&self) -> Rectangle {
        Rectangle { x: self.x, y: self.y, width: self.width, height: self.height }
    }
}

/// The rows of a box.
pub(super) struct DrawnColumns<'a>(&'a TableBox<'a>);

/// A row of a box.
#[derive(Debug, Serialize)]
pub(super) struct DrawnColumn {
    pub(super) id: String,
    pub(super) label: DrawnLabel,
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
}

impl<'a> Drawing<'a> {
    /// Draws the selected part of a lineage.
    pub(super) fn of(view: &LineageView<'a>, options: &ExportOptions) -> Self {
        let by_table = view.table_level || options.hide_columns;
        let linked = linked_columns(&view.relationships);
        let drawn: Vec<(ObjectIndex, &'a Object)> =
            view.objects().filter(|(index, _)| !options.link_only || linked.contains_key(index)).collect();
        let mut tables = Vec::with_capacity(drawn.len());
        let mut rows_of: HashMap<ColumnIndex, Element> = HashMap::new();
        let numbers: HashMap<ObjectIndex, usize> =
            drawn.iter().enumerate().map(|(number, (index, _))| (*index, number)).collect();
        for (number, (index, object)) in drawn.iter().enumerate() {
            let columns = if by_table { Vec::new() } else { rows(object, linked.get(index), options) };
            for (row, column) in columns.iter().enumerate() {
                let element = Element { table: number, row: Some(row) };
                rows_of.insert(ColumnIndex { object: *index, column: *column }, element);
            }
            tables.push(TableBox { number, object, columns, x: 0.0, y: 0.0, width: TABLE_WIDTH });
        }
        let edges = if by_table {
            table_edges(&view.relationships, &numbers)
        } else {
            column_edges(&view.relationships, &rows_of)
        };
        place(&mut tables, &layers(&numbers, &view.relationships));
        Self { tables, edges }
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = DrawnTable<'_>> {
        self.tables.iter().map(|table| DrawnTable {
            id: table.element().to_string(),
            label: DrawnLabel::new(unquoted(&table.object.display_name), table.width),
            x: table.x,
            y: table.y,
            width: table.width,
            height: table.height(),
            columns: DrawnColumns(table),
        })
    }

    /// Returns the width and the height of the drawing.
    pub(super) fn size(&self) -> (f64, f64) {
        self.tables.iter().fold((0.0, 0.0), |(width, height): (f64, f64), table| {
            (width.max(table.x + table.width), height.max(table.y + table.height()))
        })
    }

    /// Returns the arrows, from the right of their source to the left of their target.
    pub(super) fn lines(&self) -> impl Iterator<Item = DrawnLine> {
        self.edges.iter().map(|edge| {
            let (from, to) = (&self.tables[edge.from.table], &self.tables[edge.to.table]);
            DrawnLine {
                from: (from.x + from.width, from.middle(edge.from.row)),
                to: (to.x, to.middle(edge.to.row)),
                carries_values: edge.kind == RelationshipKind::Fdd,
            }
        })
    }

    pub(super) fn edges(&self) -> impl Iterator<Item = DrawnEdge> {
        self.edges.iter().enumerate().map(|(number, edge)| DrawnEdge {
            id: format!("e{number}"),
            source: edge.from.to_string(),
            target: edge.to.to_string(),
            kind: edge.kind.name(),
        })
    }
}

impl TableBox<'_> {
    fn element(&self) -> Element {
        Element { table: self.number, row: None }
    }

    #[expect(clippy::cast_precision_loss, reason = "a drawing has far fewer rows than would matter")]
    fn height(&self) -> f64 {
        HEADER_HEIGHT + self.columns.len() as f64 * ROW_HEIGHT
    }

    /// Returns the middle of the height of a row, or of the header.
    #[expect(clippy::cast_precision_loss, reason = "a drawing has far fewer rows than would matter")]
    fn middle(&self, row: Option<usize>) -> f64 {
        self.y + row.map_or(HEADER_HEIGHT / 2.0, |row| HEADER_HEIGHT + (row as f64 + 0.5) * ROW_HEIGHT)
    }

    /// Iterates over the drawn columns, each with its element.
    fn rows(&self) -> impl Iterator<Item = (Element, &Column)> {
        let columns = self.columns.iter().filter_map(|column| self.object.columns.get(*column));
        columns.enumerate().map(|(row, column)| (Element { row: Some(row), ..self.element() }, column))
    }
}

impl DrawnColumns<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.columns.is_empty()
    }

    #[expect(clippy::cast_precision_loss, reason = "a drawing has far fewer rows than would matter")]
    pub(super) fn iter(&self) -> impl Iterator<Item = DrawnColumn> {
        let table = self.0;
        let width = table.width - 2.0;
        table.rows().map(move |(element, column)| DrawnColumn {
            id: element.to_string(),
            label: DrawnLabel::new(unquoted(&column.name), width),
            x: table.x + 1.0,
            y: table.y + HEADER_HEIGHT + element.row.unwrap_or_default() as f64 * ROW_HEIGHT,
            width,
            height: ROW_HEIGHT,
        })
    }
}

impl Serialize for DrawnColumns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Writes the `graph` of a response.
impl Serialize for Drawing<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut graph = serializer.serialize_map(Some(4))?;
        graph.serialize_entry("elements", &Elements(self))?;
        graph.serialize_entry("tooltip", &BTreeMap::<&str, &str>::new())?;
        graph.serialize_entry("relationshipIdMap", &RelationshipIds(&self.edges))?;
        graph.serialize_entry("listIdMap", &ElementIds(&self.tables))?;
        graph.end()
    }
}

struct Elements<'a>(&'a Drawing<'a>);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_map(Some(2))?;
        elements.serialize_entry("tables", &LazySequence(|| self.0.tables()))?;
        elements.serialize_entry("edges", &LazySequence(|| self.0.edges()))?;
        elements.end()
    }
}

/// The relationship that each edge stands for: `{"e0": ["7", "fdd"]}`.
struct RelationshipIds<'a>(&'a [Edge]);

impl Serialize for RelationshipIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ids = self.0.iter().enumerate();
        serializer.collect_map(
            ids.map(|(number, edge)| {
                (format!("e{number}"), [edge.relation_id.to_string(), edge.kind.name().to_owned()])
            }),
        )
    }
}

/// The table or column that each element stands for: `{"n0": ["1"], "n0::n0": ["2"]}`.
struct ElementIds<'a>(&'a [TableBox<'a>]);

impl Serialize for ElementIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut ids = serializer.serialize_map(None)?;
        for table in self.0 {
            ids.serialize_entry(&table.element().to_string(), &[table.object.id.to_string()])?;
            for (element, column) in table.rows() {
                ids.serialize_entry(&element.to_string(), &[column.id.to_string()])?;
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
    fn new(content: String, width: f64) -> Self {
        Self { content, font_family: "Segoe UI Symbol", font_size: "12", width, height: 17.97, x: 0.0, y: 0.0 }
    }
}

fn linked_columns(relationships: &[ShownRelationship<'_>]) -> HashMap<ObjectIndex, BTreeSet<usize>> {
    let mut linked: HashMap<ObjectIndex, BTreeSet<usize>> = HashMap::new();
    for relationship in relationships {
        for end in std::iter::once(&relationship.target).chain(&relationship.sources) {
            linked.entry(end.column.object).or_default().insert(end.column.column);
        }
    }
    linked
}

/// Returns the indexes of the columns to draw.
fn rows(object: &Object, linked: Option<&BTreeSet<usize>>, options: &ExportOptions) -> Vec<usize> {
    let is_linked = |column: &usize| linked.is_some_and(|linked| linked.contains(column));
    let columns = object.columns.iter().enumerate();
    let drawn =
        columns.filter(|(column, described)| is_linked(column) || !options.link_only && !described.is_relation_rows());
    drawn.map(|(column, _)| column).collect()
}

fn column_edges(relationships: &[ShownRelationship<'_>], rows: &HashMap<ColumnIndex, Element>) -> Vec<Edge> {
    let mut edges = Vec::new();
    for relationship in relationships {
        for source in &relationship.sources {
            if let (Some(from), Some(to)) = (rows.get(&source.column), rows.get(&relationship.target.column)) {
                edges.push(edge(relationship, *from, *to));
            }
        }
    }
    edges
}

fn table_edges(relationships: &[ShownRelationship<'_>], numbers: &HashMap<ObjectIndex, usize>) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut drawn = BTreeSet::new();
    let element = |index| numbers.get(&index).map(|number| Element { table: *number, row: None });
    for relationship in relationships {
        for source in &relationship.sources {
            let ends = (element(source.column.object), element(relationship.target.column.object));
            if let (Some(from), Some(to)) = ends
                && drawn.insert((from, to, relationship.kind))
            {
                edges.push(edge(relationship, from, to));
            }
        }
    }
    edges
}

fn edge(relationship: &Relationship, from: Element, to: Element) -> Edge {
    Edge { from, to, kind: relationship.kind, relation_id: relationship.id }
}

/// Returns the layer of each table: one to the right of all tables it reads from. Tables that form a cycle come after
/// the tables that feed the cycle.
fn layers(numbers: &HashMap<ObjectIndex, usize>, relationships: &[ShownRelationship<'_>]) -> Vec<usize> {
    let drawn = numbers.len();
    let mut readers: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for relationship in relationships {
        let Some(&to) = numbers.get(&relationship.target.column.object) else { continue };
        for from in relationship.sources.iter().filter_map(|source| numbers.get(&source.column.object)) {
            if *from != to {
                readers.entry(*from).or_default().insert(to);
            }
        }
    }
    let mut unread = vec![0usize; drawn];
    readers.values().flatten().for_each(|to| unread[*to] += 1);
    let mut layers = vec![0usize; drawn];
    let mut done = vec![false; drawn];
    let mut ready: Vec<usize> = (0..drawn).filter(|number| unread[*number] == 0).collect();
    let mut circular = 0..drawn;
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

#[expect(clippy::cast_precision_loss, reason = "no name is that long")]
fn place(tables: &mut [TableBox<'_>], layers: &[usize]) {
    let mut widths: BTreeMap<usize, f64> = BTreeMap::new();
    for (table, layer) in tables.iter_mut().zip(layers) {
        let names = table.rows().map(|(_, column)| &column.name).chain([&table.object.display_name]);
        let longest = names.map(|name| unquoted(name).chars().count()).max().unwrap_or_default();
        table.width = (longest as f64 * CHARACTER_WIDTH + 20.0).max(TABLE_WIDTH);
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
        *bottom += table.height() + TABLE_GAP;
    }
}
