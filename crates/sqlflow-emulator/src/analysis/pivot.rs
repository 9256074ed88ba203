//! PIVOT, UNPIVOT and `MATCH_RECOGNIZE`: sources whose columns are made from those of another source.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, ExprWithAlias, Ident, MatchRecognizePattern, MatchRecognizeSymbol, Measure, OrderByExpr, PivotValueSource,
    RowsPerMatch, Spanned, SymbolDefinition, TableAlias, TableFactor, Value, visit_expressions,
};

use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::Identifier;
use super::resolution::{FromItem, NameScope};
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, ObjectKind, RelationshipKind};

/// A PIVOT: `aggregates FOR deciding IN (values)`.
pub(super) struct Pivot<'q> {
    pub(super) table: &'q TableFactor,
    pub(super) aggregates: &'q [ExprWithAlias],
    pub(super) deciding: &'q [Expr],
    pub(super) values: &'q PivotValueSource,
    pub(super) alias: Option<&'q TableAlias>,
}

/// An UNPIVOT: `value FOR name IN (columns)`.
pub(super) struct Unpivot<'q> {
    pub(super) table: &'q TableFactor,
    pub(super) value: &'q Expr,
    pub(super) name: &'q Ident,
    pub(super) columns: &'q [ExprWithAlias],
    pub(super) alias: Option<&'q TableAlias>,
}

/// A `MATCH_RECOGNIZE` without the parts that affect no column.
pub(super) struct MatchRecognize<'q> {
    pub(super) table: &'q TableFactor,
    pub(super) partition: &'q [Expr],
    pub(super) order: &'q [OrderByExpr],
    pub(super) measures: &'q [Measure],
    pub(super) rows: Option<&'q RowsPerMatch>,
    pub(super) pattern: &'q MatchRecognizePattern,
    pub(super) symbols: &'q [SymbolDefinition],
    pub(super) alias: Option<&'q TableAlias>,
}

/// A column that a reshaped source adds to those it passes on.
struct NewColumn {
    name: Identifier,
    flow: DataFlow,
}

