//! Conditions.

use sqlparser::ast::{ConnectByKind, Expr, OrderBy, OrderByKind, Select};

use super::from_clause::JoinClause;
use super::resolution::Scope;
use super::walker::Walker;
use super::{Clause, Effect, Endpoint, ObjectIndex, RelationKind};

impl Walker<'_> {
    pub(super) fn filters(
        &mut self,
        select: &Select,
        result: ObjectIndex,
        scope: &Scope<'_>,
        joins: &[JoinClause<'_>],
    ) {
        self.join_conditions(joins, result, scope, Effect::Select);
        let wheres = select.selection.iter().chain(&select.prewhere).map(|expr| (expr, Clause::Where));
        let having = select.having.iter().chain(&select.qualify).map(|expr| (expr, Clause::Unknown));
        let hierarchy = select.connect_by.iter().flat_map(|clause| match clause {
            ConnectByKind::ConnectBy { relationships, .. } => relationships.as_slice(),
            ConnectByKind::StartWith { condition, .. } => std::slice::from_ref(condition.as_ref()),
        });
        let hierarchy = hierarchy.map(|expr| (expr, Clause::Where));
        for (expr, clause) in wheres.chain(having).chain(hierarchy) {
            self.decide(expr, clause, result, scope, Effect::Select);
        }
    }

    /// Lets an expression decide the record set of an object.
    pub(super) fn decide(
        &mut self,
        expr: &Expr,
        clause: Clause,
        target: ObjectIndex,
        scope: &Scope<'_>,
        effect: Effect,
    ) {
        if clause != Clause::OrderBy {
            self.comparisons(expr, "inner", scope);
        }
        let sources = self.expression(expr, scope, clause).into_deciding(self.draft);
        self.decide_rows(target, effect, sources);
    }

    pub(super) fn decide_rows(&mut self, target: ObjectIndex, effect: Effect, sources: Vec<Endpoint>) {
        if !sources.is_empty() {
            let rows = self.draft.relation_rows(target);
            self.draft.relate(RelationKind::Fdr, effect, rows, sources);
        }
    }

    pub(super) fn ordering(
        &mut self,
        order: Option<&OrderBy>,
        select: &Select,
        result: ObjectIndex,
        scope: &Scope<'_>,
    ) {
        let Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) = order else { return };
        for ordered in expressions {
            let meant = self.unaliased(&ordered.expr, select, scope);
            self.decide(meant, Clause::OrderBy, result, scope, Effect::Select);
        }
    }

    /// What decides the rows of a part decides those of the whole.
    pub(super) fn inherit_rows(&mut self, scope: &Scope<'_>, result: ObjectIndex) {
        for item in &scope.items {
            self.inherit_rows_of(item.object, result, Effect::Select);
        }
    }

    pub(super) fn inherit_rows_of(&mut self, part: ObjectIndex, whole: ObjectIndex, effect: Effect) {
        let decided = self.draft.object(part).columns.iter().any(super::Column::is_relation_rows);
        if decided && self.draft.object(part).kind.is_record_set() {
            let source = self.draft.relation_rows(part);
            let source = self.draft.endpoint(source);
            self.decide_rows(whole, effect, vec![source]);
        }
    }
}
