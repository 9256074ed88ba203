//! The part of a lineage that a caller requested: which relationships, which tables, and whether intermediate results
//! are shown or skipped.

use std::collections::{HashMap, HashSet};
use std::ops::Deref;

use super::analysis::{
    Clause, ColumnIndex, Effect, Endpoint, Lineage, Object, ObjectIndex, ObjectKind, Process, Relationship,
    RelationshipKind, UNNAMED,
};

/// The direction in which lineage is followed from what was selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Direction {
    #[default]
    Both,
    Upstream,
    Downstream,
}

/// The options of an export.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the protocol")]
pub(super) struct ExportOptions {
    /// The relationship types to show.
    pub(super) relation_types: String,
    /// `true` to leave out every intermediate result.
    pub(super) simple: bool,
    /// `true` to leave out record sets, except those that nothing reads.
    pub(super) ignore_record_set: bool,
    pub(super) ignore_function: bool,
    pub(super) show_constants: bool,
    /// `true` to let the arguments of `COUNT` flow into it.
    pub(super) count_arguments_direct: bool,
    pub(super) table_to_table: bool,
    /// `true` to leave out what flows from a table into itself, between tables.
    pub(super) ignore_self_lineage: bool,
    /// `true` to draw only tables and columns with a relationship.
    pub(super) link_only: bool,
    /// `true` to draw tables without their columns.
    pub(super) hide_columns: bool,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) table: Option<String>,
    pub(super) column: Option<String>,
    /// A pattern for the names of the tables that are selected.
    pub(super) table_pattern: Option<regex::Regex>,
    pub(super) direction: Direction,
    /// The number of relationships to follow from what was selected, if it is limited.
    pub(super) distance: Option<usize>,
}

impl Default for ExportOptions {
    fn default() -> Self {
        Self {
            relation_types: "fdd".into(),
            simple: false,
            ignore_record_set: false,
            ignore_function: false,
            show_constants: false,
            count_arguments_direct: false,
            table_to_table: false,
            ignore_self_lineage: false,
            link_only: true,
            hide_columns: false,
            database: None,
            schema: None,
            table: None,
            column: None,
            table_pattern: None,
            direction: Direction::Both,
            distance: None,
        }
    }
}

/// The valid names in `showRelationType`. The emulator finds no relationships of the last two types.
const RELATION_TYPES: [&str; 7] = ["fdd", "fdr", "frd", "join", "er", "fddi", "call"];

/// Returns the first name in a list of relationship types that is unknown.
pub(super) fn unknown_relation_type(list: &str) -> Option<&str> {
    let known = |name: &str| RELATION_TYPES.iter().any(|known| name.eq_ignore_ascii_case(known));
    list.split(',').map(str::trim).find(|name| !name.is_empty() && !known(name))
}

impl ExportOptions {
    fn shows(&self, kind: RelationshipKind) -> bool {
        self.relation_types.split(',').any(|name| name.trim().eq_ignore_ascii_case(kind.name()))
    }

    fn selects(&self) -> bool {
        let named = [&self.database, &self.schema, &self.table, &self.column].into_iter().any(Option::is_some);
        named || self.table_pattern.is_some() || self.direction != Direction::Both || self.distance.is_some()
    }
}

/// A relationship of the selected part: one of the lineage, or one that was made for this part. A large lineage is
/// mostly shown as it is, so that it is not copied.
#[derive(Debug)]
pub(super) enum ShownRelationship<'a> {
    Original(&'a Relationship),
    Made(Box<Relationship>),
}

impl Deref for ShownRelationship<'_> {
    type Target = Relationship;

    fn deref(&self) -> &Relationship {
        match self {
            Self::Original(relationship) => relationship,
            Self::Made(relationship) => relationship,
        }
    }
}

impl From<Relationship> for ShownRelationship<'_> {
    fn from(relationship: Relationship) -> Self {
        Self::Made(Box::new(relationship))
    }
}

/// The selected part of a lineage.
#[derive(Debug)]
pub(super) struct LineageView<'a> {
    pub(super) lineage: &'a Lineage,
    pub(super) relationships: Vec<ShownRelationship<'a>>,
    /// `true` if relationships are between tables rather than columns.
    pub(super) table_level: bool,
    /// `true` if the caller requested only certain tables.
    pub(super) selected: bool,
    shown: Vec<bool>,
}

