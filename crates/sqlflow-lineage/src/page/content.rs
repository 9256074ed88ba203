//! The data of a page, as the scripts of the page read it.
//!
//! It is made of arrays of numbers, one for each field, because the names of fields would take most of the room. Texts are
//! numbers of the list `texts`, where 0 is the empty text. Nodes are numbered through: first the columns, then the objects,
//! then the statements.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Serialize, Serializer};

/// The version of this form, which the scripts check.
const VERSION: u32 = 1;

/// A number of a text, a node or a label; absent where the scripts expect none.
pub(super) const ABSENT: i64 = -1;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Content<'a> {
    version: u32,
    generator: &'static str,
    pub(super) title: String,
    /// `true` if labels, objects and columns have changes.
    pub(super) is_comparison: bool,
    /// The node that the page opens at.
    pub(super) open_at: Option<u32>,
    /// The reasons for which the lineage may be less than the whole, each a sentence.
    pub(super) reasons: Vec<String>,
    pub(super) summary: Option<SummaryContent>,
    pub(super) messages: Vec<Message>,
    pub(super) unresolved: Vec<Unresolved>,
    pub(super) texts: Texts<'a>,
    pub(super) objects: Objects,
    pub(super) columns: Columns,
    pub(super) statements: Statements,
    pub(super) labels: Labels,
    pub(super) relationships: Relationships,
    pub(super) stars: Stars,
    /// The number of relationships of the lineage, also of those that have no edge.
    pub(super) relationship_count: usize,
}

/// The counts of a server that left out the records.
#[derive(Debug, Serialize)]
pub(super) struct SummaryContent {
    pub(super) counts: Vec<(&'static str, i64)>,
    pub(super) tables: Vec<String>,
}

/// An error, a warning or a hint about the SQL, or a note on a comparison.
#[derive(Debug, Serialize)]
pub(super) struct Message {
    pub(super) kind: String,
    pub(super) text: String,
    /// The file, line and column, as far as they are known.
    pub(super) place: String,
}

/// An endpoint that means no record.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Unresolved {
    pub(super) relation: String,
    /// The names that the endpoint gives.
    pub(super) name: String,
    /// A node at the other end of the relationship, or [`ABSENT`].
    pub(super) other: i64,
    pub(super) is_source: bool,
    pub(super) statement: String,
}

/// A change in a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Change {
    #[default]
    None,
    Added,
    Removed,
    /// An object of another kind than before.
    Kind,
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// The objects. The columns of an object are `columns[at]..columns[at + 1]`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Objects {
    name: Vec<u32>,
    /// The server, database and schema, as one text.
    group: Vec<u32>,
    kind: Vec<u32>,
    role: Vec<ObjectRole>,
    columns: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    change: Vec<Change>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    old_kind: Vec<u32>,
}

/// The role of an object in a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectRole {
    /// A database stores it.
    Stored,
    /// It is the result of a query that stores nothing.
    ResultSet,
    /// Values pass through it.
    Hidden,
}

impl Serialize for ObjectRole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Columns {
    name: Vec<u32>,
    pub(super) record_sets: Vec<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    change: Vec<Change>,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Statements {
    name: Vec<u32>,
    place: Vec<u32>,
}

/// The attributes of relationships; many relationships share one label.
#[derive(Debug, Default, Serialize)]
pub(super) struct Labels {
    relation: Vec<u32>,
    effect: Vec<u32>,
    function: Vec<u32>,
    statement: Vec<i64>,
    line: Vec<u32>,
    traits: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    change: Vec<Change>,
    #[serde(skip)]
    known: HashMap<Label, u32>,
}

/// The attributes of a relationship, with texts as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Label {
    pub(super) relation: u32,
    pub(super) effect: u32,
    pub(super) function: u32,
    /// The number of the statement, or [`ABSENT`].
    pub(super) statement: i64,
    /// The line of the SQL if no statement tells it, or 0.
    pub(super) line: u32,
    pub(super) carries_values: bool,
    pub(super) is_foreign_key: bool,
    pub(super) change: Change,
}

/// The relationships: the sources of one are `sources[first[at]..first[at + 1]]`.
#[derive(Debug, Serialize)]
pub(super) struct Relationships {
    label: Vec<u32>,
    target: Vec<u32>,
    first: Vec<u32>,
    sources: Vec<u32>,
    /// The clause of each source, unless no source has one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    clauses: Vec<u32>,
}

/// Columns named `*`, and the names of the columns next to them: equal names have equal numbers.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stars {
    pub(super) columns: Vec<u32>,
    pub(super) named: Vec<u32>,
    pub(super) names: Vec<u32>,
}

/// The list of all texts, each once.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    texts: Vec<Cow<'a, str>>,
    numbers: HashMap<Cow<'a, str>, u32>,
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.texts.serialize(serializer)
    }
}

impl<'a> Texts<'a> {
    fn new() -> Self {
        let mut texts = Self { texts: Vec::new(), numbers: HashMap::new() };
        texts.number("");
        texts
    }

