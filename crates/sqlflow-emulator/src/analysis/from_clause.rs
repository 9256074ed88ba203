//! FROM clauses: the tables, subqueries and table functions in them, and the conditions that join them.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint, JoinOperator, JsonTableColumn, ObjectName, Query,
    TableAlias, TableFactor, TableWithJoins,
};

use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::{self, Identifier};
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope, SharedColumn};
use super::walker::StatementWalker;
use super::{Clause, Effect, ObjectIndex, ObjectKind};

/// A condition that joins entries of a FROM clause.
pub(super) struct JoinClause<'a> {
    kind: &'static str,
    constraint: &'a JoinConstraint,
}

impl StatementWalker<'_> {
    pub(super) fn table_with_joins<'q>(
        &mut self,
        table: &'q TableWithJoins,
        scope: &mut NameScope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        let start = scope.items.len();
        self.table_factor(&table.relation, scope, joins);
        for join in &table.joins {
            let middle = scope.items.len();
            match (&join.join_operator, &join.relation) {
                // A subquery that is applied to each row sees its columns.
                (JoinOperator::CrossApply | JoinOperator::OuterApply, TableFactor::Derived { subquery, alias, .. }) => {
                    self.derived(true, subquery, alias.as_ref(), scope);
                }
                (_, relation) => self.table_factor(relation, scope, joins),
            }
            if let Some(clause) = join_clause(join) {
                self.record_shared_columns(clause.constraint, start, middle, scope);
                joins.push(clause);
            }
        }
    }

    /// Records the columns by whose names two sides of a FROM clause are joined.
    pub(super) fn record_shared_columns(
        &self,
        constraint: &JoinConstraint,
        start: usize,
        middle: usize,
        scope: &mut NameScope<'_>,
    ) {
        let objects = |items: &[FromItem]| items.iter().map(|item| item.object).collect::<Vec<_>>();
        let left = objects(&scope.items[start..middle]);
        let right = objects(&scope.items[middle..]);
        let (keys, sure): (Vec<String>, bool) = match constraint {
            JoinConstraint::Using(columns) | JoinConstraint::UsingAlias(columns, _) => {
                let idents = columns.iter().filter_map(|name| identifier::parts(name).last().copied());
                (idents.map(|ident| self.builder.name(ident).key).collect(), true)
            }
            JoinConstraint::Natural => (self.known_keys(&right), false),
            _ => return,
        };
        for key in keys {
            let (Some(left), Some(right)) =
                (self.table_with_column(&key, &left, sure), self.table_with_column(&key, &right, sure))
            else {
                continue;
            };
            let mut objects = scope.tables_sharing(&key).to_vec();
            if objects.is_empty() {
                objects.push(left);
            }
            objects.push(right);
            scope.shared.retain(|shared| shared.key != key);
            scope.shared.push(SharedColumn { key, objects });
        }
    }

    /// Returns the table of one side that is known to have a column. If one is certain to have it, the first table
    /// that may have it is used otherwise.
    fn table_with_column(&self, key: &String, side: &[ObjectIndex], sure: bool) -> Option<ObjectIndex> {
        let known = side.iter().find(|object| self.known_keys(&[**object]).contains(key));
        let possible = || side.iter().find(|object| sure && !self.builder.is_complete(**object));
        known.or_else(possible).copied()
    }

    /// Returns the names of the columns that tables are known to have.
    fn known_keys(&self, objects: &[ObjectIndex]) -> Vec<String> {
        let columns = objects.iter().flat_map(|object| self.builder.columns_of(*object));
        columns.map(|column| self.builder.name_of(column).key).collect()
    }

    pub(super) fn table_factor<'q>(
        &mut self,
        factor: &'q TableFactor,
        scope: &mut NameScope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => self.named_table(name, alias.as_ref(), scope),
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.called_table(name, &args.args, alias.as_ref(), scope);
            }
            TableFactor::Function { name, args, alias, .. } => self.called_table(name, args, alias.as_ref(), scope),
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                self.derived(*lateral, subquery, alias.as_ref(), scope);
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.table_with_joins(table_with_joins, scope, joins),
            TableFactor::TableFunction { expr, alias } => {
                let flow = self.expression(expr, scope, Clause::SelectList);
                self.aliased_function("table", alias.as_ref(), flow, scope);
            }
            TableFactor::UNNEST { array_exprs, alias, with_offset_alias, .. } => {
                let flow = self.expressions(array_exprs, scope, Clause::SelectList);
                self.aliased_function("unnest", alias.as_ref(), flow, scope);
                let offset = with_offset_alias.as_ref().map(|ident| self.builder.name(ident).key);
                scope.items.last_mut().into_iter().for_each(|item| item.names.extend(offset.clone()));
            }
            TableFactor::JsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let mut idents = Vec::new();
                json_columns(columns, &mut idents);
                self.function_with_columns("json_table", alias.as_ref(), &idents, flow, scope);
            }
            TableFactor::OpenJsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let idents: Vec<&Ident> = columns.iter().map(|column| &column.name).collect();
                self.function_with_columns("openjson", alias.as_ref(), &idents, flow, scope);
            }
            TableFactor::UnpivotExpr { .. } => self.report_omission("UNPIVOT of an expression is"),
            TableFactor::Pivot { table, alias, .. } | TableFactor::Unpivot { table, alias, .. } => {
                self.report_omission("PIVOT and UNPIVOT are");
                self.reshaped(table, alias.as_ref(), scope, joins);
            }
            TableFactor::MatchRecognize { table, alias, .. } => {
                self.report_omission("MATCH_RECOGNIZE is");
                self.reshaped(table, alias.as_ref(), scope, joins);
            }
            TableFactor::XmlTable { .. } | TableFactor::SemanticView { .. } => {
                self.report_omission("an XML table or semantic view is");
            }
        }
    }

    pub(super) fn named_table(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        let parts: Vec<Identifier> =
            identifier::parts(name).into_iter().map(|ident| self.builder.name(ident)).collect();
        let cte = match parts.as_slice() {
            [single] => self.bound_cte(single),
            _ => None,
        };
        if cte.is_none() && self.array_elements(name, alias, scope) {
            return;
        }
        let object = cte.unwrap_or_else(|| self.builder.stored(name, ObjectKind::Table));
        let names = alias.map_or_else(|| qualifiers(&parts), |alias| vec![self.builder.name(&alias.name).key]);
        scope.items.push(FromItem { names, object });
    }

    fn derived(&mut self, lateral: bool, subquery: &Query, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        let name = alias.map(|alias| self.builder.name(&alias.name));
        let role = name.as_ref().map_or(RecordSetRole::Result, |name| RecordSetRole::Derived(name.normal.clone()));
        let object =
            if lateral { self.query(subquery, &role, Some(scope)) } else { self.query(subquery, &role, scope.outer) };
        let columns = alias.into_iter().flat_map(|alias| &alias.columns);
        let renamed: Vec<Identifier> = columns.map(|column| self.builder.name(&column.name)).collect();
        self.builder.rename_columns(object, &renamed);
        scope.items.push(FromItem { names: name.map(|name| name.key).into_iter().collect(), object });
    }

    /// Reads a table whose columns are transformed in a way that is not analysed. Its own columns stay in scope.
    fn reshaped<'q>(
        &mut self,
        table: &'q TableFactor,
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        let before = scope.items.len();
        self.table_factor(table, scope, joins);
        if let Some(alias) = alias {
            let name = self.builder.name(&alias.name).key;
            scope.items[before..].iter_mut().for_each(|item| item.names.push(name.clone()));
        }
    }

    fn called_table(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
    ) {
        let mut flow = DataFlow::default();
        for arg in args {
            if let FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
            {
                flow.join(self.expression(expr, scope, Clause::SelectList));
            }
        }
        self.aliased_function(&name.to_string(), alias, flow, scope);
    }

    fn aliased_function(
        &mut self,
        function: &str,
        alias: Option<&TableAlias>,
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        self.function_with_columns(function, alias, &[], arguments, scope);
    }

    /// Reads a function whose columns are listed by the alias or defined by the function itself.
    fn function_with_columns(
        &mut self,
        function: &str,
        alias: Option<&TableAlias>,
        own: &[&Ident],
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        let name = alias.map(|alias| self.builder.name(&alias.name));
        let listed: Vec<&Ident> = alias.into_iter().flat_map(|alias| &alias.columns).map(|def| &def.name).collect();
        let columns = if listed.is_empty() { own } else { &listed };
        let columns: Vec<Identifier> = columns.iter().map(|ident| self.builder.name(ident)).collect();
        self.table_function(function, name, &columns, arguments, scope);
    }

    /// Reads a function that is used as a table: its arguments flow into every column it has. Without a list of
    /// columns, only those that are read are known, and the name of the function may stand for its single column.
    pub(super) fn table_function(
        &mut self,
        function: &str,
        alias: Option<Identifier>,
        columns: &[Identifier],
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        let object = self.builder.intermediate(ObjectKind::Function, function.to_owned(), self.builder.base);
        self.builder.set_arguments(object, arguments);
        for name in columns {
            self.builder.discover_column(object, name);
        }
        if !columns.is_empty() {
            self.builder.mark_complete(object);
        }
        scope.items.push(FromItem { names: alias.map(|alias| alias.key).into_iter().collect(), object });
    }

    /// Reads the elements of an array that belongs to an earlier table, as in `FROM t, t.items`.
    fn array_elements(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) -> bool {
        let parts: Vec<Ident> = identifier::parts(name).into_iter().cloned().collect();
        let idents: Vec<&Ident> = parts.iter().collect();
        let within = (1..parts.len()).any(|length| {
            let qualifier = self.joined_key(&idents[..length]);
            scope.items.iter().any(|item| item.is_qualified_by(&qualifier))
        });
        if !within || !matches!(self.builder.dialect(), Dialect::Bigquery | Dialect::Redshift) {
            return false;
        }
        let array = self.expression(&Expr::CompoundIdentifier(parts.clone()), scope, Clause::SelectList);
        let element = alias.map(|alias| &alias.name).or(parts.last());
        let element = element.map(|ident| self.builder.name(ident));
        self.table_function("unnest", element, &[], array, scope);
        true
    }

    pub(super) fn join_conditions(
        &mut self,
        joins: &[JoinClause<'_>],
        target: ObjectIndex,
        scope: &NameScope<'_>,
        effect: Effect,
    ) {
        for join in joins {
            match join.constraint {
                JoinConstraint::On(condition) => {
                    self.comparisons(condition, join.kind, scope);
                    let sources = self.expression(condition, scope, Clause::JoinCondition).into_deciding(self.builder);
                    self.relate_rows(target, effect, sources);
                }
                JoinConstraint::Using(columns) | JoinConstraint::UsingAlias(columns, _) => {
                    let idents = columns.iter().filter_map(|name| identifier::parts(name).last().copied());
                    for ident in idents {
                        let name = self.builder.name(ident);
                        let sources = self.shared_column(&name, Clause::JoinCondition, scope);
                        self.relate_rows(target, effect, sources);
                    }
                }
                JoinConstraint::Natural => self.note_omission("the columns that a natural join compares are"),
                JoinConstraint::None => {}
            }
        }
    }
}

