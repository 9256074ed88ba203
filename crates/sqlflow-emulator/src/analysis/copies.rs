//! Statements that copy, rename or swap whole tables.

use sqlparser::ast::{
    CreateTableLikeKind, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Query, SelectItem, SetExpr,
};

use super::table_functions::literal_string;
use super::walker::StatementWalker;
use super::{Effect, ObjectIndex, ObjectKind, RelationshipKind};

impl StatementWalker<'_> {
    /// Copies every column of a table: those that are known, and one named `*` for the others.
    pub(super) fn copy_columns(&mut self, original: ObjectIndex, copy: ObjectIndex) {
        self.flow_between(original, copy, Effect::CreateTable);
        if self.builder.is_complete(original) {
            self.builder.mark_complete(copy);
        } else {
            self.builder.pass_through(copy, original, Effect::CreateTable);
        }
    }

    /// Relates every column of a table to the one with the same name in another.
    pub(super) fn flow_between(&mut self, from: ObjectIndex, to: ObjectIndex, effect: Effect) {
        for source in self.builder.columns_of_star(from, self.builder.base) {
            let name = self.builder.name_of(source);
            let target = self.builder.column(to, &name);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, effect, target, vec![source]);
        }
    }

    /// Reads `LIKE s`: the new table has the columns of the other one and none of its rows. So no value flows, but the
    /// other table decides what this one is: `fdr`, which is our reading, since the vendor does not describe it.
    pub(super) fn like(&mut self, table: ObjectIndex, like: &CreateTableLikeKind, text: &str) {
        let (CreateTableLikeKind::Plain(like) | CreateTableLikeKind::Parenthesized(like)) = like;
        self.same_structure(table, &like.name);
        let original = self.table_named(&like.name, ObjectKind::Table);
        self.begin_statement("Create Table", "sstcreatetable", text);
        let rows = self.builder.relation_rows(original);
        let source = self.builder.endpoint(rows);
        self.relate_rows(table, Effect::CreateTable, vec![source]);
    }

    /// Gives a table the known columns of another one.
    pub(super) fn same_structure(&mut self, table: ObjectIndex, other: &ObjectName) {
        let other = self.table_named(other, ObjectKind::Table);
        if !self.builder.is_complete(other) {
            return;
        }
        for column in self.builder.columns_of(other) {
            let name = self.builder.name_of(column);
            let data_type = self.builder.column_mut(column).data_type.clone();
            let copy = self.builder.column(table, &name);
            self.builder.column_mut(copy).data_type = data_type;
        }
        self.builder.mark_complete(table);
    }

    /// Reads a statement that gives a table another name: its rows are those of the new table.
    pub(super) fn rename_table(&mut self, from: &ObjectName, to: &ObjectName) {
        let from = self.table_named(from, ObjectKind::Table);
        let to = self.table_named(to, ObjectKind::Table);
        if from != to {
            self.copy_columns(from, to);
        }
    }

    /// Reads Vertica's `SELECT swap_partitions_between_tables('a', '1', '2', 'b')`, which moves rows between the two
    /// tables that the strings name. Returns `false` for any other query.
    pub(super) fn swap_partitions(&mut self, query: &Query, text: &str) -> bool {
        let SetExpr::Select(select) = query.body.as_ref() else { return false };
        let [SelectItem::UnnamedExpr(Expr::Function(function))] = select.projection.as_slice() else { return false };
        if !function.name.to_string().eq_ignore_ascii_case("swap_partitions_between_tables") {
            return false;
        }
        let FunctionArguments::List(list) = &function.args else { return false };
        let texts = list.args.iter().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => literal_string(expr),
            _ => None,
        });
        let texts: Vec<&str> = texts.collect();
        let &[first, _, _, second] = texts.as_slice() else { return false };
        let (Some(first), Some(second)) = (self.parsed_name(first), self.parsed_name(second)) else { return false };
        self.begin_statement("Alter Table", "sstaltertable", text);
        let first = self.table_named(&first, ObjectKind::Table);
        let second = self.table_named(&second, ObjectKind::Table);
        self.swap_tables(first, second);
        true
    }

    /// Reads a statement that exchanges the rows of two tables.
    pub(super) fn swap_tables(&mut self, a: ObjectIndex, b: ObjectIndex) {
        self.flow_between(a, b, Effect::CreateTable);
        self.flow_between(b, a, Effect::CreateTable);
    }
}
