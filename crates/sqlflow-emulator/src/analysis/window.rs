//! Windows of analytic functions: the columns that partition and order them decide the values.

use sqlparser::ast::{Ident, NamedWindowDefinition, NamedWindowExpr, WindowSpec, WindowType};

use super::Clause;
use super::expression::DataFlow;
use super::resolution::NameScope;
use super::walker::StatementWalker;

impl StatementWalker<'_> {
    /// Reads the windows that a `WINDOW` clause names. A definition may build on the ones before it.
    pub(super) fn named_windows(&mut self, definitions: &[NamedWindowDefinition], scope: &mut NameScope<'_>) {
        for NamedWindowDefinition(name, definition) in definitions {
            let flow = match definition {
                NamedWindowExpr::NamedWindow(base) => self.named_window(base, scope),
                NamedWindowExpr::WindowSpec(spec) => self.window_specification(spec, scope),
            };
            scope.windows.push((self.builder.name(name).key, flow));
        }
    }

    pub(super) fn window(&mut self, window: &WindowType, scope: &NameScope<'_>) -> DataFlow {
        match window {
            WindowType::WindowSpec(spec) => self.window_specification(spec, scope),
            WindowType::NamedWindow(name) => self.named_window(name, scope),
        }
    }

    fn window_specification(&mut self, spec: &WindowSpec, scope: &NameScope<'_>) -> DataFlow {
        let mut flow = spec.window_name.as_ref().map(|base| self.named_window(base, scope)).unwrap_or_default();
        for expression in &spec.partition_by {
            flow.join(self.condition(expression, scope));
        }
        for ordered in &spec.order_by {
            flow.join(self.expression(&ordered.expr, scope, Clause::OrderBy).decides());
        }
        flow
    }

    fn named_window(&mut self, name: &Ident, scope: &NameScope<'_>) -> DataFlow {
        let key = self.builder.name(name).key;
        if let Some((_, flow)) = scope.windows.iter().find(|(known, _)| *known == key) {
            return flow.clone();
        }
        self.note_omission(&format!("the window {name}, which the query does not define, is"));
        DataFlow::default()
    }
}
