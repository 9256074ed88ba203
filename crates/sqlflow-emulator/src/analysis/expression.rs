//! Expressions: the columns whose values flow into them, and those that only decide the value.

use std::collections::HashSet;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, InTarget, JsonPathElem, ObjectName, Query, SetExpr, Spanned, Subscript, Value,
};

use super::builder::LineageBuilder;
use super::dialect::Dialect;
use super::identifier::{self, Identifier};
use super::keyword_argument::is_keyword;
use super::lineage::JoinCondition;
use super::query::RecordSetRole;
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, Effect, Endpoint, ObjectIndex, ObjectKind, RelationshipKind};

/// The maximum depth of nested expressions.
const MAX_DEPTH: usize = 2000;

/// The columns that a value comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct DataFlow {
    /// Columns whose value flows into it.
    pub(super) values: Vec<Endpoint>,
    /// Columns that only decide which value it is.
    pub(super) deciding: Vec<Endpoint>,
    /// Record sets that are counted.
    pub(super) rows: Vec<Endpoint>,
}

impl DataFlow {
    pub(super) fn join(&mut self, other: Self) {
        add_distinct(&mut self.values, other.values);
        add_distinct(&mut self.deciding, other.deciding);
        add_distinct(&mut self.rows, other.rows);
    }

    /// Returns the flow in another clause.
    pub(super) fn within(self, clause: Clause) -> Self {
        let moved = |ends: Vec<Endpoint>| {
            distinct(ends.into_iter().map(|end| Endpoint { clause: Some(clause), ..end }).collect())
        };
        Self { values: moved(self.values), deciding: moved(self.deciding), rows: moved(self.rows) }
    }

    /// Returns the flow of a value that is only examined.
    pub(super) fn decides(self) -> Self {
        let mut deciding = self.values;
        add_distinct(&mut deciding, self.deciding);
        Self { values: Vec::new(), deciding, rows: self.rows }
    }

    /// Returns all columns that affect a condition. Literals do not.
    pub(super) fn into_deciding(self, builder: &LineageBuilder) -> Vec<Endpoint> {
        let everything = self.decides();
        let endpoints = everything.deciding.into_iter().chain(everything.rows);
        endpoints.filter(|end| builder.object(end.column.object).kind != ObjectKind::ConstantTable).collect()
    }
}

/// The number of endpoints up to which a search is faster than a set.
const FEW: usize = 8;

/// Adds the endpoints that are not there yet. Without this, `x + x AS y, y + y AS z` and so on would double them with
/// every name.
fn add_distinct(known: &mut Vec<Endpoint>, added: Vec<Endpoint>) {
    if added.len() > FEW {
        known.extend(added);
        *known = distinct(std::mem::take(known));
        return;
    }
    for end in added {
        if !known.iter().any(|other| other.column == end.column && other.clause == end.clause) {
            known.push(end);
        }
    }
}

/// Returns the first of the endpoints at each column and clause.
pub(super) fn distinct(mut ends: Vec<Endpoint>) -> Vec<Endpoint> {
    if ends.len() > 1 {
        let mut seen = HashSet::with_capacity(ends.len());
        ends.retain(|end| seen.insert((end.column, end.clause)));
    }
    ends
}

