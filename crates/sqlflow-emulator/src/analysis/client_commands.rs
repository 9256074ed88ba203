//! Commands to a command-line client between the statements of a script: `/` and `PROMPT` of SQL*Plus, `DELIMITER` of
//! the MySQL client, `\connect` of psql. A server never receives them, so they are blanked. Where a command ends a
//! statement, a semicolon takes its place. Commands that run another file or copy rows are reported.

use super::dialect::Dialect;

/// The commands of SQL*Plus. An SQL statement never begins with these words.
const SQL_PLUS: [&str; 20] = [
    "accept",
    "clear",
    "column",
    "conn",
    "connect",
    "define",
    "disconnect",
    "host",
    "pause",
    "prompt",
    "rem",
    "remark",
    "show",
    "spool",
    "start",
    "timing",
    "ttitle",
    "undefine",
    "variable",
    "whenever",
];

/// A command that would run or copy something that the script does not contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutsideCommand {
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) text: String,
}

/// Returns the script without the commands, and the commands that were needed to understand it. Every byte keeps its
/// position, so lines and columns do too.
pub(super) fn without_commands(text: &str, dialect: Dialect) -> (String, Vec<OutsideCommand>) {
    let mut reader = CommandFilter {
        dialect,
        context: LexicalContext::Code,
        between: true,
        terminator: None,
        outside: Vec::new(),
        in_data: false,
    };
    let mut written = Vec::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        reader.line(line, &mut written);
    }
    // A character is only replaced as a whole, by as many blanks as it has bytes.
    (String::from_utf8(written).unwrap_or_else(|_| text.to_owned()), reader.outside)
}

/// The lexical context at the current position.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LexicalContext {
    Code,
    Comment,
    Quotes(u8),
}

struct CommandFilter {
    dialect: Dialect,
    context: LexicalContext,
    /// `true` if no statement is open.
    between: bool,
    /// The text that ends a statement instead of a semicolon.
    terminator: Option<Vec<u8>>,
    outside: Vec<OutsideCommand>,
    /// `true` among the rows that follow `COPY … FROM stdin`.
    in_data: bool,
}

impl CommandFilter {
    fn line(&mut self, line: &str, written: &mut Vec<u8>) {
        if self.context != LexicalContext::Code {
            return self.code(line.as_bytes(), written);
        }
        let said = line.trim();
        if self.in_data {
            self.in_data = said != "\\.";
            return blank(line, b' ', written);
        }
        // A dump of PostgreSQL has the rows of a table after this line.
        if matches!(self.dialect, Dialect::Postgres | Dialect::Redshift | Dialect::Generic) && reads_stdin(said) {
            self.in_data = true;
        }
        if let Some(terminator) = self.delimiter(said) {
            self.terminator = (terminator != b";").then_some(terminator);
            self.between = true;
            blank(line, b' ', written);
        } else if said == "/" && self.dialect == Dialect::Oracle {
            self.between = true;
            blank(line, b';', written);
        } else if self.dialect == Dialect::Mssql && ends_batch(said) {
            written.extend_from_slice(line.as_bytes());
            self.between = true;
        } else if self.between && self.is_command(said) {
            if self.leads_outside(said) {
                let indented = line.len() - line.trim_start().len();
                self.outside.push(OutsideCommand { at: written.len() + indented, text: said.to_owned() });
            }
            blank(line, b' ', written);
        } else {
            self.code(line.as_bytes(), written);
        }
    }

    /// Returns the terminator that a `DELIMITER` line sets.
    fn delimiter(&self, line: &str) -> Option<Vec<u8>> {
        let mut words = line.split_ascii_whitespace();
        let is_one = words.next()?.eq_ignore_ascii_case("delimiter")
            && matches!(self.dialect, Dialect::Mysql | Dialect::Generic);
        is_one.then_some(())?;
        words.next().map(|word| word.as_bytes().to_vec())
    }

    fn is_command(&self, line: &str) -> bool {
        let lower = line.to_ascii_lowercase();
        let mut words = lower.trim_end_matches(';').split_ascii_whitespace();
        let Some(first) = words.next() else { return false };
        let second = words.next();
        let leaves = matches!(first, "exit" | "quit")
            && second.is_none_or(|word| matches!(word, "success" | "failure" | "warning") || is_number(word));
        leaves
            || match self.dialect {
                Dialect::Oracle => {
                    // `SET ROLE` and similar statements are SQL.
                    let sets = first == "set"
                        && !second
                            .is_some_and(|word| matches!(word, "role" | "transaction" | "constraint" | "constraints"));
                    sets || first.starts_with('@') || SQL_PLUS.contains(&first)
                }
                Dialect::Postgres | Dialect::Redshift => first.starts_with('\\'),
                Dialect::Mysql => first == "source" || first == "\\.",
                Dialect::Mssql => first.starts_with(':'),
                Dialect::Snowflake => first.starts_with('!'),
                Dialect::Hive => first == "source" || first.starts_with('!'),
                Dialect::Teradata | Dialect::Duckdb => first
                    .strip_prefix('.')
                    .is_some_and(|name| name.starts_with(|letter: char| letter.is_ascii_alphabetic())),
                _ => false,
            }
    }

