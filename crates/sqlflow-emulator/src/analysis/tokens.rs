//! Questions about the tokens of a statement.

use std::borrow::Borrow;

use sqlparser::tokenizer::{Token, TokenWithSpan};

pub(super) fn is_blank(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Whitespace(_))
}

/// Returns `true` for one of some words, in any case. A name in quotes is not a word.
pub(super) fn is_one_of(token: &Token, words: &[&str]) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && words.iter().any(|known| word.value.eq_ignore_ascii_case(known)))
}

/// Returns the tokens that are outside of all parentheses. Of these, only the closing ones are among them.
pub(super) fn outside_parentheses<T: Borrow<TokenWithSpan>>(tokens: &[T]) -> impl Iterator<Item = usize> {
    let mut depth = 0_usize;
    (0..tokens.len()).filter(move |index| {
        match tokens[*index].borrow().token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })
}
