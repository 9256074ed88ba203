//! Select lists: the output columns of a query, wildcards, and the grouping that aggregates depend on.

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned, WildcardAdditionalOptions,
};

use super::expression::DataFlow;
use super::identifier::{self, Identifier};
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, RelationshipKind, SourceRange};

impl StatementWalker<'_> {
    pub(super) fn group_by(&mut self, select: &Select, scope: &NameScope<'_>) -> Vec<Endpoint> {
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return Vec::new() };
        let mut grouping = Vec::new();
        for expression in expressions {
            let meant = self.unaliased(expression, select, scope);
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

    pub(super) fn projection(&mut self, item: &SelectItem, result: ObjectIndex, scope: &NameScope<'_>) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.name_of_value(expr);
                self.output(expr, &name, result, scope);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let at = self.range(expr.span().union(&alias.span));
                let name = self.builder.name(alias);
                self.output(expr, &Identifier { at, ..name }, result, scope);
            }
            SelectItem::ExprWithAliases { expr, aliases } => {
                for alias in aliases {
                    let name = self.builder.name(alias);
                    self.output(expr, &name, result, scope);
                }
            }
            SelectItem::Wildcard(options) => {
                let excluded = self.excluded(options);
                let at = self.range(options.wildcard_token.0.span);
                for item in &scope.items {
                    self.all_columns(result, item.object, &excluded, at);
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let excluded = self.excluded(options);
                let qualifier = self.joined_key(&identifier::parts(name));
                if let Some(object) = scope.item(&qualifier) {
                    let at = self.range(options.wildcard_token.0.span);
                    self.all_columns(result, object, &excluded, at);
                } else {
                    self.report_omission(&format!("{name}.* is"));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                let name = self.builder.made_up_identifier("*", self.range(expr.span()));
                self.output(expr, &name, result, scope);
            }
        }
    }

    /// Returns the name of a column that has a value but no name.
    pub(super) fn name_of_value(&self, expr: &Expr) -> Identifier {
        let at = self.extent(expr);
        let name = match expr {
            Expr::Identifier(ident) => self.builder.name(ident),
            Expr::CompoundIdentifier(parts) if !parts.is_empty() => self.builder.name(&parts[parts.len() - 1]),
            other => self.builder.made_up_identifier(other.to_string(), at),
        };
        Identifier { at, ..name }
    }

    fn output(&mut self, expr: &Expr, name: &Identifier, result: ObjectIndex, scope: &NameScope<'_>) {
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

    fn excluded(&mut self, options: &WildcardAdditionalOptions) -> Vec<String> {
        use sqlparser::ast::ExcludeSelectItem;

        if options.opt_replace.is_some() || options.opt_rename.is_some() || options.opt_ilike.is_some() {
            self.report_omission("a modifier of the columns of * is");
        }

        let excluded: Vec<&Ident> = match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => identifier::parts(name).last().copied().into_iter().collect(),
            Some(ExcludeSelectItem::Multiple(names)) => {
                names.iter().filter_map(|name| identifier::parts(name).last().copied()).collect()
            }
            None => Vec::new(),
        };
        let except = options
            .opt_except
            .iter()
            .flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements));
        excluded.into_iter().chain(except).map(|ident| self.builder.name(ident).key).collect()
    }

    /// Adds the columns of `*`: every known column, and one named `*` for the unknown ones.
    pub(super) fn all_columns(&mut self, result: ObjectIndex, from: ObjectIndex, excluded: &[String], at: SourceRange) {
        for source in self.builder.columns_of_star(from, at) {
            let name = Identifier { at, ..self.builder.name_of(source) };
            if excluded.contains(&name.key) {
                continue;
            }
            let column = if self.builder.is_star(source) {
                self.builder.pass_through(result, from, Effect::Select);
                self.builder.mark_incomplete(result);
                self.builder.column(result, &name)
            } else {
                self.builder.add_column(result, &name)
            };
            let source = Endpoint { column: source, clause: Some(Clause::SelectList), at };
            self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, vec![source]);
        }
    }
}