impl StatementWalker<'_> {
    pub(super) fn pivot(&mut self, pivot: &Pivot<'_>, scope: &mut NameScope<'_>) {
        let (object, inner) = self.reshaped_source("PIVOT", pivot.table, scope);
        let deciding = self.expressions(pivot.deciding, &inner, Clause::Unknown).into_deciding(self.builder);
        let flows: Vec<DataFlow> = pivot
            .aggregates
            .iter()
            .map(|aggregate| {
                let mut flow = self.ungrouped(&aggregate.expr, &inner);
                flow.deciding.extend(deciding.iter().copied());
                flow
            })
            .collect();
        let aggregated = pivot.aggregates.iter().map(|aggregate| &aggregate.expr);
        let consumed = self.named_columns(aggregated.chain(pivot.deciding));
        let PivotValueSource::List(values) = pivot.values else {
            self.report_omission_with(
                "a PIVOT whose columns only the data tells is",
                "list the values after IN, as in IN ('A', 'B')",
            );
            self.pass_on_unknown(object, &inner, &consumed, flows);
            return self.add_reshaped(object, pivot.table, pivot.alias, scope);
        };
        let mut columns = Vec::new();
        for value in values {
            for (aggregate, flow) in pivot.aggregates.iter().zip(&flows) {
                let name = self.pivoted_name(value, aggregate, pivot.aggregates.len() > 1);
                columns.push(NewColumn { name, flow: flow.clone() });
            }
        }
        self.reshape(object, &inner, &consumed, columns, pivot.alias);
        self.add_reshaped(object, pivot.table, pivot.alias, scope);
    }

    /// Reads an aggregate that nothing but its own arguments affects.
    fn ungrouped(&mut self, expression: &Expr, scope: &NameScope<'_>) -> DataFlow {
        let grouping = std::mem::take(&mut self.grouping);
        let flow = self.expression(expression, scope, Clause::SelectList);
        self.grouping = grouping;
        flow
    }

    /// Returns the name of the column for a value and an aggregate. The dialects join the names in different ways.
    fn pivoted_name(&self, value: &ExprWithAlias, aggregate: &ExprWithAlias, several: bool) -> Identifier {
        let dialect = self.builder.dialect();
        let value = self.value_name(value);
        let alias = aggregate.alias.as_ref().map(|alias| self.builder.name(alias).normal);
        let text = match (alias, dialect) {
            (_, Dialect::Databricks | Dialect::Spark) | (None, _) if !several => return value,
            (Some(alias), Dialect::Bigquery) => format!("{alias}_{}", value.normal),
            (Some(alias), _) => format!("{}_{alias}", value.normal),
            (None, _) => format!("{}_{}", value.normal, aggregate.expr),
        };
        // The parts are folded already, and a quote in one of them keeps the case of the whole.
        if text.contains('\'') {
            return Identifier { at: value.at, ..self.builder.name(&Ident::with_quote('"', text)) };
        }
        self.builder.made_up_identifier(text, value.at)
    }

    /// Returns the name that a value of the list gives its columns.
    fn value_name(&self, value: &ExprWithAlias) -> Identifier {
        if let Some(alias) = &value.alias {
            return self.builder.name(alias);
        }
        let at = self.range(value.expr.span());
        let quotes = matches!(self.builder.dialect(), Dialect::Oracle | Dialect::Snowflake);
        match &value.expr {
            Expr::Identifier(ident) => self.builder.name(ident),
            // In these dialects the quotes of a string are part of the column's name.
            Expr::Value(literal) if quotes && matches!(literal.value, Value::SingleQuotedString(_)) => {
                Identifier { at, ..self.builder.name(&Ident::with_quote('"', value.expr.to_string())) }
            }
            other => {
                let items = if let Expr::Tuple(items) = other { items.as_slice() } else { std::slice::from_ref(other) };
                let texts: Vec<String> = items.iter().map(text_of).collect();
                self.builder.made_up_identifier(texts.join("_"), at)
            }
        }
    }

    pub(super) fn unpivot(&mut self, unpivot: &Unpivot<'_>, scope: &mut NameScope<'_>) {
        let (object, inner) = self.reshaped_source("UNPIVOT", unpivot.table, scope);
        let values = items_of(unpivot.value);
        let mut flows: Vec<DataFlow> = values.iter().map(|_| DataFlow::default()).collect();
        for column in unpivot.columns {
            for (flow, item) in flows.iter_mut().zip(items_of(&column.expr)) {
                flow.join(self.expression(item, &inner, Clause::SelectList));
            }
        }
        let names = values.iter().map(|value| self.name_of_value(value)).collect::<Vec<_>>();
        let mut columns: Vec<NewColumn> =
            names.into_iter().zip(flows).map(|(name, flow)| NewColumn { name, flow }).collect();
        // The names of the columns are literals: no value flows into the column that holds them.
        let name = NewColumn { name: self.builder.name(unpivot.name), flow: DataFlow::default() };
        if matches!(self.builder.dialect(), Dialect::Mssql | Dialect::Bigquery) {
            columns.push(name);
        } else {
            columns.insert(0, name);
        }
        let consumed = self.named_columns(unpivot.columns.iter().map(|column| &column.expr));
        self.reshape(object, &inner, &consumed, columns, unpivot.alias);
        self.add_reshaped(object, unpivot.table, unpivot.alias, scope);
    }

    /// Reads the columns that a pattern yields: those of the partition, or all with `ALL ROWS PER MATCH`, and the
    /// measures. What the pattern looks at decides the rows.
    pub(super) fn match_recognize(&mut self, clause: &MatchRecognize<'_>, scope: &mut NameScope<'_>) {
        let (object, mut inner) = self.reshaped_source("MATCH-RECOGNIZE", clause.table, scope);
        let mut symbols: Vec<&Ident> = clause.symbols.iter().map(|symbol| &symbol.symbol).collect();
        pattern_symbols(clause.pattern, &mut symbols);
        let symbols: Vec<String> = symbols.into_iter().map(|ident| self.builder.name(ident).key).collect();
        inner.items.iter_mut().for_each(|item| item.names.extend(symbols.clone()));
        let columns: Vec<NewColumn> = clause
            .measures
            .iter()
            .map(|measure| {
                let flow = self.ungrouped(&measure.expr, &inner);
                NewColumn { name: self.builder.name(&measure.alias), flow }
            })
            .collect();
        if matches!(clause.rows, Some(RowsPerMatch::AllRows(_))) {
            self.reshape(object, &inner, &[], columns, clause.alias);
        } else {
            let partition = clause.partition.iter().map(|expr| {
                let flow = self.expression(expr, &inner, Clause::SelectList);
                NewColumn { name: self.name_of_value(expr), flow }
            });
            let columns = partition.collect::<Vec<_>>().into_iter().chain(columns).collect();
            self.builder.mark_complete(object);
            self.add_columns(object, columns);
            self.rename_by_alias(object, clause.alias);
        }
        for symbol in clause.symbols {
            self.filter_rows_by(&symbol.definition, Clause::Unknown, object, &inner, Effect::Select);
        }
        for ordered in clause.order {
            self.filter_rows_by(&ordered.expr, Clause::OrderBy, object, &inner, Effect::Select);
        }
        self.add_reshaped(object, clause.table, clause.alias, scope);
    }

    /// Reads the source that is reshaped, in a scope of its own, and adds the record set that it becomes. What decides
    /// the rows of the one decides those of the other.
    fn reshaped_source<'o>(
        &mut self,
        prefix: &str,
        table: &TableFactor,
        scope: &NameScope<'o>,
    ) -> (ObjectIndex, NameScope<'o>) {
        let mut inner = NameScope::within(scope.outer);
        let mut joins = Vec::new();
        self.table_factor(table, &mut inner, &mut joins);
        let object = self.builder.numbered(ObjectKind::SelectList, prefix, self.builder.base);
        self.join_conditions(&joins, object, &inner, Effect::Select);
        self.inherit_rows(&inner, object);
        (object, inner)
    }

    /// Returns the names of the columns that expressions refer to.
    fn named_columns<'e>(&self, expressions: impl Iterator<Item = &'e Expr>) -> Vec<String> {
        let mut keys = Vec::new();
        for expression in expressions {
            let walked: ControlFlow<()> = visit_expressions(expression, |part| {
                let ident = match part {
                    Expr::Identifier(ident) => Some(ident),
                    Expr::CompoundIdentifier(parts) => parts.last(),
                    _ => None,
                };
                keys.extend(ident.map(|ident| self.builder.name(ident).key));
                ControlFlow::Continue(())
            });
            debug_assert!(walked.is_continue());
        }
        keys
    }

    /// Fills a reshaped source: the columns that it passes on, and the new ones.
    fn reshape(
        &mut self,
        object: ObjectIndex,
        inner: &NameScope<'_>,
        consumed: &[String],
        columns: Vec<NewColumn>,
        alias: Option<&TableAlias>,
    ) {
        let at = self.builder.base;
        self.builder.mark_complete(object);
        let listed: Vec<Identifier> =
            alias.into_iter().flat_map(|alias| &alias.columns).map(|column| self.builder.name(&column.name)).collect();
        let known = inner.items.iter().all(|item| self.builder.is_complete(item.object));
        if listed.is_empty() || known {
            for item in &inner.items {
                self.all_columns(object, item.object, consumed, at);
            }
            self.add_columns(object, columns);
            return self.rename_by_alias(object, alias);
        }
        // The alias names all columns, the new ones last. Which of the unknown columns the others are is not known.
        let passed = listed.len().saturating_sub(columns.len());
        let mut sources = Vec::new();
        for item in &inner.items {
            sources.extend(self.builder.columns_of_star(item.object, at));
        }
        let sources: Vec<ColumnIndex> = sources.into_iter().filter(|source| self.builder.is_star(*source)).collect();
        for name in &listed[..passed] {
            let column = self.builder.add_column(object, name);
            let ends = sources.iter().map(|source| self.builder.endpoint(*source)).collect();
            self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, ends);
        }
        let renamed = columns.into_iter().zip(&listed[passed..]);
        let renamed = renamed.map(|(column, name)| NewColumn { name: name.clone(), ..column }).collect();
        self.add_columns(object, renamed);
    }

    fn add_columns(&mut self, object: ObjectIndex, columns: Vec<NewColumn>) {
        for NewColumn { name, flow } in columns {
            let column = self.builder.add_column(object, &name);
            self.connect_flow(column, flow);
        }
    }

    fn rename_by_alias(&mut self, object: ObjectIndex, alias: Option<&TableAlias>) {
        let columns = alias.into_iter().flat_map(|alias| &alias.columns);
        let names: Vec<Identifier> = columns.map(|column| self.builder.name(&column.name)).collect();
        self.builder.rename_columns(object, &names);
    }

    /// Fills a reshaped source whose new columns have no known names: they are one column named `*`, which also stands
    /// for the unknown columns of the source.
    fn pass_on_unknown(
        &mut self,
        object: ObjectIndex,
        inner: &NameScope<'_>,
        consumed: &[String],
        flows: Vec<DataFlow>,
    ) {
        let at = self.builder.base;
        let mut unknown = Vec::new();
        for item in &inner.items {
            for source in self.builder.columns_of_star(item.object, at) {
                let end = Endpoint { column: source, clause: Some(Clause::SelectList), at };
                let name = self.builder.name_of(source);
                if self.builder.is_star(source) {
                    unknown.push(end);
                } else if !consumed.contains(&name.key) {
                    let column = self.builder.add_column(object, &name);
                    self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, vec![end]);
                }
            }
        }
        let name = self.builder.made_up_identifier("*", at);
        let star = self.builder.column(object, &name);
        if unknown.is_empty() {
            for flow in flows {
                self.connect_flow(star, flow);
            }
        } else {
            self.builder.relate(RelationshipKind::Fdd, Effect::Select, star, unknown);
        }
    }

    /// Puts a reshaped source into scope. Without an alias it has the name of the table that it is made from.
    fn add_reshaped(
        &mut self,
        object: ObjectIndex,
        table: &TableFactor,
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
    ) {
        let own = match table {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
            _ => None,
        };
        let names = match (alias.or(own), table) {
            (Some(alias), _) => vec![self.builder.name(&alias.name).key],
            (None, TableFactor::Table { name, .. }) => self.qualifiers_of(name),
            (None, _) => Vec::new(),
        };
        scope.items.push(FromItem { names, object });
    }
}

/// Returns the items of a list in parentheses, or the expression itself.
fn items_of(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Tuple(items) => items.iter().collect(),
        Expr::Nested(inner) => items_of(inner),
        other => vec![other],
    }
}

/// Returns the text of a literal without quotes.
fn text_of(expression: &Expr) -> String {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn pattern_symbols<'q>(pattern: &'q MatchRecognizePattern, found: &mut Vec<&'q Ident>) {
    let mut add = |symbol: &'q MatchRecognizeSymbol| {
        if let MatchRecognizeSymbol::Named(ident) = symbol {
            found.push(ident);
        }
    };
    match pattern {
        MatchRecognizePattern::Symbol(symbol) | MatchRecognizePattern::Exclude(symbol) => add(symbol),
        MatchRecognizePattern::Permute(symbols) => symbols.iter().for_each(add),
        MatchRecognizePattern::Concat(parts) | MatchRecognizePattern::Alternation(parts) => {
            for part in parts {
                pattern_symbols(part, found);
            }
        }
        MatchRecognizePattern::Group(inner) | MatchRecognizePattern::Repetition(inner, _) => {
            pattern_symbols(inner, found);
        }
    }
}
