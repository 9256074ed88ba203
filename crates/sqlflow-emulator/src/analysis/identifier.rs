//! Identifiers: their text, their form after case folding, and the comparison of two identifiers.

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart};

use super::SourceRange;
use super::dialect::Dialect;

/// An identifier of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identifier {
    /// The text as written, including quotes.
    pub(super) written: String,
    /// The text in the case that the dialect folds it to, without quotes.
    pub(super) normal: String,
    /// A key that is equal for two identifiers with the same meaning.
    pub(super) key: String,
    pub(super) at: SourceRange,
}

/// The case to which an identifier without quotes is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CaseFolding {
    Upper,
    Lower,
    /// Identifiers are compared without regard to case, with and without quotes.
    Never,
}

fn fold(dialect: Dialect) -> CaseFolding {
    match dialect {
        Dialect::Oracle | Dialect::Snowflake | Dialect::Ansi => CaseFolding::Upper,
        Dialect::Postgres | Dialect::Redshift => CaseFolding::Lower,
        _ => CaseFolding::Never,
    }
}

impl Identifier {
    /// Reads an identifier in a dialect.
    pub(super) fn of(ident: &Ident, dialect: Dialect, at: SourceRange) -> Self {
        let quoted = ident.quote_style.is_some();
        let value = &ident.value;
        let (normal, key) = match fold(dialect) {
            CaseFolding::Never => (value.clone(), value.to_lowercase()),
            _ if quoted => (value.clone(), value.clone()),
            CaseFolding::Upper => (value.to_uppercase(), value.to_uppercase()),
            CaseFolding::Lower => (value.clone(), value.to_lowercase()),
        };
        Self { written: ident.to_string(), normal, key, at }
    }

    /// Creates an identifier that no statement contains.
    pub(super) fn made_up(text: impl Into<String>, dialect: Dialect, at: SourceRange) -> Self {
        Self::of(&Ident::new(text), dialect, at)
    }
}

/// Returns the identifiers of a qualified name. Parts that are function calls are left out.
pub(super) fn parts(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().filter_map(ObjectNamePart::as_ident).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(dialect: Dialect, ident: &Ident) -> String {
        Identifier::of(ident, dialect, SourceRange::default()).key
    }

    #[test]
    fn quotes_distinguish_identifiers_where_the_dialect_says_so() {
        let (bare, quoted) = (Ident::new("orders"), Ident::with_quote('"', "orders"));
        assert_ne!(key(Dialect::Oracle, &bare), key(Dialect::Oracle, &quoted));
        assert_eq!(key(Dialect::Oracle, &bare), key(Dialect::Oracle, &Ident::with_quote('"', "ORDERS")));
        assert_eq!(key(Dialect::Postgres, &bare), key(Dialect::Postgres, &quoted));
        assert_eq!(key(Dialect::Mssql, &bare), key(Dialect::Mssql, &Ident::with_quote('[', "Orders")));
    }
}
