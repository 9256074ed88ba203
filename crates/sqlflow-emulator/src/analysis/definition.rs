//! Statements that define tables and views: CREATE, ALTER and USE.

use sqlparser::ast::{
    AlterTable, AlterTableOperation, AlterView, AlterViewOperation, ColumnDef, ColumnOption, CreateTable, CreateView,
    Expr, Ident, ObjectName, RenameTableNameKind, Statement, TableConstraint, Use,
};

use super::dialect::Dialect;
use super::identifier;
use super::query::RecordSetRole;
use super::walker::StatementWalker;
use super::{ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationshipKind};

impl StatementWalker<'_> {
    /// Reads only the columns that a statement gives a new table.
    pub(super) fn definition(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(create) if create.query.is_none() && !create.columns.is_empty() => {
                self.declare(create);
                let table = self.builder.stored(&create.name, ObjectKind::Table);
                create.columns.iter().for_each(|column| self.define(table, column));
                self.builder.mark_complete(table);
            }
            Statement::Use(use_statement) => self.use_statement(use_statement),
            _ => {}
        }
    }

    /// Makes the name of a temporary table mean that table.
    fn declare(&mut self, create: &CreateTable) {
        if create.temporary {
            self.builder.declare_temporary(&create.name);
        }
    }

    pub(super) fn create_table(&mut self, create: &CreateTable, text: &str) {
        self.declare(create);
        let table = self.table_named(&create.name, ObjectKind::Table);
        for column in &create.columns {
            self.define(table, column);
        }
        if let Some(original) = &create.clone {
            let original = self.table_named(original, ObjectKind::Table);
            self.begin_statement("Create Table", "sstcreatetable", text);
            self.copy_columns(original, table);
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
        } else if let Some(like) = &create.like {
            self.like(table, like, text);
        } else if let Some(parent) = &create.partition_of {
            self.same_structure(table, parent);
        } else if !create.columns.is_empty() {
            self.builder.mark_complete(table);
            if has_foreign_key(create) {
                self.begin_statement("Create Table", "sstcreatetable", text);
            }
        }
        for parent in create.inherits.iter().flatten() {
            self.inherit_columns(table, parent);
        }
        for constraint in &create.constraints {
            self.add_constraint(table, constraint);
        }
        for column in &create.columns {
            self.column_constraints(table, column);
        }
    }

    /// Adds the columns of a parent to a table that inherits them. If they are unknown, so are those of the table.
    fn inherit_columns(&mut self, table: ObjectIndex, parent: &ObjectName) {
        let parent = self.table_named(parent, ObjectKind::Table);
        if !self.builder.is_complete(parent) {
            return self.builder.mark_incomplete(table);
        }
        for column in self.builder.columns_of(parent) {
            let name = self.builder.name_of(column);
            self.builder.column(table, &name);
        }
    }

    pub(super) fn define(&mut self, table: ObjectIndex, definition: &ColumnDef) {
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
        if create.temporary {
            self.builder.declare_temporary(&create.name);
        }
        let view = self.table_named(&create.name, ObjectKind::View);
        let columns: Vec<&Ident> = create.columns.iter().map(|column| &column.name).collect();
        self.create_from(result, view, Effect::CreateView, &columns);
        if let Some(target) = &create.to {
            let target = self.table_named(target, ObjectKind::Table);
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

    pub(super) fn alter_view(&mut self, alter: &AlterView, text: &str) {
        match &alter.operation {
            AlterViewOperation::As { columns, query, .. } => {
                let result = self.query(query, &RecordSetRole::Result, None);
                self.begin_statement("Create View", "sstcreateview", text);
                let view = self.table_named(&alter.name, ObjectKind::View);
                let columns: Vec<&Ident> = columns.iter().collect();
                self.create_from(result, view, Effect::CreateView, &columns);
            }
            AlterViewOperation::RenameTo { new_name } => {
                self.begin_statement("Alter View", "sstalterview", text);
                self.rename_table(&alter.name, new_name);
            }
            AlterViewOperation::AlterColumn { .. }
            | AlterViewOperation::OwnerTo(_)
            | AlterViewOperation::RenameColumn { .. }
            | AlterViewOperation::SetSchema { .. }
            | AlterViewOperation::SetOptions { .. }
            | AlterViewOperation::ResetOptions { .. } => {}
        }
    }

    pub(super) fn alter_table(&mut self, alter: &AlterTable, text: &str) {
        let table = self.table_named(&alter.name, ObjectKind::Table);
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
                    let name = self.beside(&alter.name, name);
                    self.rename_table(&alter.name, &name);
                }
                AlterTableOperation::SwapWith { table_name } => {
                    let other = self.table_named(table_name, ObjectKind::Table);
                    self.swap_tables(table, other);
                }
                AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
                    self.rename_column(table, old_column_name, new_column_name);
                }
                AlterTableOperation::ChangeColumn { old_name, new_name, .. } if old_name.value != new_name.value => {
                    self.rename_column(table, old_name, new_name);
                }
                // The rest changes no column that flows are known of: options, partitions, indexes, rights.
                _ => {}
            }
        }
    }

    /// Returns the new name of a table, which is in the schema of the old one where the dialect says so.
    fn beside(&self, old: &ObjectName, new: &ObjectName) -> ObjectName {
        let stays = matches!(
            self.builder.dialect(),
            Dialect::Postgres | Dialect::Redshift | Dialect::Oracle | Dialect::Bigquery | Dialect::Duckdb
        );
        if !stays || new.0.len() != 1 {
            return new.clone();
        }
        let mut parts = old.0.clone();
        parts.pop();
        parts.extend(new.0.iter().cloned());
        ObjectName(parts)
    }

    /// Gives a column another name. It stays the same column, also in the flows of the statements before.
    pub(super) fn rename_column(&mut self, table: ObjectIndex, old: &Ident, new: &Ident) {
        let old = self.target_column(table, old);
        let new = self.builder.name(new);
        let columns = self.builder.columns_of(table);
        let names: Vec<_> = columns
            .into_iter()
            .map(|column| if column == old { new.clone() } else { self.builder.name_of(column) })
            .collect();
        self.builder.rename_columns(table, &names);
    }

    /// Returns `true` if `USE a` makes `t` mean what `a.t` means, although there are databases above.
    fn calls_schemas_databases(&self) -> bool {
        matches!(self.builder.dialect(), Dialect::Databricks | Dialect::Clickhouse)
            || matches!(self.builder.settings.vendor.name(), "dbvpresto" | "dbvtrino" | "dbvathena")
    }

    /// Reads `USE`: the database, or with two words the database and the schema, of the names after it.
    pub(super) fn use_statement(&mut self, use_statement: &Use) {
        let (name, is_schema) = match use_statement {
            Use::Catalog(name) => (name, false),
            Use::Schema(name) => (name, true),
            Use::Database(name) | Use::Object(name) => (name, self.calls_schemas_databases()),
            // `USE DEFAULT` of Hive means the database with this name.
            Use::Default => return self.builder.settings.database = Some("default".to_owned()),
            Use::Warehouse(_) | Use::Role(_) | Use::SecondaryRoles(_) => return,
        };
        let words: Vec<String> = identifier::parts(name).into_iter().map(ToString::to_string).collect();
        let settings = &mut self.builder.settings;
        match words.as_slice() {
            // What has no schemas calls its databases so too.
            [single] if is_schema && settings.vendor.supports_schemas() => settings.schema = Some(single.clone()),
            [single] => settings.database = Some(single.clone()),
            [.., database, schema] => {
                settings.database = Some(database.clone());
                settings.schema = Some(schema.clone());
            }
            [] => {}
        }
    }
}

fn has_foreign_key(create: &CreateTable) -> bool {
    let in_column = |option: &ColumnOption| matches!(option, ColumnOption::ForeignKey(_));
    create.constraints.iter().any(|constraint| matches!(constraint, TableConstraint::ForeignKey(_)))
        || create.columns.iter().flat_map(|column| &column.options).any(|option| in_column(&option.option))
}
