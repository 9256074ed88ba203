//! Statements: dispatches each kind to the code that reads it, and descends into blocks.

use sha2::{Digest as _, Sha256};
use sqlparser::ast::{
    BinaryOperator, ConditionalStatementBlock, ConditionalStatements, CreateFunction, CreateFunctionBody,
    CreateProcedureBody, DataType, Declare, Expr, Ident, MacroDefinition, ObjectName, ReturnStatementValue, Statement,
};

use super::inert::has_no_lineage;
use super::query::RecordSetRole;
use super::resolution::NameScope;
use super::table_functions::literal_string;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, hexadecimal, identifier};

/// The maximum depth of statements that other statements contain as text.
const MAX_TEXT_DEPTH: usize = 8;

impl StatementWalker<'_> {
    /// Reads a statement with the given text.
    pub(super) fn statement(&mut self, statement: &Statement, text: &str) {
        self.builder.routine.clone_from(&self.routine);
        match statement {
            Statement::Query(query) => {
                if !self.swap_partitions(query, text) {
                    let result = self.query(query, &RecordSetRole::Result, None);
                    self.assign_named_columns(result);
                }
            }
            Statement::Insert(insert) => self.insert(insert, text),
            Statement::CreateTable(create) => self.create_table(create, text),
            Statement::CreateView(create) => self.create_view(create, text),
            Statement::AlterView(alter) => self.alter_view(alter, text),
            Statement::Update(update) => self.update(update, text),
            Statement::Delete(delete) => self.delete(delete, text),
            Statement::Merge(merge) => self.merge(merge, text),
            Statement::AlterTable(alter) => self.alter_table(alter, text),
            Statement::Use(use_statement) => self.use_statement(use_statement),
            Statement::RenameTable(renamed) => {
                self.begin_statement("Rename Table", "sstaltertable", text);
                for rename in renamed {
                    self.rename_table(&rename.old_name, &rename.new_name);
                }
            }
            Statement::CreateForeignTable(create) => {
                let table = self.table_named(&create.name, ObjectKind::Table);
                create.columns.iter().for_each(|column| self.define(table, column));
            }
            Statement::Cache { table_name, query: Some(query), .. } => {
                let result = self.query(query, &RecordSetRole::Result, None);
                self.begin_statement("Create Table", "sstcreatetable", text);
                let table = self.table_named(table_name, ObjectKind::Table);
                self.create_from(result, table, Effect::CreateTable, &[]);
            }
            Statement::Copy { .. }
            | Statement::CopyIntoSnowflake { .. }
            | Statement::Unload { .. }
            | Statement::LoadData { .. }
            | Statement::Directory { .. }
            | Statement::ExportData(_)
            | Statement::Put { .. } => self.transfer(statement, text),
            other => self.block_or_other(other, text),
        }
        self.builder.process = None;
    }

    /// Reads statements that contain others, and those that run or define routines.
    fn block_or_other(&mut self, statement: &Statement, text: &str) {
        match statement {
            Statement::CreateProcedure { name, body, .. } => self.procedure(name, body),
            Statement::StartTransaction { statements, exception, .. } => {
                self.statements(statements);
                exception.iter().flatten().for_each(|handler| self.statements(&handler.statements));
            }
            Statement::If(branches) => {
                self.conditional(&branches.if_block);
                branches.elseif_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::Case(branches) => {
                branches.when_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::While(repeated) => self.conditional(&repeated.while_block),
            // EXPLAIN ANALYZE runs the statement.
            Statement::Prepare { statement, .. } | Statement::Explain { analyze: true, statement, .. } => {
                self.statement(statement, text);
            }
            Statement::Declare { stmts, .. } => stmts.iter().for_each(|declared| self.declared(declared)),
            Statement::Set(set) => self.set(set),
            Statement::Return(returned) => {
                self.queries_of(returned.value.iter().map(|ReturnStatementValue::Expr(value)| value));
            }
            Statement::Execute { name, parameters, immediate, .. } => {
                self.execute(name.as_ref(), parameters, *immediate);
            }
            Statement::Call(function) => self.call(&function.name),
            other => self.definition_or_other(other),
        }
    }

    fn definition_or_other(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateFunction(create) => self.create_function(create),
            Statement::CreateTrigger(create) => {
                let advice = "upload what it does as a script of its own";
                self.skip_statement_with(&format!("what trigger {} does is", create.name), advice);
            }
            Statement::CreateRule(create) => {
                let advice = "upload what it does as a script of its own";
                self.skip_statement_with(&format!("what rule {} does is", create.name), advice);
            }
            Statement::CreateMacro { name, definition: MacroDefinition::Table(_), .. } => {
                let advice = "upload its query as a view";
                self.skip_statement_with(&format!("the query of macro {name} is"), advice);
            }
            Statement::CreateSchema { clone: Some(original), .. }
            | Statement::CreateDatabase { clone: Some(original), .. } => {
                let advice = "clone its tables one by one";
                self.skip_statement_with(&format!("which tables the clone of {original} contains is"), advice);
            }
            other if has_no_lineage(other) => {}
            other => {
                let kind = other.to_string();
                let kind = kind.split_whitespace().next().unwrap_or_default().to_owned();
                self.skip_statement(&format!("the statement {kind} is"));
            }
        }
    }

    fn procedure(&mut self, name: &ObjectName, body: &CreateProcedureBody) {
        self.builder.define_routine(name);
        let outer = self.routine.replace(name.to_string());
        match body {
            CreateProcedureBody::As(body) => self.block(body),
            CreateProcedureBody::BeginAtomic(body) => self.statements(&body.statements),
        }
        self.routine = outer;
        self.builder.routine.clone_from(&self.routine);
    }

    /// Reads the definition of a function. One that only computes has no lineage of its own.
    fn create_function(&mut self, create: &CreateFunction) {
        let is_sql = create.language.as_ref().is_none_or(|language| {
            ["sql", "plpgsql", "plsql", "tsql"].iter().any(|known| language.value.eq_ignore_ascii_case(known))
        });
        let body = match &create.function_body {
            Some(
                CreateFunctionBody::AsBeforeOptions { body, .. }
                | CreateFunctionBody::AsAfterOptions(body)
                | CreateFunctionBody::Return(body)
                | CreateFunctionBody::AsReturnExpr(body),
            ) => body.to_string(),
            Some(CreateFunctionBody::AsBeginEnd(block) | CreateFunctionBody::BeginAtomic(block)) => block.to_string(),
            Some(CreateFunctionBody::AsReturnSelect(select)) => select.to_string(),
            None => return,
        };
        self.builder.define_routine(&create.name);
        let words: Vec<String> = body
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_')
            .map(str::to_ascii_lowercase)
            .collect();
        let has = |word: &str| words.iter().any(|known| known == word);
        let reads = has("select") && has("from") || ["insert", "update", "delete", "merge"].into_iter().any(has);
        if is_sql && reads {
            let advice = "upload its statements as a script of their own";
            self.skip_statement_with(&format!("the body of function {} is", create.name), advice);
        }
    }

    /// Reads a declaration: table variables have columns, cursors and values may have queries.
    fn declared(&mut self, declared: &Declare) {
        if let Some(DataType::Table(Some(columns))) = &declared.data_type {
            for name in &declared.names {
                let table = self.builder.stored(&ObjectName::from(vec![name.clone()]), ObjectKind::Table);
                for column in columns {
                    self.define(table, column);
                }
                self.builder.mark_complete(table);
            }
        } else {
            self.declaration(declared);
        }
    }

    /// Reads the queries in values that no column receives.
    fn queries_of<'e>(&mut self, values: impl IntoIterator<Item = &'e Expr>) {
        for value in values {
            self.expression(value, &NameScope::within(None), Clause::Unknown);
        }
    }

    /// Reads EXECUTE: of text that the statement contains, or of a routine.
    fn execute(&mut self, name: Option<&ObjectName>, parameters: &[Expr], immediate: bool) {
        let routine = name.and_then(|name| identifier::parts(name).last().map(|ident| ident.value.to_lowercase()));
        if routine.as_deref() == Some("sp_rename") && self.renamed_by_procedure(parameters) {
            return;
        }
        let runs_text = immediate || name.is_none() || routine.as_deref() == Some("sp_executesql");
        match (name, parameters.first()) {
            (_, Some(text)) if runs_text => match whole_text(text) {
                Some(text) => self.executed(&text),
                None => self.note_omission_with(
                    "the text that EXECUTE runs, which is not a literal, is",
                    "upload the statement that it becomes",
                ),
            },
            (Some(name), _) => self.call(name),
            (None, _) => self.note_omission_with("what EXECUTE runs is", "upload the statement that it becomes"),
        }
    }

    /// Reads statements that a statement contains as text.
    fn executed(&mut self, text: &str) {
        let depth = self.text_depth;
        self.text_depth += 1;
        match self.parsed_text(text).filter(|_| depth < MAX_TEXT_DEPTH) {
            Some(statements) => statements.iter().for_each(|inner| self.statement(inner, text)),
            None => self.skip_statement_with("the text that EXECUTE runs is", "upload it as a script of its own"),
        }
        self.text_depth = depth;
    }

    /// Parses statements that a statement contains as text.
    pub(super) fn parsed_text(&self, text: &str) -> Option<Vec<Statement>> {
        let tokens = self.tokens_of(text)?;
        if super::nesting::is_too_deep(text.len(), &tokens) {
            return None;
        }
        super::script::parse(&tokens, self.builder.dialect()).ok()
    }

    /// Reads the call of a routine in PL/SQL. Those of the database itself write no tables.
    pub(super) fn call_without_a_word(&mut self, name: &ObjectName) {
        let text = name.to_string().to_lowercase();
        let own = ["dbms_", "utl_", "sys.", "raise_application_error", "apex_"];
        if !own.iter().any(|prefix| text.starts_with(prefix)) {
            self.call(name);
        }
    }

    fn call(&mut self, name: &ObjectName) {
        if !self.builder.knows_routine(name) {
            self.note_omission_with(
                &format!("what routine {name} does is"),
                "upload its definition before this script",
            );
        }
    }

    /// Reads `sp_rename 't', 'u'` of a table or a column. Returns `false` if the names are not literals.
    fn renamed_by_procedure(&mut self, parameters: &[Expr]) -> bool {
        let texts: Vec<String> = parameters.iter().filter_map(whole_text).collect();
        if texts.len() != parameters.len() {
            return false;
        }
        let [old, new, kind @ ..] = texts.as_slice() else { return false };
        let Some(old) = self.parsed_name(old) else { return false };
        // The new name is one identifier, whatever it contains.
        let new = Ident::with_quote('[', new.clone());
        let parts: Vec<Ident> = identifier::parts(&old).into_iter().cloned().collect();
        let Some((last, qualifiers)) = parts.split_last() else { return false };
        match kind.first().map(|kind| kind.to_ascii_uppercase()).as_deref() {
            Some("COLUMN") => {
                let table = self.table_named(&ObjectName::from(qualifiers.to_vec()), ObjectKind::Table);
                self.rename_column(table, last, &new);
            }
            None | Some("OBJECT") => {
                let renamed: Vec<Ident> = qualifiers.iter().cloned().chain(std::iter::once(new)).collect();
                self.begin_statement("Rename Table", "sstaltertable", &old.to_string());
                self.rename_table(&old, &ObjectName::from(renamed));
            }
            Some(_) => {}
        }
        true
    }

    /// Reports a statement that was parsed but gives no lineage although it should.
    pub(super) fn skip_statement(&mut self, what: &str) {
        self.builder.not_understood();
        self.report_omission(what);
    }

    /// Reports a statement that was parsed but gives no lineage although it should, and what to do about it.
    pub(super) fn skip_statement_with(&mut self, what: &str, advice: &str) {
        self.builder.not_understood();
        self.report_omission_with(what, advice);
    }

    fn block(&mut self, block: &ConditionalStatements) {
        self.statements(block.statements());
    }

    fn conditional(&mut self, block: &ConditionalStatementBlock) {
        self.block(&block.conditional_statements);
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement, &statement.to_string());
        }
    }

    /// Starts the process of the statement.
    pub(super) fn begin_statement(&mut self, step: &str, kind: &'static str, text: &str) {
        let hash = hexadecimal(&Sha256::digest(text.as_bytes())[..16]);
        let at = self.builder.base;
        self.builder.start_process(self.routine.as_deref(), step, kind, hash, at);
    }

    pub(super) fn target_column(&mut self, table: ObjectIndex, ident: &Ident) -> ColumnIndex {
        let name = self.builder.name(ident);
        self.builder.column(table, &name)
    }
}

/// Returns the text of a literal string, or of several that are joined.
fn whole_text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Nested(inner) => whole_text(inner),
        Expr::BinaryOp { left, op: BinaryOperator::Plus | BinaryOperator::StringConcat, right } => {
            Some(whole_text(left)? + &whole_text(right)?)
        }
        other => literal_string(other).map(str::to_owned),
    }
}