impl<'a> LineageView<'a> {
    /// Selects the part that the options request.
    pub(super) fn of(lineage: &'a Lineage, options: &ExportOptions) -> Self {
        let hidden = hidden_objects(lineage, options);
        let mut relationships = walk_through(lineage, &hidden, options);
        let mut shown: Vec<bool> = hidden.iter().map(|hidden| !hidden).collect();
        if options.selects() {
            relationships = connected(lineage, relationships, &shown, options);
            let touched: HashSet<ObjectIndex> =
                relationships.iter().flat_map(|relationship| objects_of(relationship)).collect();
            for (index, shown) in shown.iter_mut().enumerate() {
                *shown &= touched.contains(&ObjectIndex(index)) || matches(&lineage.objects[index], options);
            }
        }
        if options.table_to_table {
            relationships = between_tables(&relationships, options.ignore_self_lineage);
        }
        Self { lineage, relationships, table_level: options.table_to_table, selected: options.selects(), shown }
    }

    /// Replaces the relationships, and shows only what they touch.
    pub(super) fn with_relationships(self, relationships: Vec<Relationship>, options: &ExportOptions) -> Self {
        let relationships: Vec<_> = relationships.into_iter().map(ShownRelationship::from).collect();
        let relationships = if options.table_to_table {
            between_tables(&relationships, options.ignore_self_lineage)
        } else {
            relationships
        };
        let touched: HashSet<ObjectIndex> =
            relationships.iter().flat_map(|relationship| objects_of(relationship)).collect();
        let shown = (0..self.shown.len()).map(|index| touched.contains(&ObjectIndex(index))).collect();
        Self { relationships, table_level: options.table_to_table, selected: true, shown, ..self }
    }

    /// Returns the relationships as they are written. Between tables, a relationship of a statement is written as two:
    /// from the tables into the process, and from the process into the table.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let known = self.relationships.iter().map(|relationship| relationship.id + 1).max().unwrap_or_default();
        let mut next_id = known.max(self.lineage.next_id);
        self.relationships.iter().flat_map(move |relationship| {
            let relationship: &Relationship = relationship;
            let process = relationship.process.and_then(|process| self.lineage.processes.get(process));
            let process = process.filter(|_| self.table_level);
            let ends = process.map_or(StepEnds::Both, StepEnds::IntoProcess);
            let second = process.map(|process| {
                next_id += 1;
                Step { id: next_id - 1, relationship, ends: StepEnds::OutOfProcess(process) }
            });
            std::iter::once(Step { id: relationship.id, relationship, ends }).chain(second)
        })
    }

    /// Iterates over the selected objects.
    pub(super) fn objects(&self) -> impl Iterator<Item = (ObjectIndex, &'a Object)> + '_ {
        let objects = self.lineage.objects.iter().enumerate();
        objects.filter(|(index, _)| self.shown[*index]).map(|(index, object)| (ObjectIndex(index), object))
    }
}

/// A relationship as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step<'a> {
    pub(super) id: u32,
    pub(super) relationship: &'a Relationship,
    pub(super) ends: StepEnds<'a>,
}

/// The ends of a written relationship.
#[derive(Debug, Clone, Copy)]
pub(super) enum StepEnds<'a> {
    /// The sources and the target of the relationship.
    Both,
    /// The sources of the relationship, with a process as the target.
    IntoProcess(&'a Process),
    /// The target of the relationship, with a process as the source.
    OutOfProcess(&'a Process),
}

fn objects_of(relationship: &Relationship) -> impl Iterator<Item = ObjectIndex> + '_ {
    std::iter::once(relationship.target.column.object)
        .chain(relationship.sources.iter().map(|source| source.column.object))
}