    pub(super) fn number(&mut self, text: impl Into<Cow<'a, str>>) -> u32 {
        let text = text.into();
        if let Some(&number) = self.numbers.get(&text) {
            return number;
        }
        let number = next(&self.texts);
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
        number
    }
}

impl Content<'_> {
    pub(super) fn new(title: String) -> Self {
        Self {
            version: VERSION,
            generator: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            title,
            is_comparison: false,
            open_at: None,
            reasons: Vec::new(),
            summary: None,
            messages: Vec::new(),
            unresolved: Vec::new(),
            texts: Texts::new(),
            objects: Objects {
                name: Vec::new(),
                group: Vec::new(),
                kind: Vec::new(),
                role: Vec::new(),
                columns: vec![0],
                change: Vec::new(),
                old_kind: Vec::new(),
            },
            columns: Columns::default(),
            statements: Statements::default(),
            labels: Labels::default(),
            relationships: Relationships {
                label: Vec::new(),
                target: Vec::new(),
                first: vec![0],
                sources: Vec::new(),
                clauses: Vec::new(),
            },
            stars: Stars::default(),
            relationship_count: 0,
        }
    }
}

/// Adding records, in the order of their numbers.
impl<'a> Content<'a> {
    /// Adds an object; its columns are those that are added until the next object.
    pub(super) fn add_object(&mut self, qualified_name: &str, name: &str, kind: &'a str, role: ObjectRole) -> u32 {
        let number = next(&self.objects.name);
        let group = qualified_name.strip_suffix(name).and_then(|group| group.strip_suffix('.')).unwrap_or_default();
        let name = if group.is_empty() { qualified_name } else { name };
        self.objects.name.push(self.texts.number(name.to_owned()));
        self.objects.group.push(self.texts.number(group.to_owned()));
        self.objects.kind.push(self.texts.number(kind));
        self.objects.role.push(role);
        self.objects.columns.push(next(&self.columns.name));
        number
    }

    /// Adds a column to the object that was added last.
    pub(super) fn add_column(&mut self, name: impl Into<Cow<'a, str>>) -> u32 {
        let number = next(&self.columns.name);
        self.columns.name.push(self.texts.number(name));
        if let Some(end) = self.objects.columns.last_mut() {
            *end = next(&self.columns.name);
        }
        number
    }

    pub(super) fn add_statement(&mut self, name: impl Into<Cow<'a, str>>, place: String) -> u32 {
        let number = next(&self.statements.name);
        self.statements.name.push(self.texts.number(name));
        self.statements.place.push(self.texts.number(place));
        number
    }

    /// Says of each object, and of each column, how it changed, and of which kind an object was.
    pub(super) fn set_changes(&mut self, objects: Vec<Change>, old_kinds: Vec<u32>, columns: Vec<Change>) {
        self.objects.change = objects;
        self.objects.old_kind = old_kinds;
        self.columns.change = columns;
    }

    pub(super) fn set_old_kind(&mut self, object: u32, kind: &'a str) {
        let kind = self.texts.number(kind);
        if let Some(old_kind) = self.objects.old_kind.get_mut(object as usize) {
            *old_kind = kind;
        }
        if let Some(change) = self.objects.change.get_mut(object as usize) {
            *change = Change::Kind;
        }
    }

    /// Returns the node of an object, when all columns were added.
    pub(super) fn object_node(&self, object: u32) -> u32 {
        next(&self.columns.name).saturating_add(object)
    }

    /// Returns the number of a label, which is added if no relationship has it yet.
    pub(super) fn label(&mut self, label: Label) -> u32 {
        if let Some(&number) = self.labels.known.get(&label) {
            return number;
        }
        let number = next(&self.labels.relation);
        self.labels.relation.push(label.relation);
        self.labels.effect.push(label.effect);
        self.labels.function.push(label.function);
        self.labels.statement.push(label.statement);
        self.labels.line.push(label.line);
        self.labels.traits.push(u8::from(label.carries_values) | u8::from(label.is_foreign_key) << 1);
        if self.is_comparison {
            self.labels.change.push(label.change);
        }
        self.labels.known.insert(label, number);
        number
    }

    /// Adds a relationship; each source is a node with the number of its clause.
    pub(super) fn add_relationship(&mut self, label: u32, target: u32, sources: &[(u32, u32)]) {
        self.relationships.label.push(label);
        self.relationships.target.push(target);
        self.relationships.sources.extend(sources.iter().map(|(node, _)| node));
        self.relationships.clauses.extend(sources.iter().map(|(_, clause)| clause));
        self.relationships.first.push(next(&self.relationships.sources));
    }

    /// Leaves out the clauses if there are none.
    pub(super) fn finish(mut self) -> Self {
        if self.relationships.clauses.iter().all(|&clause| clause == 0) {
            self.relationships.clauses.clear();
        }
        self
    }
}

/// Returns the number of the next record of a list.
fn next<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
