//! Expressions: the columns whose values flow into them, and those that only decide the value.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, InTarget, ObjectName,
    Query, Spanned, Value, WindowType, visit_expressions,
};

use super::builder::LineageBuilder;
use super::identifier;
use super::lineage::JoinCondition;
use super::query::RecordSetRole;
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, Effect, Endpoint, ObjectKind, RelationshipKind};

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
        self.values.extend(other.values);
        self.deciding.extend(other.deciding);
        self.rows.extend(other.rows);
    }

    /// Returns the flow of a value that is only examined.
    fn decides(self) -> Self {
        Self { values: Vec::new(), deciding: self.values.into_iter().chain(self.deciding).collect(), rows: self.rows }
    }

    /// Returns all columns that affect a condition. Literals do not.
    pub(super) fn into_deciding(self, builder: &LineageBuilder) -> Vec<Endpoint> {
        let everything = self.decides();
        let endpoints = everything.deciding.into_iter().chain(everything.rows);
        endpoints.filter(|end| builder.object(end.column.object).kind != ObjectKind::ConstantTable).collect()
    }
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
                None => self.literal(&value.value, expression, clause),
            },
            Expr::BinaryOp { .. } => self.binary_chain(expression, scope, clause),
            Expr::Function(function) => self.function(function, expression, scope, clause),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), expression, scope, clause)
            }
            Expr::Nested(inner)
            | Expr::UnaryOp { expr: inner, .. }
            | Expr::Cast { expr: inner, .. }
            | Expr::Convert { expr: inner, .. }
            | Expr::Collate { expr: inner, .. }
            | Expr::AtTimeZone { timestamp: inner, .. }
            | Expr::Named { expr: inner, .. }
            | Expr::OuterJoin(inner)
            | Expr::Prior(inner)
            | Expr::JsonAccess { value: inner, .. }
            | Expr::CompoundFieldAccess { root: inner, .. } => self.expression(inner, scope, clause),
            Expr::Extract { expr, .. } => self.built_in("extract", &[expr], expression, scope, clause),
            Expr::Ceil { expr, .. } => self.built_in("ceil", &[expr], expression, scope, clause),
            Expr::Floor { expr, .. } => self.built_in("floor", &[expr], expression, scope, clause),
            Expr::Position { expr, r#in } => self.built_in("position", &[expr, r#in], expression, scope, clause),
            Expr::Trim { expr, .. } => self.built_in("trim", &[expr], expression, scope, clause),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let arguments: Vec<&Expr> = std::iter::once(expr.as_ref())
                    .chain(substring_from.as_deref())
                    .chain(substring_for.as_deref())
                    .collect();
                self.built_in("substring", &arguments, expression, scope, clause)
            }
            Expr::Tuple(items) => self.expressions(items, scope, clause),
            Expr::Subquery(query) => self.scalar_subquery(query, scope, clause),
            Expr::Exists { subquery, .. } => self.exists_subquery(subquery, scope, clause),
            Expr::In { expr, target, .. } => self.membership(expr, target, scope, clause),
            Expr::Interval(_) | Expr::TypedString(_) | Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => {
                DataFlow::default()
            }
            other => self.referenced_columns(other, scope, clause),
        }
    }

    fn reference(&mut self, parts: &[sqlparser::ast::Ident], scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        if let [single] = parts {
            let name = self.builder.name(single);
            let values = self.shared_column(&name, clause, scope);
            if !values.is_empty() {
                return DataFlow { values, ..DataFlow::default() };
            }
        }
        let values = self.resolve(parts, scope).map(|(column, at)| Endpoint { column, clause: Some(clause), at });
        DataFlow { values: values.into_iter().collect(), ..DataFlow::default() }
    }

    fn literal(&mut self, value: &Value, expression: &Expr, clause: Clause) -> DataFlow {
        let recorded =
            matches!(clause, Clause::SelectList | Clause::InsertValues) && !matches!(value, Value::Placeholder(_));
        if !recorded {
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

    /// Reads any other expression: all columns in it, regardless of the operation.
    fn referenced_columns(&mut self, expression: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let mut references = Vec::new();
        let walked: ControlFlow<()> = visit_expressions(expression, |part| {
            if matches!(part, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                references.push(part.clone());
            }
            ControlFlow::Continue(())
        });
        debug_assert!(walked.is_continue());
        self.expressions(&references, scope, clause)
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
        self.subquery(query, 1, scope, clause)
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
    fn condition(&mut self, expression: &Expr, scope: &NameScope<'_>) -> DataFlow {
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
        let name = simple_name(&function.name);
        let counts = name.eq_ignore_ascii_case("count");
        let (mut flow, counts_rows) = self.arguments(&name, &function.args, scope, clause);
        if let Some(receiver) = self.method_receiver(&function.name) {
            flow.join(self.expression(&receiver, scope, clause));
        }
        if counts {
            flow = flow.decides();
        }
        if counts_rows {
            flow.rows.extend(self.record_sets(scope));
        }
        if let Some(filter) = &function.filter {
            flow.join(self.expression(filter, scope, Clause::Where).decides());
        }
        match &function.over {
            Some(WindowType::WindowSpec(window)) => {
                flow.join(self.expressions(&window.partition_by, scope, Clause::Unknown).decides());
                for ordered in window.order_by.iter().chain(&function.within_group) {
                    flow.join(self.expression(&ordered.expr, scope, Clause::OrderBy).decides());
                }
            }
            Some(WindowType::NamedWindow(_)) => self.note_omission("the definition of a named window is"),
            None if is_aggregate(&name) => flow.deciding.extend(self.grouping.iter().copied()),
            None => {}
        }
        self.through_function(&name, flow, whole, clause)
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
                    match unnamed(argument) {
                        FunctionArgExpr::Expr(expression) if chooses(name, position, list.args.len()) => {
                            flow.join(self.condition(expression, scope));
                        }
                        FunctionArgExpr::Expr(Expr::Value(_)) if counts => rows = true,
                        FunctionArgExpr::Expr(expression) => flow.join(self.expression(expression, scope, clause)),
                        FunctionArgExpr::Wildcard
                        | FunctionArgExpr::QualifiedWildcard(_)
                        | FunctionArgExpr::WildcardWithOptions(_) => rows |= counts,
                    }
                }
            }
        }
        (flow, rows)
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
        let (column, at) = self.resolve(parts, scope)?;
        Some(Endpoint { column, clause: Some(Clause::JoinCondition), at })
    }
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

fn simple_name(name: &ObjectName) -> String {
    identifier::parts(name).last().map_or_else(|| name.to_string(), |ident| ident.value.clone())
}

/// Returns `true` if an argument of a function only decides which other argument is its value.
fn chooses(name: &str, position: usize, count: usize) -> bool {
    match name.to_ascii_lowercase().as_str() {
        "if" | "iff" | "iif" | "nvl2" => position == 0,
        "nullif" => position == 1,
        // The value, then pairs of a value to compare with and a result, then the default.
        "decode" => count > 2 && (position == 0 || position % 2 == 1 && position + 1 < count),
        _ => false,
    }
}

fn is_aggregate(name: &str) -> bool {
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
