//! Statements with a clause that nobody knows: the clause is skipped, and reported, rather than the statement lost.

use sqlparser::ast::Statement;
use sqlparser::keywords::Keyword;
use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::dialect::Dialect;
use super::script::{parse, position_of};
use super::tokens::is_blank;

/// The maximum number of clauses that are skipped in one statement.
const MAX_SKIPPED: usize = 4;

/// The longest text of a skipped clause that a message quotes.
const MAX_QUOTED: usize = 60;

/// Statements that were understood except for the clauses that were skipped.
pub(super) struct Recovered {
    pub(super) statements: Vec<Statement>,
    pub(super) skipped: Vec<Skipped>,
}

/// A clause that was skipped.
pub(super) struct Skipped {
    pub(super) text: String,
    pub(super) at: Location,
}

/// Skips the clauses at which the parser stops, as long as each of them lets it come further.
pub(super) fn recover(tokens: &[TokenWithSpan], dialect: Dialect, error: &ParserError) -> Option<Recovered> {
    let mut tokens: Vec<TokenWithSpan> = tokens.iter().filter(|token| !is_blank(token)).cloned().collect();
    if !tokens.first().is_some_and(|first| begins_lineage(&first.token)) {
        return None;
    }
    let mut stop = stopped_at(&tokens, error)?;
    let mut skipped = Vec::new();
    while skipped.len() < MAX_SKIPPED {
        let (rest, clause, outcome) = clause_ends(&tokens, stop)
            .into_iter()
            .filter(|end| *end > stop && may_be_skipped(&tokens[stop..*end]))
            .map(|end| {
                let mut rest = tokens.clone();
                let clause: Vec<TokenWithSpan> = rest.drain(stop..end).collect();
                let outcome = parse(&rest, dialect);
                (rest, clause, outcome)
            })
            .max_by_key(|(rest, clause, outcome)| progress(rest, clause.len(), outcome))?;
        skipped.push(Skipped { text: quoted(&clause), at: clause.first()?.span.start });
        match outcome {
            Ok(statements) => return (!statements.is_empty()).then_some(Recovered { statements, skipped }),
            Err(error) => {
                let next = stopped_at(&rest, &error)?;
                if next < stop {
                    return None;
                }
                (tokens, stop) = (rest, next);
            }
        }
    }
    None
}

/// Orders the attempts: the first that parses, and of the others the one that comes furthest.
fn progress(
    rest: &[TokenWithSpan],
    dropped: usize,
    outcome: &Result<Vec<Statement>, ParserError>,
) -> (bool, usize, std::cmp::Reverse<usize>) {
    match outcome {
        Ok(_) => (true, 0, std::cmp::Reverse(dropped)),
        Err(error) => (false, stopped_at(rest, error).unwrap_or_default(), std::cmp::Reverse(dropped)),
    }
}

/// Returns `true` for a word that begins a statement with lineage.
fn begins_lineage(token: &Token) -> bool {
    matches!(token, Token::LParen)
        || matches!(token, Token::Word(word) if matches!(
            word.keyword,
            Keyword::SELECT
                | Keyword::WITH
                | Keyword::INSERT
                | Keyword::UPDATE
                | Keyword::DELETE
                | Keyword::MERGE
                | Keyword::CREATE
                | Keyword::REPLACE
                | Keyword::ALTER
                | Keyword::FROM
        ))
}

/// Returns `true` for a clause that can be skipped without losing lineage. One with tables cannot, and a single name is
/// rather a slip of the pen than a clause.
fn may_be_skipped(clause: &[TokenWithSpan]) -> bool {
    let has_tables = |token: &TokenWithSpan| {
        matches!(&token.token, Token::Word(word) if matches!(
            word.keyword,
            Keyword::SELECT | Keyword::FROM | Keyword::JOIN | Keyword::INSERT | Keyword::UPDATE | Keyword::MERGE
        ))
    };
    let is_name =
        matches!(clause, [TokenWithSpan { token: Token::Word(word), .. }] if word.keyword == Keyword::NoKeyword);
    !is_name && !clause.iter().any(has_tables)
}

/// Returns the token that the parser did not expect.
fn stopped_at(tokens: &[TokenWithSpan], error: &ParserError) -> Option<usize> {
    let place = position_of(error).filter(|place| place.line > 0)?;
    tokens.iter().position(|token| token.span.start == place)
}

/// Returns the tokens at which a clause that begins at a token may end: those that begin the next clause, and the end
/// of the parentheses around it.
fn clause_ends(tokens: &[TokenWithSpan], begin: usize) -> Vec<usize> {
    const NEXT: [Keyword; 20] = [
        Keyword::AS,
        Keyword::SELECT,
        Keyword::FROM,
        Keyword::WHERE,
        Keyword::GROUP,
        Keyword::HAVING,
        Keyword::ORDER,
        Keyword::UNION,
        Keyword::INTERSECT,
        Keyword::EXCEPT,
        Keyword::JOIN,
        Keyword::LEFT,
        Keyword::INNER,
        Keyword::ON,
        Keyword::SET,
        Keyword::VALUES,
        Keyword::USING,
        Keyword::WHEN,
        Keyword::LIMIT,
        Keyword::INTO,
    ];
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate().skip(begin) {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => {
                found.push(index);
                return found;
            }
            Token::RParen => {
                depth -= 1;
                if depth == 0 {
                    found.push(index + 1);
                }
            }
            Token::SemiColon => break,
            Token::Comma if depth == 0 => found.push(index),
            Token::Word(word) if depth == 0 && index > begin && NEXT.contains(&word.keyword) => found.push(index),
            _ => {}
        }
        if found.len() > 12 {
            break;
        }
    }
    found.push(tokens.len());
    found
}

fn quoted(clause: &[TokenWithSpan]) -> String {
    let text = clause.iter().map(|token| token.token.to_string()).collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn recovered(sql: &str) -> Option<(String, Vec<String>)> {
        let dialect = Dialect::Ansi;
        let tokens = Tokenizer::new(dialect.grammar(), sql).tokenize_with_location().unwrap();
        let error = parse(&tokens, dialect).unwrap_err();
        let recovered = recover(&tokens, dialect, &error)?;
        let statements: Vec<String> = recovered.statements.iter().map(ToString::to_string).collect();
        Some((statements.join("; "), recovered.skipped.into_iter().map(|skipped| skipped.text).collect()))
    }

    #[test]
    fn an_unknown_clause_is_skipped_and_named() {
        let (statement, skipped) = recovered("CREATE TABLE t FROBNICATE 3 AS SELECT a FROM s").unwrap();
        assert_eq!(statement, "CREATE TABLE t AS SELECT a FROM s");
        assert_eq!(skipped, ["FROBNICATE 3"]);
        let (statement, skipped) = recovered("SELECT a FROM s FROBNICATE BY (1, 2)").unwrap();
        assert_eq!(statement, "SELECT a FROM s FROBNICATE");
        assert_eq!(skipped, ["BY ( 1 , 2 )"]);
    }

    #[test]
    fn text_that_is_no_statement_is_not_recovered() {
        assert_eq!(recovered("frobnicate the table"), None);
        assert_eq!(recovered("select a frm s"), None);
    }
}
