//! Transfers between tables and files: COPY, COPY INTO, UNLOAD, LOAD DATA, EXPORT DATA and INSERT INTO DIRECTORY.
//!
//! A file, folder or stage is an object named after its path. Its columns are those of the table or query that writes
//! it; what is read from it comes from a column named `*`, or from `$1`, `$2` … where the statement says so.

use sqlparser::ast::helpers::stmt_data_loading::StageLoadSelectItemKind;
use sqlparser::ast::{
    CopyIntoSnowflakeKind, CopySource, CopyTarget, ExportData, Ident, ObjectName, Query, SqlOption, Statement, Value,
};

use super::expression::DataFlow;
use super::identifier;
use super::query::RecordSetRole;
use super::resolution::{FromItem, NameScope};
use super::table_functions::literal_string;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, ObjectKind, RelationshipKind};

/// A `COPY INTO` of Snowflake or Databricks.
pub(super) struct CopyInto<'q> {
    pub(super) kind: &'q CopyIntoSnowflakeKind,
    pub(super) into: &'q ObjectName,
    pub(super) columns: &'q [Ident],
    pub(super) from: Option<&'q ObjectName>,
    pub(super) alias: Option<&'q Ident>,
    pub(super) items: &'q [StageLoadSelectItemKind],
    pub(super) query: Option<&'q Query>,
}

