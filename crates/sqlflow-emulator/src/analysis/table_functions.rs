//! Sources that are functions, strings or paths rather than names of tables.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, JsonTableColumn, ObjectName, ObjectNamePart,
    TableAlias, Value, XmlPassingClause, XmlTableColumn,
};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Span, TokenWithSpan, Tokenizer};

use super::dialect::Dialect;
use super::expression::{DataFlow, is_method_of_xml};
use super::identifier::{self, Identifier};
use super::resolution::{FromItem, NameScope};
use super::transfer::path_text;
use super::walker::StatementWalker;
use super::{Clause, ObjectIndex, ObjectKind};

/// Functions whose first argument is the path of the data that they return.
const FILE_FUNCTIONS: [&str; 24] = [
    "read_csv",
    "read_csv_auto",
    "read_parquet",
    "parquet_scan",
    "read_json",
    "read_json_auto",
    "read_ndjson",
    "read_ndjson_auto",
    "read_text",
    "read_blob",
    "read_xlsx",
    "iceberg_scan",
    "delta_scan",
    "sniff_csv",
    "read_files",
    "cloud_files",
    "s3",
    "s3cluster",
    "gcs",
    "hdfs",
    "url",
    "file",
    "azureblobstorage",
    "deltalake",
];

/// Functions that return the result of a query that another server runs.
const REMOTE_FUNCTIONS: [&str; 6] =
    ["openquery", "openrowset", "opendatasource", "external_query", "dblink", "postgres_query"];

/// Functions that return one column, which has the name of the alias.
const ELEMENT_FUNCTIONS: [&str; 6] =
    ["unnest", "generate_series", "generate_subscripts", "regexp_split_to_table", "string_to_table", "generate_array"];

/// Words before a path in backquotes, which say how to read the files there.
const FILE_FORMATS: [&str; 10] =
    ["parquet", "csv", "json", "orc", "text", "delta", "avro", "binaryfile", "iceberg", "xml"];

