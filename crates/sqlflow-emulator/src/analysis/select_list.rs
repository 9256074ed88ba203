//! Select lists: the output columns of a query, wildcards, and the grouping that aggregates depend on.

use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, CastKind, Expr, GroupByExpr, Ident, ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind,
    Spanned, WildcardAdditionalOptions, visit_expressions,
};

use super::dialect::Dialect;
use super::expression::{DataFlow, is_aggregate, simple_name};
use super::identifier::{self, Identifier};
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, RelationshipKind};

impl StatementWalker<'_> {
    pub(super) fn group_by(&mut self, select: &Select, scope: &NameScope<'_>) -> Vec<Endpoint> {
        let grouped: Vec<&Expr> = match &select.group_by {
            GroupByExpr::Expressions(expressions, _) => {
                expressions.iter().map(|expression| self.unaliased(expression, select, scope)).collect()
            }
            GroupByExpr::All(_) => {
                select.projection.iter().filter_map(value_of).filter(|expr| !aggregates(expr)).collect()
            }
        };
        let mut grouping = Vec::new();
        for meant in grouped {
            grouping.extend(self.expression(meant, scope, Clause::Unknown).into_deciding(self.builder));
        }
        grouping
    }

    /// Returns the expression that an alias or a position of the select list stands for.
    pub(super) fn unaliased<'q>(&self, expression: &'q Expr, select: &'q Select, scope: &NameScope<'_>) -> &'q Expr {
        if let Expr::Identifier(ident) = expression {
            let name = self.builder.name(ident);
            let column = scope.items.iter().any(|item| self.builder.existing(item.object, &name).is_some());
            let aliased = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if self.builder.name(alias).key == name.key => Some(expr),
                _ => None,
            });
            return aliased.filter(|_| !column).unwrap_or(expression);
        }
        let position = expression.to_string().parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        match position.and_then(|position| select.projection.get(position)) {
            Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => expr,
            _ => expression,
        }
    }

    /// Reads an item of a select list. Returns the value that it gives a name to.
    pub(super) fn projection(
        &mut self,
        item: &SelectItem,
        result: ObjectIndex,
        scope: &NameScope<'_>,
    ) -> Option<(String, DataFlow)> {
        self.projection_without(item, &[], result, scope)
    }

    /// Reads an item of a select list whose `*` leaves out some columns.
    pub(super) fn projection_without(
        &mut self,
        item: &SelectItem,
        excluded: &[String],
        result: ObjectIndex,
        scope: &NameScope<'_>,
    ) -> Option<(String, DataFlow)> {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.name_of_value(expr);
                self.output(expr, &name, result, scope);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let at = self.range(expr.span().union(&alias.span));
                let name = self.builder.name(alias);
                let flow = self.expression(expr, scope, Clause::SelectList);
                let column = self.builder.add_column(result, &Identifier { at, ..name.clone() });
                self.connect_flow(column, flow.clone());
                return Some((name.key, flow));
            }
            SelectItem::ExprWithAliases { expr, aliases } => {
                for alias in aliases {
                    let name = self.builder.name(alias);
                    self.output(expr, &name, result, scope);
                }
            }
            SelectItem::Wildcard(options) => {
                let objects: Vec<ObjectIndex> = scope.items.iter().map(|item| item.object).collect();
                self.star(&objects, options, excluded, result, scope);
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let qualifier = self.joined_key(&identifier::parts(name));
                if let Some(object) = scope.item(&qualifier) {
                    self.star(&[object], options, excluded, result, scope);
                } else if !self.every_field(name, result, scope) {
                    self.report_omission(&format!("{name}.* is"));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                let name = self.builder.made_up_identifier("*", self.range(expr.span()));
                self.output(expr, &name, result, scope);
            }
        }
        None
    }

    fn star(
        &mut self,
        objects: &[ObjectIndex],
        options: &WildcardAdditionalOptions,
        excluded: &[String],
        result: ObjectIndex,
        scope: &NameScope<'_>,
    ) {
        let mut modifiers = self.modifiers(options);
        modifiers.excluded.extend_from_slice(excluded);
        let at = self.range(options.wildcard_token.0.span);
        self.columns_of_all(result, objects, &modifiers, scope, at);
    }

    /// Reads `c.*` of a column with a structured type.
    fn every_field(&mut self, name: &ObjectName, result: ObjectIndex, scope: &NameScope<'_>) -> bool {
        let parts: Vec<Ident> = identifier::parts(name).into_iter().cloned().collect();
        let Some((column, at)) = self.resolve_structure(&parts, scope) else { return false };
        let name = self.builder.made_up_identifier("*", at);
        let fields = self.builder.add_column(result, &name);
        let source = Endpoint { column, clause: Some(Clause::SelectList), at };
        self.builder.relate(RelationshipKind::Fdd, Effect::Select, fields, vec![source]);
        true
    }

    /// Returns the name of a column that has a value but no name.
    pub(super) fn name_of_value(&self, expr: &Expr) -> Identifier {
        let at = self.extent(expr);
        let name = match naming(expr, self.builder.dialect()) {
            Some(ident) => self.builder.name(ident),
            None => self.builder.made_up_identifier(expr.to_string(), at),
        };
        Identifier { at, ..name }
    }

    /// Returns the name that an item of a select list has.
    pub(super) fn name_of_item(&self, item: &SelectItem) -> Identifier {
        match item {
            SelectItem::ExprWithAlias { alias, .. } => self.builder.name(alias),
            SelectItem::UnnamedExpr(expr) => self.name_of_value(expr),
            other => self.builder.made_up_identifier(other.to_string(), self.builder.base),
        }
    }

    pub(super) fn output(&mut self, expr: &Expr, name: &Identifier, result: ObjectIndex, scope: &NameScope<'_>) {
        let flow = self.expression(expr, scope, Clause::SelectList);
        let column = self.builder.add_column(result, name);
        self.connect_flow(column, flow);
    }

    /// Connects a flow to a column of a record set.
    pub(super) fn connect_flow(&mut self, column: ColumnIndex, flow: DataFlow) {
        self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, flow.values);
        self.builder.relate(RelationshipKind::Fdr, Effect::Select, column, flow.deciding);
        self.builder.relate(RelationshipKind::Frd, Effect::Select, column, flow.rows);
    }
}

