//! The rows that a T-SQL statement returns about what it changed: OUTPUT … INTO.

use sqlparser::ast::{Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, OutputClause};

use super::query::{RecordSetRole, name_of_target};
use super::resolution::{FromItem, NameScope};
use super::walker::StatementWalker;
use super::{ColumnIndex, Effect, ObjectIndex, ObjectKind};

impl StatementWalker<'_> {
    /// Reads the rows that a statement writes into a second table. `inserted` and `deleted` are rows of the first.
    /// Without INTO they only go to the client.
    pub(super) fn output_into(&mut self, output: Option<&OutputClause>, target: ObjectIndex, scope: &NameScope<'_>) {
        let Some(OutputClause::Output { select_items, into_table: Some(into), .. }) = output else { return };
        let mut changed = NameScope::within(Some(scope));
        for name in ["inserted", "deleted"] {
            changed.items.push(FromItem { names: vec![name.to_owned()], object: target });
        }
        let process = self.builder.process;
        let result = self.record_set(&RecordSetRole::Result, self.builder.base);
        self.builder.mark_complete(result);
        for item in select_items {
            self.projection(item, result, &changed);
        }
        self.builder.process = process;
        let Some((name, columns)) = into.targets.first().and_then(named_target) else {
            return self.report_omission("the target of OUTPUT INTO is");
        };
        let table = self.table_named(&name, ObjectKind::Table);
        let listed: Vec<ColumnIndex> = columns.iter().map(|ident| self.target_column(table, ident)).collect();
        let targets = self.insert_targets(table, listed, result, false);
        self.connect_columns(result, table, Effect::Insert, targets);
    }
}

/// Returns the table that an expression in the place of a table names, and the columns in parentheses after it.
fn named_target(target: &Expr) -> Option<(ObjectName, Vec<Ident>)> {
    match target {
        Expr::Function(function) => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let columns = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident))) => Some(ident.clone()),
                _ => None,
            });
            Some((function.name.clone(), columns.collect::<Option<_>>()?))
        }
        other => Some((name_of_target(other)?, Vec::new())),
    }
}
