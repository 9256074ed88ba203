//! Select lists.

use sqlparser::ast::{
    Expr, GroupByExpr, Ident, Select, SelectItem, SelectItemQualifiedWildcardKind, Spanned, WildcardAdditionalOptions,
};

use super::expression::Flow;
use super::names::{self, Name};
use super::resolution::Scope;
use super::walker::Walker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, Range, RelationKind};

impl Walker<'_> {
    pub(super) fn group_by(&mut self, select: &Select, scope: &Scope<'_>) -> Vec<Endpoint> {
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return Vec::new() };
        let mut grouping = Vec::new();
        for expression in expressions {
            let meant = self.unaliased(expression, select, scope);
            grouping.extend(self.expression(meant, scope, Clause::Unknown).into_deciding(self.draft));
        }
        grouping
    }

    /// The expression behind an alias of the select list, or behind its position in it.
    pub(super) fn unaliased<'q>(&self, expression: &'q Expr, select: &'q Select, scope: &Scope<'_>) -> &'q Expr {
        if let Expr::Identifier(ident) = expression {
            let name = self.draft.name(ident);
            let column = scope.items.iter().any(|item| self.draft.existing(item.object, &name).is_some());
            let aliased = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if self.draft.name(alias).key == name.key => Some(expr),
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

    pub(super) fn projection(&mut self, item: &SelectItem, result: ObjectIndex, scope: &Scope<'_>) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.name_of_value(expr);
                self.output(expr, &name, result, scope);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let at = self.range(expr.span().union(&alias.span));
                let name = self.draft.name(alias);
                self.output(expr, &Name { at, ..name }, result, scope);
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
                let qualifier = self.joined_key(&names::parts(name));
                if let Some(object) = scope.item(&qualifier) {
                    let at = self.range(options.wildcard_token.0.span);
                    self.all_columns(result, object, &excluded, at);
                } else {
                    self.not_analysed(&format!("{name}.* is"));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                let name = self.draft.made_up("*", self.range(expr.span()));
                self.output(expr, &name, result, scope);
            }
        }
    }

    /// What a column is called that is given a value and no name.
    pub(super) fn name_of_value(&self, expr: &Expr) -> Name {
        let at = self.extent(expr);
        let name = match expr {
            Expr::Identifier(ident) => self.draft.name(ident),
            Expr::CompoundIdentifier(parts) if !parts.is_empty() => self.draft.name(&parts[parts.len() - 1]),
            other => self.draft.made_up(other.to_string(), at),
        };
        Name { at, ..name }
    }

    fn output(&mut self, expr: &Expr, name: &Name, result: ObjectIndex, scope: &Scope<'_>) {
        let flow = self.expression(expr, scope, Clause::SelectList);
        let column = self.draft.add_column(result, name);
        self.settle(column, flow);
    }

    /// Lets a flow end in a column of a record set.
    pub(super) fn settle(&mut self, column: ColumnIndex, flow: Flow) {
        self.draft.relate(RelationKind::Fdd, Effect::Select, column, flow.values);
        self.draft.relate(RelationKind::Fdr, Effect::Select, column, flow.deciding);
        self.draft.relate(RelationKind::Frd, Effect::Select, column, flow.rows);
    }

    fn excluded(&mut self, options: &WildcardAdditionalOptions) -> Vec<String> {
        use sqlparser::ast::ExcludeSelectItem;

        if options.opt_replace.is_some() || options.opt_rename.is_some() || options.opt_ilike.is_some() {
            self.not_analysed("what is done to the columns of * is");
        }

        let excluded: Vec<&Ident> = match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(ident)) => vec![ident],
            Some(ExcludeSelectItem::Multiple(idents)) => idents.iter().collect(),
            None => Vec::new(),
        };
        let except = options
            .opt_except
            .iter()
            .flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements));
        excluded.into_iter().chain(except).map(|ident| self.draft.name(ident).key).collect()
    }

    /// `*`: every column that is known, or one named `*` that stands for those that are not.
    pub(super) fn all_columns(&mut self, result: ObjectIndex, from: ObjectIndex, excluded: &[String], at: Range) {
        for source in self.draft.columns_of_star(from, at) {
            let name = Name { at, ..self.draft.name_of(source) };
            if excluded.contains(&name.key) {
                continue;
            }
            let column = if self.draft.is_star(source) {
                self.draft.pass_through(result, from, Effect::Select);
                self.draft.incomplete(result);
                self.draft.column(result, &name)
            } else {
                self.draft.add_column(result, &name)
            };
            let source = Endpoint { column: source, clause: Some(Clause::SelectList), at };
            self.draft.relate(RelationKind::Fdd, Effect::Select, column, vec![source]);
        }
    }
}
