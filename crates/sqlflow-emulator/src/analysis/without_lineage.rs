//! Statements that have no lineage, and need no grammar for that reason: privileges, settings, maintenance, sessions.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::dialect::Dialect;

/// The first words of statements that read and write no table's rows, or only show something. `*` stands for any word.
const BEGINNINGS: [&str; 114] = [
    "add archive",
    "add file",
    "add jar",
    "alter database",
    "alter default",
    "alter index",
    "alter login",
    "alter materialized",
    "alter procedure * compile",
    "alter role",
    "alter schema",
    "alter sequence",
    "alter server",
    "alter session",
    "alter system",
    "alter table * * check",
    "alter table * * disable",
    "alter table * * enable",
    "alter table * * nocheck",
    "alter table * check",
    "alter table * disable",
    "alter table * enable",
    "alter table * nocheck",
    "alter tablespace",
    "alter trigger",
    "alter type",
    "alter user",
    "alter warehouse",
    "analyze",
    "audit",
    "backup",
    "bt",
    "checkpoint",
    "clear cache",
    "collect",
    "comment on",
    "compute stats",
    "create bitmap index",
    "create cast",
    "create clustered index",
    "create database",
    "create extension",
    "create file",
    "create fulltext",
    "create index",
    "create login",
    "create network",
    "create nonclustered index",
    "create resource",
    "create role",
    "create schema",
    "create sequence",
    "create server",
    "create statistics",
    "create storage",
    "create tablespace",
    "create type",
    "create unique",
    "create user",
    "create warehouse",
    "database",
    "dbcc",
    "deny",
    "desc",
    "describe",
    "dfs",
    "disable trigger",
    "discard",
    "drop",
    "enable trigger",
    "et",
    "exchange",
    "explain",
    "flush",
    "generate statistics",
    "grant",
    "groom",
    "help",
    "install",
    "invalidate metadata",
    "kill",
    "list",
    "listen",
    "load extension",
    "lock",
    "msck",
    "noaudit",
    "notify",
    "optimize",
    "pragma",
    "purge",
    "refresh",
    "reindex",
    "rename user",
    "reset",
    "restore",
    "revert",
    "revoke",
    "set",
    "show",
    "shutdown",
    "suspend",
    "system",
    "truncate",
    "uncache",
    "undrop",
    "unlock",
    "unset",
    "update statistics",
    "use",
    "vacuum",
    "validate",
    "waitfor",
    "zorder",
];

/// Returns `true` for a statement that is known to have no lineage.
pub(super) fn is_without_lineage(tokens: &[TokenWithSpan], dialect: Dialect) -> bool {
    let words: Vec<String> = words(tokens);
    let begins = |beginning: &str| {
        let mut parts = beginning.split(' ').enumerate();
        parts.all(|(index, part)| part == "*" || words.get(index).is_some_and(|word| word == part))
    };
    // `SET` of T-SQL may assign a variable, and other statements may follow `USE` without a semicolon.
    let matters = words.first().is_some_and(|word| matches!(word.as_str(), "set" | "use")) && dialect == Dialect::Mssql;
    // The body of a type has routines.
    let has_body = words.iter().take(6).any(|word| word == "body");
    !matters && !has_body && BEGINNINGS.iter().any(|beginning| begins(beginning)) || is_foreign_function(&words)
}

/// Returns `true` for a function whose code is in a library: `CREATE FUNCTION f AS 'class' USING JAR …`.
fn is_foreign_function(words: &[String]) -> bool {
    let creates = words.first().is_some_and(|word| word == "create");
    let function = words.iter().take(5).position(|word| word == "function");
    creates
        && function.is_some_and(|at| words.get(at + 2).is_some_and(|word| word == "as") && words.len() > at + 3)
        && !words.iter().any(|word| matches!(word.as_str(), "begin" | "select" | "return"))
}

/// Returns the first words of a statement in lower case. Other tokens are left out.
fn words(tokens: &[TokenWithSpan]) -> Vec<String> {
    let words = tokens.iter().filter_map(|token| match &token.token {
        Token::Word(word) => Some(word.value.to_ascii_lowercase()),
        Token::SingleQuotedString(_) => Some("'".to_owned()),
        _ => None,
    });
    words.take(12).collect()
}