fn hidden_objects(lineage: &Lineage, options: &ExportOptions) -> Vec<bool> {
    let read: HashSet<ObjectIndex> = lineage
        .relationships
        .iter()
        .flat_map(|relationship| &relationship.sources)
        .map(|end| end.column.object)
        .collect();
    let hide_functions = options.ignore_function || options.simple || options.table_to_table;
    let hide_record_sets = options.ignore_record_set || options.simple || options.table_to_table;
    let objects = lineage.objects.iter().enumerate();
    let hidden = objects.map(|(index, object)| match object.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::Path | ObjectKind::PseudoTable => false,
        ObjectKind::ConstantTable => !options.show_constants,
        ObjectKind::Function => hide_functions,
        _ => hide_record_sets && (options.simple || read.contains(&ObjectIndex(index))),
    });
    hidden.collect()
}

/// Finds the visible columns behind a column, skipping hidden ones.
struct VisibleSources<'a> {
    lineage: &'a Lineage,
    hidden: &'a [bool],
    incoming: HashMap<ColumnIndex, Vec<usize>>,
    count_arguments_direct: bool,
}

impl<'a> VisibleSources<'a> {
    fn new(lineage: &'a Lineage, hidden: &'a [bool], options: &ExportOptions) -> Self {
        let mut incoming: HashMap<ColumnIndex, Vec<usize>> = HashMap::new();
        for (index, relationship) in lineage.relationships.iter().enumerate() {
            if hidden[relationship.target.column.object.0] && relationship.kind != RelationshipKind::Join {
                incoming.entry(relationship.target.column).or_default().push(index);
            }
        }
        Self { lineage, hidden, incoming, count_arguments_direct: options.count_arguments_direct }
    }

    fn is_hidden(&self, column: ColumnIndex) -> bool {
        self.hidden[column.object.0]
    }

    fn kind(&self, relationship: &Relationship) -> RelationshipKind {
        let counts = relationship.effect == Effect::Function
            && relationship.function.as_deref().is_some_and(|name| name.eq_ignore_ascii_case("count"));
        let direct = self.count_arguments_direct && counts && relationship.kind == RelationshipKind::Fdr;
        if direct { RelationshipKind::Fdd } else { relationship.kind }
    }

    /// Returns the visible ends of all paths into a source, each with the kind of relationship that the whole path
    /// amounts to.
    fn of(&self, kind: RelationshipKind, source: Endpoint) -> Vec<(RelationshipKind, Endpoint)> {
        let mut found = Vec::new();
        let mut seen = HashSet::new();
        let mut waiting = vec![(kind, source)];
        while let Some((kind, end)) = waiting.pop() {
            if !seen.insert((kind, end.column)) {
                continue;
            }
            if !self.is_hidden(end.column) {
                found.push((kind, end));
                continue;
            }
            for index in self.incoming.get(&end.column).into_iter().flatten() {
                let relationship = &self.lineage.relationships[*index];
                let kind = compose(kind, self.kind(relationship));
                waiting.extend(relationship.sources.iter().map(|source| (kind, *source)));
            }
        }
        found.sort_by_key(|(kind, end)| (*kind, end.column));
        found
    }
}

/// Combines two steps: the value flows only if it flows in both.
fn compose(outer: RelationshipKind, inner: RelationshipKind) -> RelationshipKind {
    match (outer, inner) {
        (RelationshipKind::Fdd, inner) => inner,
        (RelationshipKind::Frd, RelationshipKind::Fdd) => RelationshipKind::Frd,
        _ => RelationshipKind::Fdr,
    }
}

fn walk_through<'a>(lineage: &'a Lineage, hidden: &[bool], options: &ExportOptions) -> Vec<ShownRelationship<'a>> {
    let visible = VisibleSources::new(lineage, hidden, options);
    let mut next_id = lineage.next_id;
    let mut relationships = Vec::new();
    for relationship in
        lineage.relationships.iter().filter(|relationship| !visible.is_hidden(relationship.target.column))
    {
        let mut reached: Vec<(RelationshipKind, Endpoint)> = Vec::new();
        if relationship.kind == RelationshipKind::Join {
            reached.extend(
                relationship
                    .sources
                    .iter()
                    .filter(|end| !visible.is_hidden(end.column))
                    .map(|end| (relationship.kind, *end)),
            );
        } else {
            let kind = visible.kind(relationship);
            reached.extend(relationship.sources.iter().flat_map(|source| visible.of(kind, *source)));
        }
        let mut first = true;
        for kind in [
            RelationshipKind::Fdd,
            RelationshipKind::Fdr,
            RelationshipKind::Frd,
            RelationshipKind::Join,
            RelationshipKind::Er,
        ] {
            let sources = distinct(reached.iter().filter(|(reached, _)| *reached == kind).map(|(_, end)| *end));
            if sources.is_empty() {
                continue;
            }
            // A relationship that is split keeps its id for the first part.
            let id = if first {
                relationship.id
            } else {
                next_id += 1;
                next_id - 1
            };
            first = false;
            if !options.shows(kind) {
                continue;
            }
            let unchanged = id == relationship.id && kind == relationship.kind && sources == relationship.sources;
            relationships.push(if unchanged {
                ShownRelationship::Original(relationship)
            } else {
                Relationship { id, kind, sources, ..relationship.clone() }.into()
            });
        }
    }
    relationships
}