impl StatementWalker<'_> {
    /// Returns the table or view that a name means. `IDENTIFIER('t')` means the table that the string names.
    pub(super) fn table_named(&mut self, name: &ObjectName, kind: ObjectKind) -> ObjectIndex {
        if let Some(path) = self.path_named(name) {
            return self.builder.path(&path, self.builder.base);
        }
        let Some(argument) = identifier_argument(name) else { return self.builder.stored(name, kind) };
        if let Some(name) = literal_string(argument).and_then(|text| self.parsed_name(text)) {
            return self.builder.stored(&name, kind);
        }
        self.report_omission_with(
            &format!("the table that {name} names is"),
            "write its name as a string or an identifier",
        );
        self.builder.intermediate(ObjectKind::Table, name.to_string(), self.builder.base)
    }

    /// Returns the path that a name stands for: a string, a stage, or a path in backquotes after a file format.
    fn path_named(&self, name: &ObjectName) -> Option<String> {
        let parts = identifier::parts(name);
        let first = parts.first()?;
        let dialect = self.builder.dialect();
        if first.quote_style == Some('\'') && parts.len() == 1 {
            return Some(first.value.clone());
        }
        if dialect == Dialect::Snowflake && first.value.starts_with('@') {
            return Some(path_text(name));
        }
        let [format, path] = parts.as_slice() else { return None };
        let reads = matches!(dialect, Dialect::Spark | Dialect::Databricks)
            && path.quote_style == Some('`')
            && FILE_FORMATS.iter().any(|known| format.value.eq_ignore_ascii_case(known));
        reads.then(|| path.value.clone())
    }

    /// Reads a name that stands for a path. Returns `false` if it is the name of a table.
    pub(super) fn path_source(
        &mut self,
        name: &ObjectName,
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
    ) -> bool {
        let Some(path) = self.path_named(name) else { return false };
        let object = self.builder.path(&path, self.builder.base);
        // A file without an alias has the name that it has in its folder, without what follows the point.
        let file = path.rsplit(['/', '\\']).next().unwrap_or(&path);
        let stem = file.split_once('.').map_or(file, |(stem, _)| stem);
        let own = self.builder.made_up_identifier(stem, self.builder.base).key;
        let names = alias.map_or_else(|| vec![own], |alias| vec![self.builder.name(&alias.name).key]);
        scope.items.push(FromItem { names, object });
        true
    }

    pub(super) fn parsed_name(&self, text: &str) -> Option<ObjectName> {
        let tokens = self.tokens_of(text)?;
        let mut parser = Parser::new(self.builder.dialect().grammar()).with_tokens_with_locations(tokens);
        parser.parse_object_name(false).ok()
    }

    /// Returns the tokens of text in a string of the statement. They have no positions of their own.
    pub(super) fn tokens_of(&self, text: &str) -> Option<Vec<TokenWithSpan>> {
        let tokens = Tokenizer::new(self.builder.dialect().grammar(), text).tokenize_with_location().ok()?;
        let without_position = |token: TokenWithSpan| TokenWithSpan { span: Span::empty(), ..token };
        Some(tokens.into_iter().map(without_position).collect())
    }

    /// Reads a function that is used as a table.
    pub(super) fn called_table(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
    ) {
        let parts: Vec<Ident> = identifier::parts(name).into_iter().cloned().collect();
        let Some(last) = parts.last() else { return };
        let function = last.value.to_lowercase();
        if self.builder.dialect() == Dialect::Mssql && !args.is_empty() && args.iter().all(is_hint) {
            return self.named_table(name, alias, scope);
        }
        let single = parts.len() == 1;
        if single && function == "identifier" {
            return self.named_table(&called(last, args), alias, scope);
        }
        let first = args.first().and_then(argument);
        if single && FILE_FUNCTIONS.contains(&function.as_str()) {
            let path = first.map(|expr| literal_string(expr).map_or_else(|| expr.to_string(), str::to_owned));
            if let Some(path) = path {
                return self.named_source(&path, true, alias, scope);
            }
        }
        if single && REMOTE_FUNCTIONS.contains(&function.as_str()) {
            let arguments = args.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return self.named_source(&format!("{}({arguments})", last.value), false, alias, scope);
        }
        if single && function == "result_scan" {
            return self.report_omission_with(
                "the result of an earlier statement, which RESULT_SCAN returns, is",
                "write it into a table and read that",
            );
        }
        let mut flow = DataFlow::default();
        for expr in args.iter().filter_map(argument) {
            flow.join(self.expression(expr, scope, Clause::SelectList));
        }
        // The rows of `t.x.nodes('…')` come from the column before the method.
        if let Some(receiver) = self.method_receiver(name) {
            flow.join(self.expression(&receiver, scope, Clause::SelectList));
        }
        let named = alias.is_some_and(|alias| !alias.columns.is_empty());
        if !named && ELEMENT_FUNCTIONS.contains(&function.as_str()) && self.builder.dialect() != Dialect::Mssql {
            return self.element(&function, Some(alias.map_or(last, |alias| &alias.name)), flow, scope);
        }
        let own = self.known_columns(&function);
        let own: Vec<&Ident> = own.iter().collect();
        self.function_with_columns(&name.to_string(), alias, &own, flow, scope);
        if alias.is_none()
            && let Some(item) = scope.items.last_mut()
        {
            item.names.push(self.builder.name(last).key);
        }
    }

    /// Returns the columns that a function of the dialect is known to have.
    pub(super) fn known_columns(&self, function: &str) -> Vec<Ident> {
        let columns: &[&str] = match (self.builder.dialect(), function) {
            (Dialect::Snowflake, "flatten") => &["seq", "key", "path", "index", "value", "this"],
            (Dialect::Snowflake, "split_to_table") => &["seq", "index", "value"],
            (Dialect::Mssql, "string_split") => &["value", "ordinal"],
            (Dialect::Mssql, "openjson") => &["key", "value", "type"],
            (Dialect::Mssql, "generate_series") => &["value"],
            (Dialect::Postgres, "json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text") => &["key", "value"],
            _ => &[],
        };
        columns.iter().map(|name| Ident::new(*name)).collect()
    }

    /// Adds a function with a single column, which has the name of the function's alias. Fields of it are `alias.field`.
    pub(super) fn element(
        &mut self,
        function: &str,
        alias: Option<&Ident>,
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        let columns: Vec<Identifier> = alias.into_iter().map(|ident| self.builder.name(ident)).collect();
        self.table_function(function, None, &columns, arguments, scope);
    }

    /// Returns what an XML method such as `value` is called on, in `t.x.value('…', 'int')`.
    pub(super) fn method_receiver(&self, name: &ObjectName) -> Option<Expr> {
        if self.builder.dialect() != Dialect::Mssql {
            return None;
        }
        let parts = identifier::parts(name);
        let (method, receiver) = parts.split_last()?;
        match receiver {
            _ if !is_method_of_xml(&method.value) => None,
            [] => None,
            [column] => Some(Expr::Identifier((*column).clone())),
            parts => Some(Expr::CompoundIdentifier(parts.iter().map(|part| (*part).clone()).collect())),
        }
    }

    /// Adds a source that is named after its path, or after the text of the call that returns it.
    fn named_source(&mut self, text: &str, path: bool, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        let at = self.builder.base;
        let object = if path {
            self.builder.path(text, at)
        } else {
            self.builder.intermediate(ObjectKind::Table, text.to_owned(), at)
        };
        let names = alias.map(|alias| self.builder.name(&alias.name).key).into_iter().collect();
        for column in alias.into_iter().flat_map(|alias| &alias.columns) {
            let name = self.builder.name(&column.name);
            self.builder.column(object, &name);
        }
        scope.items.push(FromItem { names, object });
    }

    /// Reads `TABLE(…)`: a function, a query, or a string that names a table.
    pub(super) fn table_expression(&mut self, expr: &Expr, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        match expr {
            Expr::Function(function) => {
                let args = match &function.args {
                    FunctionArguments::List(list) => list.args.as_slice(),
                    _ => &[],
                };
                self.called_table(&function.name, args, alias, scope);
            }
            Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_) | Value::Placeholder(_)) => {
                let argument = FunctionArg::Unnamed(FunctionArgExpr::Expr(expr.clone()));
                self.named_table(&called(&Ident::new("TABLE"), &[argument]), alias, scope);
            }
            other => {
                let flow = self.expression(other, scope, Clause::SelectList);
                self.function_with_columns("table", alias, &[], flow, scope);
            }
        }
    }

    /// Reads XMLTABLE: every column comes from the documents that are passed.
    pub(super) fn xml_table(
        &mut self,
        passing: &XmlPassingClause,
        columns: &[XmlTableColumn],
        alias: Option<&TableAlias>,
        scope: &mut NameScope<'_>,
    ) {
        let mut flow = DataFlow::default();
        for argument in &passing.arguments {
            flow.join(self.expression(&argument.expr, scope, Clause::SelectList));
        }
        let idents: Vec<&Ident> = columns.iter().map(|column| &column.name).collect();
        self.function_with_columns("xmltable", alias, &idents, flow, scope);
    }

    /// Reads an array that ARRAY JOIN takes apart.
    pub(super) fn array_join(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut NameScope<'_>) {
        let parts: Vec<Ident> = identifier::parts(name).into_iter().cloned().collect();
        let array = match parts.as_slice() {
            [single] => Expr::Identifier(single.clone()),
            _ => Expr::CompoundIdentifier(parts.clone()),
        };
        let flow = self.expression(&array, scope, Clause::SelectList);
        self.element("arrayJoin", alias.map(|alias| &alias.name).or(parts.last()), flow, scope);
    }

    /// Reads a function whose columns are listed by the alias or defined by the function itself.
    pub(super) fn function_with_columns(
        &mut self,
        function: &str,
        alias: Option<&TableAlias>,
        own: &[&Ident],
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        let name = alias.map(|alias| self.builder.name(&alias.name));
        let listed: Vec<&Ident> = alias.into_iter().flat_map(|alias| &alias.columns).map(|def| &def.name).collect();
        let columns = if listed.is_empty() { own } else { &listed };
        let columns: Vec<Identifier> = columns.iter().map(|ident| self.builder.name(ident)).collect();
        self.table_function(function, name, &columns, arguments, scope);
    }

    /// Reads a function that is used as a table: its arguments flow into every column it has. Without a list of
    /// columns, only those that are read are known, and the name of the function may stand for its single column.
    pub(super) fn table_function(
        &mut self,
        function: &str,
        alias: Option<Identifier>,
        columns: &[Identifier],
        arguments: DataFlow,
        scope: &mut NameScope<'_>,
    ) {
        let object = self.builder.intermediate(ObjectKind::Function, function.to_owned(), self.builder.base);
        self.builder.set_arguments(object, arguments);
        for name in columns {
            self.builder.discover_column(object, name);
        }
        if !columns.is_empty() {
            self.builder.mark_complete(object);
        }
        scope.items.push(FromItem { names: alias.map(|alias| alias.key).into_iter().collect(), object });
    }
}

