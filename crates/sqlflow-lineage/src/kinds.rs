//! The open sets of words in a document: the words that are known, and any word that a newer server adds.

use crate::open_enum;

open_enum! {
    /// The meaning of a relationship for its endpoints (`type`).
    #[derive(PartialOrd, Ord)]
    pub enum RelationType {
        /// A type that this version of the library does not know, exactly as the server spells it.
        Other(String);
        /// The value flows from the source to the target.
        Fdd = "fdd",
        /// The value of the source decides the record set of the target, or a count over it.
        Fdr = "fdr",
        /// The record set of the source decides the value of the target.
        Frd = "frd",
        /// The value flows from the source to the target indirectly. Questions follow this type only if they are asked to,
        /// except for the [impact](crate::Column::impact) of a column.
        Fddi = "fddi",
        /// The value flows from the source to the target. No document describes the difference to `fdd`; the type has
        /// been seen in the vendor's own clients, which treat both in the same way.
        Fda = "fda",
        /// The value flows from the source to the target. No document describes the difference to `fdd`; the type has
        /// been seen in the vendor's own clients, which treat both in the same way.
        Fdc = "fdc",
        /// The columns are compared by a join.
        Join = "join",
        /// A routine calls another routine.
        Call = "call",
        /// A foreign key connects the columns.
        Er = "er",
    }
    impl From, Display, Serialize, Deserialize;
}

impl From<&Self> for RelationType {
    fn from(kind: &Self) -> Self {
        kind.clone()
    }
}

impl RelationType {
    /// The types of relationships that questions about values follow by default: `fdd`, `fda` and `fdc`.
    pub const VALUE_FLOWS: [Self; 3] = [Self::Fdd, Self::Fda, Self::Fdc];

    /// The types of relationships to request from a server for questions about [impact](crate::Column::impact): those
    /// along which a value flows, and those that decide a value or rows (`fdd`, `fdr`, `frd`, `join`). Servers add the
    /// other types unasked.
    pub const DEPENDENCIES: [Self; 4] = [Self::Fdd, Self::Fdr, Self::Frd, Self::Join];

    /// Returns `true` if a value flows directly from the source to the target of a relationship of this type.
    #[must_use]
    pub fn carries_values(&self) -> bool {
        Self::VALUE_FLOWS.contains(self)
    }
}

open_enum! {
    /// The kind of statement or expression that made a relationship (`effectType`).
    #[derive(PartialOrd, Ord)]
    pub enum EffectType {
        /// An effect type that this version of the library does not know, exactly as the server spells it.
        Other(String);
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
        /// A fetch from a cursor.
        Cursor = "cursor",
        /// `MERGE`.
        Merge = "merge",
        /// The insert branch of a `MERGE`.
        MergeInsert = "merge_insert",
        /// The update branch of a `MERGE`.
        MergeUpdate = "merge_update",
        /// The condition of a branch of a `MERGE`.
        MergeWhen = "merge_when",
        /// `ALTER TABLE … RENAME TO`.
        RenameTable = "rename_table",
        /// `ALTER TABLE … SWAP WITH`.
        SwapTable = "swapTable",
        /// A foreign key: a constraint, along which no value flows.
        ForeignKey = "foreign_key",
        /// A join.
        Join = "join",
    }
    impl From, Display, Serialize, Deserialize;
}

open_enum! {
    /// The clause of a statement that a source stands in (`clauseType`).
    #[derive(PartialOrd, Ord)]
    pub enum ClauseType {
        /// A clause type that this version of the library does not know, exactly as the server spells it.
        Other(String);
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
        /// The server does not know the clause.
        Unknown = "unknown",
    }
    impl From, Display, Serialize, Deserialize;
}

open_enum! {
    /// The kind of an object (`type`).
    ///
    /// Some kinds are [intermediate](Self::is_intermediate): results inside a statement, through which questions
    /// about tables and views walk.
    #[derive(PartialOrd, Ord)]
    pub enum ObjectKind {
        /// A kind that this version of the library does not know, exactly as the server spells it.
        Other(String);
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
        /// A function: the result of a call inside a statement, or the routine itself
        /// (see [`Object::is_routine`](super::Object::is_routine)).
        Function = "function",
        /// A variable or a cursor.
        Variable = "variable",
        /// A stand-in for the table of columns whose table is unknown.
        PseudoTable = "pseudoTable",
        /// A stand-in for the table of literals.
        ConstantTable = "constantTable",
        /// A stored procedure.
        Procedure = "procedure",
        /// A trigger.
        Trigger = "trigger",
        /// A package of routines.
        Package = "package",
    }
    impl From, Display, Serialize, Deserialize;
}

impl ObjectKind {
    /// Returns `true` if objects of this kind are results inside a statement and not things that a database stores.
    ///
    /// An unknown kind is intermediate if it begins with `merge-`, `insert-`, `update-`, `select_` or `with_`.
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
    /// The extent of a document (`mode`).
    #[derive(PartialOrd, Ord)]
    pub enum Mode {
        /// A mode that this version of the library does not know, exactly as the server spells it.
        Other(String);
        /// The document holds everything that was requested.
        Global = "global",
        /// The document lacks intermediate record sets, because there are more relationships than the limit of the
        /// server: values flow directly from table to table, and the filters and joins of a statement may be missing.
        IgnoreRecordSet = "ignoreRecordSet",
        /// The document holds only counts and table names, because there are more relationships than the limit of the
        /// server: **no** columns, relationships or graph.
        Summary = "summary",
    }
    impl From, Display, Serialize, Deserialize;
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
        for text in ["fdd", "fdr", "frd", "fddi", "fda", "fdc", "join", "call", "er"] {
            let kind = RelationType::from(text);
            assert!(!matches!(kind, RelationType::Other(_)), "{text}");
            assert_eq!(kind.as_str(), text);
        }
    }

    #[test]
    fn results_inside_a_statement_are_intermediate_and_stored_objects_are_not() {
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