impl StatementWalker<'_> {
    pub(super) fn expressions(&mut self, expressions: &[Expr], scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut flow = DataFlow::default();
        for expression in expressions {
            flow.join(self.expression(expression, scope, clause));
        }
        flow
    }

    /// Returns the columns that the value of an expression comes from.
    pub(super) fn expression(&mut self, expression: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        if self.depth >= MAX_DEPTH {
            self.report_omission("an expression nested too deeply is");
            return DataFlow::default();
        }
        self.depth += 1;
        let flow = self.operands(expression, scope, clause);
        self.depth -= 1;
        flow
    }

    fn operands(&mut self, expression: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        match expression {
            Expr::Identifier(ident) => self.reference(std::slice::from_ref(ident), scope, clause),
            Expr::CompoundIdentifier(parts) => self.reference(parts, scope, clause),
            Expr::Value(value) => match self.file_position(&value.value, scope, clause) {
                Some(flow) => flow,
                None => self.value(&value.value, expression, scope, clause),
            },
            Expr::BinaryOp { .. } => self.binary_chain(expression, scope, clause),
            Expr::Function(function) => self.function(function, expression, scope, clause),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), expression, scope, clause)
            }
            Expr::Extract { expr, .. } => self.built_in("extract", &[expr], expression, scope, clause),
            Expr::Ceil { expr, .. } => self.built_in("ceil", &[expr], expression, scope, clause),
            Expr::Floor { expr, .. } => self.built_in("floor", &[expr], expression, scope, clause),
            Expr::Position { expr, r#in } => self.built_in("position", &[expr, r#in], expression, scope, clause),
            Expr::Trim { expr, trim_what, trim_characters, .. } => {
                let arguments: Vec<&Expr> = std::iter::once(expr.as_ref())
                    .chain(trim_what.as_deref())
                    .chain(trim_characters.iter().flatten())
                    .collect();
                self.built_in("trim", &arguments, expression, scope, clause)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let arguments: Vec<&Expr> = std::iter::once(expr.as_ref())
                    .chain(substring_from.as_deref())
                    .chain(substring_for.as_deref())
                    .collect();
                self.built_in("substring", &arguments, expression, scope, clause)
            }
            Expr::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let arguments: Vec<&Expr> =
                    [expr.as_ref(), overlay_what, overlay_from].into_iter().chain(overlay_for.as_deref()).collect();
                self.built_in("overlay", &arguments, expression, scope, clause)
            }
            Expr::Subquery(query) => self.scalar_subquery(query, scope, clause),
            Expr::Exists { subquery, .. } => self.exists_subquery(subquery, scope, clause),
            Expr::In { expr, target, .. } => self.membership(expr, target, scope, clause),
            Expr::CompoundFieldAccess { root, access_chain } => self.field(root, access_chain, scope, clause),
            Expr::JsonAccess { value, path } => {
                let mut flow = self.expression(value, scope, clause);
                for element in &path.path {
                    if let JsonPathElem::Bracket { key } | JsonPathElem::ColonBracket { key } = element {
                        flow.join(self.condition(key, scope));
                    }
                }
                flow
            }
            Expr::Lambda(lambda) => self.lambda(lambda, scope, clause),
            Expr::MatchAgainst { columns, .. } => {
                let mut flow = DataFlow::default();
                for column in columns {
                    let parts: Vec<Ident> = identifier::parts(column).into_iter().cloned().collect();
                    flow.join(self.reference(&parts, scope, clause));
                }
                flow
            }
            Expr::Interval(interval) if !matches!(interval.value.as_ref(), Expr::Value(_)) => {
                self.expression(&interval.value, scope, clause)
            }
            Expr::Interval(_) | Expr::TypedString(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
                DataFlow::default()
            }
            other => {
                let mut flow = DataFlow::default();
                for part in parts_of(other) {
                    flow.join(self.expression(part, scope, clause));
                }
                flow
            }
        }
    }

    /// Reads a literal, or a column that a query refers to by its position.
    fn value(&mut self, value: &Value, expression: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        match self.column_at_position(value, expression, scope) {
            Some(source) => {
                DataFlow { values: vec![Endpoint { clause: Some(clause), ..source }], ..DataFlow::default() }
            }
            None => self.literal(value, expression, clause),
        }
    }

    fn reference(&mut self, parts: &[Ident], scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        if parts.first().is_some_and(|first| self.is_parameter(first)) {
            return DataFlow::default();
        }
        if let [single] = parts {
            let name = self.builder.name(single);
            let values = self.shared_column(&name, clause, scope);
            if !values.is_empty() {
                return DataFlow { values, ..DataFlow::default() };
            }
            if let Some(flow) = self.aliased_value(&name, scope, clause) {
                return flow;
            }
            if let Some(object) = self.row_named(&name, scope) {
                return DataFlow { values: self.every_column_of(&[object], clause), ..DataFlow::default() };
            }
        }
        let values = self.resolve(parts, scope).map(|(column, at)| Endpoint { column, clause: Some(clause), at });
        DataFlow { values: values.into_iter().collect(), ..DataFlow::default() }
    }

    /// Reads a field or an element of a value, as in `t.c[1].f`. The value flows; what is in brackets only chooses.
    fn field(&mut self, root: &Expr, chain: &[AccessExpr], scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut name = match root {
            Expr::Identifier(ident) => vec![ident.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            Expr::Nested(inner) => self.row_in_parentheses(inner, scope),
            Expr::Function(element) if self.element_of_collection(&element.name, clause).is_some() => {
                identifier::parts(&element.name).into_iter().cloned().collect()
            }
            _ => Vec::new(),
        };
        let named = !name.is_empty();
        let dots = chain.iter().map_while(|access| match access {
            AccessExpr::Dot(Expr::Identifier(field)) if named => Some(field.clone()),
            _ => None,
        });
        name.extend(dots);
        let mut flow = if named { self.reference(&name, scope, clause) } else { self.expression(root, scope, clause) };
        for access in chain {
            match access {
                AccessExpr::Subscript(Subscript::Index { index }) => flow.join(self.condition(index, scope)),
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, stride }) => {
                    for bound in lower_bound.iter().chain(upper_bound).chain(stride) {
                        flow.join(self.condition(bound, scope));
                    }
                }
                AccessExpr::Dot(Expr::Function(method)) => {
                    flow.join(self.arguments(&simple_name(&method.name), &method.args, scope, clause).0);
                }
                AccessExpr::Dot(_) => {}
            }
        }
        flow
    }

    /// Returns the name of the table whose row `(t)` is, as in `(t).c`.
    fn row_in_parentheses(&self, inner: &Expr, scope: &NameScope<'_>) -> Vec<Ident> {
        let Expr::Identifier(ident) = inner else { return Vec::new() };
        let name = self.builder.name(ident);
        let is_row =
            scope.item(&name.key).is_some() && !scope.items.iter().any(|item| self.builder.knows(item.object, &name));
        if is_row { vec![ident.clone()] } else { Vec::new() }
    }

    /// Returns the column that `$1` stands for in Snowflake.
    fn column_at_position(&mut self, value: &Value, expression: &Expr, scope: &NameScope<'_>) -> Option<Endpoint> {
        let Value::Placeholder(text) = value else { return None };
        let position = text.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)?;
        let [item] = scope.items.as_slice() else { return None };
        if self.builder.dialect() != Dialect::Snowflake {
            return None;
        }
        let at = self.range(expression.span());
        let column = if self.builder.is_complete(item.object) {
            self.builder.columns_of(item.object).get(position).copied()
        } else {
            let name = self.builder.made_up_identifier(text, at);
            self.builder.find_column(item.object, &name)
        };
        Some(Endpoint { column: column?, clause: None, at })
    }

    fn literal(&mut self, value: &Value, expression: &Expr, clause: Clause) -> DataFlow {
        if let Value::Placeholder(text) = value {
            let values = self.host_variable(text, clause).into_iter().collect();
            return DataFlow { values, ..DataFlow::default() };
        }
        if !matches!(clause, Clause::SelectList | Clause::InsertValues) {
            return DataFlow::default();
        }
        let at = self.range(expression.span());
        let column = self.builder.constant(value.to_string(), at);
        DataFlow { values: vec![Endpoint { column, clause: Some(clause), at }], ..DataFlow::default() }
    }

    /// Reads a chain of binary operators. The tree of `a + b + c …` is as deep as the chain is long, so a loop walks
    /// down its left side.
    fn binary_chain(&mut self, expression: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut operands = Vec::new();
        let mut rest = expression;
        while let Expr::BinaryOp { left, right, .. } = rest {
            operands.push(right.as_ref());
            rest = left;
        }
        let mut flow = self.expression(rest, scope, clause);
        for operand in operands.into_iter().rev() {
            flow.join(self.expression(operand, scope, clause));
        }
        flow
    }

    fn membership(&mut self, expr: &Expr, target: &InTarget, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut flow = self.expression(expr, scope, clause);
        match target {
            InTarget::List(items) => flow.join(self.expressions(items, scope, clause)),
            InTarget::Unnest(array) => flow.join(self.expression(array, scope, clause)),
            InTarget::Subquery(query) => {
                let width = if let Expr::Tuple(items) = expr { items.len() } else { 1 };
                flow.join(self.subquery(query, width, scope, clause));
            }
            InTarget::Table { name, args: None } => {
                let mut listed = NameScope::within(None);
                self.named_table(name, None, &mut listed);
                flow.rows.extend(self.record_sets(&listed));
            }
            InTarget::Table { args: Some(_), .. } => self.note_omission("the table function after IN is"),
        }
        flow.decides()
    }

    /// Reads a query that is used as a value. Its first column is the value; its rows decide it.
    fn scalar_subquery(&mut self, query: &Query, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        self.subquery(query, if makes_one_value(query) { usize::MAX } else { 1 }, scope, clause)
    }

    /// Reads a query whose rows are only tested for existence. The selected columns matter only if nothing else
    /// decides the rows.
    fn exists_subquery(&mut self, query: &Query, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut flow = self.scalar_subquery(query, scope, clause);
        if !flow.deciding.is_empty() {
            flow.values.clear();
        }
        flow.decides()
    }

    fn subquery(&mut self, query: &Query, width: usize, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let grouping = std::mem::take(&mut self.grouping);
        let result = self.query(query, &RecordSetRole::Result, Some(scope));
        self.grouping = grouping;
        let columns = self.builder.columns_of(result).into_iter().take(width);
        let with_clause = |end: Endpoint| Endpoint { clause: Some(clause), ..end };
        let values = columns.map(|column| with_clause(self.builder.endpoint(column))).collect();
        let mut flow = DataFlow { values, ..DataFlow::default() };
        if self.builder.object(result).columns.iter().any(super::Column::is_relation_rows) {
            let rows = self.builder.relation_rows(result);
            flow.deciding.push(with_clause(self.builder.endpoint(rows)));
        }
        flow
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
        whole: &Expr,
        scope: &NameScope<'_>,
        clause: Clause,
    ) -> DataFlow {
        let mut flow = DataFlow::default();
        for looked_at in operand.into_iter().chain(conditions.iter().map(|when| &when.condition)) {
            flow.join(self.condition(looked_at, scope));
        }
        for result in conditions.iter().map(|when| &when.result).chain(otherwise) {
            flow.join(self.expression(result, scope, clause));
        }
        self.through_function("case-when", flow, whole, clause)
    }

    /// Reads an expression that is only examined to choose a value. Literals decide nothing.
    pub(super) fn condition(&mut self, expression: &Expr, scope: &NameScope<'_>) -> DataFlow {
        let mut condition = self.expression(expression, scope, Clause::Unknown).decides();
        condition.deciding.retain(|end| self.builder.object(end.column.object).kind != ObjectKind::ConstantTable);
        condition
    }

    fn built_in(
        &mut self,
        name: &str,
        arguments: &[&Expr],
        whole: &Expr,
        scope: &NameScope<'_>,
        clause: Clause,
    ) -> DataFlow {
        let mut flow = DataFlow::default();
        for argument in arguments {
            flow.join(self.expression(argument, scope, clause));
        }
        self.through_function(name, flow, whole, clause)
    }

    fn function(&mut self, function: &Function, whole: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        if let Some(element) = self.element_of_collection(&function.name, clause) {
            return element;
        }
        let name = simple_name(&function.name);
        let counts = name.eq_ignore_ascii_case("count");
        let (mut flow, counts_rows) = self.arguments(&name, &function.args, scope, clause);
        if counts || matches!(name.to_ascii_lowercase().as_str(), "countif" | "count_if") {
            flow = flow.decides();
        }
        if name.eq_ignore_ascii_case("columns")
            && matches!(self.builder.dialect(), Dialect::Duckdb | Dialect::Clickhouse)
        {
            self.report_omission("the columns that COLUMNS(…) stands for are");
        }
        flow.join(self.receiver(&function.name, scope, clause));
        if counts_rows {
            flow.rows.extend(self.record_sets(scope));
        }
        if let Some(filter) = &function.filter {
            flow.join(self.expression(filter, scope, Clause::Where).decides());
        }
        for ordered in &function.within_group {
            if returns_ordered_value(&name) {
                flow.join(self.expression(&ordered.expr, scope, clause));
            } else {
                flow.join(self.expression(&ordered.expr, scope, Clause::OrderBy).decides());
            }
        }
        match &function.over {
            Some(window) => flow.join(self.window(window, scope)),
            None if is_aggregate(&name) => flow.deciding.extend(self.grouping.iter().copied()),
            None => {}
        }
        self.through_function(&name, flow, whole, clause)
    }

    /// Returns the value whose method a function is, as in `t.c.value('…')`.
    fn receiver(&mut self, name: &ObjectName, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let parts: Vec<Ident> = identifier::parts(name).into_iter().cloned().collect();
        let Some((method, receiver)) = parts.split_last() else { return DataFlow::default() };
        let is_column = match receiver {
            [] => false,
            // Otherwise it is the schema or the package of the function.
            [single] => {
                let name = self.builder.name(single);
                is_method_of_xml(&method.value) && self.builder.dialect() == Dialect::Mssql
                    || scope.items.iter().any(|item| self.builder.knows(item.object, &name))
            }
            [first, ..] => scope.item(&self.builder.name(first).key).is_some(),
        };
        if is_column { self.reference(receiver, scope, clause) } else { DataFlow::default() }
    }

    /// Returns the flow from the arguments, and `true` if the function counts rows.
    fn arguments(
        &mut self,
        name: &str,
        arguments: &FunctionArguments,
        scope: &NameScope<'_>,
        clause: Clause,
    ) -> (DataFlow, bool) {
        let counts = name.eq_ignore_ascii_case("count");
        let mut flow = DataFlow::default();
        let mut rows = false;
        match arguments {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => flow = self.scalar_subquery(query, scope, clause),
            FunctionArguments::List(list) => {
                // Some engines count rows with an empty argument list.
                rows = counts && list.args.is_empty();
                for (position, argument) in list.args.iter().enumerate() {
                    if let FunctionArg::ExprNamed { name: key, .. } = argument
                        && !matches!(key, Expr::Identifier(_))
                    {
                        flow.join(self.expression(key, scope, clause));
                    }
                    match unnamed(argument) {
                        FunctionArgExpr::Expr(expression)
                            if is_keyword(self.builder.dialect(), name, position, list.args.len(), expression) => {}
                        FunctionArgExpr::Expr(expression) if chooses(name, position, list.args.len()) => {
                            flow.join(self.condition(expression, scope));
                        }
                        FunctionArgExpr::Expr(Expr::Value(_)) if counts => rows = true,
                        FunctionArgExpr::Expr(expression) => match self.whole_row(name, expression, scope) {
                            Some(_) if counts => rows = true,
                            Some(object) => flow.values.extend(self.every_column_of(&[object], clause)),
                            None => flow.join(self.argument(expression, scope, clause)),
                        },
                        FunctionArgExpr::Wildcard | FunctionArgExpr::WildcardWithOptions(_) if !counts => {
                            let objects: Vec<ObjectIndex> = scope.items.iter().map(|item| item.object).collect();
                            flow.values.extend(self.every_column_of(&objects, clause));
                        }
                        FunctionArgExpr::QualifiedWildcard(qualifier) if !counts => {
                            let key = self.joined_key(&identifier::parts(qualifier));
                            let object = scope.item(&key);
                            flow.values.extend(self.every_column_of(object.as_slice(), clause));
                        }
                        FunctionArgExpr::Wildcard
                        | FunctionArgExpr::QualifiedWildcard(_)
                        | FunctionArgExpr::WildcardWithOptions(_) => rows = true,
                    }
                }
                for extra in &list.clauses {
                    flow.join(self.argument_clause(extra, scope));
                }
            }
        }
        (flow, rows)
    }

    /// Reads a clause among the arguments of an aggregate: which rows it takes, and in which order.
    fn argument_clause(&mut self, extra: &FunctionArgumentClause, scope: &NameScope<'_>) -> DataFlow {
        match extra {
            FunctionArgumentClause::Where(filter) => self.expression(filter, scope, Clause::Where).decides(),
            FunctionArgumentClause::OrderBy(orderings) => {
                let mut flow = DataFlow::default();
                for ordered in orderings {
                    flow.join(self.expression(&ordered.expr, scope, Clause::OrderBy).decides());
                }
                flow
            }
            FunctionArgumentClause::Having(bound) => self.condition(&bound.1, scope),
            _ => DataFlow::default(),
        }
    }

    /// Returns the table whose whole row a name stands for, as in `SELECT t FROM t`. A column comes first.
    fn row_named(&self, name: &Identifier, scope: &NameScope<'_>) -> Option<ObjectIndex> {
        let dialect = self.builder.dialect();
        if !matches!(dialect, Dialect::Postgres | Dialect::Redshift | Dialect::Bigquery | Dialect::Duckdb)
            || scope.items.iter().any(|item| self.builder.knows(item.object, name))
        {
            return None;
        }
        let object = scope.items.iter().find(|item| item.is_qualified_by(&name.key))?.object;
        (self.builder.object(object).kind != ObjectKind::Function).then_some(object)
    }

    /// Returns the object whose whole rows a function takes, as in `to_json(t)`.
    fn whole_row(&self, function: &str, argument: &Expr, scope: &NameScope<'_>) -> Option<ObjectIndex> {
        let Expr::Identifier(ident) = argument else { return None };
        if !takes_rows(function) {
            return None;
        }
        let name = self.builder.name(ident);
        let column = scope.items.iter().any(|item| self.builder.knows(item.object, &name));
        let object = scope.item(&name.key).filter(|_| !column)?;
        (self.builder.object(object).kind != ObjectKind::Function).then_some(object)
    }

    fn every_column_of(&mut self, objects: &[ObjectIndex], clause: Clause) -> Vec<Endpoint> {
        let mut ends = Vec::new();
        for object in objects {
            let columns = self.builder.columns_of_star(*object, self.builder.base);
            let columns = columns.into_iter().map(|column| self.builder.endpoint(column));
            ends.extend(columns.map(|end| Endpoint { clause: Some(clause), ..end }));
        }
        ends
    }

    fn record_sets(&mut self, scope: &NameScope<'_>) -> Vec<Endpoint> {
        let objects = scope.items.iter().map(|item| item.object).collect::<Vec<_>>();
        let rows = objects.into_iter().map(|object| {
            let rows = self.builder.relation_rows(object);
            self.builder.endpoint(rows)
        });
        rows.collect()
    }

    /// Puts a function between its arguments and its value. A function without sources is not recorded. In a
    /// condition the columns themselves are the sources.
    fn through_function(&mut self, name: &str, flow: DataFlow, whole: &Expr, clause: Clause) -> DataFlow {
        let empty = flow.values.is_empty() && flow.deciding.is_empty() && flow.rows.is_empty();
        if empty || clause != Clause::SelectList {
            return flow;
        }
        let at = self.extent(whole);
        let object = self.builder.intermediate(ObjectKind::Function, name.to_owned(), at);
        let column = self.builder.made_up_identifier(name, at);
        let column = self.builder.add_column(object, &column);
        self.builder.mark_complete(object);
        self.builder.function_flow(column, name, flow);
        DataFlow { values: vec![Endpoint { column, clause: Some(clause), at }], ..DataFlow::default() }
    }

    /// Records each pair of columns that a condition compares for equality.
    pub(super) fn comparisons(&mut self, condition: &Expr, kind: &'static str, scope: &NameScope<'_>) {
        for comparison in conjuncts(condition) {
            let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = comparison else { continue };
            let (Some(left), Some(right)) = (self.compared(left, scope), self.compared(right, scope)) else { continue };
            if left.column.object == right.column.object {
                continue;
            }
            let join = JoinCondition { kind, condition: comparison.to_string() };
            self.builder.relate_by(RelationshipKind::Join, Effect::Join, right.column, vec![left], None, Some(join));
        }
    }

    fn compared(&mut self, side: &Expr, scope: &NameScope<'_>) -> Option<Endpoint> {
        let parts = match side {
            Expr::Identifier(ident) => std::slice::from_ref(ident),
            Expr::CompoundIdentifier(parts) => parts.as_slice(),
            Expr::OuterJoin(inner) | Expr::Nested(inner) => return self.compared(inner, scope),
            _ => return None,
        };
        if let [single] = parts
            && (self.is_parameter(single)
                || self.aliased_value(&self.builder.name(single), scope, Clause::JoinCondition).is_some())
        {
            return None;
        }
        let (column, at) = self.resolve(parts, scope)?;
        Some(Endpoint { column, clause: Some(Clause::JoinCondition), at })
    }
}

