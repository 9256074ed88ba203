//! Statements that change rows: INSERT, UPDATE, DELETE and MERGE.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    Insert, Merge, MergeAction, MergeInsertExpr, MergeInsertKind, MergeUpdateKind, ObjectName, Query, SelectItem,
    SetExpr, Spanned, TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind,
};

use super::dialect::Dialect;
use super::identifier::{self, Identifier};
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope};
use super::table_functions::literal_string;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationshipKind};

/// The advice about a query in the place of a table whose columns or rows are not those of one table.
const ADVICE_ON_TARGETS: &str = "name the table that it changes in the place of the query";

impl StatementWalker<'_> {
    pub(super) fn insert(&mut self, insert: &Insert, text: &str) {
        if insert.multi_table_insert_type.is_some() {
            return self.multi_table_insert(insert, text);
        }
        self.begin_statement("Insert", "sstinsert", text);
        let Some((table, shown)) = self.insert_target(&insert.table) else {
            return self.skip_statement("the target of an insert, which is neither a table nor a path, is");
        };
        let named = insert.columns.iter().filter_map(|name| identifier::parts(name).last().copied());
        let columns: Vec<&Ident> = named.chain(&insert.after_columns).chain(&shown).collect();
        if !self.builder.object(table).kind.is_stored() {
            return self.insert_through_query(table, &columns, insert.source.as_deref());
        }
        let listed_none = columns.is_empty();
        let mut listed: Vec<ColumnIndex> = columns.into_iter().map(|ident| self.target_column(table, ident)).collect();
        let partitions = self.partition_columns(insert);
        if !listed_none {
            for (name, dynamic) in &partitions {
                let column = self.builder.column(table, name);
                if *dynamic && !listed.contains(&column) {
                    listed.push(column);
                }
            }
        }
        let mut inserted = None;
        if let Some(source) = &insert.source {
            let result = self.query(source, &RecordSetRole::Insert, None);
            let literal = matches!(*source.body, SetExpr::Values(_));
            let targets = if insert.by_name { None } else { self.insert_targets(table, listed, result, literal) };
            if listed_none && !literal && !partitions.is_empty() {
                self.insert_into_partitions(result, table, &partitions);
            } else if literal && targets.as_ref().is_some_and(Vec::is_empty) {
                self.connect_named_values(result, table);
            } else {
                self.connect_columns(result, table, Effect::Insert, targets.clone());
            }
            inserted = Some((result, targets.unwrap_or_else(|| self.same_columns(result, table))));
        }
        self.assign(&insert.assignments, table, table, &NameScope::within(None), Effect::Insert);
        self.conflict(insert, table, inserted.as_ref().map(|(result, targets)| (*result, targets.as_slice())));
        self.output_into(insert.output.as_ref(), table, &NameScope::within(None));
    }

    /// Reads an insert into a common table expression of T-SQL, which fills the table that it reads.
    fn insert_through_query(&mut self, cte: ObjectIndex, columns: &[&Ident], source: Option<&Query>) {
        let meant: Vec<Option<ColumnIndex>> = if columns.is_empty() {
            self.builder.columns_of(cte).into_iter().map(Some).collect()
        } else {
            columns.iter().map(|ident| self.changed_column(cte, ident)).collect()
        };
        let stored = meant.into_iter().map(|column| column.and_then(|column| self.builder.stored_column(column)));
        let (Some(targets), Some(source)) = (stored.collect::<Option<Vec<_>>>(), source) else {
            return self.skip_statement_with("the target of an insert, which is not a table, is", ADVICE_ON_TARGETS);
        };
        let Some(first) = targets.first() else { return };
        let table = first.object;
        let result = self.query(source, &RecordSetRole::Insert, None);
        self.connect_columns(result, table, Effect::Insert, Some(targets));
    }

    /// Returns the columns that a `PARTITION` clause lists, and `true` for those whose values come from the query. In
    /// other dialects the clause lists partitions.
    fn partition_columns(&self, insert: &Insert) -> Vec<(Identifier, bool)> {
        let dialect = self.builder.dialect();
        if !matches!(dialect, Dialect::Hive | Dialect::Spark | Dialect::Databricks | Dialect::Generic) {
            return Vec::new();
        }
        let columns = insert.partitioned.iter().flatten().filter_map(|column| match column {
            Expr::Identifier(ident) => Some((self.builder.name(ident), true)),
            Expr::BinaryOp { left, .. } => match left.as_ref() {
                Expr::Identifier(ident) => Some((self.builder.name(ident), false)),
                _ => None,
            },
            _ => None,
        });
        columns.collect()
    }

    /// Connects the columns of a query to a table with partitions. The last ones decide the partition of a row, those
    /// before them fill the other columns.
    fn insert_into_partitions(&mut self, result: ObjectIndex, table: ObjectIndex, partitions: &[(Identifier, bool)]) {
        let dynamic: Vec<&Identifier> =
            partitions.iter().filter(|(_, dynamic)| *dynamic).map(|(name, _)| name).collect();
        let sources = self.builder.columns_of(result);
        let star = sources.iter().position(|source| self.builder.is_star(*source));
        let first = sources.len().saturating_sub(dynamic.len()).max(star.map_or(0, |star| star + 1));
        let (leading, last) = sources.split_at(first.min(sources.len()));
        let known: Vec<ColumnIndex> = self.builder.columns_of(table);
        let known: Vec<ColumnIndex> = known
            .into_iter()
            .filter(|column| {
                let key = self.builder.name_of(*column).key;
                partitions.iter().all(|(name, _)| name.key != key)
            })
            .collect();
        let by_position = self.builder.is_complete(table) && star.is_none() && known.len() >= leading.len();
        let names: Vec<String> = last.iter().map(|source| self.builder.name_of(*source).key).collect();
        for (position, source) in leading.iter().enumerate() {
            let target = known.get(position).filter(|_| by_position).copied().unwrap_or_else(|| {
                let name = self.builder.name_of(*source);
                self.builder.column(table, &name)
            });
            self.connect_column(Some(*source), target, Effect::Insert);
        }
        if star.is_some() {
            self.builder.pass_through_except(table, result, Effect::Insert, &names);
        }
        // A `*` may stand for the values of partitions too.
        let covered = dynamic.len().saturating_sub(last.len());
        for (position, name) in dynamic.into_iter().enumerate() {
            let source = match position.checked_sub(covered) {
                Some(position) => last.get(position),
                None => star.and_then(|star| sources.get(star)),
            };
            let column = self.builder.column(table, name);
            self.connect_column(source.copied(), column, Effect::Insert);
        }
        self.inherit_rows_of(result, table, Effect::Insert);
    }

    /// Returns the columns of a table that have the names of those of a result, if these are known.
    fn same_columns(&mut self, result: ObjectIndex, table: ObjectIndex) -> Vec<ColumnIndex> {
        if !self.builder.is_complete(result) {
            return Vec::new();
        }
        let columns = self.builder.columns_of(result);
        let names = columns.into_iter().map(|column| self.builder.name_of(column)).collect::<Vec<_>>();
        names.iter().map(|name| self.builder.column(table, name)).collect()
    }

    /// Returns what an insert fills, and its columns if the target itself lists them: a table, a path, or the single
    /// table of a query in the place of a table.
    fn insert_target(&mut self, target: &TableObject) -> Option<(ObjectIndex, Vec<Ident>)> {
        match target {
            TableObject::TableName(name) => {
                let cte = match identifier::parts(name)[..] {
                    [single] if self.builder.dialect() == Dialect::Mssql => self.bound_cte(&self.builder.name(single)),
                    _ => None,
                };
                Some((cte.unwrap_or_else(|| self.table_named(name, ObjectKind::Table)), Vec::new()))
            }
            TableObject::TableFunction(function) => {
                let FunctionArguments::List(list) = &function.args else { return None };
                let FunctionArg::Unnamed(FunctionArgExpr::Expr(path)) = list.args.first()? else { return None };
                let at = self.builder.base;
                literal_string(path).map(|path| (self.builder.path(path, at), Vec::new()))
            }
            TableObject::TableQuery(query) => {
                let SetExpr::Select(select) = query.body.as_ref() else { return None };
                let [TableWithJoins { relation: TableFactor::Table { name, args: None, .. }, joins }] =
                    select.from.as_slice()
                else {
                    return None;
                };
                let columns = select.projection.iter().map(|item| match item {
                    SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(ident.clone()),
                    SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
                    _ => None,
                });
                let columns = columns.collect::<Option<Vec<_>>>().unwrap_or_default();
                joins.is_empty().then(|| (self.table_named(name, ObjectKind::Table), columns))
            }
        }
    }

    /// Returns the columns that receive a query's columns by position: those listed, or all of a table that is known.
    /// The columns of a `VALUES` list have no names to match.
    pub(super) fn insert_targets(
        &mut self,
        table: ObjectIndex,
        listed: Vec<ColumnIndex>,
        result: ObjectIndex,
        literal: bool,
    ) -> Option<Vec<ColumnIndex>> {
        if !listed.is_empty() {
            return Some(listed);
        }
        let known = self.builder.columns_of(table);
        let fits = !self.builder.is_complete(result) || known.len() >= self.builder.columns_of(result).len();
        if self.builder.is_complete(table) && fits { Some(known) } else { literal.then(Vec::new) }
    }

    pub(super) fn update(&mut self, update: &Update, text: &str) {
        let mut scope = NameScope::within(None);
        let mut joins = Vec::new();
        let from = from_of(update);
        // In `UPDATE a SET … FROM t AS a` the target is the alias, not a table named `a`.
        let alias = self.single_name(&update.table).filter(|alias| self.names_alias(from, alias));
        if alias.is_none() {
            self.table_with_joins(&update.table, &mut scope, &mut joins);
        }
        for table in from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let meant = |item: &&FromItem| alias.as_ref().is_none_or(|alias| item.is_qualified_by(alias));
        let target = scope.items.iter().find(meant).map(|item| item.object);
        let Some(target) = target else { return self.skip_statement("the target of an update is") };
        if !self.is_changeable(target) {
            return self.skip_statement_with("the target of an update, which is not a table, is", ADVICE_ON_TARGETS);
        }
        self.begin_statement("Update", "sstupdate", text);
        let at = self.range(update.table.span());
        let set = self.builder.numbered(ObjectKind::UpdateSet, "UPDATE-SET", at);
        let changed = self.assign(&update.assignments, set, target, &scope, Effect::Update);
        self.join_conditions(&joins, set, &scope, Effect::Select);
        if let Some(selection) = &update.selection {
            self.filter_rows_by(selection, Clause::Where, set, &scope, Effect::Select);
        }
        self.inherit_rows(&scope, set);
        if self.builder.object(target).kind.is_stored() {
            self.rows_to_rows(set, target, Effect::Update);
        } else {
            for table in changed {
                self.rows_to_rows(set, table, Effect::Update);
            }
        }
        self.output_into(update.output.as_ref(), target, &scope);
    }

    /// Adds the table that an update changes, which its FROM clause may give an alias, to the scope of what it returns.
    pub(super) fn updated_tables(&mut self, update: &Update, scope: &mut NameScope<'_>) {
        let from = from_of(update);
        let alias = self.single_name(&update.table).filter(|alias| self.names_alias(from, alias));
        let Some(alias) = alias else {
            return self.table_factor(&update.table.relation, scope, &mut Vec::new());
        };
        for table in from {
            self.table_with_joins(table, scope, &mut Vec::new());
        }
        scope.items.retain(|item| item.is_qualified_by(&alias));
    }

    /// Returns the name of a table if it is a single word without an alias.
    fn single_name(&self, table: &TableWithJoins) -> Option<String> {
        let TableFactor::Table { name, alias: None, .. } = &table.relation else { return None };
        let [single] = identifier::parts(name)[..] else { return None };
        Some(self.builder.name(single).key)
    }

    fn names_alias(&self, tables: &[TableWithJoins], name: &str) -> bool {
        let factors = tables
            .iter()
            .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
        let mut aliases = factors.filter_map(|factor| match factor {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
            _ => None,
        });
        aliases.any(|alias| self.builder.name(&alias.name).key == name)
    }

    fn rows_to_rows(&mut self, from: ObjectIndex, to: ObjectIndex, effect: Effect) {
        if self.builder.object(from).columns.iter().any(super::Column::is_relation_rows) {
            let rows = self.builder.relation_rows(from);
            let source = self.builder.endpoint(rows);
            self.relate_rows(to, effect, vec![source]);
        }
    }

    /// Reads `SET a = …`. The values pass through a record set, unless `set` is the target itself.
    pub(super) fn assign(
        &mut self,
        assignments: &[Assignment],
        set: ObjectIndex,
        target: ObjectIndex,
        scope: &NameScope<'_>,
        effect: Effect,
    ) -> Vec<ObjectIndex> {
        let mut tables = Vec::new();
        for assignment in assignments {
            let names: Vec<&ObjectName> = match &assignment.target {
                AssignmentTarget::ColumnName(name) => vec![name],
                AssignmentTarget::Tuple(names) => names.iter().collect(),
            };
            // A column that is assigned exists, and may be what the value refers to without a qualifier.
            for name in &names {
                self.assigned_column(name, target, scope);
            }
            let values = self.assigned(&assignment.value, names.len(), scope);
            for (name, flow) in names.into_iter().zip(values) {
                let Some((meant, ident)) = self.assigned_column(name, target, scope) else { continue };
                let Some(changed) = meant.and_then(|column| self.builder.stored_column(column)) else {
                    self.report_omission_with(&format!("the column that {name} is in a table is"), ADVICE_ON_TARGETS);
                    continue;
                };
                if !tables.contains(&changed.object) {
                    tables.push(changed.object);
                }
                if set == target {
                    self.builder.relate(RelationshipKind::Fdd, effect, changed, flow.values);
                    self.builder.relate(RelationshipKind::Fdr, effect, changed, flow.deciding);
                    continue;
                }
                let name = self.builder.name(ident);
                let step = if meant.is_some_and(|column| column.object == target) {
                    self.builder.column(set, &name)
                } else {
                    // Two tables of one statement may have columns with the same name.
                    self.builder.add_column(set, &name)
                };
                self.connect_flow(step, flow);
                let source = self.builder.endpoint(step);
                self.builder.relate(RelationshipKind::Fdd, effect, changed, vec![source]);
            }
        }
        tables
    }

    /// Returns `true` if a statement can change the rows of an object: a table, or a query over tables.
    fn is_changeable(&self, object: ObjectIndex) -> bool {
        let kind = self.builder.object(object).kind;
        kind.is_stored() || matches!(kind, ObjectKind::SelectList | ObjectKind::WithCte)
    }

    /// Returns the column of an object that a statement changes, or `None` if the object is a query without it.
    fn changed_column(&mut self, object: ObjectIndex, ident: &Ident) -> Option<ColumnIndex> {
        if self.builder.object(object).kind.is_stored() {
            return Some(self.target_column(object, ident));
        }
        let name = self.builder.name(ident);
        self.builder.find_column(object, &name)
    }

    /// Returns the column that an assignment changes: of the table that qualifies it, or else of the target. Other
    /// words before the last are fields of the column. The column of a query is `None` if there is none.
    fn assigned_column<'q>(
        &mut self,
        name: &'q ObjectName,
        target: ObjectIndex,
        scope: &NameScope<'_>,
    ) -> Option<(Option<ColumnIndex>, &'q Ident)> {
        let parts = identifier::parts(name);
        // `@a = …` assigns to a variable.
        if parts.first()?.value.starts_with('@') {
            return None;
        }
        for length in (1..parts.len()).rev() {
            let qualifier = self.joined_key(&parts[..length]);
            if let Some(object) = scope.item(&qualifier) {
                return Some((self.changed_column(object, parts[length]), parts[length]));
            }
        }
        let ident = if scope.items.is_empty() { parts.last() } else { parts.first() };
        let ident = *ident?;
        Some((self.changed_column(target, ident), ident))
    }

    /// Returns the values that are assigned to a number of columns: one for each item of a tuple or column of a
    /// query.
    fn assigned(&mut self, value: &Expr, width: usize, scope: &NameScope<'_>) -> Vec<super::expression::DataFlow> {
        match value {
            Expr::Tuple(items) if items.len() == width => {
                items.iter().map(|item| self.expression(item, scope, Clause::SelectList)).collect()
            }
            Expr::Subquery(query) if width > 1 => {
                let result = self.query(query, &RecordSetRole::Result, Some(scope));
                let columns = self.builder.columns_of(result).into_iter().map(|column| self.builder.endpoint(column));
                columns.map(|end| super::expression::DataFlow { values: vec![end], ..Default::default() }).collect()
            }
            other => vec![self.expression(other, scope, Clause::SelectList); width],
        }
    }

    pub(super) fn delete(&mut self, delete: &Delete, text: &str) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let mut scope = NameScope::within(None);
        let mut joins = Vec::new();
        for table in from.iter().chain(delete.using.iter().flatten()) {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let mut targets: Vec<ObjectIndex> = Vec::new();
        for name in &delete.tables {
            let key = self.joined_key(&identifier::parts(name));
            targets.extend(scope.items.iter().find(|item| item.is_qualified_by(&key)).map(|item| item.object));
        }
        if delete.tables.is_empty() {
            targets.extend(scope.items.first().map(|item| item.object));
        }
        let Some(first) = targets.first().copied() else {
            return self.skip_statement("the target of a delete is");
        };
        self.begin_statement("Delete", "sstdelete", text);
        for target in targets {
            let Some(table) = self.builder.stored_origin(target) else {
                self.report_omission_with("the table whose rows a delete removes is", ADVICE_ON_TARGETS);
                continue;
            };
            if table != target {
                self.rows_to_rows(target, table, Effect::Delete);
            }
            let target = table;
            self.join_conditions(&joins, target, &scope, Effect::Delete);
            if let Some(selection) = &delete.selection {
                self.filter_rows_by(selection, Clause::Where, target, &scope, Effect::Delete);
            }
        }
        self.output_into(delete.output.as_ref(), first, &scope);
    }

    pub(super) fn merge(&mut self, merge: &Merge, text: &str) {
        let mut scope = NameScope::within(None);
        let mut joins = Vec::new();
        self.table_factor(&merge.table, &mut scope, &mut joins);
        let Some(target) = scope.items.first().map(|item| item.object) else {
            return self.skip_statement("the target of a merge is");
        };
        let Some(table) = self.builder.stored_origin(target) else {
            return self.skip_statement_with("the target of a merge, which is not a table, is", ADVICE_ON_TARGETS);
        };
        self.table_factor(&merge.source, &mut scope, &mut joins);
        self.begin_statement("Merge", "sstmerge", text);
        let at = self.range(merge.table.span());
        for clause in &merge.clauses {
            let (set, effect) = match &clause.action {
                MergeAction::Update(update) => {
                    let set = self.builder.numbered(ObjectKind::MergeUpdate, "MERGE-UPDATE", at);
                    match &update.kind {
                        MergeUpdateKind::Set(assignments) => {
                            self.assign(assignments, set, target, &scope, Effect::MergeUpdate);
                        }
                        MergeUpdateKind::Wildcard => self.every_column(set, target, &scope, Effect::MergeUpdate),
                    }
                    for predicate in update.update_predicate.iter().chain(&update.delete_predicate) {
                        self.filter_rows_by(predicate, Clause::Where, set, &scope, Effect::Merge);
                    }
                    (set, Effect::MergeUpdate)
                }
                MergeAction::Insert(insert) => {
                    let set = self.builder.numbered(ObjectKind::MergeInsert, "MERGE-INSERT", at);
                    self.merge_insert(insert, set, target, &scope);
                    if let Some(predicate) = &insert.insert_predicate {
                        self.filter_rows_by(predicate, Clause::Where, set, &scope, Effect::Merge);
                    }
                    (set, Effect::MergeInsert)
                }
                MergeAction::Delete { .. } => (table, Effect::Delete),
                MergeAction::DoNothing { .. } => continue,
            };
            self.filter_rows_by(&merge.on, Clause::JoinCondition, set, &scope, Effect::Merge);
            if let Some(predicate) = &clause.predicate {
                self.filter_rows_by(predicate, Clause::Where, set, &scope, Effect::Merge);
            }
            if set != table {
                self.rows_to_rows(set, table, effect);
            }
        }
        self.output_into(merge.output.as_ref(), target, &scope);
    }

    fn merge_insert(&mut self, insert: &MergeInsertExpr, set: ObjectIndex, target: ObjectIndex, scope: &NameScope<'_>) {
        let MergeInsertKind::Values(values) = &insert.kind else {
            return self.every_column(set, target, scope, Effect::MergeInsert);
        };
        let idents: Vec<&Ident> =
            insert.columns.iter().filter_map(|name| identifier::parts(name).last().copied()).collect();
        let mut targets = Vec::with_capacity(idents.len());
        for ident in idents {
            let column = self.changed_column(target, ident).and_then(|column| self.builder.stored_column(column));
            let Some(column) = column else {
                let what = format!("the column that {ident} is in a table is");
                return self.report_omission_with(&what, ADVICE_ON_TARGETS);
            };
            targets.push(column);
        }
        if targets.is_empty() {
            let known = if self.builder.is_complete(target) { self.builder.columns_of(target) } else { Vec::new() };
            targets = known.into_iter().filter_map(|column| self.builder.stored_column(column)).collect();
        }
        let values: Vec<&Expr> = values.rows.iter().flat_map(|row| &row.content).collect();
        for value in values.iter().skip(targets.len()) {
            // The columns of the table are unknown, so they are named after the values.
            let name = self.name_of_value(value);
            let table = self.builder.stored_origin(target).unwrap_or(target);
            targets.push(self.builder.column(table, &name));
        }
        for (changed, value) in targets.into_iter().zip(values) {
            let name = self.builder.name_of(changed);
            let step = self.builder.column(set, &name);
            let flow = self.expression(value, scope, Clause::SelectList);
            self.connect_flow(step, flow);
            let source = self.builder.endpoint(step);
            self.builder.relate(RelationshipKind::Fdd, Effect::MergeInsert, changed, vec![source]);
        }
    }

    /// Reads `INSERT ROW` or `UPDATE SET *`: every column of the source, by name.
    fn every_column(&mut self, set: ObjectIndex, target: ObjectIndex, scope: &NameScope<'_>, effect: Effect) {
        self.builder.mark_complete(set);
        for item in scope.items.iter().skip(1) {
            self.all_columns(set, item.object, &[], self.builder.base);
        }
        self.connect_columns(set, target, effect, None);
    }
}

/// Returns the tables of the FROM clause of an update.
fn from_of(update: &Update) -> &[TableWithJoins] {
    match &update.from {
        Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from,
        None => &[],
    }
}
