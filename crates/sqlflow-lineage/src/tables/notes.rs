//! The rows of the table of notes: everything that a reader must know about the completeness of the other tables.

use std::fmt::Display;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::{BooleanBuilder, Int32Builder, Int64Builder};
use arrow_schema::ArrowError;

use crate::coverage::Coverage;
use crate::kinds::{Mode, RelationType};
use crate::view::{Diagnostic, Location};
use crate::{Lineage, Resolution};

use super::builders::{TextColumn, WordColumn};
use super::{RowSource, TableInput};

/// One note.
#[derive(Default)]
struct Note<'a> {
    kind: &'a str,
    severity: &'static str,
    is_incomplete: bool,
    message: String,
    location: Option<Location<'a>>,
    relationship: Option<&'a str>,
    subject: Option<String>,
    count: Option<i64>,
}

pub(super) struct NoteRows<'a> {
    input: TableInput<'a>,
    notes: Box<dyn Iterator<Item = Note<'a>> + Send + 'a>,
    label: WordColumn,
    kind: WordColumn,
    severity: WordColumn,
    is_incomplete: BooleanBuilder,
    message: TextColumn,
    words: [WordColumn; 3],
    numbers: [Int32Builder; 2],
    relationship: TextColumn,
    subject: TextColumn,
    count: Int64Builder,
}

impl<'a> NoteRows<'a> {
    pub(super) fn new(input: TableInput<'a>, lineage: &'a Lineage, reasons: Vec<String>) -> Self {
        Self {
            input,
            notes: Box::new(reasons.into_iter().map(|reason| gap("reason", reason)).chain(notes(lineage))),
            label: WordColumn::new(),
            kind: WordColumn::new(),
            severity: WordColumn::new(),
            is_incomplete: BooleanBuilder::new(),
            message: TextColumn::new(),
            words: std::array::from_fn(|_| WordColumn::new()),
            numbers: Default::default(),
            relationship: TextColumn::new(),
            subject: TextColumn::new(),
            count: Int64Builder::new(),
        }
    }
}

impl RowSource for NoteRows<'_> {
    fn add_row(&mut self) -> bool {
        let Some(note) = self.notes.next() else {
            return false;
        };
        self.input.push_label(&mut self.label);
        self.kind.push_text(Some(note.kind).filter(|kind| !kind.is_empty()).or(Some("other")));
        self.severity.push_text(Some(note.severity));
        self.is_incomplete.append_value(note.is_incomplete);
        self.message.push(&note.message);
        let at = note.location;
        let words = [at.and_then(|at| at.file()), at.and_then(|at| at.label()), at.and_then(|at| at.script())];
        self.words.iter_mut().zip(words).for_each(|(column, word)| column.push_text(word));
        for (column, number) in
            self.numbers.iter_mut().zip([at.and_then(|at| at.line()), at.and_then(|at| at.column())])
        {
            column.append_option(number.and_then(|number| i32::try_from(number).ok()));
        }
        self.relationship.push_option(note.relationship);
        self.subject.push_option(note.subject.as_deref());
        self.count.append_option(note.count);
        true
    }

    fn rows(&self) -> usize {
        self.label.len()
    }

    fn bytes(&self) -> usize {
        self.message.bytes() + self.subject.bytes() + self.words.iter().map(WordColumn::bytes).sum::<usize>()
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut columns = vec![self.label.finish()?, self.kind.finish()?, self.severity.finish()?];
        columns.extend([Arc::new(self.is_incomplete.finish()) as ArrayRef, self.message.finish()?]);
        for word in &mut self.words {
            columns.push(word.finish()?);
        }
        columns.extend(self.numbers.iter_mut().map(|number| Arc::new(number.finish()) as ArrayRef));
        columns.extend([self.relationship.finish()?, self.subject.finish()?, Arc::new(self.count.finish())]);
        Ok(columns)
    }
}

fn notes(lineage: &Lineage) -> impl Iterator<Item = Note<'_>> + Send {
    let messages = lineage.errors().map(of_message);
    // Servers report many errors a second time as warnings.
    let repeated: std::collections::HashSet<&str> = lineage.errors().map(|error| error.message().trim()).collect();
    let warnings = lineage.warnings().filter(move |warning| !repeated.contains(warning)).map(|warning| Note {
        kind: "warning",
        severity: "warning",
        message: warning.to_owned(),
        ..Note::default()
    });
    extent(lineage)
        .into_iter()
        .chain(coverage(lineage))
        .chain(unresolved(lineage))
        .chain(duplicates(lineage))
        .chain(unknown_fields(lineage))
        .chain(messages)
        .chain(warnings)
}