/// Returns `true` for `SELECT AS STRUCT`, which makes one value of all columns.
pub(super) fn makes_one_value(query: &Query) -> bool {
    matches!(query.body.as_ref(), SetExpr::Select(select) if select.value_table_mode.is_some())
}

/// Returns the parts of a condition that are connected by AND.
fn conjuncts(condition: &Expr) -> Vec<&Expr> {
    let mut parts = Vec::new();
    let mut waiting = vec![condition];
    while let Some(next) = waiting.pop() {
        match next {
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => waiting.extend([right.as_ref(), left.as_ref()]),
            Expr::Nested(inner) => waiting.push(inner),
            other => parts.push(other),
        }
    }
    parts
}

fn unnamed(argument: &FunctionArg) -> &FunctionArgExpr {
    match argument {
        FunctionArg::Named { arg, .. } | FunctionArg::ExprNamed { arg, .. } | FunctionArg::Unnamed(arg) => arg,
    }
}

pub(super) fn simple_name(name: &ObjectName) -> String {
    identifier::parts(name).last().map_or_else(|| name.to_string(), |ident| ident.value.clone())
}

/// Returns `true` if an argument of a function only decides which other argument is its value.
fn chooses(name: &str, position: usize, count: usize) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "if" | "iff" | "iif" | "nvl2" | "choose" | "elt" => position == 0,
        "nullif" | "sumif" | "avgif" | "minif" | "maxif" | "anyif" | "max_by" | "min_by" | "argmax" | "argmin"
        | "arg_max" | "arg_min" => position == 1,
        // The value, then pairs of a value to compare with and a result, then the default.
        "decode" => count > 2 && (position == 0 || position % 2 == 1 && position + 1 < count),
        // Pairs of a condition and a result, then the default.
        "multiif" => position.is_multiple_of(2) && position + 1 < count,
        _ => false,
    }
}

