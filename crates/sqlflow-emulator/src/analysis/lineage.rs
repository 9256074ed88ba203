//! The lineage of a set of scripts, as facts: objects with columns, relationships between columns, the statements that
//! made them, and what went wrong. Knows nothing of JSON, nor of how it was found out.

/// Marks a column that stands for the record set of its object.
pub(crate) const RELATION_ROWS: &str = "RelationRows";

/// The name of a database or a schema that no statement named.
pub(crate) const UNNAMED: &str = "DEFAULT";

/// Index of an object in [`Lineage::objects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectIndex(pub(crate) usize);

/// A column of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ColumnIndex {
    pub(crate) object: ObjectIndex,
    pub(crate) column: usize,
}

/// All that is known about a set of scripts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    /// The vendor, as `dbvendor` names it.
    pub(crate) vendor: String,
    pub(crate) objects: Vec<Object>,
    pub(crate) relationships: Vec<Relationship>,
    pub(crate) processes: Vec<Process>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// How many statements were understood.
    pub(crate) statements: usize,
    /// Greater than every id.
    pub(crate) next_id: u32,
}

impl Lineage {
    pub(crate) fn object(&self, index: ObjectIndex) -> &Object {
        &self.objects[index.0]
    }

    pub(crate) fn column(&self, index: ColumnIndex) -> &Column {
        &self.objects[index.object.0].columns[index.column]
    }

    /// Whether anything kept a part of the scripts from being understood.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error())
    }

    /// Everything that went wrong or needs saying, for people.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
    }

    /// The same without remarks on single columns, of which there may be many.
    pub(crate) fn headlines(&self) -> Vec<String> {
        let diagnostics =
            self.diagnostics.iter().filter(|diagnostic| diagnostic.kind != DiagnosticKind::LinkOrphanColumn);
        diagnostics.map(|diagnostic| diagnostic.message.clone()).collect()
    }
}

/// What an object is, under the names engines use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ObjectKind {
    Table,
    View,
    SelectList,
    InsertSelect,
    WithCte,
    SelectUnion,
    Function,
    MergeInsert,
    MergeUpdate,
    UpdateSet,
    PseudoTable,
    ConstantTable,
}

impl ObjectKind {
    /// The `type` of the object.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::SelectList => "select_list",
            Self::InsertSelect => "insert-select",
            Self::WithCte => "with_cte",
            Self::SelectUnion => "select_union",
            Self::Function => "function",
            Self::MergeInsert => "merge-insert",
            Self::MergeUpdate => "merge-update",
            Self::UpdateSet => "update-set",
            Self::PseudoTable => "pseudoTable",
            Self::ConstantTable => "constantTable",
        }
    }

    /// Whether it lives in the database rather than in a statement.
    pub(crate) fn is_stored(self) -> bool {
        matches!(self, Self::Table | Self::View)
    }

    /// Whether it is the rows that a part of a statement yields.
    pub(crate) fn is_record_set(self) -> bool {
        matches!(
            self,
            Self::SelectList
                | Self::InsertSelect
                | Self::WithCte
                | Self::SelectUnion
                | Self::MergeInsert
                | Self::MergeUpdate
                | Self::UpdateSet
        )
    }
}

/// A table, a view, or an intermediate result.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) id: u32,
    pub(crate) kind: ObjectKind,
    pub(crate) namespace: Namespace,
    /// The name alone, as written, quotes included.
    pub(crate) name: String,
    /// The name with its qualifiers, as written.
    pub(crate) display_name: String,
    /// The name with its qualifiers, in the case the dialect folds it to and without quotes.
    pub(crate) normal_name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) at: Vec<SourceRange>,
}

/// Where an object lives. Parts that no statement named are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Namespace {
    pub(crate) server: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) schema: Option<String>,
}

/// A column of an object.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) id: u32,
    /// As written, quotes included.
    pub(crate) name: String,
    /// In the case the dialect folds it to and without quotes.
    pub(crate) normal_name: String,
    pub(crate) data_type: Option<String>,
    pub(crate) primary_key: bool,
    pub(crate) foreign_key: bool,
    pub(crate) at: SourceRange,
}

impl Column {
    /// Whether it stands for the record set of its object.
    pub(crate) fn is_relation_rows(&self) -> bool {
        self.name == RELATION_ROWS
    }
}