    /// Returns `true` for a command that runs another file, or copies rows.
    fn leads_outside(&self, line: &str) -> bool {
        let lower = line.to_ascii_lowercase();
        let first = lower.split_ascii_whitespace().next().unwrap_or_default();
        match self.dialect {
            Dialect::Oracle => first.starts_with('@') || matches!(first, "start" | "copy"),
            Dialect::Postgres | Dialect::Redshift => {
                matches!(first, "\\i" | "\\ir" | "\\include" | "\\include_relative" | "\\copy")
            }
            Dialect::Mysql | Dialect::Hive => matches!(first, "source" | "\\."),
            Dialect::Mssql => first == ":r",
            Dialect::Snowflake => matches!(first, "!source" | "!load"),
            Dialect::Teradata => matches!(first, ".run" | ".import" | ".export"),
            Dialect::Duckdb => matches!(first, ".read" | ".import"),
            _ => false,
        }
    }

    /// Copies SQL, and replaces the client's terminator by a semicolon.
    fn code(&mut self, line: &[u8], written: &mut Vec<u8>) {
        let mut at = 0;
        while at < line.len() {
            let rest = &line[at..];
            if self.context == LexicalContext::Code && rest.starts_with(b"--") {
                break;
            }
            let length = self.step(rest);
            let ends = self.context == LexicalContext::Code && self.ends_statement(rest);
            match &self.terminator {
                Some(terminator) if ends => {
                    at += terminator.len();
                    written.push(b';');
                    written.extend(std::iter::repeat_n(b' ', terminator.len() - 1));
                }
                _ => {
                    at += length;
                    written.extend_from_slice(&rest[..length]);
                }
            }
            if ends {
                self.between = true;
            } else if self.context != LexicalContext::Comment
                && !rest[0].is_ascii_whitespace()
                && !rest.starts_with(b"*/")
            {
                self.between = false;
            }
        }
        written.extend_from_slice(line.get(at..).unwrap_or_default());
    }

    fn ends_statement(&self, rest: &[u8]) -> bool {
        match &self.terminator {
            Some(terminator) => rest.starts_with(terminator),
            None => rest[0] == b';',
        }
    }

    /// Enters and leaves comments and quotes. Returns the number of bytes that belong together.
    fn step(&mut self, rest: &[u8]) -> usize {
        match (self.context, rest[0]) {
            (LexicalContext::Code, b'/') if rest.starts_with(b"/*") => self.enter(LexicalContext::Comment, 2),
            (LexicalContext::Code, quote @ (b'\'' | b'"' | b'`')) => self.enter(LexicalContext::Quotes(quote), 1),
            (LexicalContext::Comment, b'*') if rest.starts_with(b"*/") => self.enter(LexicalContext::Code, 2),
            (LexicalContext::Quotes(_), b'\\') if self.dialect.has_backslash_escapes() => rest.len().min(2),
            (LexicalContext::Quotes(quote), byte) if byte == quote => {
                self.context = LexicalContext::Code;
                1
            }
            _ => 1,
        }
    }

    fn enter(&mut self, context: LexicalContext, length: usize) -> usize {
        self.context = context;
        length
    }
}

fn ends_batch(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    words.next().is_some_and(|word| word.trim_end_matches(';').eq_ignore_ascii_case("go"))
        && words.next().is_none_or(|word| is_number(word) || word.starts_with("--"))
}

fn reads_stdin(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    lower.starts_with("copy ") && lower.ends_with(';') && lower.contains(" from stdin")
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a command line as blanks, beginning with the given byte.
fn blank(line: &str, first: u8, written: &mut Vec<u8>) {
    let from = written.len();
    written.extend(line.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { byte } else { b' ' }));
    if let Some(byte) = written.get_mut(from).filter(|byte| **byte == b' ') {
        *byte = first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_plus_commands_are_blanked_between_statements() {
        let sql = "PROMPT it's ä\nset define off\nselect a\nfrom t\n/\nupdate t\nset a = 1;\n@next.sql\nexit\n";
        let blanks = " ".repeat("PROMPT it's ä".len());
        let left = format!(
            "{blanks}\n{blanks}\nselect a\nfrom t\n;\nupdate t\nset a = 1;\n{}\n    \n",
            " ".repeat("@next.sql".len())
        );
        let (written, outside) = without_commands(sql, Dialect::Oracle);
        assert_eq!(written, left);
        assert_eq!(outside.iter().map(|command| command.text.as_str()).collect::<Vec<_>>(), ["@next.sql"]);
    }

    #[test]
    fn a_slash_in_a_comment_or_a_string_is_unchanged() {
        for sql in ["/*\n/\n*/ select 1", "select 'a\n/\nb' from t", "select a\n/ b from t"] {
            assert_eq!(without_commands(sql, Dialect::Oracle).0, sql);
        }
        assert_eq!(without_commands("select a\n/\nb", Dialect::Postgres).0, "select a\n/\nb");
    }

    #[test]
    fn a_delimiter_ends_statements_until_it_is_changed_back() {
        let sql = "delimiter //\ncreate procedure p() begin select '//'; end//\nDELIMITER ;\nselect 1; select 4 // 2;";
        let left = "            \ncreate procedure p() begin select '//'; end; \n           \nselect 1; select 4 // 2;";
        assert_eq!(without_commands(sql, Dialect::Mysql).0, left);
    }
}
