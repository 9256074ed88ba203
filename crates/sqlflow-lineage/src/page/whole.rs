//! The data of a page about one lineage.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use crate::graph::{Node, Vertex};
use crate::kinds::{EffectType, RelationType};
use crate::names::{NamedRecord, id_form};
use crate::view::{Column, Diagnostic, Endpoint, EndpointRole, Location, Object, Process, Relationship, Summary};
use crate::{Lineage, LineageInner};

use super::content::{ABSENT, Change, Content, Label, Message, ObjectRole, SummaryContent, Unresolved};
use super::omission;

pub(super) fn content<'a>(lineage: &'a Lineage, open_at: Option<Vertex<'_>>) -> Content<'a> {
    let mut content = Content::new(title(lineage));
    for object in lineage.objects() {
        add_object(&mut content, object);
    }
    for process in lineage.processes() {
        content.add_statement(statement_name(process), place(process.location()));
    }
    for relationship in lineage.relationships() {
        add_relationship(&mut content, lineage, relationship);
    }
    let record_sets = lineage.columns().filter(Column::is_record_set).map(|column| column.at);
    content.columns.record_sets = record_sets.collect();
    let stars = lineage.inner.index().stars();
    content.stars.columns = stars.columns();
    (content.stars.named, content.stars.names) = stars.names();
    content.relationship_count = lineage.relationships().len();
    content.open_at = open_at.map(|vertex| match vertex {
        Vertex::Column(column) => node_number(&lineage.inner, Node::Column(column.at)),
        Vertex::Object(object) => node_number(&lineage.inner, Node::Object(object.at)),
    });
    add_gaps(&mut content, lineage);
    content.finish()
}

/// Returns the label of a lineage, or else what it says about its origin.
pub(super) fn title(lineage: &Lineage) -> String {
    let label = lineage.label().filter(|label| !label.is_empty() && *label != "-");
    match (label, lineage.job_id()) {
        (Some(label), _) => file_name(label),
        (None, Some(job)) => format!("Job {job}"),
        (None, None) => "Data lineage".to_owned(),
    }
}

/// Returns the last part of a label that is a path. The others say where the file was, which is nobody's business who
/// gets the page.
fn file_name(label: &str) -> String {
    Path::new(label).file_name().map_or_else(|| label.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Returns a place in the SQL as it is shown.
pub(super) fn place(location: Location<'_>) -> String {
    let text = location.to_string();
    match location.label().and_then(|label| Some((label, text.strip_prefix(label)?))) {
        Some((label, rest)) if location.file().is_none() => file_name(label) + rest,
        _ => text,
    }
}

fn node_number(inner: &LineageInner, node: Node) -> u32 {
    u32::try_from(node.index(&inner.model)).unwrap_or(u32::MAX)
}

/// Returns the name of a column, or else its id in the form `id:13`.
pub(super) fn column_name(column: Column<'_>) -> Cow<'_, str> {
    match column.name() {
        "" => id_form(column.inner, NamedRecord::Column(column.at)).into(),
        name => name.into(),
    }
}

/// Returns the name of a statement, or else its id.
pub(super) fn statement_name(process: Process<'_>) -> &str {
    if process.name().is_empty() { process.id() } else { process.name() }
}

fn add_object<'a>(content: &mut Content<'a>, object: Object<'a>) {
    let role = if object.is_result_set() {
        ObjectRole::ResultSet
    } else if object.is_intermediate() || object.is_routine() {
        ObjectRole::Hidden
    } else {
        ObjectRole::Stored
    };
    content.add_object(&object.qualified_name(), object.own_name(), object.kind_text(), role);
    for column in object.columns() {
        content.add_column(column_name(column));
    }
}

fn add_relationship<'a>(content: &mut Content<'a>, lineage: &'a Lineage, relationship: Relationship<'a>) {
    let inner = &*lineage.inner;
    let node = |end: &Endpoint<'a>| end.node().map(|node| node_number(inner, node));
    let mut sources: Vec<(u32, u32)> = Vec::new();
    for end in relationship.endpoints().filter(is_source) {
        if let Some(node) = node(&end) {
            sources.push((node, content.texts.number(end.clause_text().unwrap_or_default())));
        }
    }
    let label = label(content, relationship);
    let mut has_target = false;
    for end in relationship.endpoints().filter(|end| !is_source(end)) {
        if let (Some(target), false) = (node(&end), sources.is_empty()) {
            content.add_relationship(label, target, &sources);
            has_target = true;
        }
    }
    let other = sources.first().map(|&(node, _)| node).filter(|_| !has_target);
    let target = relationship.target().and_then(|end| node(&end));
    for end in relationship.endpoints().filter(|end| !end.is_resolved()) {
        let other = if is_source(&end) { target } else { other };
        content.unresolved.push(unresolved(relationship, end, other));
    }
}

pub(super) fn is_source(end: &Endpoint<'_>) -> bool {
    matches!(end.role(), EndpointRole::Source | EndpointRole::Caller)
}

fn label<'a>(content: &mut Content<'a>, relationship: Relationship<'a>) -> u32 {
    let relation = relationship.relation_type();
    let statement = relationship.process();
    let place = || relationship.target().and_then(|target| target.coordinates().next());
    let line = if statement.is_some() { None } else { place() };
    let label = Label {
        relation: content.texts.number(relationship.type_text()),
        effect: content.texts.number(relationship.effect_text().unwrap_or_default()),
        function: content.texts.number(relationship.function().unwrap_or_default()),
        statement: statement.map_or(ABSENT, |process| i64::from(process.at)),
        line: line.and_then(|place| u32::try_from(place.line()).ok()).unwrap_or_default(),
        carries_values: relation.carries_values(),
        is_foreign_key: relationship.effect_type() == Some(EffectType::ForeignKey) && relation != RelationType::Er,
        change: Change::None,
    };
    content.label(label)
}