/// A note about a part of the lineage that is missing.
fn gap(kind: &str, message: impl Display) -> Note<'_> {
    Note { kind, severity: "warning", is_incomplete: true, message: message.to_string(), ..Note::default() }
}

/// Returns the notes about what the server left out, with the counts that it gives instead.
fn extent(lineage: &Lineage) -> Vec<Note<'_>> {
    match lineage.mode() {
        Some(Mode::Summary) => {
            let mut notes = vec![gap("summary", "this is a summary: the server omitted columns and relationships")];
            notes.extend(counts(lineage));
            notes
        }
        Some(Mode::IgnoreRecordSet) => {
            vec![gap("record_sets_omitted", "the server omitted record sets, and with them filters and joins")]
        }
        _ => Vec::new(),
    }
}

fn counts(lineage: &Lineage) -> Vec<Note<'_>> {
    let Some(summary) = lineage.summary() else {
        return Vec::new();
    };
    let counts = [
        ("databases", summary.databases()),
        ("schemas", summary.schemas()),
        ("tables", summary.tables()),
        ("views", summary.views()),
        ("columns", summary.columns()),
        ("statements", summary.processes()),
        ("relationships", summary.relationships()),
    ];
    let note =
        |kind, message, subject| Note { kind, severity: "info", message, subject: Some(subject), ..Note::default() };
    let counted = counts.into_iter().filter_map(|(what, count)| {
        let message = format!("the server counts {} {what}", count?);
        Some(Note { count, ..note("summary_count", message, what.to_owned()) })
    });
    let busiest = summary.busiest_tables().map(|table| {
        let levels = [table.database(), table.schema(), Some(table.table())];
        let name = levels.into_iter().flatten().filter(|level| !level.is_empty()).collect::<Vec<_>>().join(".");
        note("summary_busiest_table", format!("{name} is one of the tables with the most relationships"), name)
    });
    counted.chain(busiest).collect()
}

fn coverage(lineage: &Lineage) -> impl Iterator<Item = Note<'_>> + Send {
    RelationType::DEPENDENCIES.into_iter().filter_map(|kind| {
        let note = match lineage.coverage(&kind) {
            Coverage::Included => return None,
            Coverage::NotRequested => {
                gap("not_requested", format_args!("relationships of type {kind} were not requested"))
            }
            Coverage::Unknown => {
                let message = format!(
                    "relationships of type {kind} may be missing, because nothing says whether they were requested"
                );
                Note { severity: "info", is_incomplete: false, ..gap("coverage_unknown", message) }
            }
        };
        Some(Note { subject: Some(kind.to_string()), ..note })
    })
}

fn unresolved(lineage: &Lineage) -> impl Iterator<Item = Note<'_>> + Send {
    lineage.unresolved().map(|end| {
        let kind = match end.resolution() {
            Resolution::Ambiguous => "ambiguous_endpoint",
            _ => "unresolved_endpoint",
        };
        let relationship = end.relationship();
        let message = format!("{end} could not be followed, in relationship {}", relationship.id());
        let location = relationship.process().map(|process| process.location());
        let subject = Some(end.written_name());
        Note { location, relationship: Some(relationship.id()), subject, ..gap(kind, message) }
    })
}

fn duplicates(lineage: &Lineage) -> impl Iterator<Item = Note<'_>> + Send {
    lineage.duplicate_ids().map(|id| {
        let message = format!("the id {id} belongs to several records");
        Note { is_incomplete: false, subject: Some(id.to_owned()), ..gap("duplicate_id", message) }
    })
}

fn unknown_fields(lineage: &Lineage) -> impl Iterator<Item = Note<'_>> + Send {
    lineage.unknown_fields().map(|(path, count)| {
        let message = format!("the field {path} is not understood, {count}×");
        let count = i64::try_from(count).ok();
        Note { subject: Some(path.to_owned()), count, ..gap("unknown_field", message) }
    })
}

/// Returns the note about a message of the server about the SQL.
fn of_message(message: Diagnostic<'_>) -> Note<'_> {
    let is_error = message.is_error();
    Note {
        kind: message.kind().unwrap_or("error"),
        severity: if is_error { "error" } else { "hint" },
        is_incomplete: is_error,
        message: message.message().to_owned(),
        location: Some(message.location()),
        count: message.occurrences(),
        ..Note::default()
    }
}
