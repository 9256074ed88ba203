//! Conditions and orderings: the columns that decide the rows of a record set.

use sqlparser::ast::{ConnectByKind, Expr, OrderBy, OrderByKind, Select};

use super::from_clause::JoinClause;
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, Effect, Endpoint, ObjectIndex, RelationshipKind};

impl StatementWalker<'_> {
    pub(super) fn filters(
        &mut self,
        select: &Select,
        result: ObjectIndex,
        scope: &mut NameScope<'_>,
        joins: &[JoinClause<'_>],
    ) {
        scope.aliases_visible = false;
        self.join_conditions(joins, result, scope, Effect::Select);
        let wheres = select.selection.iter().chain(&select.prewhere).map(|expr| (expr, Clause::Where));
        let having = select.having.iter().chain(&select.qualify).map(|expr| (expr, Clause::Unknown));
        let hierarchy = select.connect_by.iter().flat_map(|clause| match clause {
            ConnectByKind::ConnectBy { relationships, .. } => relationships.as_slice(),
            ConnectByKind::StartWith { condition, .. } => std::slice::from_ref(condition.as_ref()),
        });
        let hierarchy = hierarchy.map(|expr| (expr, Clause::Where));
        scope.aliases_visible = self.builder.dialect().allows_aliases_in_where();
        for (expr, clause) in wheres.chain(hierarchy) {
            self.filter_rows_by(expr, clause, result, scope, Effect::Select);
        }
        scope.aliases_visible = self.builder.dialect().allows_aliases_in_having();
        for (expr, clause) in having {
            self.filter_rows_by(expr, clause, result, scope, Effect::Select);
        }
    }

    /// Adds the columns of an expression as sources of the record set of an object.
    pub(super) fn filter_rows_by(
        &mut self,
        expr: &Expr,
        clause: Clause,
        target: ObjectIndex,
        scope: &NameScope<'_>,
        effect: Effect,
    ) {
        if clause == Clause::Where && is_row_of_cursor(expr) {
            return;
        }
        if clause != Clause::OrderBy {
            self.comparisons(expr, "inner", scope);
        }
        let sources = self.expression(expr, scope, clause).into_deciding(self.builder);
        self.relate_rows(target, effect, sources);
    }

    pub(super) fn relate_rows(&mut self, target: ObjectIndex, effect: Effect, sources: Vec<Endpoint>) {
        if !sources.is_empty() {
            let rows = self.builder.relation_rows(target);
            self.builder.relate(RelationshipKind::Fdr, effect, rows, sources);
        }
    }

    pub(super) fn ordering(
        &mut self,
        order: Option<&OrderBy>,
        select: &Select,
        result: ObjectIndex,
        scope: &NameScope<'_>,
    ) {
        let Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) = order else { return };
        for ordered in expressions {
            let meant = self.unaliased(&ordered.expr, select, scope);
            self.filter_rows_by(meant, Clause::OrderBy, result, scope, Effect::Select);
        }
    }

    /// Passes on what decides the rows of each part: it decides the rows of the whole too.
    pub(super) fn inherit_rows(&mut self, scope: &NameScope<'_>, result: ObjectIndex) {
        for item in &scope.items {
            self.inherit_rows_of(item.object, result, Effect::Select);
        }
    }

    pub(super) fn inherit_rows_of(&mut self, part: ObjectIndex, whole: ObjectIndex, effect: Effect) {
        let decided = self.builder.object(part).columns.iter().any(super::Column::is_relation_rows);
        if decided && self.builder.object(part).kind.is_record_set() {
            let source = self.builder.relation_rows(part);
            let source = self.builder.endpoint(source);
            self.relate_rows(whole, effect, vec![source]);
        }
    }
}

/// Returns `true` for the `CURRENT` of `WHERE CURRENT OF c`, which is the row that a cursor stands at.
fn is_row_of_cursor(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("current"))
}
