//! Queries: WITH, SELECT, set operations and VALUES, and the record sets that they produce.

use std::collections::HashMap;

use sqlparser::ast::{
    Cte, Expr, FromTable, GroupByExpr, Ident, ObjectName, OrderBy, OutputClause, Query, Select, SelectFlavor,
    SelectInto, SelectItem, SetExpr, SetOperator, Spanned, Statement, Table, TableObject, Value, Values, With,
};
use sqlparser::tokenizer::Span;

use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::{self, Identifier};
use super::resolution::{FromItem, NameScope};
use super::star::StarModifiers;
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
        let result = self.query_alone(query, role, outer);
        if let Some(into) = into_of(&query.body) {
            self.select_into(into, result, query);
        }
        result
    }

    /// Reads a query without creating the table that its `INTO` names.
    fn query_alone(&mut self, query: &Query, role: &RecordSetRole, outer: Option<&NameScope<'_>>) -> ObjectIndex {
        if self.depth >= MAX_DEPTH {
            self.report_omission("a query nested too deeply is");
            return self.record_set(&RecordSetRole::Result, self.builder.base);
        }
        self.depth += 1;
        self.ctes.push(HashMap::new());
        if let Some(with) = &query.with {
            self.with(with, outer);
        }
        let mut object = self.body(&query.body, role, outer, query.order_by.as_ref());
        if !query.pipe_operators.is_empty() {
            object = self.piped(query, object, role, outer);
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
        // A query that is not a union cannot read its own rows, so the name is that of a table.
        if recursive && combines(&cte.query.body) {
            self.bind_cte(&name, object);
        }
        let result = self.query(&cte.query, &RecordSetRole::Result, outer);
        let targets = (!declared.is_empty()).then(|| self.builder.columns_of(object));
        self.builder.set_origins(object, vec![result]);
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
        let bound = self.ctes.iter().rev().find_map(|ctes| ctes.get(&name.key)).copied();
        bound.or_else(|| self.changed_rows(name))
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
        let mut output = None;
        let returning = match statement {
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.named_table(name, None, &mut scope);
                }
                output = insert.output.as_ref();
                insert.returning.as_ref()
            }
            Statement::Update(update) => {
                self.updated_tables(update, &mut scope);
                output = update.output.as_ref();
                update.returning.as_ref()
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                for table in from.iter().take(1) {
                    self.table_factor(&table.relation, &mut scope, &mut Vec::new());
                }
                output = delete.output.as_ref();
                delete.returning.as_ref()
            }
            Statement::Merge(merge) => {
                self.table_factor(&merge.table, &mut scope, &mut Vec::new());
                output = merge.output.as_ref();
                None
            }
            _ => None,
        };
        let result = self.record_set(role, self.builder.base);
        self.builder.mark_complete(result);
        let returned = match output {
            Some(OutputClause::Output { select_items, into_table: None, .. }) => {
                // The rows before and after the change.
                let changed = scope.items.first().map(|item| item.object);
                let rows = ["inserted", "deleted"].map(str::to_owned);
                scope.items = changed.map(|object| FromItem { names: rows.to_vec(), object }).into_iter().collect();
                Some(select_items)
            }
            Some(OutputClause::Returning { select_items, .. }) => Some(select_items),
            _ => returning,
        };
        for item in returned.into_iter().flatten() {
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
        let at = self.range(body.span());
        let union = self.builder.numbered(ObjectKind::SelectUnion, name_of_set(op), at);
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
        let results: Vec<ObjectIndex> = branches.into_iter().map(|branch| self.branch(branch, outer)).collect();
        self.combine_branches(union, &results, op == SetOperator::Union);
        union
    }

    /// Reads a part of a set operation. An `INTO` in it names the target of the whole.
    fn branch(&mut self, branch: &SetExpr, outer: Option<&NameScope<'_>>) -> ObjectIndex {
        match branch {
            SetExpr::Query(query) => self.query_alone(query, &RecordSetRole::Result, outer),
            other => self.body(other, &RecordSetRole::Result, outer, None),
        }
    }

    /// Combines record sets as the parts of a set operation.
    pub(super) fn combined(&mut self, op: SetOperator, parts: &[ObjectIndex], at: SourceRange) -> ObjectIndex {
        let union = self.builder.numbered(ObjectKind::SelectUnion, name_of_set(op), at);
        self.combine_branches(union, parts, op == SetOperator::Union);
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
            let name = self.name_of_position(values, position, role);
            let column = self.builder.add_column(result, &name);
            self.connect_flow(column, flow);
        }
        self.builder.mark_complete(result);
        result
    }

    /// Returns the name of a column of `VALUES`. In an insert into a table with unknown columns, only a column or a
    /// computed value can give it one.
    fn name_of_position(&self, values: &Values, position: usize, role: &RecordSetRole) -> Identifier {
        let value = values.rows.first().and_then(|row| row.content.get(position));
        match value.map(innermost) {
            Some(Expr::Subquery(query)) if matches!(role, RecordSetRole::Insert) => match first_value(&query.body) {
                Some(value) => self.name_of_item(value),
                None => self.builder.made_up_identifier(position_name(position), self.builder.base),
            },
            _ => self.builder.made_up_identifier(position_name(position), self.builder.base),
        }
    }

    /// Connects the columns of `VALUES` to a table whose columns are unknown: those that queries in it name.
    pub(super) fn connect_named_values(&mut self, result: ObjectIndex, table: ObjectIndex) {
        for (position, source) in self.builder.columns_of(result).into_iter().enumerate() {
            let name = self.builder.name_of(source);
            if name.written != position_name(position) {
                let column = self.builder.column(table, &name);
                self.connect_column(Some(source), column, Effect::Insert);
            }
        }
        self.inherit_rows_of(result, table, Effect::Insert);
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
        let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
        if select.distinct.is_none() && !grouped {
            self.builder.set_origins(result, scope.items.iter().map(|item| item.object).collect());
        }
        let outer_grouping = std::mem::take(&mut self.grouping);
        self.named_windows(&select.named_window, &mut scope);
        self.grouping = self.group_by(select, &scope);
        self.select_list(select, result, &mut scope);
        self.grouping = outer_grouping;
        self.filters(select, result, &mut scope, &joins);
        self.ordering(order, select, result, &scope);
        self.inherit_rows(&scope, result);
        result
    }

    fn select_list(&mut self, select: &Select, result: ObjectIndex, scope: &mut NameScope<'_>) {
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            let objects: Vec<ObjectIndex> = scope.items.iter().map(|item| item.object).collect();
            self.columns_of_all(result, &objects, &StarModifiers::default(), scope, self.builder.base);
        }
        let excluded = select.exclude.as_ref().map(|exclude| self.excluded(exclude)).unwrap_or_default();
        scope.aliases_visible = self.builder.dialect().allows_aliases_in_select();
        for item in &select.projection {
            let named = self.projection_without(item, &excluded, result, scope);
            scope.aliases.extend(named);
        }
        self.builder.find_passed_columns(result);
    }

    /// Reads the `INTO` of a query with a given result.
    fn select_into(&mut self, into: &SelectInto, result: ObjectIndex, query: &Query) {
        let Some(name) = self.created_table(into) else {
            let variables: Vec<Ident> = into.targets.iter().filter_map(variable_of_target).collect();
            return self.select_into_variables(result, &variables);
        };
        let table = self.builder.stored(&name, ObjectKind::Table);
        self.begin_statement("Create Table", "sstcreatetable", &query.to_string());
        self.create_from(result, table, Effect::CreateTable, &[]);
        self.builder.process = None;
    }

    /// Returns the table that `INTO` creates, or `None` if it assigns variables.
    fn created_table(&self, into: &SelectInto) -> Option<ObjectName> {
        let [target] = into.targets.as_slice() else { return None };
        let dialect = self.builder.dialect();
        let creates = match dialect {
            Dialect::Mssql | Dialect::Generic | Dialect::Ansi => true,
            // In a routine, only these words distinguish a table from a variable.
            Dialect::Postgres | Dialect::Redshift => {
                self.routine.is_none() || into.table || into.temporary || into.unlogged
            }
            _ => into.table,
        };
        let name = name_of_target(target)?;
        let variable = matches!(target, Expr::Identifier(ident) if ident.value.starts_with(['@', ':']));
        (creates && !variable).then_some(name)
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
                    if star.is_some() {
                        self.builder.pass_on_passed(*source, column);
                    }
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

    pub(super) fn connect_column(&mut self, source: Option<ColumnIndex>, target: ColumnIndex, effect: Effect) {
        if let Some(source) = source {
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, effect, target, vec![source]);
        }
    }
}