fn distinct(ends: impl Iterator<Item = Endpoint>) -> Vec<Endpoint> {
    let mut seen: HashSet<(ColumnIndex, Option<Clause>)> = HashSet::new();
    ends.filter(|end| seen.insert((end.column, end.clause))).collect()
}

/// Returns the relationships upstream and downstream of the selected columns.
fn connected<'a>(
    lineage: &Lineage,
    relationships: Vec<ShownRelationship<'a>>,
    shown: &[bool],
    options: &ExportOptions,
) -> Vec<ShownRelationship<'a>> {
    let start: HashSet<ColumnIndex> = selected_columns(lineage, shown, options);
    let mut into: HashMap<ColumnIndex, Vec<usize>> = HashMap::new();
    let mut out_of: HashMap<ColumnIndex, Vec<usize>> = HashMap::new();
    for (index, relationship) in relationships.iter().enumerate() {
        into.entry(relationship.target.column).or_default().push(index);
        for source in &relationship.sources {
            out_of.entry(source.column).or_default().push(index);
        }
    }
    let sources = |relationship: &Relationship| relationship.sources.iter().map(|end| end.column).collect::<Vec<_>>();
    let target = |relationship: &Relationship| vec![relationship.target.column];
    let mut kept = HashSet::new();
    if options.direction != Direction::Downstream {
        kept.extend(reach(&relationships, &start, &into, sources, options.distance));
    }
    if options.direction != Direction::Upstream {
        kept.extend(reach(&relationships, &start, &out_of, target, options.distance));
    }
    relationships
        .into_iter()
        .enumerate()
        .filter(|(index, _)| kept.contains(index))
        .map(|(_, relationship)| relationship)
        .collect()
}

