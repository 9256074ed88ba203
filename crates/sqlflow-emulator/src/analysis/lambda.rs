//! Lambda functions: their parameters are names of their own, not columns.

use sqlparser::ast::{BinaryOperator, Expr, Ident, LambdaFunction};

use super::Clause;
use super::dialect::Dialect;
use super::expression::DataFlow;
use super::resolution::NameScope;
use super::walker::StatementWalker;

impl StatementWalker<'_> {
    /// Reads `x -> …`. The values of the parameters come from the other arguments of the function that calls it, which
    /// are read there.
    pub(super) fn lambda(&mut self, lambda: &LambdaFunction, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let names: Vec<&Ident> = lambda.params.iter().map(|parameter| &parameter.name).collect();
        self.with_parameters(&names, &lambda.body, scope, clause)
    }

    /// Reads an argument of a function. With the generic grammar, `x -> …` looks like the access to a field of `x`.
    pub(super) fn argument(&mut self, argument: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        match parameters_of_arrow(argument) {
            Some(names) if matches!(self.builder.dialect(), Dialect::Generic | Dialect::Ansi) => {
                self.with_parameters(&names, argument, scope, clause)
            }
            _ => self.expression(argument, scope, clause),
        }
    }

    fn with_parameters(&mut self, names: &[&Ident], body: &Expr, scope: &NameScope<'_>, clause: Clause) -> DataFlow {
        let before = self.parameters.len();
        let keys = names.iter().map(|name| self.builder.name(name).key).collect::<Vec<_>>();
        self.parameters.extend(keys);
        let flow = self.expression(body, scope, clause);
        self.parameters.truncate(before);
        flow
    }

    /// Returns `true` if a name is the parameter of a lambda function around it.
    pub(super) fn is_parameter(&self, ident: &Ident) -> bool {
        !self.parameters.is_empty() && self.parameters.contains(&self.builder.name(ident).key)
    }
}

/// Returns the parameters of a lambda function that the grammar takes for a chain of operators, whose first is `->`.
/// A field that is accessed by `->` is a literal.
fn parameters_of_arrow(argument: &Expr) -> Option<Vec<&Ident>> {
    let mut first = argument;
    while let Expr::BinaryOp { left, .. } = first
        && matches!(left.as_ref(), Expr::BinaryOp { .. })
    {
        first = left;
    }
    let Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } = first else { return None };
    if matches!(right.as_ref(), Expr::Value(_)) {
        return None;
    }
    match left.as_ref() {
        Expr::Tuple(items) => items.iter().map(name).collect(),
        Expr::Nested(inner) => Some(vec![name(inner)?]),
        other => Some(vec![name(other)?]),
    }
}

fn name(expression: &Expr) -> Option<&Ident> {
    if let Expr::Identifier(ident) = expression { Some(ident) } else { None }
}