impl StatementWalker<'_> {
    /// Reads a statement that moves rows between tables and files.
    pub(super) fn transfer(&mut self, statement: &Statement, text: &str) {
        match statement {
            Statement::Copy { source, to, target, .. } => self.copy(source, *to, target, text),
            Statement::CopyIntoSnowflake {
                kind,
                into,
                into_columns,
                from_obj,
                from_obj_alias,
                from_transformations,
                from_query,
                ..
            } => {
                let copy = CopyInto {
                    kind,
                    into,
                    columns: into_columns.as_deref().unwrap_or_default(),
                    from: from_obj.as_ref(),
                    alias: from_obj_alias.as_ref(),
                    items: from_transformations.as_deref().unwrap_or_default(),
                    query: from_query.as_deref(),
                };
                self.copy_into(&copy, text);
            }
            Statement::Unload { query: Some(query), to, .. } => self.unload_query(query, &to.value, text),
            Statement::Unload { query_text, to, .. } => {
                self.unload_text(query_text.as_deref().unwrap_or_default(), &to.value, text);
            }
            Statement::LoadData { inpath, table_name, .. } => {
                self.begin_statement("Load", "sstload", text);
                let path = self.builder.path(inpath, self.builder.base);
                self.load(path, table_name, &[]);
            }
            Statement::Directory { path, source, .. } => self.unload_query(source, path, text),
            Statement::ExportData(export) => self.export_data(export, text),
            Statement::Put { source, stage, .. } => {
                self.begin_statement("Put", "sstput", text);
                let from = self.builder.path(source.trim_start_matches("file://"), self.builder.base);
                let to = self.path_of(stage);
                self.flow_between(from, to, Effect::Insert);
            }
            _ => {}
        }
    }

    fn copy(&mut self, source: &CopySource, to: bool, target: &CopyTarget, text: &str) {
        let path = match target {
            CopyTarget::File { filename: path } | CopyTarget::Program { command: path } => Some(path),
            // The rows come from the client or go to it.
            CopyTarget::Stdin | CopyTarget::Stdout => None,
        };
        match (source, path) {
            (CopySource::Query(query), Some(path)) => self.unload_query(query, path, text),
            (CopySource::Query(query), None) => drop(self.query(query, &RecordSetRole::Result, None)),
            (CopySource::Table { table_name, columns }, Some(path)) => {
                self.begin_statement("Copy", "sstcopy", text);
                let path = self.builder.path(path, self.builder.base);
                if to { self.unload(table_name, columns, path) } else { self.load(path, table_name, columns) }
            }
            (CopySource::Table { .. }, None) => {}
        }
    }

    /// Writes a query into a path.
    fn unload_query(&mut self, query: &Query, path: &str, text: &str) {
        let result = self.query(query, &RecordSetRole::Result, None);
        self.begin_statement("Unload", "sstunload", text);
        let path = self.builder.path(path, self.builder.base);
        self.connect_columns(result, path, Effect::Insert, None);
    }

    /// Writes a query that is given as a string into a path.
    fn unload_text(&mut self, query: &str, path: &str, text: &str) {
        match self.parsed_text(query).as_deref() {
            Some([Statement::Query(query)]) => self.unload_query(query, path, text),
            _ => self.skip_statement_with("the query that UNLOAD is given as a string is", "check its syntax"),
        }
    }

    fn unload(&mut self, table: &ObjectName, columns: &[Ident], path: ObjectIndex) {
        let table = self.table_named(table, ObjectKind::Table);
        if columns.is_empty() {
            return self.flow_between(table, path, Effect::Insert);
        }
        for ident in columns {
            let source = self.target_column(table, ident);
            let target = self.target_column(path, ident);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, Effect::Insert, target, vec![source]);
        }
    }

    /// Reads a path into a table. Which part of a file becomes which column is not known.
    fn load(&mut self, path: ObjectIndex, table: &ObjectName, columns: &[Ident]) {
        let table = self.table_named(table, ObjectKind::Table);
        let star = self.star_column(path);
        let source = self.builder.endpoint(star);
        for target in self.loaded_columns(table, columns) {
            self.builder.relate(RelationshipKind::Fdd, Effect::Insert, target, vec![source]);
        }
    }

    /// Returns the columns of a table that a load fills: those listed, all that are known, or the one named `*`.
    fn loaded_columns(&mut self, table: ObjectIndex, columns: &[Ident]) -> Vec<ColumnIndex> {
        if !columns.is_empty() {
            return columns.iter().map(|ident| self.target_column(table, ident)).collect();
        }
        if self.builder.is_complete(table) { self.builder.columns_of(table) } else { vec![self.star_column(table)] }
    }

    pub(super) fn star_column(&mut self, object: ObjectIndex) -> ColumnIndex {
        let star = self.builder.made_up_identifier("*", self.builder.base);
        self.builder.column(object, &star)
    }

    fn copy_into(&mut self, copy: &CopyInto<'_>, text: &str) {
        if *copy.kind == CopyIntoSnowflakeKind::Location {
            match (copy.query, copy.from) {
                (Some(query), _) => {
                    let path = path_text(copy.into);
                    self.unload_query(query, &path, text);
                }
                (None, Some(table)) => {
                    self.begin_statement("Unload", "sstunload", text);
                    let path = self.path_of(copy.into);
                    self.unload(table, copy.columns, path);
                }
                (None, None) => self.skip_statement("the source of COPY INTO is"),
            }
            return;
        }
        let Some(from) = copy.from else { return self.skip_statement("the source of COPY INTO is") };
        let path = self.path_of(from);
        if copy.items.is_empty() {
            self.begin_statement("Copy", "sstcopy", text);
            return self.load(path, copy.into, copy.columns);
        }
        let result = self.staged_columns(copy, path);
        self.begin_statement("Copy", "sstcopy", text);
        let table = self.table_named(copy.into, ObjectKind::Table);
        let mut targets = self.loaded_columns(table, copy.columns);
        if copy.columns.is_empty() && !self.builder.is_complete(table) {
            // All unknown columns of the table are the one named `*`.
            targets = vec![targets[0]; copy.items.len()];
        }
        self.connect_columns(result, table, Effect::Insert, Some(targets));
    }

    /// Reads the select list of a load, whose columns are the positions in a file.
    fn staged_columns(&mut self, copy: &CopyInto<'_>, path: ObjectIndex) -> ObjectIndex {
        let result = self.record_set(&RecordSetRole::Result, self.builder.base);
        self.builder.mark_complete(result);
        let mut scope = NameScope::within(None);
        let names = copy.alias.map(|alias| self.builder.name(alias).key).into_iter().collect();
        scope.items.push(FromItem { names, object: path });
        for item in copy.items {
            match item {
                StageLoadSelectItemKind::SelectItem(item) => {
                    self.projection(item, result, &scope);
                }
                StageLoadSelectItemKind::StageLoadSelectItem(item) => {
                    let position =
                        self.builder.made_up_identifier(format!("${}", item.file_col_num), self.builder.base);
                    let source = self.builder.column(path, &position);
                    let name = item.item_as.as_ref().map_or(position, |ident| self.builder.name(ident));
                    let column = self.builder.add_column(result, &name);
                    let source = Endpoint { clause: Some(Clause::SelectList), ..self.builder.endpoint(source) };
                    self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, vec![source]);
                }
            }
        }
        result
    }

    /// Returns the flow from `$1`, which is a position in a file if a path is in scope, and a parameter otherwise.
    pub(super) fn file_position(&mut self, value: &Value, scope: &NameScope<'_>, clause: Clause) -> Option<DataFlow> {
        let Value::Placeholder(text) = value else { return None };
        let digits = text.strip_prefix('$')?;
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let path = scope.items.iter().find(|item| self.builder.object(item.object).kind == ObjectKind::Path)?.object;
        let at = self.builder.base;
        let name = self.builder.made_up_identifier(text, at);
        let column = self.builder.column(path, &name);
        Some(DataFlow { values: vec![Endpoint { column, clause: Some(clause), at }], ..DataFlow::default() })
    }

    fn path_of(&mut self, name: &ObjectName) -> ObjectIndex {
        self.builder.path(&path_text(name), self.builder.base)
    }

    fn export_data(&mut self, export: &ExportData, text: &str) {
        let uri = export.options.iter().find_map(|option| match option {
            SqlOption::KeyValue { key, value } if key.to_string().eq_ignore_ascii_case("uri") => literal_string(value),
            _ => None,
        });
        match uri {
            Some(uri) => self.unload_query(&export.query, uri, text),
            None => {
                self.skip_statement_with(
                    "EXPORT DATA to a place without a literal uri is",
                    "write the uri as a string",
                );
            }
        }
    }
}

/// Returns the path that a name in the place of a path stands for.
pub(super) fn path_text(name: &ObjectName) -> String {
    identifier::parts(name).iter().map(|ident| ident.value.as_str()).collect::<Vec<_>>().join(".")
}
