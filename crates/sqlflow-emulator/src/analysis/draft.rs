//! Lineage under construction: hands out ids, keeps one object for each table however often it is named, and numbers
//! intermediate results.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flowscope_core::Dialect;
use sqlparser::ast::{Ident, ObjectName};
use sqlparser::tokenizer::Span;

use super::expression::Flow;
use super::lineage::JoinCondition;
use super::names::{self, Name};
use super::{
    Clause, Column, ColumnIndex, Effect, Endpoint, Lineage, Object, ObjectIndex, ObjectKind, Place, Problem,
    ProblemKind, Process, RELATION_ROWS, Range, Relation, RelationKind, Settings,
};

/// How many places of one table are remembered.
const MAX_PLACES: usize = 8;

/// The table that holds columns whose table is unknown.
const PSEUDO_TABLE: &str = "pseudo_table_include_orphan_column";

/// The table that holds literals.
const CONSTANTS: &str = "SQL_CONSTANTS";

/// What an object has of another by way of a `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pass {
    from: ObjectIndex,
    effect: Effect,
    process: Option<usize>,
}

/// Lineage under construction.
pub(super) struct Draft {
    pub(super) settings: Settings,
    lineage: Lineage,
    next_id: u32,
    stored: HashMap<Vec<String>, ObjectIndex>,
    columns: HashMap<(ObjectIndex, String), usize>,
    counters: HashMap<String, usize>,
    complete: HashSet<ObjectIndex>,
    passes: HashMap<ObjectIndex, Vec<Pass>>,
    /// Columns that are part of what a `*` of the same object stands for.
    passed: HashSet<ColumnIndex>,
    /// What flows into every column of a function that stands for a table.
    arguments: HashMap<ObjectIndex, Flow>,
    scripts: usize,
    learnt: usize,
    /// Where the statement being read begins.
    pub(super) base: Range,
    /// The statement being read, if it is one that changes the database.
    pub(super) process: Option<usize>,
    /// Set once nobody waits for the lineage any more.
    pub(super) abandoned: Arc<AtomicBool>,
}

