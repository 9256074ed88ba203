//! Statements that copy, rename or swap whole tables.

use sqlparser::ast::{CreateTableLikeKind, ObjectName};

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

    /// Reads `LIKE s`: the new table has the columns of the other one and none of its rows. So nothing flows, but the
    /// columns are known.
    pub(super) fn like(&mut self, table: ObjectIndex, like: &CreateTableLikeKind) {
        let (CreateTableLikeKind::Plain(like) | CreateTableLikeKind::Parenthesized(like)) = like;
        self.same_structure(table, &like.name);
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

    /// Reads a statement that exchanges the rows of two tables.
    pub(super) fn swap_tables(&mut self, a: ObjectIndex, b: ObjectIndex) {
        self.flow_between(a, b, Effect::CreateTable);
        self.flow_between(b, a, Effect::CreateTable);
    }
}
