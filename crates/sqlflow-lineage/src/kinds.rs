//! The open sets of words in an answer: what is known by name, and whatever a newer server adds.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $( $(#[$vmeta])* $variant, )+
            /// A word this version of the library does not know, exactly as it was spelled.
            Other(String),
        }

        impl $name {
            /// The word as servers spell it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$variant => $text, )+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $( $text => Self::$variant, )+
                    _ => Self::Other(text.to_owned()),
                }
            }
        }

        impl FromStr for $name {
            type Err = Infallible;

            fn from_str(text: &str) -> Result<Self, Infallible> {
                Ok(Self::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

open_enum! {
    /// What a relationship says about its ends (`type`).
    RelationType {
        /// The value flows from the source to the target.
        Fdd = "fdd",
        /// The source's value decides the target's record set or a count over it.
        Fdr = "fdr",
        /// The source's record set decides the target's value.
        Frd = "frd",
        /// An indirect flow of a value.
        Fddi = "fddi",
        /// The columns are compared by a join.
        Join = "join",
        /// A routine calls another.
        Call = "call",
        /// A foreign key.
        Er = "er",
    }
}

open_enum! {
    /// The kind of statement or expression that made a relationship (`effectType`).
    EffectType {
        /// A query.
        Select = "select",
        /// A function or expression.
        Function = "function",
        /// `CREATE VIEW`.
        CreateView = "create_view",
        /// `CREATE TABLE … AS`.
        CreateTable = "create_table",
        /// `INSERT`.
        Insert = "insert",
        /// `UPDATE`.
        Update = "update",
        /// `DELETE`.
        Delete = "delete",
        /// A cursor's fetch.
        Cursor = "cursor",
        /// `MERGE`.
        Merge = "merge",
        /// The insert branch of a `MERGE`.
        MergeInsert = "merge_insert",
        /// The update branch of a `MERGE`.
        MergeUpdate = "merge_update",
        /// A foreign key.
        ForeignKey = "foreign_key",
        /// A join.
        Join = "join",
    }
}

open_enum! {
    /// Where in its statement a source stands (`clauseType`).
    ClauseType {
        /// The `WHERE` clause.
        Where = "where",
        /// The condition of a join.
        JoinCondition = "joinCondition",
        /// The select list.
        SelectList = "selectList",
        /// The `VALUES` of an insert.
        InsertValues = "insertValues",
        /// The `ORDER BY` clause.
        OrderBy = "orderby",
        /// The server could not tell.
        Unknown = "unknown",
    }
}

open_enum! {
    /// What an object is (`type`).
    ///
    /// Some kinds are [intermediate](Self::is_intermediate): results inside a statement, through which a
    /// table-to-table answer walks.
    ObjectKind {
        /// A table.
        Table = "table",
        /// A view.
        View = "view",
        /// The result of a query (`RS-1`, `RESULT_OF_…`).
        SelectList = "select_list",
        /// The result of a `UNION` or another set operation.
        SelectUnion = "select_union",
        /// The query of an `INSERT … SELECT`.
        InsertSelect = "insert-select",
        /// The query of an `UPDATE … FROM`.
        UpdateSelect = "update-select",
        /// The assignments of an `UPDATE`.
        UpdateSet = "update-set",
        /// The insert branch of a `MERGE`.
        MergeInsert = "merge-insert",
        /// The update branch of a `MERGE`.
        MergeUpdate = "merge-update",
        /// A common table expression.
        WithCte = "with_cte",
        /// A function: a call's result inside a statement, or the routine itself
        /// (see [`Object::is_routine`](super::Object::is_routine)).
        Function = "function",
        /// A variable or a cursor.
        Variable = "variable",
        /// Holds columns whose table is unknown.
        PseudoTable = "pseudoTable",
        /// Holds literals.
        ConstantTable = "constantTable",
        /// A stored procedure.
        Procedure = "procedure",
        /// A trigger.
        Trigger = "trigger",
        /// A package of routines.
        Package = "package",
    }
}

impl ObjectKind {
    /// Whether objects of this kind are results inside a statement and not things a database stores.
    ///
    /// An unknown kind is judged by its word: `merge-…`, `insert-…`, `update-…`, `select_…`, `with_…` are
    /// intermediate, everything else is not.
    #[must_use]
    pub fn is_intermediate(&self) -> bool {
        match self {
            Self::Table | Self::View | Self::Procedure | Self::Trigger | Self::Package => false,
            Self::Other(text) => {
                ["merge-", "insert-", "update-", "select_", "with_"].iter().any(|prefix| text.starts_with(prefix))
            }
            _ => true,
        }
    }
}

open_enum! {
    /// How much an answer holds (`mode`).
    Mode {
        /// Everything that was asked for.
        Global = "global",
        /// Counts and table names alone, because there were more relationships than the server's limit:
        /// **no** columns, relationships or graph.
        Summary = "summary",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_relation_type_keeps_its_spelling() {
        let kind: RelationType = "FDD-x".parse().unwrap();
        assert_eq!(kind, RelationType::Other("FDD-x".into()));
        assert_eq!(kind.to_string(), "FDD-x");
    }

    #[test]
    fn every_known_relation_type_reads_as_itself() {
        for text in ["fdd", "fdr", "frd", "fddi", "join", "call", "er"] {
            let kind = RelationType::from(text);
            assert!(!matches!(kind, RelationType::Other(_)), "{text}");
            assert_eq!(kind.as_str(), text);
        }
    }

    #[test]
    fn results_inside_statements_are_intermediate_and_stored_things_are_not() {
        for text in [
            "select_list",
            "insert-select",
            "with_cte",
            "select_union",
            "function",
            "merge-insert",
            "merge-update",
            "merge-delete",
            "variable",
            "pseudoTable",
            "constantTable",
        ] {
            assert!(ObjectKind::from(text).is_intermediate(), "{text}");
        }
        for text in ["table", "view", "procedure", "trigger", "package", "stage"] {
            assert!(!ObjectKind::from(text).is_intermediate(), "{text}");
        }
    }
}
