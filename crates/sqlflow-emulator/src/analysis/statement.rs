//! Statements: dispatches each kind to the code that reads it, and descends into blocks.

use sha2::{Digest as _, Sha256};
use sqlparser::ast::{ConditionalStatementBlock, ConditionalStatements, CreateProcedureBody, Ident, Statement};

use super::query::RecordSetRole;
use super::walker::StatementWalker;
use super::{ColumnIndex, ObjectIndex, hexadecimal};

impl StatementWalker<'_> {
    /// Reads a statement with the given text.
    pub(super) fn statement(&mut self, statement: &Statement, text: &str) {
        match statement {
            Statement::Query(query) => {
                let result = self.query(query, &RecordSetRole::Result, None);
                self.assign_named_columns(result);
            }
            Statement::Insert(insert) => self.insert(insert, text),
            Statement::CreateTable(create) => self.create_table(create, text),
            Statement::CreateView(create) => self.create_view(create, text),
            Statement::Update(update) => self.update(update, text),
            Statement::Delete(delete) => self.delete(delete, text),
            Statement::Merge(merge) => self.merge(merge, text),
            Statement::AlterTable(alter) => self.alter_table(alter, text),
            Statement::Use(use_statement) => self.use_statement(use_statement),
            other => self.routine_or_other(other),
        }
        self.builder.process = None;
    }

    fn routine_or_other(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateProcedure { name, body, .. } => {
                let outer = self.routine.replace(name.to_string());
                match body {
                    CreateProcedureBody::As(body) => self.block(body),
                    CreateProcedureBody::BeginAtomic(body) => self.statements(&body.statements),
                }
                self.routine = outer;
            }
            Statement::Declare { stmts, .. } => self.declarations(stmts),
            Statement::Set(set) => self.set(set),
            Statement::StartTransaction { statements, .. } => self.statements(statements),
            Statement::If(branches) => {
                self.conditional(&branches.if_block);
                branches.elseif_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::Case(branches) => {
                branches.when_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::While(repeated) => self.conditional(&repeated.while_block),
            Statement::CreateFunction(create) => {
                self.skip_statement(&format!("the body of function {} is", create.name));
            }
            Statement::CreateTrigger(create) => self.skip_statement(&format!("the body of trigger {} is", create.name)),
            Statement::Execute { .. } => self.note_omission("the routine or text that EXECUTE runs is"),
            Statement::Copy { .. }
            | Statement::CopyIntoSnowflake { .. }
            | Statement::Unload { .. }
            | Statement::LoadData { .. } => {
                self.skip_statement("the transfer between a table and files is");
            }
            _ => {}
        }
    }

    /// Reports a statement that was parsed but gives no lineage although it should.
    pub(super) fn skip_statement(&mut self, what: &str) {
        self.builder.not_understood();
        self.report_omission(what);
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
