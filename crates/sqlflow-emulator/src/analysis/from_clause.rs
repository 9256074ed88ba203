//! FROM clauses: the tables, subqueries and table functions in them, and the conditions that join them.

use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, TableAlias, TableFactor, TableWithJoins,
};

use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::{self, Identifier};
use super::pivot::{MatchRecognize, Pivot, Unpivot};
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope, SharedColumn};
use super::table_functions::json_columns;
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
        match &table.relation {
            // The grammar takes the second array of `ARRAY JOIN a, b` for a table.
            TableFactor::Table { name, alias, args: None, .. } if self.follows_array_join(name, scope) => {
                self.array_join(name, alias.as_ref(), scope);
            }
            relation => self.table_factor(relation, scope, joins),
        }
        for join in &table.joins {
            let middle = scope.items.len();
            match (&join.join_operator, &join.relation) {
                (
                    JoinOperator::ArrayJoin | JoinOperator::LeftArrayJoin | JoinOperator::InnerArrayJoin,
                    TableFactor::Table { name, alias, args: None, .. },
                ) => self.array_join(name, alias.as_ref(), scope),
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

    fn follows_array_join(&self, name: &ObjectName, scope: &NameScope<'_>) -> bool {
        let last = scope.items.last().map(|item| self.builder.object(item.object).name.as_str());
        self.builder.dialect() == Dialect::Clickhouse && last == Some("arrayJoin") && name.0.len() == 1
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
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let first = scope.items.len();
                self.table_with_joins(table_with_joins, scope, joins);
                if let Some(alias) = alias {
                    let name = self.builder.name(&alias.name).key;
                    scope.items[first..].iter_mut().for_each(|item| item.names.push(name.clone()));
                }
            }
            TableFactor::TableFunction { expr, alias } => self.table_expression(expr, alias.as_ref(), scope),
            TableFactor::UNNEST { array_exprs, alias, with_offset_alias, with_offset, .. } => {
                let flow = self.expressions(array_exprs, scope, Clause::SelectList);
                let single = array_exprs.len() == 1 && alias.as_ref().is_none_or(|alias| alias.columns.is_empty());
                match alias {
                    Some(alias) if single => self.element("unnest", Some(&alias.name), flow, scope),
                    alias => self.function_with_columns("unnest", alias.as_ref(), &[], flow, scope),
                }
                if *with_offset {
                    self.element_offset(with_offset_alias.as_ref(), scope);
                }
            }
            TableFactor::JsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let mut idents = Vec::new();
                json_columns(columns, &mut idents);
                self.function_with_columns("json_table", alias.as_ref(), &idents, flow, scope);
            }
            TableFactor::OpenJsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let own: Vec<Ident> = columns.iter().map(|column| column.name.clone()).collect();
                let own = if own.is_empty() { self.known_columns("openjson") } else { own };
                self.function_with_columns("openjson", alias.as_ref(), &own.iter().collect::<Vec<_>>(), flow, scope);
            }
            other => self.reshaped_or_other(other, scope),
        }
    }

    fn reshaped_or_other(&mut self, factor: &TableFactor, scope: &mut NameScope<'_>) {
        match factor {
            TableFactor::UnpivotExpr { expression, value_alias, attribute_alias } => {
                let flow = self.expression(expression, scope, Clause::SelectList);
                let columns = std::iter::once(value_alias).chain(attribute_alias);
                let columns: Vec<Identifier> = columns.map(|ident| self.builder.name(ident)).collect();
                self.table_function("unpivot", None, &columns, flow, scope);
            }
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, alias, .. } => {
                let (aggregates, deciding, values) = (aggregate_functions, value_column, value_source);
                self.pivot(&Pivot { table, aggregates, deciding, values, alias: alias.as_ref() }, scope);
            }
            TableFactor::Unpivot { table, value, name, columns, alias, .. } => {
                self.unpivot(&Unpivot { table, value, name, columns, alias: alias.as_ref() }, scope);
            }
            TableFactor::MatchRecognize {
                table,
                partition_by,
                order_by,
                measures,
                rows_per_match,
                pattern,
                symbols,
                alias,
                ..
            } => {
                let (partition, order, rows) = (partition_by, order_by, rows_per_match.as_ref());
                let alias = alias.as_ref();
                let clause = MatchRecognize { table, partition, order, measures, rows, pattern, symbols, alias };
                self.match_recognize(&clause, scope);
            }
            TableFactor::XmlTable { passing, columns, alias, .. } => {
                self.xml_table(passing, columns, alias.as_ref(), scope);
            }
            TableFactor::SemanticView { name, .. } => self.report_omission_with(
                &format!("the semantic view {name} is"),
                "query the tables that it is defined on",
            ),
            TableFactor::Table { .. }
            | TableFactor::Derived { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::Function { .. }
            | TableFactor::UNNEST { .. }
            | TableFactor::JsonTable { .. }
            | TableFactor::OpenJsonTable { .. }
            | TableFactor::NestedJoin { .. } => unreachable!("read by table_factor"),
        }
    }

    /// Adds the position of an element, which is a column of its own without a source.
    fn element_offset(&mut self, alias: Option<&Ident>, scope: &mut NameScope<'_>) {
        let name = alias.cloned().unwrap_or_else(|| Ident::new("offset"));
        let name = self.builder.name(&name);
        self.table_function("offset", None, &[name], DataFlow::default(), scope);
    }

    pub(super) fn named_table(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        let parts: Vec<Identifier> =
            identifier::parts(name).into_iter().map(|ident| self.builder.name(ident)).collect();
        let cte = match parts.as_slice() {
            [single] => self.bound_cte(single),
            _ => None,
        };
        if cte.is_none() && (self.array_elements(name, alias, scope) || self.path_source(name, alias, scope)) {
            return;
        }
        let object = cte.unwrap_or_else(|| self.table_named(name, ObjectKind::Table));
        let names = alias.map_or_else(|| qualifiers(&parts), |alias| vec![self.builder.name(&alias.name).key]);
        scope.items.push(FromItem { names, object });
    }

    /// Returns every way to qualify a column of a table without an alias.
    pub(super) fn qualifiers_of(&self, name: &ObjectName) -> Vec<String> {
        let parts: Vec<Identifier> =
            identifier::parts(name).into_iter().map(|ident| self.builder.name(ident)).collect();
        qualifiers(&parts)
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
        self.element("unnest", element, array, scope);
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
