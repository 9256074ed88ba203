//! The part of a lineage that a caller requested: which relationships, which tables, and whether intermediate results
//! are shown or skipped.

use std::collections::{HashMap, HashSet};

use super::analysis::{
    Clause, ColumnIndex, Effect, Endpoint, Lineage, Object, ObjectIndex, ObjectKind, Process, Relationship,
    RelationshipKind, UNNAMED,
};

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
        [&self.database, &self.schema, &self.table, &self.column].into_iter().any(Option::is_some)
    }
}

/// The selected part of a lineage.
#[derive(Debug)]
pub(super) struct LineageView<'a> {
    pub(super) lineage: &'a Lineage,
    pub(super) relationships: Vec<Relationship>,
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
        relationships.retain(|relationship| options.shows(relationship.kind));
        let mut shown: Vec<bool> = hidden.iter().map(|hidden| !hidden).collect();
        if options.selects() {
            relationships = connected(lineage, relationships, &shown, options);
            let touched: HashSet<ObjectIndex> = relationships.iter().flat_map(objects_of).collect();
            for (index, shown) in shown.iter_mut().enumerate() {
                *shown &= touched.contains(&ObjectIndex(index)) || matches(&lineage.objects[index], options);
            }
        }
        if options.table_to_table {
            relationships = between_tables(relationships, options.ignore_self_lineage);
        }
        Self { lineage, relationships, table_level: options.table_to_table, selected: options.selects(), shown }
    }

    /// Returns the relationships as they are written. Between tables, a relationship of a statement is written as two:
    /// from the tables into the process, and from the process into the table.
    pub(super) fn steps(&self) -> Vec<Step<'_>> {
        let known = self.relationships.iter().map(|relationship| relationship.id + 1).max().unwrap_or_default();
        let mut next_id = known.max(self.lineage.next_id);
        let mut steps = Vec::with_capacity(self.relationships.len());
        for relationship in &self.relationships {
            let process = relationship.process.and_then(|process| self.lineage.processes.get(process));
            match process.filter(|_| self.table_level) {
                None => steps.push(Step { id: relationship.id, relationship, ends: StepEnds::Both }),
                Some(process) => {
                    steps.push(Step { id: relationship.id, relationship, ends: StepEnds::IntoProcess(process) });
                    steps.push(Step { id: next_id, relationship, ends: StepEnds::OutOfProcess(process) });
                    next_id += 1;
                }
            }
        }
        steps
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

fn walk_through(lineage: &Lineage, hidden: &[bool], options: &ExportOptions) -> Vec<Relationship> {
    let visible = VisibleSources::new(lineage, hidden, options);
    let mut next_id = lineage.next_id;
    let mut relationships = Vec::with_capacity(lineage.relationships.len());
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
            relationships.push(Relationship { id, kind, sources, ..relationship.clone() });
        }
    }
    relationships
}

fn distinct(ends: impl Iterator<Item = Endpoint>) -> Vec<Endpoint> {
    let mut seen: HashSet<(ColumnIndex, Option<Clause>)> = HashSet::new();
    ends.filter(|end| seen.insert((end.column, end.clause))).collect()
}

/// Returns the relationships upstream and downstream of the selected columns.
fn connected(
    lineage: &Lineage,
    relationships: Vec<Relationship>,
    shown: &[bool],
    options: &ExportOptions,
) -> Vec<Relationship> {
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
    let mut kept = reach(&relationships, &start, &into, sources);
    kept.extend(reach(&relationships, &start, &out_of, target));
    relationships
        .into_iter()
        .enumerate()
        .filter(|(index, _)| kept.contains(index))
        .map(|(_, relationship)| relationship)
        .collect()
}

fn reach(
    relationships: &[Relationship],
    start: &HashSet<ColumnIndex>,
    steps: &HashMap<ColumnIndex, Vec<usize>>,
    onward: impl Fn(&Relationship) -> Vec<ColumnIndex>,
) -> HashSet<usize> {
    let mut kept = HashSet::new();
    let mut seen = start.clone();
    let mut waiting: Vec<ColumnIndex> = start.iter().copied().collect();
    while let Some(column) = waiting.pop() {
        for index in steps.get(&column).into_iter().flatten() {
            kept.insert(*index);
            waiting.extend(onward(&relationships[*index]).into_iter().filter(|column| seen.insert(*column)));
        }
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
        && matches_part(&options.database, &object.namespace.database)
        && matches_part(&options.schema, &object.namespace.schema)
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
fn between_tables(relationships: Vec<Relationship>, ignore_self_lineage: bool) -> Vec<Relationship> {
    type GroupKey = (ObjectIndex, RelationshipKind, Effect, Option<usize>);
    let mut positions: HashMap<GroupKey, usize> = HashMap::new();
    let mut merged: Vec<Relationship> = Vec::new();
    for mut relationship in relationships {
        if ignore_self_lineage {
            let target = relationship.target.column.object;
            relationship.sources.retain(|source| source.column.object != target);
            if relationship.sources.is_empty() {
                continue;
            }
        }
        let key = (relationship.target.column.object, relationship.kind, relationship.effect, relationship.process);
        let position = *positions.entry(key).or_insert_with(|| {
            merged.push(Relationship { sources: Vec::new(), ..relationship.clone() });
            merged.len() - 1
        });
        for source in relationship.sources {
            if !merged[position].sources.iter().any(|known| known.column.object == source.column.object) {
                merged[position].sources.push(source);
            }
        }
    }
    merged
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