/// Returns `true` for a method of the type `xml` of SQL Server.
pub(super) fn is_method_of_xml(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "value" | "query" | "exist" | "nodes")
}

/// Returns `true` for an aggregate whose value is one of those that it orders.
fn returns_ordered_value(name: &str) -> bool {
    matches!(name.to_ascii_lowercase().as_str(), "percentile_cont" | "percentile_disc" | "mode")
}

/// Returns `true` for a function that takes whole rows of a table, named like a column.
fn takes_rows(name: &str) -> bool {
    matches!(
        name.to_ascii_lowercase().as_str(),
        "count"
            | "to_json"
            | "to_jsonb"
            | "to_json_string"
            | "row_to_json"
            | "json_agg"
            | "jsonb_agg"
            | "array_agg"
            | "hstore"
            | "farm_fingerprint"
    )
}

/// Returns the expressions whose values become the value of an expression without rules of its own.
fn parts_of(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::Convert { expr: inner, .. }
        | Expr::Collate { expr: inner, .. }
        | Expr::Named { expr: inner, .. }
        | Expr::OuterJoin(inner)
        | Expr::Prior(inner)
        | Expr::IsFalse(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsTrue(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotUnknown(inner)
        | Expr::IsJson { expr: inner, .. }
        | Expr::IsNormalized { expr: inner, .. }
        | Expr::Prefixed { value: inner, .. } => vec![inner],
        Expr::AtTimeZone { timestamp: left, time_zone: right }
        | Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::Like { expr: left, pattern: right, .. }
        | Expr::ILike { expr: left, pattern: right, .. }
        | Expr::SimilarTo { expr: left, pattern: right, .. }
        | Expr::RLike { expr: left, pattern: right, .. }
        | Expr::AnyOp { left, right, .. }
        | Expr::AllOp { left, right, .. } => vec![left, right],
        Expr::Between { expr, low, high, .. } => vec![expr, low, high],
        Expr::MemberOf(member) => vec![&member.value, &member.array],
        Expr::Tuple(items) | Expr::Struct { values: items, .. } => items.iter().collect(),
        Expr::Array(array) => array.elem.iter().collect(),
        Expr::GroupingSets(sets) | Expr::Cube(sets) | Expr::Rollup(sets) => sets.iter().flatten().collect(),
        Expr::Dictionary(fields) => fields.iter().map(|field| field.value.as_ref()).collect(),
        Expr::Map(map) => map.entries.iter().flat_map(|entry| [entry.key.as_ref(), &entry.value]).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn is_aggregate(name: &str) -> bool {
    const AGGREGATES: [&str; 24] = [
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "stddev",
        "stddev_pop",
        "stddev_samp",
        "variance",
        "var_pop",
        "var_samp",
        "median",
        "listagg",
        "string_agg",
        "group_concat",
        "array_agg",
        "any_value",
        "approx_count_distinct",
        "count_if",
        "bool_and",
        "bool_or",
        "corr",
        "json_agg",
        "xmlagg",
    ];
    AGGREGATES.contains(&name.to_ascii_lowercase().as_str())
}