/// Returns every way to qualify a column of a table without an alias.
fn qualifiers(parts: &[Identifier]) -> Vec<String> {
    (0..parts.len())
        .map(|from| parts[from..].iter().map(|part| part.key.as_str()).collect::<Vec<_>>().join("."))
        .collect()
}

/// Collects the columns that `JSON_TABLE` defines, including those of nested paths.
fn json_columns<'q>(columns: &'q [JsonTableColumn], found: &mut Vec<&'q Ident>) {
    for column in columns {
        match column {
            JsonTableColumn::Named(named) => found.push(&named.name),
            JsonTableColumn::ForOrdinality(name) => found.push(name),
            JsonTableColumn::Nested(nested) => json_columns(&nested.columns, found),
        }
    }
}

fn join_clause(join: &Join) -> Option<JoinClause<'_>> {
    let (kind, constraint) = match &join.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::StraightJoin(constraint) => {
            ("inner", constraint)
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => ("left", constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("right", constraint),
        JoinOperator::FullOuter(constraint) => ("full", constraint),
        JoinOperator::CrossJoin(constraint) => ("cross", constraint),
        JoinOperator::Semi(constraint) | JoinOperator::LeftSemi(constraint) | JoinOperator::RightSemi(constraint) => {
            ("semi", constraint)
        }
        JoinOperator::Anti(constraint) | JoinOperator::LeftAnti(constraint) | JoinOperator::RightAnti(constraint) => {
            ("anti", constraint)
        }
        JoinOperator::AsOf { constraint, .. } => ("asof", constraint),
        JoinOperator::CrossApply
        | JoinOperator::OuterApply
        | JoinOperator::ArrayJoin
        | JoinOperator::LeftArrayJoin
        | JoinOperator::InnerArrayJoin => return None,
    };
    Some(JoinClause { kind, constraint })
}