/// A place in a script: lines and columns count from 1, the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SourceRange {
    pub(crate) start: (u64, u64),
    pub(crate) end: (u64, u64),
    /// Which script, counted from 0.
    pub(crate) script: usize,
}

/// How a source bears on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RelationshipKind {
    /// The value flows.
    Fdd,
    /// The value decides a record set or a count.
    Fdr,
    /// The record set decides a value.
    Frd,
    /// Two columns are compared by a join.
    Join,
    /// A foreign key refers to a column.
    Er,
}

impl RelationshipKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fdd => "fdd",
            Self::Fdr => "fdr",
            Self::Frd => "frd",
            Self::Join => "join",
            Self::Er => "er",
        }
    }
}

/// What kind of step made a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Effect {
    Select,
    Function,
    Insert,
    CreateView,
    CreateTable,
    Update,
    Delete,
    Merge,
    MergeInsert,
    MergeUpdate,
    ForeignKey,
    Join,
}

impl Effect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Function => "function",
            Self::Insert => "insert",
            Self::CreateView => "create_view",
            Self::CreateTable => "create_table",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::MergeInsert => "merge_insert",
            Self::MergeUpdate => "merge_update",
            Self::ForeignKey => "foreign_key",
            Self::Join => "join",
        }
    }
}

impl Effect {
    /// Whether the step leads into a table or a view rather than into an intermediate result.
    pub(crate) fn changes_the_database(self) -> bool {
        !matches!(self, Self::Select | Self::Function | Self::Merge | Self::Join)
    }
}

/// The part of a statement in which a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Clause {
    SelectList,
    Where,
    JoinCondition,
    OrderBy,
    InsertValues,
    /// Any other, such as `GROUP BY`: the protocol has no words for them.
    Unknown,
}

impl Clause {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SelectList => "selectList",
            Self::Where => "where",
            Self::JoinCondition => "joinCondition",
            Self::OrderBy => "orderby",
            Self::InsertValues => "insertValues",
            Self::Unknown => "unknown",
        }
    }
}

/// A statement about where a column comes from.
#[derive(Debug, Clone)]
pub(crate) struct Relationship {
    pub(crate) id: u32,
    pub(crate) kind: RelationshipKind,
    pub(crate) effect: Effect,
    pub(crate) target: Endpoint,
    pub(crate) sources: Vec<Endpoint>,
    /// Index in [`Lineage::processes`].
    pub(crate) process: Option<usize>,
    /// The name of the function the values pass through.
    pub(crate) function: Option<String>,
    pub(crate) join: Option<JoinCondition>,
}

/// How a join compares two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinCondition {
    pub(crate) kind: &'static str,
    pub(crate) condition: String,
}

/// One end of a relationship: a column, and where the statement speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) column: ColumnIndex,
    pub(crate) clause: Option<Clause>,
    pub(crate) at: SourceRange,
}

/// A statement that changes the database.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) id: u32,
    /// For example `Query Insert-1`.
    pub(crate) name: String,
    /// For example `sstinsert`.
    pub(crate) kind: &'static str,
    /// The procedure whose body it is in.
    pub(crate) routine: Option<String>,
    pub(crate) query_hash: String,
    pub(crate) at: SourceRange,
}

/// Something that went wrong or needs saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) kind: DiagnosticKind,
    /// Names the file.
    pub(crate) message: String,
    /// The name of the file alone.
    pub(crate) file: String,
    pub(crate) at: Option<SourceRange>,
}

/// How bad a diagnostic is, under the names engines use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiagnosticKind {
    /// Not an error; the result is complete, but rests on an assumption.
    SyntaxHint,
    /// A statement or a file could not be read.
    SyntaxError,
    /// A statement was read but not understood.
    AnalyzeError,
    /// A column could not be given to a table.
    LinkOrphanColumn,
}

impl DiagnosticKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SyntaxHint => "SyntaxHint",
            Self::SyntaxError => "SyntaxError",
            Self::AnalyzeError => "AnalyzeError",
            Self::LinkOrphanColumn => "LinkOrphanColumn",
        }
    }

    pub(crate) fn is_error(self) -> bool {
        matches!(self, Self::SyntaxError | Self::AnalyzeError)
    }
}
