//! Refuses scripts whose syntax tree would be too deep to walk.
//!
//! The parser limits the depth of parentheses, but the tree of `a + a + a …` is as deep as it has operands, and no
//! stack is large enough for a script that consists of nothing else. A stack overflow would end the whole process.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Whitespace};

/// The size below which a piece cannot be too deep.
const HARMLESS_BYTES: usize = 20_000;

/// The maximum number of tokens of an expression. Tokens in parentheses are not counted twice.
const MAX_EXPRESSION_TOKENS: usize = 20_000;

/// The maximum number of queries that are combined by UNION and similar operators.
const MAX_SET_OPERATIONS: usize = 2_000;

/// Returns `true` if the tree of a piece of a script may be too deep.
pub(super) fn is_too_deep(bytes: usize, tokens: &[TokenWithSpan]) -> bool {
    let mut depth = NestingDepth::default();
    bytes >= HARMLESS_BYTES && tokens.iter().any(|token| depth.add(&token.token))
}

/// An upper bound of the depth of the tree at a token.
#[derive(Default)]
struct NestingDepth {
    /// The numbers of tokens of the expressions around the innermost open bracket.
    outer: Vec<usize>,
    outer_sum: usize,
    /// The number of tokens of the expression so far.
    current: usize,
    set_operations: usize,
    /// `true` if the last token was an operand, which only an operator can follow.
    after_operand: bool,
    /// `true` if the line has had no token yet.
    fresh_line: bool,
}

impl NestingDepth {
    fn add(&mut self, token: &Token) -> bool {
        if let Token::Whitespace(space) = token {
            self.fresh_line |= matches!(space, Whitespace::Newline);
            return false;
        }
        if self.begins_statement(token) {
            *self = Self::default();
        }
        self.fresh_line = false;
        self.after_operand = is_operand(token);
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                self.outer_sum += self.current + 1;
                self.outer.push(std::mem::take(&mut self.current) + 1);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                self.current = self.outer.pop().unwrap_or_default();
                self.outer_sum -= self.current;
            }
            // The text after a comma does not continue the expression before it.
            Token::Comma => self.current = 0,
            Token::SemiColon => *self = Self::default(),
            Token::Word(word) if is_set_operator(&word.value) => self.set_operations += 1,
            _ => self.current += 1,
        }
        self.outer_sum + self.current > MAX_EXPRESSION_TOKENS || self.set_operations > MAX_SET_OPERATIONS
    }
}

impl NestingDepth {
    /// Returns `true` if a statement begins although no semicolon ended the one before, as in T-SQL. An expression
    /// never continues with such a word after an operand.
    fn begins_statement(&self, token: &Token) -> bool {
        const WORDS: [&str; 9] =
            ["insert", "update", "delete", "merge", "create", "alter", "drop", "truncate", "declare"];
        self.fresh_line
            && self.after_operand
            && self.outer.is_empty()
            && matches!(token, Token::Word(word) if word.quote_style.is_none()
                && WORDS.iter().any(|known| word.value.eq_ignore_ascii_case(known)))
    }
}

/// Returns `true` if a token ends an operand. Most keywords do not.
fn is_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword == Keyword::NoKeyword,
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen => true,
        _ => false,
    }
}

fn is_set_operator(word: &str) -> bool {
    ["union", "intersect", "except", "minus"].iter().any(|operator| word.eq_ignore_ascii_case(operator))
}

#[cfg(test)]
mod tests {
    use sqlparser::dialect::OracleDialect;
    use sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn too_deep(sql: &str) -> bool {
        is_too_deep(sql.len(), &Tokenizer::new(&OracleDialect {}, sql).tokenize_with_location().unwrap())
    }

    #[test]
    fn a_chain_of_operators_is_as_deep_as_it_is_long() {
        assert!(!too_deep(&format!("select {} from t", vec!["a"; 9_000].join(" + "))));
        assert!(too_deep(&format!("select {} from t", vec!["a"; 11_000].join(" + "))));
        assert!(too_deep(&format!("select {} from t", vec!["f(a, b)"; 60_000].join(" + "))));
        assert!(too_deep(&format!("select {} from t", vec!["','"; 60_000].join(" || "))));
        assert!(too_deep(&format!("select 1; select {} from t; select 'x'", vec!["a"; 11_000].join(" + "))));
    }

    #[test]
    fn long_lists_are_not_deep() {
        assert!(!too_deep(&format!("insert into t values {}", vec!["(1, 'a', -2)"; 60_000].join(", "))));
        assert!(!too_deep(&"insert into t (a) select a + b from s;\n".repeat(20_000)));
    }

    #[test]
    fn statements_without_semicolons_are_counted_one_by_one() {
        assert!(!too_deep(&"insert into t (a)\nselect a + b from s\n".repeat(20_000)));
        assert!(too_deep(&format!("select {} from t", vec!["a"; 11_000].join("\n+\nupdate\n+ "))));
    }

    #[test]
    fn combined_queries_are_counted_across_their_columns() {
        assert!(!too_deep(&vec!["select a, b from t"; 1_900].join(" union all ")));
        assert!(too_deep(&vec!["select a, b from t"; 2_100].join(" union all ")));
    }
}
