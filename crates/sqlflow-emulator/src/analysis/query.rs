//! Queries.

use std::collections::HashMap;

use flowscope_core::Dialect;
use sqlparser::ast::{
    Cte, FromTable, Ident, ObjectName, OrderBy, Query, Select, SetExpr, SetOperator, Spanned, Statement, TableObject,
    Values, With,
};
use sqlparser::tokenizer::Span;

use super::expression::Flow;
use super::names::{self, Name};
use super::resolution::Scope;
use super::walker::Walker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, Range, RelationKind};

/// Queries nested deeper than this are given up on.
const MAX_DEPTH: usize = 200;

/// Literals of longer lists of values are not recorded, since there may be any number.
const MAX_VALUES_ROWS: usize = 1000;

/// What a query's rows are for, which decides what they are called.
pub(super) enum Role {
    Result,
    Insert,
    Derived(String),
}

impl Walker<'_> {
    /// Reads a query and gives the record set it makes.
    pub(super) fn query(&mut self, query: &Query, role: &Role, outer: Option<&Scope<'_>>) -> ObjectIndex {
        if self.depth >= MAX_DEPTH {
            self.not_analysed("a query nested too deeply is");
            return self.record_set(&Role::Result, self.draft.base);
        }
        self.depth += 1;
        self.ctes.push(HashMap::new());
        if let Some(with) = &query.with {
            self.with(with, outer);
        }
        let object = self.body(&query.body, role, outer, query.order_by.as_ref());
        if !query.pipe_operators.is_empty() {
            self.not_analysed("pipe operators are");
        }
        self.ctes.pop();
        self.depth -= 1;
        object
    }

    fn with(&mut self, with: &With, outer: Option<&Scope<'_>>) {
        // These have no word for it: an expression that names itself is recursive.
        let implied =
            matches!(self.draft.dialect(), Dialect::Oracle | Dialect::Mssql | Dialect::Snowflake | Dialect::Generic);
        for cte in &with.cte_tables {
            self.cte(cte, with.recursive || implied, outer);
        }
    }

    fn cte(&mut self, cte: &Cte, recursive: bool, outer: Option<&Scope<'_>>) {
        let name = self.draft.name(&cte.alias.name);
        let object = self.draft.numbered(ObjectKind::WithCte, &format!("CTE-{}", name.normal), name.at);
        let declared: Vec<Name> = cte.alias.columns.iter().map(|column| self.draft.name(&column.name)).collect();
        for column in &declared {
            self.draft.add_column(object, column);
        }
        if recursive {
            self.bind(&name, object);
        }
        let result = self.query(&cte.query, &Role::Result, outer);
        let targets = (!declared.is_empty()).then(|| self.draft.columns_of(object));
        self.feed(result, object, Effect::Select, targets);
        if !declared.is_empty() {
            self.draft.complete(object);
        }
        self.bind(&name, object);
    }

    fn bind(&mut self, name: &Name, object: ObjectIndex) {
        if let Some(innermost) = self.ctes.last_mut() {
            innermost.insert(name.key.clone(), object);
        }
    }

    pub(super) fn bound(&self, name: &Name) -> Option<ObjectIndex> {
        self.ctes.iter().rev().find_map(|ctes| ctes.get(&name.key)).copied()
    }

    fn body(&mut self, body: &SetExpr, role: &Role, outer: Option<&Scope<'_>>, order: Option<&OrderBy>) -> ObjectIndex {
        match body {
            SetExpr::Select(select) => self.select(select, role, outer, order),
            SetExpr::Query(query) => self.query(query, role, outer),
            SetExpr::SetOperation { op, .. } => self.set_operation(body, *op, outer),
            SetExpr::Values(values) => self.values(values, role, outer),
            SetExpr::Table(table) => self.whole_table(table.table_name.as_deref(), table.schema_name.as_deref(), role),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.changing(statement, role),
        }
    }

    /// A statement inside a query, whose rows are those it returns.
    fn changing(&mut self, statement: &Statement, role: &Role) -> ObjectIndex {
        let outer = self.draft.process.take();
        self.statement(statement, &statement.to_string());
        self.draft.process = outer;
        let mut scope = Scope::within(None);
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
        let result = self.record_set(role, self.draft.base);
        self.draft.complete(result);
        for item in returning.into_iter().flatten() {
            self.projection(item, result, &scope);
        }
        result
    }

    pub(super) fn record_set(&mut self, role: &Role, at: Range) -> ObjectIndex {
        match role {
            Role::Result => self.draft.numbered(ObjectKind::SelectList, "RS", at),
            Role::Insert => self.draft.numbered(ObjectKind::InsertSelect, "INSERT-SELECT", at),
            Role::Derived(alias) => self.draft.numbered(ObjectKind::SelectList, &format!("RESULT_OF_{alias}"), at),
        }
    }

    /// `TABLE t` is short for `SELECT * FROM t`.
    fn whole_table(&mut self, table: Option<&str>, schema: Option<&str>, role: &Role) -> ObjectIndex {
        let parts = [schema, table].into_iter().flatten().map(Ident::new).collect::<Vec<_>>();
        let table = self.draft.stored(&ObjectName::from(parts), ObjectKind::Table);
        let result = self.record_set(role, self.draft.base);
        self.draft.complete(result);
        self.all_columns(result, table, &[], self.draft.base);
        result
    }

    /// A chain of UNION, INTERSECT or EXCEPT. The columns are those of its first part; the others meet them by
    /// position.
    fn set_operation(&mut self, body: &SetExpr, op: SetOperator, outer: Option<&Scope<'_>>) -> ObjectIndex {
        let name = match op {
            SetOperator::Union => "RESULT_OF_UNION",
            SetOperator::Intersect => "RESULT_OF_INTERSECT",
            SetOperator::Except | SetOperator::Minus => "RESULT_OF_MINUS",
        };
        let at = self.range(body.span());
        let union = self.draft.numbered(ObjectKind::SelectUnion, name, at);
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
            branches.into_iter().map(|branch| self.body(branch, &Role::Result, outer, None)).collect();
        self.unite(union, &results, op == SetOperator::Union);
        union
    }

    fn unite(&mut self, union: ObjectIndex, results: &[ObjectIndex], values_of_all: bool) {
        let Some((first, others)) = results.split_first() else { return };
        self.feed(*first, union, Effect::Select, None);
        let targets = self.draft.columns_of(union);
        for other in others {
            if values_of_all {
                self.feed(*other, union, Effect::Select, Some(targets.clone()));
            } else {
                let deciding =
                    self.draft.columns_of(*other).into_iter().map(|column| self.draft.endpoint(column)).collect();
                let rows = self.draft.relation_rows(union);
                self.draft.relate(RelationKind::Fdr, Effect::Select, rows, deciding);
            }
        }
    }

    fn values(&mut self, values: &Values, role: &Role, outer: Option<&Scope<'_>>) -> ObjectIndex {
        let result = self.record_set(role, self.draft.base);
        let width = values.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut flows: Vec<Flow> = (0..width).map(|_| Flow::default()).collect();
        let scope = Scope::within(outer);
        for row in values.rows.iter().take(MAX_VALUES_ROWS) {
            for (flow, value) in flows.iter_mut().zip(row) {
                flow.join(self.expression(value, &scope, Clause::InsertValues));
            }
        }
        for (position, flow) in flows.into_iter().enumerate() {
            let name = self.draft.made_up(format!("column{}", position + 1), self.draft.base);
            let column = self.draft.add_column(result, &name);
            self.settle(column, flow);
        }
        self.draft.complete(result);
        result
    }

    fn select(
        &mut self,
        select: &Select,
        role: &Role,
        outer: Option<&Scope<'_>>,
        order: Option<&OrderBy>,
    ) -> ObjectIndex {
        let mut scope = Scope::within(outer);
        let mut joins = Vec::new();
        for table in &select.from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        for view in &select.lateral_views {
            let arguments = self.expression(&view.lateral_view, &scope, Clause::SelectList);
            let alias = names::parts(&view.lateral_view_name).last().map(|name| self.draft.name(name));
            let columns: Vec<Name> = view.lateral_col_alias.iter().map(|name| self.draft.name(name)).collect();
            self.table_function("lateral view", alias, &columns, arguments, &mut scope);
        }
        let at = self.range(Span::union_iter(select.projection.iter().map(Spanned::span)));
        let result = self.record_set(role, at);
        self.draft.complete(result);
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
            let table = self.draft.stored(&into.name, ObjectKind::Table);
            self.begin("Create Table", "sstcreatetable", &select.to_string());
            self.create(result, table, Effect::CreateTable, &[]);
            self.draft.process = None;
        }
        result
    }

    /// Lets the columns of a record set end in those of another object: the given ones, or those of the same names.
    pub(super) fn feed(
        &mut self,
        result: ObjectIndex,
        target: ObjectIndex,
        effect: Effect,
        columns: Option<Vec<ColumnIndex>>,
    ) {
        let sources = self.draft.columns_of(result);
        let unknown = (!self.draft.is_complete(result)).then(|| {
            let star = self.draft.made_up("*", self.draft.base);
            sources.iter().position(|source| Some(*source) == self.draft.existing(result, &star))
        });
        match (columns, unknown.flatten()) {
            (Some(columns), star) => {
                for (position, column) in columns.into_iter().enumerate() {
                    let source = match star {
                        Some(star) if position >= star => sources.get(star),
                        _ => sources.get(position),
                    };
                    self.feed_column(source.copied(), column, effect);
                }
            }
            (None, star) => {
                let fresh = self.draft.columns_of(target).is_empty();
                for source in &sources {
                    let name = self.draft.name_of(*source);
                    let column = if fresh && star.is_none() && effect != Effect::Insert {
                        self.draft.add_column(target, &name)
                    } else {
                        self.draft.column(target, &name)
                    };
                    self.feed_column(Some(*source), column, effect);
                }
                if star.is_some() {
                    self.draft.pass_through(target, result, effect);
                } else if fresh && effect != Effect::Insert {
                    self.draft.complete(target);
                }
            }
        }
        if self.draft.object(target).kind.is_record_set() && self.draft.is_complete(result) {
            self.draft.complete(target);
        }
        self.inherit_rows_of(result, target, effect);
    }

    fn feed_column(&mut self, source: Option<ColumnIndex>, target: ColumnIndex, effect: Effect) {
        if let Some(source) = source {
            let source = self.draft.endpoint(source);
            self.draft.relate(RelationKind::Fdd, effect, target, vec![source]);
        }
    }
}
