//! Inserts that do more than add rows to one table: those that change rows which exist, and those into several tables.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Assignment, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Insert, MultiTableInsertIntoClause,
    MultiTableInsertValue, OnConflictAction, OnInsert, Query, SetExpr, TableFactor, VisitMut as _, VisitorMut,
};

use super::identifier::{self, Identifier};
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope};
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationshipKind};

/// The name by which the rows that were to be inserted are called.
const EXCLUDED: &str = "excluded";

impl StatementWalker<'_> {
    /// Reads what an insert does with rows that exist. `inserted` is the result that was to be inserted, with the
    /// columns that it goes to.
    pub(super) fn conflict(
        &mut self,
        insert: &Insert,
        table: ObjectIndex,
        inserted: Option<(ObjectIndex, &[ColumnIndex])>,
    ) {
        let (assignments, selection) = match &insert.on {
            Some(OnInsert::DuplicateKeyUpdate(assignments)) => (assignments, None),
            Some(OnInsert::OnConflict(conflict)) => match &conflict.action {
                OnConflictAction::DoUpdate(update) => (&update.assignments, update.selection.as_ref()),
                OnConflictAction::DoNothing => return,
            },
            Some(_) => return self.report_omission("the conflict clause of the insert is"),
            None => return,
        };
        let excluded = self.excluded_rows(insert, table, inserted);
        let mut outer = NameScope::within(None);
        let alias = insert.insert_alias.as_ref().and_then(|alias| identifier::parts(&alias.row_alias).last().copied());
        let alias = alias.map(|alias| self.builder.name(alias).key);
        let own = self.builder.made_up_identifier(EXCLUDED, self.builder.base).key;
        let names = std::iter::once(own).chain(alias).collect();
        outer.items.push(FromItem { names, object: excluded });
        if let Some(source) = &insert.source {
            self.tables_of(source, &mut outer);
        }
        let mut scope = NameScope::within(Some(&outer));
        let alias = insert.table_alias.as_ref().map(|alias| self.builder.name(&alias.alias).key);
        let names = match &insert.table {
            sqlparser::ast::TableObject::TableName(name) => self.qualifiers_of(name),
            _ => Vec::new(),
        };
        scope.items.push(FromItem { names: names.into_iter().chain(alias).collect(), object: table });
        let assignments: Vec<Assignment> = assignments.iter().map(with_excluded).collect();
        self.assign(&assignments, table, table, &scope, Effect::Update);
        if let Some(selection) = selection {
            self.filter_rows_by(selection, Clause::Where, table, &scope, Effect::Update);
        }
    }

    /// Returns the rows that were to be inserted, with the names of the columns that they go to.
    fn excluded_rows(
        &mut self,
        insert: &Insert,
        table: ObjectIndex,
        inserted: Option<(ObjectIndex, &[ColumnIndex])>,
    ) -> ObjectIndex {
        let base = self.builder.base;
        let Some((result, targets)) = inserted.filter(|(_, targets)| !targets.is_empty()) else {
            // The names are unknown: whatever is read from it exists.
            return self.builder.intermediate(ObjectKind::Function, EXCLUDED.to_owned(), base);
        };
        let excluded = self.builder.numbered(ObjectKind::InsertSelect, "EXCLUDED", base);
        self.builder.mark_complete(excluded);
        let aliases: Vec<Identifier> = insert
            .insert_alias
            .iter()
            .flat_map(|alias| alias.col_aliases.iter().flatten())
            .map(|ident| self.builder.name(ident))
            .collect();
        let mut columns = Vec::new();
        for (position, target) in targets.iter().enumerate() {
            let name = aliases.get(position).cloned().unwrap_or_else(|| self.builder.name_of(*target));
            columns.push(self.builder.add_column(excluded, &name));
        }
        debug_assert!(targets.iter().all(|target| target.object == table));
        self.connect_columns(result, excluded, Effect::Select, Some(columns));
        excluded
    }

    /// Adds the tables that the query of an insert reads, which MySQL lets the clause refer to.
    fn tables_of(&mut self, query: &Query, scope: &mut NameScope<'_>) {
        let SetExpr::Select(select) = query.body.as_ref() else { return };
        for table in &select.from {
            for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
                if let TableFactor::Table { name, alias, args: None, .. } = factor {
                    self.named_table(name, alias.as_ref(), scope);
                }
            }
        }
    }

    /// Reads INSERT ALL and INSERT FIRST: one query whose rows go to several tables.
    pub(super) fn multi_table_insert(&mut self, insert: &Insert, text: &str) {
        let Some(source) = &insert.source else {
            return self.skip_statement("an INSERT ALL without a query is");
        };
        let result = self.query(source, &RecordSetRole::Insert, None);
        let mut scope = NameScope::within(None);
        scope.items.push(FromItem { names: Vec::new(), object: result });
        self.begin_statement("Insert", "sstinsert", text);
        for clause in &insert.multi_table_into_clauses {
            self.insert_part(clause, result, &scope);
        }
        for when in &insert.multi_table_when_clauses {
            for clause in &when.into_clauses {
                let table = self.insert_part(clause, result, &scope);
                self.filter_rows_by(&when.condition, Clause::Where, table, &scope, Effect::Insert);
            }
        }
        for clause in insert.multi_table_else_clause.iter().flatten() {
            let table = self.insert_part(clause, result, &scope);
            // These are the rows that meet none of the conditions.
            for when in &insert.multi_table_when_clauses {
                self.filter_rows_by(&when.condition, Clause::Where, table, &scope, Effect::Insert);
            }
        }
    }

    fn insert_part(
        &mut self,
        clause: &MultiTableInsertIntoClause,
        result: ObjectIndex,
        scope: &NameScope<'_>,
    ) -> ObjectIndex {
        let table = self.table_named(&clause.table_name, ObjectKind::Table);
        let listed: Vec<ColumnIndex> = clause.columns.iter().map(|ident| self.target_column(table, ident)).collect();
        let Some(values) = &clause.values else {
            let targets = self.insert_targets(table, listed, result, false);
            self.connect_columns(result, table, Effect::Insert, targets);
            return table;
        };
        let known =
            if listed.is_empty() && self.builder.is_complete(table) { self.builder.columns_of(table) } else { listed };
        for (position, value) in values.values.iter().enumerate() {
            let MultiTableInsertValue::Expr(value) = value else { continue };
            let flow = self.expression(value, scope, Clause::SelectList);
            let target = known.get(position).copied().unwrap_or_else(|| {
                let name = self.name_of_value(value);
                self.builder.column(table, &name)
            });
            self.builder.relate(RelationshipKind::Fdd, Effect::Insert, target, flow.values);
            self.builder.relate(RelationshipKind::Fdr, Effect::Insert, target, flow.deciding);
        }
        table
    }
}

/// Returns an assignment in which MySQL's `VALUES(c)` is written `excluded.c`.
fn with_excluded(assignment: &Assignment) -> Assignment {
    struct Inserted;
    impl VisitorMut for Inserted {
        type Break = ();

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Function(function) = expr
                && function.name.to_string().eq_ignore_ascii_case("values")
                && let FunctionArguments::List(list) = &function.args
                && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_slice()
            {
                let column = match argument {
                    Expr::Identifier(ident) => Some(ident.clone()),
                    Expr::CompoundIdentifier(parts) => parts.last().cloned(),
                    _ => None,
                };
                if let Some(column) = column {
                    *expr = Expr::CompoundIdentifier(vec![Ident::new(EXCLUDED), column]);
                }
            }
            ControlFlow::Continue(())
        }
    }
    let mut assignment = assignment.clone();
    let walked = assignment.visit(&mut Inserted);
    debug_assert!(walked.is_continue());
    assignment
}
