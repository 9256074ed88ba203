//! The model of the lineage of a set of scripts: objects with columns, relationships between columns, the statements
//! that made them, and diagnostics. Independent of JSON and of how the lineage was found.

/// The name of a column that stands for the record set of its object.
pub(crate) const RELATION_ROWS: &str = "RelationRows";

/// The name of a database or a schema that no statement named.
pub(crate) const UNNAMED: &str = "DEFAULT";

/// An index in [`Lineage::objects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectIndex(pub(crate) usize);

/// The index of a column of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ColumnIndex {
    pub(crate) object: ObjectIndex,
    pub(crate) column: usize,
}

/// The lineage of a set of scripts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lineage {
    /// The vendor, as `dbvendor` spells it.
    pub(crate) vendor: String,
    pub(crate) objects: Vec<Object>,
    pub(crate) relationships: Vec<Relationship>,
    pub(crate) processes: Vec<Process>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// The number of statements that were understood.
    pub(crate) statements: usize,
    /// A number greater than every id.
    pub(crate) next_id: u32,
}

impl Lineage {
    pub(crate) fn object(&self, index: ObjectIndex) -> &Object {
        &self.objects[index.0]
    }

    pub(crate) fn column(&self, index: ColumnIndex) -> &Column {
        &self.objects[index.object.0].columns[index.column]
    }

    /// Returns `true` if a part of the scripts was not understood.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.kind.is_error())
    }

    /// Returns the messages of all diagnostics.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect()
    }

    /// Returns the same messages without those on single columns, of which there may be many.
    pub(crate) fn headlines(&self) -> Vec<String> {
        let diagnostics =
            self.diagnostics.iter().filter(|diagnostic| diagnostic.kind != DiagnosticKind::LinkOrphanColumn);
        diagnostics.map(|diagnostic| diagnostic.message.clone()).collect()
    }
}

/// The kind of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ObjectKind {
    Table,
    View,
    /// A file, a folder or a stage outside of the database.
    Path,
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
    Variable,
}

impl ObjectKind {
    /// Returns the `type` of the object.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Path => "path",
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
            Self::Variable => "variable",
        }
    }

    /// Returns `true` if it is stored, in the database or in files, rather than part of a statement.
    pub(crate) fn is_stored(self) -> bool {
        matches!(self, Self::Table | Self::View | Self::Path)
    }

    /// Returns `true` if it is the record set of a part of a statement.
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
    /// The name without qualifiers, as written, including quotes.
    pub(crate) name: String,
    /// The name with its qualifiers, as written.
    pub(crate) display_name: String,
    /// The name with its qualifiers, in the case that the dialect folds it to, without quotes.
    pub(crate) normal_name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) at: Vec<SourceRange>,
}

/// The namespace of an object. Parts that no statement named are absent.
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
    /// The name as written, including quotes.
    pub(crate) name: String,
    /// The name in the case that the dialect folds it to, without quotes.
    pub(crate) normal_name: String,
    pub(crate) data_type: Option<String>,
    pub(crate) primary_key: bool,
    pub(crate) foreign_key: bool,
    pub(crate) at: SourceRange,
}

impl Column {
    /// Returns `true` if it stands for the record set of its object.
    pub(crate) fn is_relation_rows(&self) -> bool {
        self.name == RELATION_ROWS
    }
}

/// A range of a script. Lines and columns count from 1; the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SourceRange {
    pub(crate) start: (u64, u64),
    pub(crate) end: (u64, u64),
    /// The number of the script, counted from 0.
    pub(crate) script: usize,
}

/// The influence of a source on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum RelationshipKind {
    /// The value flows.
    Fdd,
    /// The value decides a record set or a count.
    Fdr,
    /// The record set decides a value.
    Frd,
    /// A join compares two columns.
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

/// The kind of step that made a relationship.
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
    Cursor,
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
            Self::Cursor => "cursor",
        }
    }
}

impl Effect {
    /// Returns `true` if the step leads into a table or a view rather than into an intermediate result.
    pub(crate) fn changes_the_database(self) -> bool {
        !matches!(self, Self::Select | Self::Function | Self::Merge | Self::Join | Self::Cursor)
    }
}

/// The part of a statement that contains a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Clause {
    SelectList,
    Where,
    JoinCondition,
    OrderBy,
    InsertValues,
    /// Any other clause, such as `GROUP BY`. The protocol has no names for them.
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

/// A relationship: a target column and the columns it depends on.
#[derive(Debug, Clone)]
pub(crate) struct Relationship {
    pub(crate) id: u32,
    pub(crate) kind: RelationshipKind,
    pub(crate) effect: Effect,
    pub(crate) target: Endpoint,
    pub(crate) sources: Vec<Endpoint>,
    /// The index in [`Lineage::processes`].
    pub(crate) process: Option<usize>,
    /// The name of the function that the values pass through.
    pub(crate) function: Option<String>,
    pub(crate) join: Option<JoinCondition>,
}

/// The comparison of two columns by a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinCondition {
    pub(crate) kind: &'static str,
    pub(crate) condition: String,
}

/// An endpoint of a relationship: a column, and the range where the statement names it.
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
    /// The name, for example `Query Insert-1`.
    pub(crate) name: String,
    /// The type, for example `sstinsert`.
    pub(crate) kind: &'static str,
    /// The procedure that contains it.
    pub(crate) routine: Option<String>,
    pub(crate) query_hash: String,
    pub(crate) at: SourceRange,
}

/// A message about a script: an error or a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub(crate) kind: DiagnosticKind,
    /// The text, which names the file.
    pub(crate) message: String,
    /// The name of the file alone.
    pub(crate) file: String,
    pub(crate) at: Option<SourceRange>,
}

/// The kind of a diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiagnosticKind {
    /// A hint: the result is complete, but rests on an assumption.
    SyntaxHint,
    /// A statement or a file could not be read.
    SyntaxError,
    /// A statement was read but not understood.
    AnalyzeError,
    /// A column could not be assigned to a table.
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