fn reach(
    relationships: &[ShownRelationship<'_>],
    start: &HashSet<ColumnIndex>,
    steps: &HashMap<ColumnIndex, Vec<usize>>,
    onward: impl Fn(&Relationship) -> Vec<ColumnIndex>,
    distance: Option<usize>,
) -> HashSet<usize> {
    let mut kept = HashSet::new();
    let mut seen = start.clone();
    let mut waiting: Vec<ColumnIndex> = start.iter().copied().collect();
    let mut passed = 0;
    while !waiting.is_empty() && distance.is_none_or(|distance| passed < distance) {
        let mut next = Vec::new();
        for index in waiting.iter().filter_map(|column| steps.get(column)).flatten() {
            kept.insert(*index);
            next.extend(onward(&relationships[*index]).into_iter().filter(|column| seen.insert(*column)));
        }
        waiting = next;
        passed += 1;
    }
    kept
}

fn selected_columns(lineage: &Lineage, shown: &[bool], options: &ExportOptions) -> HashSet<ColumnIndex> {
    let objects =
        lineage.objects.iter().enumerate().filter(|(index, object)| shown[*index] && matches(object, options));
    let columns = objects.flat_map(|(index, object)| {
        let columns = object.columns.iter().enumerate();
        let wanted =
            columns.filter(|(_, column)| options.column.as_deref().is_none_or(|name| same(name, &column.name)));
        wanted.map(move |(column, _)| ColumnIndex { object: ObjectIndex(index), column })
    });
    columns.collect()
}

/// Returns `true` if an object of the database was selected.
fn matches(object: &Object, options: &ExportOptions) -> bool {
    let matches_part = |wanted: &Option<String>, actual: &Option<String>| {
        wanted.as_deref().is_none_or(|wanted| same(wanted, actual.as_deref().unwrap_or(UNNAMED)))
    };
    let named =
        options.table.as_deref().is_none_or(|table| same(table, &object.name) || same(table, &object.display_name));
    object.kind.is_stored()
        && named
        && options.table_pattern.as_ref().is_none_or(|pattern| is_named_like(object, pattern))
        && matches_part(&options.database, &object.namespace.database)
        && matches_part(&options.schema, &object.namespace.schema)
}

/// Returns `true` if the name of an object, with or without its qualifiers, matches a pattern.
pub(super) fn is_named_like(object: &Object, pattern: &regex::Regex) -> bool {
    [&object.name, &object.display_name].into_iter().any(|name| pattern.is_match(&unquoted(name)))
}

/// Returns `true` if two names are the same, ignoring quotes and case.
pub(super) fn same(a: &str, b: &str) -> bool {
    unquoted(a).to_lowercase() == unquoted(b).to_lowercase()
}

/// Returns a name, possibly a qualified one, without the quotes around its parts. Quotes inside a name belong to it.
pub(super) fn unquoted(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    loop {
        let after = if let Some((inner, after)) = quoted_part(rest) {
            plain.push_str(&inner);
            after
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            plain.push_str(&rest[..end]);
            &rest[end..]
        };
        let Some(next) = after.strip_prefix('.') else { return plain };
        plain.push('.');
        rest = next;
    }
}

/// Returns the text between the quotes that a name begins with, and the text after them. A doubled quote stands for
/// itself.
fn quoted_part(name: &str) -> Option<(String, &str)> {
    let (open, close) = match name.chars().next()? {
        quote @ ('"' | '`') => (quote, quote),
        '[' => ('[', ']'),
        _ => return None,
    };
    let mut inner = String::new();
    let mut rest = name.strip_prefix(open)?;
    loop {
        let (before, after) = rest.split_once(close)?;
        inner.push_str(before);
        match after.strip_prefix(close) {
            Some(doubled) => {
                inner.push(close);
                rest = doubled;
            }
            None => return (after.is_empty() || after.starts_with('.')).then_some((inner, after)),
        }
    }
}

/// Merges relationships into one for each pair of tables, type and effect.
fn between_tables<'a>(
    relationships: &[ShownRelationship<'_>],
    ignore_self_lineage: bool,
) -> Vec<ShownRelationship<'a>> {
    type GroupKey = (ObjectIndex, RelationshipKind, Effect, Option<usize>);
    let mut positions: HashMap<GroupKey, usize> = HashMap::new();
    let mut merged: Vec<Relationship> = Vec::new();
    for relationship in relationships {
        let target = relationship.target.column.object;
        let shows = |source: &&Endpoint| !ignore_self_lineage || source.column.object != target;
        if !relationship.sources.iter().any(|source| shows(&source)) {
            continue;
        }
        let key = (target, relationship.kind, relationship.effect, relationship.process);
        let position = *positions.entry(key).or_insert_with(|| {
            merged.push(Relationship { sources: Vec::new(), ..Relationship::clone(relationship) });
            merged.len() - 1
        });
        for source in relationship.sources.iter().filter(shows) {
            if !merged[position].sources.iter().any(|known| known.column.object == source.column.object) {
                merged[position].sources.push(*source);
            }
        }
    }
    merged.into_iter().map(ShownRelationship::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_quotes_around_a_name_are_removed() {
        let cases = [
            (r#""a""b""#, r#"a"b"#),
            ("c[0]", "c[0]"),
            ("s`t", "s`t"),
            ("[db].[dbo].[t]]1]", "db.dbo.t]1"),
            (r#"a."b.c".`d`"#, "a.b.c.d"),
            (r#""a" + "b""#, r#""a" + "b""#),
            (r#"""#, r#"""#),
            ("", ""),
        ];
        for (name, plain) in cases {
            assert_eq!(unquoted(name), plain, "{name}");
        }
        assert!(same(r#""Orders""#, "ORDERS") && !same("c[0]", "c0"));
    }
}