/// Collects the columns that `JSON_TABLE` defines, including those of nested paths.
pub(super) fn json_columns<'q>(columns: &'q [JsonTableColumn], found: &mut Vec<&'q Ident>) {
    for column in columns {
        match column {
            JsonTableColumn::Named(named) => found.push(&named.name),
            JsonTableColumn::ForOrdinality(name) => found.push(name),
            JsonTableColumn::Nested(nested) => json_columns(&nested.columns, found),
        }
    }
}

/// Returns the name that a call such as `IDENTIFIER('t')` is in a place for names.
fn called(name: &Ident, args: &[FunctionArg]) -> ObjectName {
    let function = sqlparser::ast::ObjectNamePartFunction { name: name.clone(), args: args.to_vec() };
    ObjectName(vec![ObjectNamePart::Function(function)])
}

/// Returns the argument of `IDENTIFIER(…)` or `TABLE(…)` that stands for a name.
fn identifier_argument(name: &ObjectName) -> Option<&Expr> {
    match name.0.as_slice() {
        [ObjectNamePart::Function(function)] => function.args.first().and_then(argument),
        _ => None,
    }
}

fn argument(argument: &FunctionArg) -> Option<&Expr> {
    match argument {
        FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. }
        | FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// Returns the text of a literal string.
pub(super) fn literal_string(expression: &Expr) -> Option<&str> {
    let Expr::Value(value) = expression else { return None };
    match &value.value {
        Value::SingleQuotedString(text)
        | Value::NationalStringLiteral(text)
        | Value::DoubleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::SingleQuotedRawStringLiteral(text) => Some(text),
        Value::DollarQuotedString(quoted) => Some(&quoted.value),
        _ => None,
    }
}

/// Returns `true` for a hint such as `NOLOCK`, which old T-SQL writes in parentheses after a table.
fn is_hint(argument: &FunctionArg) -> bool {
    const HINTS: [&str; 16] = [
        "nolock",
        "readuncommitted",
        "readcommitted",
        "readcommittedlock",
        "repeatableread",
        "serializable",
        "holdlock",
        "rowlock",
        "paglock",
        "tablock",
        "tablockx",
        "updlock",
        "xlock",
        "readpast",
        "nowait",
        "noexpand",
    ];
    matches!(argument, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(ident)))
        if HINTS.iter().any(|hint| ident.value.eq_ignore_ascii_case(hint)))
}
