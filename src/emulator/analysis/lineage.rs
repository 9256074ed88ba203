//! The lineage of a set of scripts, as facts: objects with columns, relationships between columns, the statements that
//! made them, and what went wrong. Knows nothing of JSON, nor of how it was found out.

/// Marks a column that stands for the record set of its object.
pub(in crate::emulator) const RELATION_ROWS: &str = "RelationRows";

/// The name of a database or a schema that no statement named.
pub(in crate::emulator) const UNNAMED: &str = "DEFAULT";

/// Index of an object in [`Lineage::objects`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::emulator) struct ObjectIndex(pub(in crate::emulator) usize);

/// A column of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::emulator) struct ColumnIndex {
    pub(in crate::emulator) object: ObjectIndex,
    pub(in crate::emulator) column: usize,
}

/// All that is known about a set of scripts.
#[derive(Debug, Clone, Default)]
pub(in crate::emulator) struct Lineage {
    /// The vendor, as `dbvendor` names it.
    pub(in crate::emulator) vendor: String,
    pub(in crate::emulator) objects: Vec<Object>,
    pub(in crate::emulator) relations: Vec<Relation>,
    pub(in crate::emulator) processes: Vec<Process>,
    pub(in crate::emulator) problems: Vec<Problem>,
    /// How many statements were understood.
    pub(in crate::emulator) statements: usize,
    /// Greater than every id.
    pub(in crate::emulator) next_id: u32,
}

impl Lineage {
    pub(in crate::emulator) fn object(&self, index: ObjectIndex) -> &Object {
        &self.objects[index.0]
    }

    pub(in crate::emulator) fn column(&self, index: ColumnIndex) -> &Column {
        &self.objects[index.object.0].columns[index.column]
    }

    /// Whether anything kept a part of the scripts from being understood.
    pub(in crate::emulator) fn is_incomplete(&self) -> bool {
        self.problems.iter().any(|problem| problem.kind.is_error())
    }

    /// Everything that went wrong or needs saying, for people.
    pub(in crate::emulator) fn messages(&self) -> Vec<String> {
        self.problems.iter().map(|problem| problem.message.clone()).collect()
    }

    /// The same without remarks on single columns, of which there may be many.
    pub(in crate::emulator) fn headlines(&self) -> Vec<String> {
        let problems = self.problems.iter().filter(|problem| problem.kind != ProblemKind::LinkOrphanColumn);
        problems.map(|problem| problem.message.clone()).collect()
    }
}

/// What an object is, under the names engines use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::emulator) enum ObjectKind {
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
    pub(in crate::emulator) fn name(self) -> &'static str {
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
    pub(in crate::emulator) fn is_stored(self) -> bool {
        matches!(self, Self::Table | Self::View)
    }

    /// Whether it is the rows that a part of a statement yields.
    pub(in crate::emulator) fn is_record_set(self) -> bool {
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
pub(in crate::emulator) struct Object {
    pub(in crate::emulator) id: u32,
    pub(in crate::emulator) kind: ObjectKind,
    pub(in crate::emulator) place: Place,
    /// The name alone, as written, quotes included.
    pub(in crate::emulator) name: String,
    /// The name with its qualifiers, as written.
    pub(in crate::emulator) display_name: String,
    /// The name with its qualifiers, in the case the dialect folds it to and without quotes.
    pub(in crate::emulator) normal_name: String,
    pub(in crate::emulator) columns: Vec<Column>,
    pub(in crate::emulator) at: Vec<Range>,
}

/// Where an object lives. Parts that no statement named are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::emulator) struct Place {
    pub(in crate::emulator) server: Option<String>,
    pub(in crate::emulator) database: Option<String>,
    pub(in crate::emulator) schema: Option<String>,
}

/// A column of an object.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Column {
    pub(in crate::emulator) id: u32,
    /// As written, quotes included.
    pub(in crate::emulator) name: String,
    /// In the case the dialect folds it to and without quotes.
    pub(in crate::emulator) normal_name: String,
    pub(in crate::emulator) data_type: Option<String>,
    pub(in crate::emulator) primary_key: bool,
    pub(in crate::emulator) foreign_key: bool,
    pub(in crate::emulator) at: Range,
}

