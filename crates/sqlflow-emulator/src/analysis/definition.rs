//! Statements that define tables and views: CREATE, ALTER and USE.

use sqlparser::ast::{
    AlterTable, AlterTableOperation, ColumnDef, ColumnOption, CreateTable, CreateView, Expr, Ident, ObjectName,
    RenameTableNameKind, Statement, TableConstraint, Use,
};

use super::identifier;
use super::query::RecordSetRole;
use super::walker::StatementWalker;
use super::{ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationshipKind};

impl StatementWalker<'_> {
    /// Reads only the columns that a statement gives a new table.
    pub(super) fn definition(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(create) if create.query.is_none() && !create.columns.is_empty() => {
                let table = self.builder.stored(&create.name, ObjectKind::Table);
                create.columns.iter().for_each(|column| self.define(table, column));
                self.builder.mark_complete(table);
            }
            Statement::Use(use_statement) => self.use_statement(use_statement),
            _ => {}
        }
    }

    pub(super) fn create_table(&mut self, create: &CreateTable, text: &str) {
        let table = self.builder.stored(&create.name, ObjectKind::Table);
        for column in &create.columns {
            self.define(table, column);
        }
        if let Some(original) = &create.clone {
            let original = self.builder.stored(original, ObjectKind::Table);
            self.copy_columns(original, table, text);
        } else if let Some(query) = &create.query {
            let declared = self.builder.columns_of(table);
            let result = self.query(query, &RecordSetRole::Result, None);
            self.begin_statement("Create Table", "sstcreatetable", text);
            if declared.is_empty() || create.columns.is_empty() {
                self.create_from(result, table, Effect::CreateTable, &[]);
            } else {
                self.connect_columns(result, table, Effect::CreateTable, Some(declared));
                self.builder.mark_complete(table);
            }
        } else if !create.columns.is_empty() {
            self.builder.mark_complete(table);
            if has_foreign_key(create) {
                self.begin_statement("Create Table", "sstcreatetable", text);
            }
        }
        for constraint in &create.constraints {
            self.add_constraint(table, constraint);
        }
        for column in &create.columns {
            self.column_constraints(table, column);
        }
    }

    fn copy_columns(&mut self, original: ObjectIndex, copy: ObjectIndex, text: &str) {
        self.begin_statement("Create Table", "sstcreatetable", text);
        let sources = self.builder.columns_of(original);
        for source in sources {
            let name = self.builder.name_of(source);
            let target = self.builder.column(copy, &name);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, Effect::CreateTable, target, vec![source]);
        }
        if self.builder.is_complete(original) {
            self.builder.mark_complete(copy);
        }
    }

    fn define(&mut self, table: ObjectIndex, definition: &ColumnDef) {
        let column = self.target_column(table, &definition.name);
        self.builder.column_mut(column).data_type = Some(definition.data_type.to_string());
    }

    fn column_constraints(&mut self, table: ObjectIndex, definition: &ColumnDef) {
        let column = self.target_column(table, &definition.name);
        for option in &definition.options {
            match &option.option {
                ColumnOption::PrimaryKey(_) => self.builder.column_mut(column).primary_key = true,
                ColumnOption::ForeignKey(key) => self.foreign_key(&[column], &key.foreign_table, &key.referred_columns),
                _ => {}
            }
        }
    }

    fn add_constraint(&mut self, table: ObjectIndex, constraint: &TableConstraint) {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                for column in &key.columns {
                    if let Expr::Identifier(ident) = &column.column.expr {
                        let column = self.target_column(table, ident);
                        self.builder.column_mut(column).primary_key = true;
                    }
                }
            }
            TableConstraint::ForeignKey(key) => {
                let columns: Vec<ColumnIndex> =
                    key.columns.iter().map(|ident| self.target_column(table, ident)).collect();
                self.foreign_key(&columns, &key.foreign_table, &key.referred_columns);
            }
            _ => {}
        }
    }

    fn foreign_key(&mut self, columns: &[ColumnIndex], referred: &ObjectName, referred_columns: &[Ident]) {
        let referred = self.builder.stored(referred, ObjectKind::Table);
        for (position, column) in columns.iter().enumerate() {
            self.builder.column_mut(*column).foreign_key = true;
            // Without a list, the key refers to the primary key of the other table.
            let meets = match referred_columns.get(position) {
                Some(ident) => Some(self.target_column(referred, ident)),
                None => self.primary_key(referred).get(position).copied(),
            };
            if let Some(meets) = meets {
                let source = self.builder.endpoint(meets);
                for kind in [RelationshipKind::Fdd, RelationshipKind::Er] {
                    self.builder.relate(kind, Effect::ForeignKey, *column, vec![source]);
                }
            }
        }
    }

    fn primary_key(&self, table: ObjectIndex) -> Vec<ColumnIndex> {
        let columns = self.builder.object(table).columns.iter().enumerate();
        columns
            .filter(|(_, column)| column.primary_key)
            .map(|(column, _)| ColumnIndex { object: table, column })
            .collect()
    }

    pub(super) fn create_view(&mut self, create: &CreateView, text: &str) {
        let result = self.query(&create.query, &RecordSetRole::Result, None);
        self.begin_statement("Create View", "sstcreateview", text);
        let view = self.builder.stored(&create.name, ObjectKind::View);
        let columns: Vec<&Ident> = create.columns.iter().map(|column| &column.name).collect();
        self.create_from(result, view, Effect::CreateView, &columns);
        if let Some(target) = &create.to {
            let target = self.builder.stored(target, ObjectKind::Table);
            self.connect_columns(view, target, Effect::Insert, None);
        }
    }

    /// Creates a table or a view from a record set, with the given column names or those of the record set.
    pub(super) fn create_from(&mut self, result: ObjectIndex, target: ObjectIndex, effect: Effect, columns: &[&Ident]) {
        let targets: Vec<ColumnIndex> = columns.iter().map(|ident| self.target_column(target, ident)).collect();
        let named = !targets.is_empty();
        self.connect_columns(result, target, effect, named.then_some(targets));
        if named || self.builder.is_complete(result) {
            self.builder.mark_complete(target);
        }
    }

    pub(super) fn alter_table(&mut self, alter: &AlterTable, text: &str) {
        let table = self.builder.stored(&alter.name, ObjectKind::Table);
        self.begin_statement("Alter Table", "sstaltertable", text);
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddColumn { column_def, .. } => {
                    self.define(table, column_def);
                    self.column_constraints(table, column_def);
                }
                AlterTableOperation::AddConstraint { constraint, .. } => self.add_constraint(table, constraint),
                AlterTableOperation::RenameTable {
                    table_name: RenameTableNameKind::As(name) | RenameTableNameKind::To(name),
                } => {
                    let renamed = self.builder.stored(name, ObjectKind::Table);
                    self.rename(table, renamed);
                }
                _ => {}
            }
        }
    }

    fn rename(&mut self, table: ObjectIndex, renamed: ObjectIndex) {
        for source in self.builder.columns_of(table) {
            let name = self.builder.name_of(source);
            let target = self.builder.column(renamed, &name);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, Effect::CreateTable, target, vec![source]);
        }
        if self.builder.is_complete(table) {
            self.builder.mark_complete(renamed);
        }
    }

    pub(super) fn use_statement(&mut self, use_statement: &Use) {
        let name = match use_statement {
            Use::Catalog(name) | Use::Database(name) | Use::Object(name) => (name, true),
            Use::Schema(name) => (name, false),
            _ => return,
        };
        let Some(last) = identifier::parts(name.0).last().map(|ident| ident.value.clone()) else { return };
        if name.1 {
            self.builder.settings.database = Some(last);
        } else {
            self.builder.settings.schema = Some(last);
        }
    }
}

fn has_foreign_key(create: &CreateTable) -> bool {
    let in_column = |option: &ColumnOption| matches!(option, ColumnOption::ForeignKey(_));
    create.constraints.iter().any(|constraint| matches!(constraint, TableConstraint::ForeignKey(_)))
        || create.columns.iter().flat_map(|column| &column.options).any(|option| in_column(&option.option))
}