/// Returns `true` for a query of several parts.
fn combines(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation { .. } => true,
        SetExpr::Query(query) => combines(&query.body),
        _ => false,
    }
}

fn position_name(position: usize) -> String {
    format!("column{}", position + 1)
}

fn innermost(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(inner) => innermost(inner),
        other => other,
    }
}

/// Returns the first item of the select list of a query.
fn first_value(body: &SetExpr) -> Option<&SelectItem> {
    match body {
        SetExpr::Select(select) => select.projection.first(),
        SetExpr::Query(query) => first_value(&query.body),
        SetExpr::SetOperation { left, .. } => first_value(left),
        _ => None,
    }
}

/// Returns the `INTO` of a query, which may be in the first of several parts.
fn into_of(body: &SetExpr) -> Option<&SelectInto> {
    match body {
        SetExpr::Select(select) => select.into.as_ref(),
        SetExpr::SetOperation { left, right, .. } => into_of_part(left).or_else(|| into_of_part(right)),
        _ => None,
    }
}

fn into_of_part(part: &SetExpr) -> Option<&SelectInto> {
    match part {
        SetExpr::Query(query) => into_of_part(&query.body),
        other => into_of(other),
    }
}

fn name_of_set(op: SetOperator) -> &'static str {
    match op {
        SetOperator::Union => "RESULT_OF_UNION",
        SetOperator::Intersect => "RESULT_OF_INTERSECT",
        SetOperator::Except | SetOperator::Minus => "RESULT_OF_MINUS",
    }
}

/// Returns the variable that a target of `INTO` names. It may have a sign before its name.
fn variable_of_target(target: &Expr) -> Option<Ident> {
    match target {
        Expr::Identifier(ident) => {
            Some(Ident { value: ident.value.trim_start_matches(':').to_owned(), ..ident.clone() })
        }
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => Some(Ident::with_span(value.span, name.trim_start_matches(':'))),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the name of the table that the target of `INTO` names.
pub(super) fn name_of_target(target: &Expr) -> Option<ObjectName> {
    match target {
        Expr::Identifier(ident) => Some(ObjectName::from(vec![ident.clone()])),
        Expr::CompoundIdentifier(parts) => Some(ObjectName::from(parts.clone())),
        _ => None,
    }
}
