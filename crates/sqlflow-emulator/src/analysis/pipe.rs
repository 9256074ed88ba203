//! Pipe operators: `FROM t |> WHERE … |> SELECT …`. Each reads the rows of the one before.

use sqlparser::ast::{
    Assignment, AssignmentTarget, ExprWithAliasAndOrderBy, PipeOperator, Query, Select, SelectItem, SetExpr,
    SetOperator, TableFactor,
};

use super::identifier;
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope};
use super::star::StarModifiers;
use super::walker::StatementWalker;
use super::{Clause, Effect, ObjectIndex};

/// The rows that a pipe operator reads, and the names by which they can be qualified.
struct Piped {
    object: ObjectIndex,
    names: Vec<String>,
}

impl StatementWalker<'_> {
    /// Applies the pipe operators of a query to the rows of its body. After an operator that is not analyzed, nothing
    /// is known about the columns.
    pub(super) fn piped(
        &mut self,
        query: &Query,
        body: ObjectIndex,
        role: &RecordSetRole,
        outer: Option<&NameScope<'_>>,
    ) -> ObjectIndex {
        let mut rows = Piped { object: body, names: self.names_of_body(&query.body) };
        for operator in &query.pipe_operators {
            match self.pipe_operator(operator, rows, role, outer) {
                Ok(next) => rows = next,
                Err(what) => {
                    self.report_omission(&format!("the pipe operator {what} is"));
                    let nothing = self.record_set(role, self.builder.base);
                    self.builder.mark_complete(nothing);
                    return nothing;
                }
            }
        }
        rows.object
    }

    /// Returns the names of the tables of a query that begins with FROM, which stay visible in its operators.
    fn names_of_body(&self, body: &SetExpr) -> Vec<String> {
        let SetExpr::Select(select) = body else { return Vec::new() };
        let Select { from, .. } = select.as_ref();
        let factors = from
            .iter()
            .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
        let names = factors.filter_map(|factor| match factor {
            TableFactor::Table { alias: Some(alias), .. } | TableFactor::Derived { alias: Some(alias), .. } => {
                Some(&alias.name)
            }
            TableFactor::Table { name, .. } => identifier::parts(name).last().copied(),
            _ => None,
        });
        names.map(|ident| self.builder.name(ident).key).collect()
    }

    fn pipe_operator(
        &mut self,
        operator: &PipeOperator,
        rows: Piped,
        role: &RecordSetRole,
        outer: Option<&NameScope<'_>>,
    ) -> Result<Piped, &'static str> {
        let mut scope = NameScope::within(outer);
        scope.items.push(FromItem { names: rows.names.clone(), object: rows.object });
        match operator {
            PipeOperator::Limit { .. } | PipeOperator::TableSample { .. } => Ok(rows),
            PipeOperator::As { alias } => Ok(Piped { names: vec![self.builder.name(alias).key], ..rows }),
            PipeOperator::Where { expr } => {
                self.filter_rows_by(expr, Clause::Where, rows.object, &scope, Effect::Select);
                Ok(rows)
            }
            PipeOperator::OrderBy { exprs } => {
                for ordered in exprs {
                    self.filter_rows_by(&ordered.expr, Clause::OrderBy, rows.object, &scope, Effect::Select);
                }
                Ok(rows)
            }
            PipeOperator::Select { exprs } => Ok(self.pipe_list(exprs, role, &scope)),
            PipeOperator::Extend { exprs } => Ok(self.pipe_star(&StarModifiers::default(), exprs, rows, role, &scope)),
            PipeOperator::Drop { columns } => {
                let excluded = columns.iter().map(|ident| self.builder.name(ident).key).collect();
                Ok(self.pipe_star(&StarModifiers { excluded, ..Default::default() }, &[], rows, role, &scope))
            }
            PipeOperator::Rename { mappings } => {
                let renamed = mappings
                    .iter()
                    .map(|item| (self.builder.name(&item.ident), self.builder.name(&item.alias)))
                    .collect();
                Ok(self.pipe_star(&StarModifiers { renamed, ..Default::default() }, &[], rows, role, &scope))
            }
            PipeOperator::Set { assignments } => {
                let replaced = assignments.iter().filter_map(|assignment| self.replaced(assignment)).collect();
                Ok(self.pipe_star(&StarModifiers { replaced, ..Default::default() }, &[], rows, role, &scope))
            }
            PipeOperator::Aggregate { full_table_exprs, group_by_expr } => {
                Ok(self.pipe_aggregate(full_table_exprs, group_by_expr, role, &scope))
            }
            PipeOperator::Union { queries, .. } => Ok(self.pipe_set(SetOperator::Union, queries, &rows, outer)),
            PipeOperator::Intersect { queries, .. } => Ok(self.pipe_set(SetOperator::Intersect, queries, &rows, outer)),
            PipeOperator::Except { queries, .. } => Ok(self.pipe_set(SetOperator::Except, queries, &rows, outer)),
            PipeOperator::Call { .. } => Err("CALL"),
            PipeOperator::Pivot { .. } => Err("PIVOT"),
            PipeOperator::Unpivot { .. } => Err("UNPIVOT"),
            PipeOperator::Join(_) => Err("JOIN"),
        }
    }

    fn replaced<'q>(&self, assignment: &'q Assignment) -> Option<(identifier::Identifier, &'q sqlparser::ast::Expr)> {
        let AssignmentTarget::ColumnName(name) = &assignment.target else { return None };
        let ident = identifier::parts(name).last().copied()?;
        Some((self.builder.name(ident), &assignment.value))
    }

    fn pipe_result(&mut self, role: &RecordSetRole, scope: &NameScope<'_>) -> ObjectIndex {
        let result = self.record_set(role, self.builder.base);
        self.builder.mark_complete(result);
        self.inherit_rows(scope, result);
        result
    }

    fn pipe_list(&mut self, items: &[SelectItem], role: &RecordSetRole, scope: &NameScope<'_>) -> Piped {
        let result = self.pipe_result(role, scope);
        for item in items {
            self.projection(item, result, scope);
        }
        Piped { object: result, names: Vec::new() }
    }

    /// Reads an operator that keeps the columns, apart from some changes.
    fn pipe_star(
        &mut self,
        modifiers: &StarModifiers<'_>,
        more: &[SelectItem],
        rows: Piped,
        role: &RecordSetRole,
        scope: &NameScope<'_>,
    ) -> Piped {
        let result = self.pipe_result(role, scope);
        self.columns_of_all(result, &[rows.object], modifiers, scope, self.builder.base);
        for item in more {
            self.projection(item, result, scope);
        }
        Piped { object: result, names: rows.names }
    }

    fn pipe_aggregate(
        &mut self,
        values: &[ExprWithAliasAndOrderBy],
        groups: &[ExprWithAliasAndOrderBy],
        role: &RecordSetRole,
        scope: &NameScope<'_>,
    ) -> Piped {
        let result = self.pipe_result(role, scope);
        let outer_grouping = std::mem::take(&mut self.grouping);
        let mut grouping = Vec::new();
        for group in groups {
            let flow = self.expression(&group.expr.expr, scope, Clause::Unknown);
            grouping.extend(flow.into_deciding(self.builder));
        }
        self.grouping = grouping;
        for item in groups.iter().chain(values) {
            let alias = item.expr.alias.as_ref().map(|alias| self.builder.name(alias));
            let name = alias.unwrap_or_else(|| self.name_of_value(&item.expr.expr));
            self.output(&item.expr.expr, &name, result, scope);
        }
        self.grouping = outer_grouping;
        Piped { object: result, names: Vec::new() }
    }

    fn pipe_set(&mut self, op: SetOperator, queries: &[Query], rows: &Piped, outer: Option<&NameScope<'_>>) -> Piped {
        let others = queries.iter().map(|query| self.query(query, &RecordSetRole::Result, outer)).collect::<Vec<_>>();
        let results: Vec<ObjectIndex> = std::iter::once(rows.object).chain(others).collect();
        let object = self.combined(op, &results, self.builder.base);
        Piped { object, names: Vec::new() }
    }
}
