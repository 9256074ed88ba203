//! Statements.

use sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, Merge, MergeAction, MergeInsertExpr,
    MergeInsertKind, ObjectName, SetExpr, Spanned, TableFactor, TableObject, TableWithJoins, Update,
    UpdateTableFromKind,
};

use super::names;
use super::query::Role;
use super::resolution::{Item, Scope};
use super::walker::Walker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationKind};

impl Walker<'_> {
    pub(super) fn insert(&mut self, insert: &Insert, text: &str) {
        let TableObject::TableName(name) = &insert.table else {
            return self.unread("an insert into a function or a query is");
        };
        self.begin("Insert", "sstinsert", text);
        let table = self.draft.stored(name, ObjectKind::Table);
        let columns: Vec<&Ident> = insert.columns.iter().chain(&insert.after_columns).collect();
        let listed: Vec<ColumnIndex> = columns.into_iter().map(|ident| self.target_column(table, ident)).collect();
        if let Some(source) = &insert.source {
            let result = self.query(source, &Role::Insert, None);
            let literal = matches!(*source.body, SetExpr::Values(_));
            let targets = self.insert_targets(table, listed, result, literal);
            self.feed(result, table, Effect::Insert, targets);
        }
        self.assign(&insert.assignments, table, table, &Scope::within(None), Effect::Insert);
        if insert.on.is_some() {
            self.remark("what an insert does to rows that are there already is");
        }
    }

    /// The columns that a query's columns meet by position: those listed, or all of a table that is known. A `VALUES`
    /// list has no names to go by.
    fn insert_targets(
        &mut self,
        table: ObjectIndex,
        listed: Vec<ColumnIndex>,
        result: ObjectIndex,
        literal: bool,
    ) -> Option<Vec<ColumnIndex>> {
        if !listed.is_empty() {
            return Some(listed);
        }
        let known = self.draft.columns_of(table);
        let fits = !self.draft.is_complete(result) || known.len() >= self.draft.columns_of(result).len();
        if self.draft.is_complete(table) && fits { Some(known) } else { literal.then_some(known) }
    }

    pub(super) fn update(&mut self, update: &Update, text: &str) {
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
            None => &[],
        };
        // In `UPDATE a SET … FROM t AS a` the alias, not a table of that name, is what changes.
        let alias = self.single_name(&update.table).filter(|alias| self.names_alias(from, alias));
        if alias.is_none() {
            self.table_with_joins(&update.table, &mut scope, &mut joins);
        }
        for table in from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let meant = |item: &&Item| alias.as_ref().is_none_or(|alias| item.answers_to(alias));
        let target = scope.items.iter().find(meant).map(|item| item.object);
        let Some(target) = target else { return self.unread("the target of an update is") };
        self.begin("Update", "sstupdate", text);
        let at = self.range(update.table.span());
        let set = self.draft.numbered(ObjectKind::UpdateSet, "UPDATE-SET", at);
        self.assign(&update.assignments, set, target, &scope, Effect::Update);
        self.join_conditions(&joins, set, &scope, Effect::Select);
        if let Some(selection) = &update.selection {
            self.decide(selection, Clause::Where, set, &scope, Effect::Select);
        }
        self.inherit_rows(&scope, set);
        self.rows_to_rows(set, target, Effect::Update);
    }

    /// What a table is called if its name is a single word without an alias.
    fn single_name(&self, table: &TableWithJoins) -> Option<String> {
        let TableFactor::Table { name, alias: None, .. } = &table.relation else { return None };
        let [single] = names::parts(name)[..] else { return None };
        Some(self.draft.name(single).key)
    }

    fn names_alias(&self, tables: &[TableWithJoins], name: &str) -> bool {
        let factors = tables
            .iter()
            .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
        let mut aliases = factors.filter_map(|factor| match factor {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
            _ => None,
        });
        aliases.any(|alias| self.draft.name(&alias.name).key == name)
    }

    fn rows_to_rows(&mut self, from: ObjectIndex, to: ObjectIndex, effect: Effect) {
        if self.draft.object(from).columns.iter().any(super::Column::is_relation_rows) {
            let rows = self.draft.relation_rows(from);
            let source = self.draft.endpoint(rows);
            self.decide_rows(to, effect, vec![source]);
        }
    }

    /// `SET a = …`, by way of a record set unless the target itself is given.
    fn assign(
        &mut self,
        assignments: &[Assignment],
        set: ObjectIndex,
        target: ObjectIndex,
        scope: &Scope<'_>,
        effect: Effect,
    ) {
        for assignment in assignments {
            let names: Vec<&ObjectName> = match &assignment.target {
                AssignmentTarget::ColumnName(name) => vec![name],
                AssignmentTarget::Tuple(names) => names.iter().collect(),
            };
            let values = self.assigned(&assignment.value, names.len(), scope);
            for (name, flow) in names.into_iter().zip(values) {
                let Some(ident) = names::parts(name).last().copied() else { continue };
                let changed = self.target_column(target, ident);
                if set == target {
                    self.draft.relate(RelationKind::Fdd, effect, changed, flow.values);
                    continue;
                }
                let name = self.draft.name(ident);
                let step = self.draft.column(set, &name);
                self.settle(step, flow);
                let source = self.draft.endpoint(step);
                self.draft.relate(RelationKind::Fdd, effect, changed, vec![source]);
            }
        }
    }

    /// The values that go to a number of columns: one each of a tuple or of a query's columns.
    fn assigned(&mut self, value: &Expr, width: usize, scope: &Scope<'_>) -> Vec<super::expression::Flow> {
        match value {
            Expr::Tuple(items) if items.len() == width => {
                items.iter().map(|item| self.expression(item, scope, Clause::SelectList)).collect()
            }
            Expr::Subquery(query) if width > 1 => {
                let result = self.query(query, &Role::Result, Some(scope));
                let columns = self.draft.columns_of(result).into_iter().map(|column| self.draft.endpoint(column));
                columns.map(|end| super::expression::Flow { values: vec![end], ..Default::default() }).collect()
            }
            other => vec![self.expression(other, scope, Clause::SelectList); width],
        }
    }

    pub(super) fn delete(&mut self, delete: &Delete, text: &str) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        for table in from.iter().chain(delete.using.iter().flatten()) {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let named = delete.tables.first().map(|name| {
            let key = names::parts(name).iter().map(|ident| self.draft.name(ident).key).collect::<Vec<_>>().join(".");
            scope.items.iter().find(|item| item.answers_to(&key)).map(|item| item.object)
        });
        let Some(target) = named.flatten().or_else(|| scope.items.first().map(|item| item.object)) else {
            return self.unread("the target of a delete is");
        };
        self.begin("Delete", "sstdelete", text);
        self.join_conditions(&joins, target, &scope, Effect::Delete);
        if let Some(selection) = &delete.selection {
            self.decide(selection, Clause::Where, target, &scope, Effect::Delete);
        }
    }

    pub(super) fn merge(&mut self, merge: &Merge, text: &str) {
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        self.table_factor(&merge.table, &mut scope, &mut joins);
        let Some(target) = scope.items.first().map(|item| item.object) else {
            return self.unread("the target of a merge is");
        };
        self.table_factor(&merge.source, &mut scope, &mut joins);
        self.begin("Merge", "sstmerge", text);
        let at = self.range(merge.table.span());
        for clause in &merge.clauses {
            let (set, effect) = match &clause.action {
                MergeAction::Update(update) => {
                    let set = self.draft.numbered(ObjectKind::MergeUpdate, "MERGE-UPDATE", at);
                    self.assign(&update.assignments, set, target, &scope, Effect::MergeUpdate);
                    (set, Effect::MergeUpdate)
                }
                MergeAction::Insert(insert) => {
                    let set = self.draft.numbered(ObjectKind::MergeInsert, "MERGE-INSERT", at);
                    self.merge_insert(insert, set, target, &scope);
                    (set, Effect::MergeInsert)
                }
                MergeAction::Delete { .. } => (target, Effect::Delete),
            };
            self.decide(&merge.on, Clause::JoinCondition, set, &scope, Effect::Merge);
            if let Some(predicate) = &clause.predicate {
                self.decide(predicate, Clause::Where, set, &scope, Effect::Merge);
            }
            if set != target {
                self.rows_to_rows(set, target, effect);
            }
        }
    }

    fn merge_insert(&mut self, insert: &MergeInsertExpr, set: ObjectIndex, target: ObjectIndex, scope: &Scope<'_>) {
        let MergeInsertKind::Values(values) = &insert.kind else {
            return self.insert_row(set, target, scope);
        };
        let idents: Vec<&Ident> = insert.columns.iter().filter_map(|name| names::parts(name).last().copied()).collect();
        let mut targets: Vec<ColumnIndex> = idents.into_iter().map(|ident| self.target_column(target, ident)).collect();
        if targets.is_empty() {
            targets = if self.draft.is_complete(target) { self.draft.columns_of(target) } else { Vec::new() };
        }
        for value in values.rows.iter().flatten().skip(targets.len()) {
            // Nothing says how the columns of the table are called, so they are called like what goes into them.
            let name = self.name_of_value(value);
            targets.push(self.draft.column(target, &name));
        }
        for (changed, value) in
            values.rows.iter().flatten().enumerate().filter_map(|(i, value)| Some((*targets.get(i)?, value)))
        {
            let name = self.draft.name_of(changed);
            let step = self.draft.column(set, &name);
            let flow = self.expression(value, scope, Clause::SelectList);
            self.settle(step, flow);
            let source = self.draft.endpoint(step);
            self.draft.relate(RelationKind::Fdd, Effect::MergeInsert, changed, vec![source]);
        }
    }

    /// `INSERT ROW`: every column of the source, by name.
    fn insert_row(&mut self, set: ObjectIndex, target: ObjectIndex, scope: &Scope<'_>) {
        self.draft.complete(set);
        for item in scope.items.iter().skip(1) {
            self.all_columns(set, item.object, &[], self.draft.base);
        }
        self.feed(set, target, Effect::MergeInsert, None);
    }
}