impl Column {
    /// Whether it stands for the record set of its object.
    pub(in crate::emulator) fn is_relation_rows(&self) -> bool {
        self.name == RELATION_ROWS
    }
}

/// A place in a script: lines and columns count from 1, the end is exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::emulator) struct Range {
    pub(in crate::emulator) start: (u64, u64),
    pub(in crate::emulator) end: (u64, u64),
    /// Which script, counted from 0.
    pub(in crate::emulator) script: usize,
}

/// How a source bears on its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::emulator) enum RelationKind {
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

impl RelationKind {
    pub(in crate::emulator) fn name(self) -> &'static str {
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
pub(in crate::emulator) enum Effect {
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
    pub(in crate::emulator) fn name(self) -> &'static str {
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
    pub(in crate::emulator) fn changes_the_database(self) -> bool {
        !matches!(self, Self::Select | Self::Function | Self::Merge | Self::Join)
    }
}

/// The part of a statement in which a source stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::emulator) enum Clause {
    SelectList,
    Where,
    JoinCondition,
    OrderBy,
    InsertValues,
    /// Any other, such as `GROUP BY`: the protocol has no words for them.
    Unknown,
}

impl Clause {
    pub(in crate::emulator) fn name(self) -> &'static str {
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
pub(in crate::emulator) struct Relation {
    pub(in crate::emulator) id: u32,
    pub(in crate::emulator) kind: RelationKind,
    pub(in crate::emulator) effect: Effect,
    pub(in crate::emulator) target: Endpoint,
    pub(in crate::emulator) sources: Vec<Endpoint>,
    /// Index in [`Lineage::processes`].
    pub(in crate::emulator) process: Option<usize>,
    /// The name of the function the values pass through.
    pub(in crate::emulator) function: Option<String>,
    pub(in crate::emulator) join: Option<JoinCondition>,
}

/// How a join compares two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::emulator) struct JoinCondition {
    pub(in crate::emulator) kind: &'static str,
    pub(in crate::emulator) condition: String,
}

/// One end of a relationship: a column, and where the statement speaks of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) struct Endpoint {
    pub(in crate::emulator) column: ColumnIndex,
    pub(in crate::emulator) clause: Option<Clause>,
    pub(in crate::emulator) at: Range,
}

/// A statement that changes the database.
#[derive(Debug, Clone)]
pub(in crate::emulator) struct Process {
    pub(in crate::emulator) id: u32,
    /// For example `Query Insert-1`.
    pub(in crate::emulator) name: String,
    /// For example `sstinsert`.
    pub(in crate::emulator) kind: &'static str,
    /// The procedure whose body it is in.
    pub(in crate::emulator) routine: Option<String>,
    pub(in crate::emulator) query_hash: String,
    pub(in crate::emulator) at: Range,
}

/// Something that went wrong or needs saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::emulator) struct Problem {
    pub(in crate::emulator) kind: ProblemKind,
    /// Names the file.
    pub(in crate::emulator) message: String,
    /// The name of the file alone.
    pub(in crate::emulator) file: String,
    pub(in crate::emulator) at: Option<Range>,
}

/// How bad a problem is, under the names engines use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emulator) enum ProblemKind {
    /// Not an error; the result is complete, but rests on an assumption.
    SyntaxHint,
    /// A statement or a file could not be read.
    SyntaxError,
    /// A statement was read but not understood.
    AnalyzeError,
    /// A column could not be given to a table.
    LinkOrphanColumn,
}

impl ProblemKind {
    pub(in crate::emulator) fn name(self) -> &'static str {
        match self {
            Self::SyntaxHint => "SyntaxHint",
            Self::SyntaxError => "SyntaxError",
            Self::AnalyzeError => "AnalyzeError",
            Self::LinkOrphanColumn => "LinkOrphanColumn",
        }
    }

    pub(in crate::emulator) fn is_error(self) -> bool {
        matches!(self, Self::SyntaxError | Self::AnalyzeError)
    }
}