pub(super) fn unresolved(relationship: Relationship<'_>, end: Endpoint<'_>, other: Option<u32>) -> Unresolved {
    Unresolved {
        relation: relationship.type_text().to_owned(),
        name: end.written_name(),
        other: other.map_or(ABSENT, i64::from),
        is_source: is_source(&end),
        statement: relationship.process().map(statement).unwrap_or_default(),
    }
}

fn statement(process: Process<'_>) -> String {
    let place = place(process.location());
    if place.is_empty() { process.name().to_owned() } else { format!("{} ({place})", process.name()) }
}

/// Adds everything that says why the lineage may be less than the whole.
fn add_gaps(content: &mut Content<'_>, lineage: &Lineage) {
    content.reasons.extend(omission(lineage).map(str::to_owned));
    content.summary = lineage.summary().filter(|_| lineage.is_summary()).map(summary);
    content.messages = messages(lineage);
    let errors = lineage.errors().filter(Diagnostic::is_error).count();
    content.reasons.extend(counted(
        errors,
        "error in the SQL",
        "errors in the SQL",
        "what could not be read is missing",
    ));
    let ends = content.unresolved.len();
    content.reasons.extend(counted(
        ends,
        "endpoint of a relationship could not be followed",
        "endpoints of relationships could not be followed",
        "the flows through them are missing",
    ));
}

/// Returns a sentence about records of which there should be none, if there are any.
fn counted(count: usize, one: &str, several: &str, consequence: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {one}: {consequence}")),
        many => Some(format!("{many} {several}: {consequence}")),
    }
}

/// Returns everything that the server says about the SQL.
pub(super) fn messages(lineage: &Lineage) -> Vec<Message> {
    let errors = lineage.errors().map(|error| Message {
        kind: error.kind().unwrap_or("Error").to_owned(),
        text: error.message().to_owned(),
        place: place(error.location()),
    });
    // Some servers write each hint as a warning too.
    let known: HashSet<&str> = lineage.errors().map(|error| error.message()).collect();
    let warnings = lineage.warnings().filter(|warning| !known.contains(warning)).map(|warning| Message {
        kind: "Warning".to_owned(),
        text: warning.to_owned(),
        place: String::new(),
    });
    errors.chain(warnings).collect()
}

fn summary(summary: Summary<'_>) -> SummaryContent {
    let counts = [
        ("database", summary.databases()),
        ("schema", summary.schemas()),
        ("table", summary.tables()),
        ("view", summary.views()),
        ("column", summary.columns()),
        ("statement", summary.processes()),
        ("relationship", summary.relationships()),
    ];
    let name = |parts: [Option<&str>; 3]| parts.into_iter().flatten().collect::<Vec<_>>().join(".");
    SummaryContent {
        counts: counts
            .into_iter()
            .filter_map(|(what, count)| Some((what, count?)))
            .filter(|&(_, count)| count > 0)
            .collect(),
        tables: summary
            .busiest_tables()
            .map(|table| name([table.database(), table.schema(), Some(table.table())]))
            .collect(),
    }
}