impl Draft {
    pub(super) fn new(settings: Settings) -> Self {
        let lineage = Lineage { vendor: settings.vendor.name().to_owned(), ..Lineage::default() };
        Self {
            settings,
            lineage,
            next_id: 1,
            stored: HashMap::new(),
            columns: HashMap::new(),
            counters: HashMap::new(),
            complete: HashSet::new(),
            passes: HashMap::new(),
            passed: HashSet::new(),
            arguments: HashMap::new(),
            scripts: 0,
            learnt: 0,
            base: Range::default(),
            process: None,
            abandoned: Arc::default(),
        }
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    pub(super) fn finish(mut self) -> Lineage {
        self.lineage.next_id = self.next_id;
        self.lineage
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.settings.vendor.dialect()
    }

    pub(super) fn object(&self, index: ObjectIndex) -> &Object {
        self.lineage.object(index)
    }

    /// Counts a statement as understood.
    pub(super) fn understood(&mut self) {
        self.lineage.statements += 1;
    }

    /// Takes one understood statement back.
    pub(super) fn not_understood(&mut self) {
        self.lineage.statements = self.lineage.statements.saturating_sub(1);
    }

    /// The number of the next script.
    pub(super) fn next_script(&mut self) -> usize {
        self.scripts += 1;
        self.scripts - 1
    }

    /// The number of the next script that is only searched for definitions.
    pub(super) fn next_script_to_learn(&mut self) -> usize {
        self.learnt += 1;
        self.learnt - 1
    }

    pub(super) fn problem(&mut self, kind: ProblemKind, file: &str, message: String, at: Option<Range>) {
        self.lineage.problems.push(Problem { kind, message, file: file.to_owned(), at });
    }

    /// Where something of the current statement stands in its script.
    pub(super) fn place(&self, span: Span) -> Range {
        if span == Span::empty() {
            return self.base;
        }
        let moved = |line: u64, column: u64| {
            let (first_line, first_column) = self.base.start;
            if line == 1 { (first_line, first_column + column - 1) } else { (first_line + line - 1, column) }
        };
        Range {
            start: moved(span.start.line, span.start.column.max(1)),
            end: moved(span.end.line, span.end.column.max(1)),
            script: self.base.script,
        }
    }

    pub(super) fn name(&self, ident: &Ident) -> Name {
        Name::of(ident, self.dialect(), self.place(ident.span))
    }

    pub(super) fn made_up(&self, text: impl Into<String>, at: Range) -> Name {
        Name::made_up(text, self.dialect(), at)
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Counts up and gives, say, the 2 of `RS-2`.
    pub(super) fn count(&mut self, prefix: &str) -> usize {
        let counter = self.counters.entry(prefix.to_owned()).or_default();
        *counter += 1;
        *counter
    }

    /// The table or view of that name, which begins to exist when first named.
    pub(super) fn stored(&mut self, name: &ObjectName, kind: ObjectKind) -> ObjectIndex {
        let parts: Vec<Name> = names::parts(name).into_iter().map(|ident| self.name(ident)).collect();
        let Some((last, qualifiers)) = parts.split_last() else {
            return self.pseudo_table();
        };
        let at = Range { start: parts[0].at.start, ..last.at };
        let place = self.place_of(qualifiers);
        let key = Self::identity(&place, last);
        if let Some(&index) = self.stored.get(&key) {
            let object = &mut self.lineage.objects[index.0];
            if object.at.len() < MAX_PLACES && !object.at.contains(&at) {
                object.at.push(at);
            }
            if kind == ObjectKind::View {
                object.kind = kind;
            }
            return index;
        }
        let joined = |part: fn(&Name) -> &str| parts.iter().map(part).collect::<Vec<_>>().join(".");
        let object = Object {
            id: self.id(),
            kind,
            place: Self::shown(place),
            name: last.written.clone(),
            display_name: joined(|name| &name.written),
            normal_name: joined(|name| &name.normal),
            columns: Vec::new(),
            at: vec![at],
        };
        let index = self.push(object);
        self.stored.insert(key, index);
        index
    }

    /// Server, database and schema from qualifiers, the defaults filling in.
    fn place_of(&self, qualifiers: &[Name]) -> [Option<Name>; 3] {
        let default = |text: &Option<String>| text.as_ref().map(|text| self.made_up(text, self.base));
        let mut named = qualifiers.iter().rev().cloned();
        let schema = if self.settings.vendor.supports_schemas() {
            // `db..t` leaves the schema to the default.
            named.next().filter(|name| !name.key.is_empty()).or_else(|| default(&self.settings.schema))
        } else {
            None
        };
        let database = named.next().or_else(|| default(&self.settings.database));
        [named.next(), database, schema]
    }

    fn identity(place: &[Option<Name>; 3], name: &Name) -> Vec<String> {
        let mut key: Vec<String> =
            place.iter().map(|part| part.as_ref().map(|part| part.key.clone()).unwrap_or_default()).collect();
        key.push(name.key.clone());
        key
    }

    fn shown([server, database, schema]: [Option<Name>; 3]) -> Place {
        let written = |name: Option<Name>| name.map(|name| name.written);
        Place { server: written(server), database: written(database), schema: written(schema) }
    }

    /// A new intermediate result.
    pub(super) fn intermediate(&mut self, kind: ObjectKind, name: String, at: Range) -> ObjectIndex {
        let normal_name = self.made_up(&name, at).normal;
        let id = self.id();
        self.push(Object {
            id,
            kind,
            place: Place::default(),
            display_name: name.clone(),
            name,
            normal_name,
            columns: Vec::new(),
            at: vec![at],
        })
    }

    /// A new intermediate result named by a prefix and the next number.
    pub(super) fn numbered(&mut self, kind: ObjectKind, prefix: &str, at: Range) -> ObjectIndex {
        let number = self.count(prefix);
        self.intermediate(kind, format!("{prefix}-{number}"), at)
    }

    fn push(&mut self, object: Object) -> ObjectIndex {
        self.lineage.objects.push(object);
        ObjectIndex(self.lineage.objects.len() - 1)
    }

    fn pseudo_table(&mut self) -> ObjectIndex {
        self.single(ObjectKind::PseudoTable, PSEUDO_TABLE)
    }

    fn single(&mut self, kind: ObjectKind, name: &str) -> ObjectIndex {
        let key = vec![name.to_owned()];
        if let Some(&index) = self.stored.get(&key) {
            return index;
        }
        let index = self.intermediate(kind, name.to_owned(), self.base);
        self.stored.insert(key, index);
        index
    }

    /// The column of a literal.
    pub(super) fn constant(&mut self, literal: String, at: Range) -> ColumnIndex {
        let constants = self.single(ObjectKind::ConstantTable, CONSTANTS);
        let name = Name { written: literal.clone(), normal: literal.clone(), key: literal, at };
        self.column(constants, &name)
    }

    /// A column that cannot be given to a table.
    pub(super) fn orphan(&mut self, name: &Name, file: &str) -> ColumnIndex {
        let (line, column) = name.at.start;
        let message = format!("{file}: find orphan column near: {}({line},{column})", name.written);
        self.problem(ProblemKind::LinkOrphanColumn, file, message, Some(name.at));
        let table = self.pseudo_table();
        self.column(table, name)
    }

    /// The column of that name, made if it is not there.
    pub(super) fn column(&mut self, object: ObjectIndex, name: &Name) -> ColumnIndex {
        self.existing(object, name).unwrap_or_else(|| self.discover_column(object, name))
    }

    /// Makes an object a function that stands for a table: what it is called with flows into whatever is read of it.
    pub(super) fn call_with(&mut self, object: ObjectIndex, arguments: Flow) {
        self.arguments.insert(object, arguments);
    }

    /// A column that an object turns out to have.
    pub(super) fn discover_column(&mut self, object: ObjectIndex, name: &Name) -> ColumnIndex {
        let column = self.add_column(object, name);
        if let Some(flow) = self.arguments.get(&object).cloned() {
            let function = self.object(object).name.clone();
            self.function_flow(column, &function, flow);
        }
        column
    }

    /// Lets a flow end in the column of a function.
    pub(super) fn function_flow(&mut self, column: ColumnIndex, function: &str, flow: Flow) {
        let parts =
            [(RelationKind::Fdd, flow.values), (RelationKind::Fdr, flow.deciding), (RelationKind::Frd, flow.rows)];
        for (kind, sources) in parts {
            self.relate_by(kind, Effect::Function, column, sources, Some(function.to_owned()), None);
        }
    }

    /// The column of that name.
    pub(super) fn existing(&self, object: ObjectIndex, name: &Name) -> Option<ColumnIndex> {
        let column = self.columns.get(&(object, name.key.clone()))?;
        Some(ColumnIndex { object, column: *column })
    }

    /// A new column, even if there is one of that name.
    pub(super) fn add_column(&mut self, object: ObjectIndex, name: &Name) -> ColumnIndex {
        let column = Column {
            id: self.id(),
            name: name.written.clone(),
            normal_name: name.normal.clone(),
            data_type: None,
            primary_key: false,
            foreign_key: false,
            at: name.at,
        };
        let columns = &mut self.lineage.objects[object.0].columns;
        columns.push(column);
        let index = columns.len() - 1;
        self.columns.entry((object, name.key.clone())).or_insert(index);
        ColumnIndex { object, column: index }
    }

    pub(super) fn column_mut(&mut self, index: ColumnIndex) -> &mut Column {
        &mut self.lineage.objects[index.object.0].columns[index.column]
    }

    /// The column that stands for the record set of an object.
    pub(super) fn relation_rows(&mut self, object: ObjectIndex) -> ColumnIndex {
        let at = self.object(object).at.first().copied().unwrap_or(self.base);
        let name =
            Name { written: RELATION_ROWS.into(), normal: RELATION_ROWS.into(), key: format!("\0{RELATION_ROWS}"), at };
        self.column(object, &name)
    }

    /// The columns of an object in order, without the one for its record set.
    pub(super) fn columns_of(&self, object: ObjectIndex) -> Vec<ColumnIndex> {
        let columns = self.object(object).columns.iter().enumerate();
        columns
            .filter(|(_, column)| !column.is_relation_rows())
            .map(|(column, _)| ColumnIndex { object, column })
            .collect()
    }

    /// The name of a column, to look it up in another object.
    pub(super) fn name_of(&self, column: ColumnIndex) -> Name {
        let described = self.lineage.column(column);
        let quoted = described.name.chars().next().filter(|first| matches!(first, '"' | '`' | '['));
        let ident = match quoted {
            Some(quote) => Ident::with_quote(quote, described.normal_name.clone()),
            None => Ident::new(described.name.clone()),
        };
        let mut name = Name::of(&ident, self.dialect(), described.at);
        name.written.clone_from(&described.name);
        name
    }

    /// Declares that no column of an object is unknown.
    pub(super) fn complete(&mut self, object: ObjectIndex) {
        self.complete.insert(object);
    }

    pub(super) fn is_complete(&self, object: ObjectIndex) -> bool {
        self.complete.contains(&object)
    }

    /// Takes back that no column of an object is unknown.
    pub(super) fn incomplete(&mut self, object: ObjectIndex) {
        self.complete.remove(&object);
    }

    /// Gives the columns of an intermediate result the names that an alias lists.
    pub(super) fn rename_columns(&mut self, object: ObjectIndex, names: &[Name]) {
        for (column, name) in self.columns_of(object).into_iter().zip(names) {
            let old = self.name_of(column);
            self.columns.remove(&(object, old.key));
            self.columns.insert((object, name.key.clone()), column.column);
            let described = self.column_mut(column);
            described.name.clone_from(&name.written);
            described.normal_name.clone_from(&name.normal);
        }
    }

    /// Notes the data type of a column, unless the column is unknown or its type is known.
    pub(super) fn adopt_type(&mut self, table: &[&str], column: &str, data_type: &str) {
        let parts: Vec<Name> = table.iter().map(|part| self.made_up(*part, self.base)).collect();
        let Some((last, qualifiers)) = parts.split_last() else { return };
        let key = Self::identity(&self.place_of(qualifiers), last);
        let name = self.made_up(column, self.base);
        let known = self.stored.get(&key).and_then(|table| self.existing(*table, &name));
        if let Some(column) = known {
            self.column_mut(column).data_type.get_or_insert_with(|| data_type.to_owned());
        }
    }

    /// Declares that an object has the unknown columns of another as well.
    pub(super) fn pass_through(&mut self, object: ObjectIndex, from: ObjectIndex, effect: Effect) {
        let process = self.process.filter(|_| effect.changes_the_database());
        let passes = self.passes.entry(object).or_default();
        if !passes.iter().any(|pass| pass.from == from) {
            passes.push(Pass { from, effect, process });
        }
    }

    /// What `*` stands for: the columns of an object, with one named `*` for those that are unknown.
    pub(super) fn columns_of_star(&mut self, object: ObjectIndex, at: Range) -> Vec<ColumnIndex> {
        if !self.is_complete(object) && !self.passes.contains_key(&object) {
            let star = self.made_up("*", at);
            return vec![self.column(object, &star)];
        }
        let columns = self.columns_of(object);
        columns.into_iter().filter(|column| !self.passed.contains(column)).collect()
    }

    /// Whether a column stands for unknown ones.
    pub(super) fn is_star(&self, column: ColumnIndex) -> bool {
        !self.is_complete(column.object) && self.lineage.column(column).name == "*"
    }

    /// The column a statement means when it says `object.name`, or nothing if there cannot be one.
    pub(super) fn find_column(&mut self, object: ObjectIndex, name: &Name) -> Option<ColumnIndex> {
        if let Some(column) = self.existing(object, name) {
            return Some(column);
        }
        let kind = self.object(object).kind;
        if kind.is_stored() || matches!(kind, ObjectKind::WithCte | ObjectKind::Function) && !self.is_complete(object) {
            let passes = self.passes.contains_key(&object);
            if !passes {
                return Some(self.discover_column(object, name));
            }
        }
        self.passed_column(object, name)
    }

    /// A column that an object has because a `*` lets it through.
    fn passed_column(&mut self, object: ObjectIndex, name: &Name) -> Option<ColumnIndex> {
        let sources = self.passes.get(&object).cloned().unwrap_or_default();
        let &[pass] = sources.as_slice() else {
            let star = self.made_up("*", name.at);
            return self.existing(object, &star);
        };
        let source = self.find_column(pass.from, name)?;
        let column = self.add_column(object, name);
        self.passed.insert(column);
        let clause = (pass.effect == Effect::Select).then_some(Clause::SelectList);
        // It was the statement with the `*` that did this, and not the one that reads the column.
        let reading = std::mem::replace(&mut self.process, pass.process);
        let source = Endpoint { column: source, clause, at: name.at };
        self.relate(RelationKind::Fdd, pass.effect, column, vec![source]);
        self.process = reading;
        Some(column)
    }

    /// An end of a relationship at the place where its column is defined.
    pub(super) fn endpoint(&self, column: ColumnIndex) -> Endpoint {
        Endpoint { column, clause: None, at: self.lineage.column(column).at }
    }

    /// Adds a relationship. Without a source there is nothing to say.
    pub(super) fn relate(&mut self, kind: RelationKind, effect: Effect, target: ColumnIndex, sources: Vec<Endpoint>) {
        self.relate_by(kind, effect, target, sources, None, None);
    }

    pub(super) fn relate_by(
        &mut self,
        kind: RelationKind,
        effect: Effect,
        target: ColumnIndex,
        sources: Vec<Endpoint>,
        function: Option<String>,
        join: Option<JoinCondition>,
    ) {
        let mut distinct: Vec<Endpoint> = Vec::with_capacity(sources.len());
        for source in sources {
            if !distinct.iter().any(|known| known.column == source.column && known.clause == source.clause) {
                distinct.push(source);
            }
        }
        if distinct.is_empty() {
            return;
        }
        let target = self.endpoint(target);
        // What happens inside a query is not what the statement does.
        let process = self.process.filter(|_| effect.changes_the_database());
        let id = self.id();
        self.lineage.relations.push(Relation { id, kind, effect, target, sources: distinct, process, function, join });
    }

    /// Makes the statement being read a process, for example `Query Insert-1`.
    pub(super) fn begin_process(
        &mut self,
        routine: Option<&str>,
        step: &str,
        kind: &'static str,
        query_hash: String,
        at: Range,
    ) {
        let prefix = format!("{} {step}", routine.unwrap_or("Query"));
        let name = format!("{prefix}-{}", self.count(&prefix));
        let id = self.id();
        self.lineage.processes.push(Process { id, name, kind, routine: routine.map(str::to_owned), query_hash, at });
        self.process = Some(self.lineage.processes.len() - 1);
    }
}
