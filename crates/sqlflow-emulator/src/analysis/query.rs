//! Queries: WITH, SELECT, set operations and VALUES, and the record sets that they produce.

use std::collections::HashMap;

use sqlparser::ast::{
    Cte, Expr, FromTable, Ident, ObjectName, OrderBy, Query, Select, SetExpr, SetOperator, Spanned, Statement, Table,
    TableObject, Values, With,
};
use sqlparser::tokenizer::Span;

use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::{self, Identifier};
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationshipKind, SourceRange};

/// The maximum depth of nested queries.
const MAX_DEPTH: usize = 200;

/// The maximum number of rows of a list of values whose literals are recorded.
const MAX_VALUES_ROWS: usize = 1000;

/// The purpose of a query's rows, which decides the name of its record set.
pub(super) enum RecordSetRole {
    Result,
    Insert,
    Derived(String),
}

impl StatementWalker<'_> {
    /// Reads a query and returns the record set that it produces.
    pub(super) fn query(&mut self, query: &Query, role: &RecordSetRole, outer: Option<&NameScope<'_>>) -> ObjectIndex {
        if self.depth >= MAX_DEPTH {
            self.report_omission("a query nested too deeply is");
            return self.record_set(&RecordSetRole::Result, self.builder.base);
        }
        self.depth += 1;
        self.ctes.push(HashMap::new());
        if let Some(with) = &query.with {
            self.with(with, outer);
        }
        let object = self.body(&query.body, role, outer, query.order_by.as_ref());
        if !query.pipe_operators.is_empty() {
            self.report_omission("pipe operators are");
        }
        self.ctes.pop();
        self.depth -= 1;
        object
    }

    fn with(&mut self, with: &With, outer: Option<&NameScope<'_>>) {
        // In these dialects a common table expression that names itself is recursive without a keyword.
        let implied =
            matches!(self.builder.dialect(), Dialect::Oracle | Dialect::Mssql | Dialect::Snowflake | Dialect::Generic);
        for cte in &with.cte_tables {
            self.cte(cte, with.recursive || implied, outer);
        }
    }

    fn cte(&mut self, cte: &Cte, recursive: bool, outer: Option<&NameScope<'_>>) {
        let name = self.builder.name(&cte.alias.name);
        let object = self.builder.numbered(ObjectKind::WithCte, &format!("CTE-{}", name.normal), name.at);
        let declared: Vec<Identifier> =
            cte.alias.columns.iter().map(|column| self.builder.name(&column.name)).collect();
        for column in &declared {
            self.builder.add_column(object, column);
        }
        if recursive {
            self.bind_cte(&name, object);
        }
        let result = self.query(&cte.query, &RecordSetRole::Result, outer);
        let targets = (!declared.is_empty()).then(|| self.builder.columns_of(object));
        self.connect_columns(result, object, Effect::Select, targets);
        if !declared.is_empty() {
            self.builder.mark_complete(object);
        }
        self.bind_cte(&name, object);
    }

    fn bind_cte(&mut self, name: &Identifier, object: ObjectIndex) {
        if let Some(innermost) = self.ctes.last_mut() {
            innermost.insert(name.key.clone(), object);
        }
    }

    pub(super) fn bound_cte(&self, name: &Identifier) -> Option<ObjectIndex> {
        self.ctes.iter().rev().find_map(|ctes| ctes.get(&name.key)).copied()
    }

    fn body(
        &mut self,
        body: &SetExpr,
        role: &RecordSetRole,
        outer: Option<&NameScope<'_>>,
        order: Option<&OrderBy>,
    ) -> ObjectIndex {
        match body {
            SetExpr::Select(select) => self.select(select, role, outer, order),
            SetExpr::Query(query) => self.query(query, role, outer),
            SetExpr::SetOperation { op, .. } => self.set_operation(body, *op, outer),
            SetExpr::Values(values) => self.values(values, role, outer),
            SetExpr::Table(table) => self.whole_table(table, role),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.data_modifying_statement(statement, role),
        }
    }

    /// Reads a statement inside a query. Its rows are those it returns.
    fn data_modifying_statement(&mut self, statement: &Statement, role: &RecordSetRole) -> ObjectIndex {
        let outer = self.builder.process.take();
        self.statement(statement, &statement.to_string());
        self.builder.process = outer;
        let mut scope = NameScope::within(None);
        let returning = match statement {
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.named_table(name, None, &mut scope);
                }
                insert.returning.as_ref()
            }
            Statement::Update(update) => {
                self.table_factor(&update.table.relation, &mut scope, &mut Vec::new());
                update.returning.as_ref()
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                for table in from.iter().take(1) {
                    self.table_factor(&table.relation, &mut scope, &mut Vec::new());
                }
                delete.returning.as_ref()
            }
            _ => None,
        };
        let result = self.record_set(role, self.builder.base);
        self.builder.mark_complete(result);
        for item in returning.into_iter().flatten() {
            self.projection(item, result, &scope);
        }
        result
    }

    pub(super) fn record_set(&mut self, role: &RecordSetRole, at: SourceRange) -> ObjectIndex {
        match role {
            RecordSetRole::Result => self.builder.numbered(ObjectKind::SelectList, "RS", at),
            RecordSetRole::Insert => self.builder.numbered(ObjectKind::InsertSelect, "INSERT-SELECT", at),
            RecordSetRole::Derived(alias) => {
                self.builder.numbered(ObjectKind::SelectList, &format!("RESULT_OF_{alias}"), at)
            }
        }
    }

    /// Reads `TABLE t`, which is short for `SELECT * FROM t`.
    fn whole_table(&mut self, table: &Table, role: &RecordSetRole) -> ObjectIndex {
        let parts: Vec<Ident> = table.schema_name.iter().chain(&table.table_name).cloned().collect();
        let table = self.builder.stored(&ObjectName::from(parts), ObjectKind::Table);
        let result = self.record_set(role, self.builder.base);
        self.builder.mark_complete(result);
        self.all_columns(result, table, &[], self.builder.base);
        result
    }

    /// Reads a chain of UNION, INTERSECT or EXCEPT. The result has the columns of the first part; the others match
    /// them by position.
    fn set_operation(&mut self, body: &SetExpr, op: SetOperator, outer: Option<&NameScope<'_>>) -> ObjectIndex {
        let name = match op {
            SetOperator::Union => "RESULT_OF_UNION",
            SetOperator::Intersect => "RESULT_OF_INTERSECT",
            SetOperator::Except | SetOperator::Minus => "RESULT_OF_MINUS",
        };
        let at = self.range(body.span());
        let union = self.builder.numbered(ObjectKind::SelectUnion, name, at);
        let mut branches = Vec::new();
        let mut rest = body;
        while let SetExpr::SetOperation { op: this, left, right, .. } = rest
            && *this == op
        {
            branches.push(right.as_ref());
            rest = left;
        }
        branches.push(rest);
        branches.reverse();
        let results: Vec<ObjectIndex> =
            branches.into_iter().map(|branch| self.body(branch, &RecordSetRole::Result, outer, None)).collect();
        self.combine_branches(union, &results, op == SetOperator::Union);
        union
    }

    fn combine_branches(&mut self, union: ObjectIndex, results: &[ObjectIndex], values_of_all: bool) {
        let Some((first, others)) = results.split_first() else { return };
        self.connect_columns(*first, union, Effect::Select, None);
        let targets = self.builder.columns_of(union);
        for other in others {
            if values_of_all {
                self.connect_columns(*other, union, Effect::Select, Some(targets.clone()));
            } else {
                let deciding =
                    self.builder.columns_of(*other).into_iter().map(|column| self.builder.endpoint(column)).collect();
                let rows = self.builder.relation_rows(union);
                self.builder.relate(RelationshipKind::Fdr, Effect::Select, rows, deciding);
            }
        }
    }

    fn values(&mut self, values: &Values, role: &RecordSetRole, outer: Option<&NameScope<'_>>) -> ObjectIndex {
        let result = self.record_set(role, self.builder.base);
        let width = values.rows.iter().map(|row| row.content.len()).max().unwrap_or_default();
        let mut flows: Vec<DataFlow> = (0..width).map(|_| DataFlow::default()).collect();
        let scope = NameScope::within(outer);
        for row in values.rows.iter().take(MAX_VALUES_ROWS) {
            for (flow, value) in flows.iter_mut().zip(&row.content) {
                flow.join(self.expression(value, &scope, Clause::InsertValues));
            }
        }
        for (position, flow) in flows.into_iter().enumerate() {
            let name = self.builder.made_up_identifier(format!("column{}", position + 1), self.builder.base);
            let column = self.builder.add_column(result, &name);
            self.connect_flow(column, flow);
        }
        self.builder.mark_complete(result);
        result
    }

    fn select(
        &mut self,
        select: &Select,
        role: &RecordSetRole,
        outer: Option<&NameScope<'_>>,
        order: Option<&OrderBy>,
    ) -> ObjectIndex {
        let mut scope = NameScope::within(outer);
        let mut joins = Vec::new();
        for table in &select.from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        for view in &select.lateral_views {
            let arguments = self.expression(&view.lateral_view, &scope, Clause::SelectList);
            let alias = identifier::parts(&view.lateral_view_name).last().map(|name| self.builder.name(name));
            let columns: Vec<Identifier> = view.lateral_col_alias.iter().map(|name| self.builder.name(name)).collect();
            self.table_function("lateral view", alias, &columns, arguments, &mut scope);
        }
        let at = self.range(Span::union_iter(select.projection.iter().map(Spanned::span)));
        let result = self.record_set(role, at);
        self.builder.mark_complete(result);
        let outer_grouping = std::mem::take(&mut self.grouping);
        self.grouping = self.group_by(select, &scope);
        for item in &select.projection {
            self.projection(item, result, &scope);
        }
        self.grouping = outer_grouping;
        self.filters(select, result, &scope, &joins);
        self.ordering(order, select, result, &scope);
        self.inherit_rows(&scope, result);
        if let Some(into) = &select.into {
            let Some(name) = into.targets.first().and_then(name_of_target) else { return result };
            let table = self.builder.stored(&name, ObjectKind::Table);
            self.begin_statement("Create Table", "sstcreatetable", &select.to_string());
            self.create_from(result, table, Effect::CreateTable, &[]);
            self.builder.process = None;
        }
        result
    }

    /// Connects the columns of a record set to those of another object: to the given columns by position, or to those
    /// with the same names.
    pub(super) fn connect_columns(
        &mut self,
        result: ObjectIndex,
        target: ObjectIndex,
        effect: Effect,
        columns: Option<Vec<ColumnIndex>>,
    ) {
        let sources = self.builder.columns_of(result);
        let unknown = (!self.builder.is_complete(result)).then(|| {
            let star = self.builder.made_up_identifier("*", self.builder.base);
            sources.iter().position(|source| Some(*source) == self.builder.existing(result, &star))
        });
        match (columns, unknown.flatten()) {
            (Some(columns), star) => {
                for (position, column) in columns.into_iter().enumerate() {
                    let source = match star {
                        Some(star) if position >= star => sources.get(star),
                        _ => sources.get(position),
                    };
                    self.connect_column(source.copied(), column, effect);
                }
            }
            (None, star) => {
                let fresh = self.builder.columns_of(target).is_empty();
                for source in &sources {
                    let name = self.builder.name_of(*source);
                    let column = if fresh && star.is_none() && effect != Effect::Insert {
                        self.builder.add_column(target, &name)
                    } else {
                        self.builder.column(target, &name)
                    };
                    self.connect_column(Some(*source), column, effect);
                }
                if star.is_some() {
                    self.builder.pass_through(target, result, effect);
                } else if fresh && effect != Effect::Insert {
                    self.builder.mark_complete(target);
                }
            }
        }
        if self.builder.object(target).kind.is_record_set() && self.builder.is_complete(result) {
            self.builder.mark_complete(target);
        }
        self.inherit_rows_of(result, target, effect);
    }

    fn connect_column(&mut self, source: Option<ColumnIndex>, target: ColumnIndex, effect: Effect) {
        if let Some(source) = source {
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, effect, target, vec![source]);
        }
    }
}

/// Returns the name of the table that the target of `INTO` names.
fn name_of_target(target: &Expr) -> Option<ObjectName> {
    match target {
        Expr::Identifier(ident) => Some(ObjectName::from(vec![ident.clone()])),
        Expr::CompoundIdentifier(parts) => Some(ObjectName::from(parts.clone())),
        _ => None,
    }
}