/// Returns the identifier that a dialect names a value after.
fn naming(expr: &Expr, dialect: Dialect) -> Option<&Ident> {
    let postgres = matches!(dialect, Dialect::Postgres | Dialect::Redshift);
    match expr {
        Expr::Identifier(ident) => Some(ident),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Nested(inner) => naming(inner, dialect),
        Expr::Cast { expr: inner, .. } if postgres => naming(inner, dialect),
        Expr::Collate { expr: inner, .. } if postgres => naming(inner, dialect),
        // Spark names the cast of a column after it, but not that of another value.
        Expr::Cast { expr: inner, .. } if matches!(dialect, Dialect::Spark | Dialect::Databricks) => {
            matches!(inner.as_ref(), Expr::Identifier(_) | Expr::CompoundIdentifier(_))
                .then(|| naming(inner, dialect))
                .flatten()
        }
        // The products that have this operator mostly follow Postgres.
        Expr::Cast { expr: inner, kind: CastKind::DoubleColon, .. }
            if matches!(dialect, Dialect::Generic | Dialect::Ansi) =>
        {
            naming(inner, dialect)
        }
        Expr::CompoundFieldAccess { root, access_chain } => naming_of_field(root, access_chain, dialect),
        _ => None,
    }
}

/// Returns the name of a field. Postgres names an element after its array.
fn naming_of_field<'q>(root: &'q Expr, chain: &'q [AccessExpr], dialect: Dialect) -> Option<&'q Ident> {
    match chain.split_last() {
        None => naming(root, dialect),
        Some((AccessExpr::Dot(Expr::Identifier(field)), _)) => Some(field),
        Some((AccessExpr::Subscript(_), before)) if matches!(dialect, Dialect::Postgres | Dialect::Redshift) => {
            naming_of_field(root, before, dialect)
        }
        Some(_) => None,
    }
}

fn value_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::ExprWithAliases { expr, .. } => Some(expr),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => None,
    }
}

/// Returns `true` if a value is computed from a group of rows.
fn aggregates(expr: &Expr) -> bool {
    visit_expressions(expr, |part| match part {
        Expr::Function(function) if function.over.is_none() && is_aggregate(&simple_name(&function.name)) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}
