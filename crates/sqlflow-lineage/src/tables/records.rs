//! The rows of the tables that have one row for each record: objects, columns and statements.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Int32Builder};
use arrow_array::{ArrayRef, Int32Array};
use arrow_schema::ArrowError;

use crate::diagram::NameLevels;
use crate::intern::Symbol;
use crate::model::{RawColumn, Span};
use crate::names::{NamedRecord, id_form, named_server, push_own_name};
use crate::view::{Column, Object, Process};

use super::builders::{NumberColumn, TextColumn, TokenMap, WordColumn};
use super::{RowSource, TableInput};

/// The key of an object and the levels of its name, as five columns with an entry for each object of the batch.
pub(super) struct ObjectColumns {
    /// The number of each object within the batch.
    known: TokenMap,
    last: Option<(u32, i32)>,
    columns: [WordColumn; 5],
}

impl ObjectColumns {
    pub(super) fn new() -> Self {
        // The keys are different, and the other texts are not.
        let columns = std::array::from_fn(|at| if at == 0 { WordColumn::of_tokens() } else { WordColumn::new() });
        Self { known: TokenMap::default(), last: None, columns }
    }

    /// Returns the number of an object within the batch.
    pub(super) fn number(&mut self, input: &TableInput<'_>, object: u32) -> i32 {
        let number = match self.last {
            Some((last, number)) if last == object => return number,
            _ => self.known.get(object).unwrap_or_else(|| {
                let number = push_object(&mut self.columns, input, object);
                self.known.insert(object, number);
                number
            }),
        };
        self.last = Some((object, number));
        number
    }

    /// Returns the key of an object by its number.
    pub(super) fn key(&self, number: i32) -> &str {
        let [key, ..] = &self.columns;
        key.text(key.number_at(number))
    }

    pub(super) fn bytes(&self) -> usize {
        self.columns.iter().map(WordColumn::bytes).sum()
    }

    /// Returns the key, the server, the database, the schema and the name of the object of each row.
    pub(super) fn finish_for(&mut self, rows: &Int32Array) -> Result<[ArrayRef; 5], ArrowError> {
        self.known.clear();
        self.last = None;
        let [key, server, database, schema, name] = &mut self.columns;
        Ok([
            key.finish_for(rows)?,
            server.finish_for(rows)?,
            database.finish_for(rows)?,
            schema.finish_for(rows)?,
            name.finish_for(rows)?,
        ])
    }
}

/// Adds an object. Returns its number.
fn push_object(columns: &mut [WordColumn; 5], input: &TableInput<'_>, object: u32) -> i32 {
    let levels = NameLevels::of(Object::new(input.inner, object));
    let raw = input.inner.model.objects.get(object as usize);
    let server = raw.and_then(|raw| named_server(&input.inner.model, raw));
    let [key, in_server, database, schema, name] = columns;
    let number = i32::try_from(key.len()).unwrap_or(i32::MAX);
    let of_key = key.number_of_new(|key| input.keys.write_object(input.inner, object, key));
    key.push_number(of_key);
    in_server.push_text(server);
    database.push_text(Some(&levels.database));
    schema.push_text(Some(&levels.schema));
    // A name without its last identifier, such as `SALES.`, has levels and nothing else.
    if levels.table.is_empty() {
        name.push_text(Some(&Object::new(input.inner, object).qualified_name()));
    } else {
        name.push_text(Some(&levels.table));
    }
    number
}

/// The place of a record in the SQL as four columns: line and column of its start, and of its end.
pub(super) struct SpanColumns([Int32Builder; 4]);

impl SpanColumns {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Int32Builder::new()))
    }

    fn push(&mut self, input: &TableInput<'_>, span: Span) {
        let coordinates = span.of(&input.inner.model.coordinates);
        let end = coordinates.get(1);
        let numbers = [coordinates.first(), coordinates.first(), end, end];
        for (at, (column, coordinate)) in self.0.iter_mut().zip(numbers).enumerate() {
            let number = coordinate.map(|it| if at % 2 == 0 { it.x } else { it.y });
            // Servers write −1 for a place that they do not know.
            column.append_option(number.filter(|&number| number > 0));
        }
    }

    fn finish(&mut self) -> [ArrayRef; 4] {
        let [start_line, start_column, end_line, end_column] = &mut self.0;
        [start_line, start_column, end_line, end_column].map(|column| Arc::new(column.finish()) as ArrayRef)
    }
}

pub(super) struct ObjectRows<'a> {
    input: TableInput<'a>,
    next: u32,
    label: WordColumn,
    key: TextColumn,
    id: TextColumn,
    names: ObjectColumns,
    rows: NumberColumn,
    qualified_name: TextColumn,
    kind: WordColumn,
    flags: [BooleanBuilder; 3],
    package: WordColumn,
    columns: Int32Builder,
    span: SpanColumns,
}

impl<'a> ObjectRows<'a> {
    pub(super) fn new(input: TableInput<'a>) -> Self {
        Self {
            input,
            next: 0,
            label: WordColumn::of_tokens(),
            key: TextColumn::new(),
            id: TextColumn::new(),
            names: ObjectColumns::new(),
            rows: NumberColumn::default(),
            qualified_name: TextColumn::new(),
            kind: WordColumn::of_tokens(),
            flags: Default::default(),
            package: WordColumn::of_tokens(),
            columns: Int32Builder::new(),
            span: SpanColumns::new(),
        }
    }
}

impl RowSource for ObjectRows<'_> {
    fn add_row(&mut self) -> bool {
        let (inner, at) = (self.input.inner, self.next);
        let Some(raw) = inner.model.objects.get(at as usize) else {
            return false;
        };
        self.next += 1;
        let object = Object::new(inner, at);
        self.input.push_label(&mut self.label);
        let number = self.names.number(&self.input, at);
        self.rows.push(number);
        self.key.push(self.names.key(number));
        self.id.push(object.id());
        self.qualified_name.push(&object.qualified_name());
        self.kind.push_symbol(&inner.model, raw.kind);
        let values = [object.is_intermediate(), object.is_result_set(), object.is_routine()];
        self.flags.iter_mut().zip(values).for_each(|(flag, value)| flag.append_value(value));
        let package = inner.model.objects.get(raw.within as usize).map_or(Symbol::ABSENT, |package| package.id);
        self.package.push_symbol(&inner.model, package);
        self.columns.append_value(i32::try_from(raw.columns.len).unwrap_or(i32::MAX));
        self.span.push(&self.input, raw.coordinates);
        true
    }

    fn rows(&self) -> usize {
        self.label.len()
    }

    fn bytes(&self) -> usize {
        self.key.bytes() + self.qualified_name.bytes() + self.names.bytes() + self.kind.bytes()
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        // The key is a column of its own, because it is different in each row.
        let [_, server, database, schema, name] = self.names.finish_for(&self.rows.finish()?)?;
        let mut columns = vec![self.label.finish()?, self.key.finish()?, self.id.finish()?];
        columns.extend([server, database, schema, name, self.qualified_name.finish()?, self.kind.finish()?]);
        columns.extend(self.flags.iter_mut().map(|flag| Arc::new(flag.finish()) as ArrayRef));
        columns.extend([self.package.finish()?, Arc::new(self.columns.finish()) as ArrayRef]);
        columns.extend(self.span.finish());
        Ok(columns)
    }
}

pub(super) struct ColumnRows<'a> {
    input: TableInput<'a>,
    next: u32,
    label: WordColumn,
    key: TextColumn,
    id: TextColumn,
    object_id: WordColumn,
    objects: ObjectColumns,
    object: NumberColumn,
    name: WordColumn,
    qualified_name: TextColumn,
    position: Int32Builder,
    data_type: WordColumn,
    flags: [BooleanBuilder; 5],
    /// The object of the last column, and its qualified name.
    last_object: Option<(u32, String)>,
}

impl<'a> ColumnRows<'a> {
    pub(super) fn new(input: TableInput<'a>) -> Self {
        Self {
            input,
            next: 0,
            label: WordColumn::of_tokens(),
            key: TextColumn::new(),
            id: TextColumn::new(),
            object_id: WordColumn::of_tokens(),
            objects: ObjectColumns::new(),
            object: NumberColumn::default(),
            name: WordColumn::new(),
            qualified_name: TextColumn::new(),
            position: Int32Builder::new(),
            data_type: WordColumn::of_tokens(),
            flags: Default::default(),
            last_object: None,
        }
    }

    /// Adds the names of a column and of its object.
    fn push_names(&mut self, at: u32, raw: &RawColumn) {
        let (inner, object) = (self.input.inner, raw.object);
        let number = self.objects.number(&self.input, object);
        self.object.push(number);
        self.key.push_with(|key| {
            key.push_str(self.objects.key(number));
            self.input.keys.write_column_after_object(inner, at, key);
        });
        if self.last_object.as_ref().is_none_or(|(known, _)| *known != object) {
            self.last_object = Some((object, Object::new(inner, object).qualified_name()));
        }
        let object_name = self.last_object.as_ref().map_or("", |(_, name)| name);
        self.qualified_name.push_with(|name| {
            name.push_str(object_name);
            push_own_name(inner, at, raw, name);
        });
    }
}

/// Returns the number of the name of a column, or of its id in the form `id:13` if it has none.
pub(super) fn number_of_column_name(names: &mut WordColumn, input: &TableInput<'_>, at: u32) -> i32 {
    let inner = input.inner;
    let name = inner.model.columns.get(at as usize).map(|column| column.name).unwrap_or_default();
    if inner.model.texts.get(name).is_empty() {
        names.number_of(&id_form(inner, NamedRecord::Column(at)))
    } else {
        names.number_of_symbol(&inner.model, name)
    }
}

/// Adds an id, which is empty if the document gives none.
pub(super) fn push_id(ids: &mut WordColumn, input: &TableInput<'_>, id: Symbol) {
    let text = input.inner.model.texts.get(id);
    // An id that is given as an empty text has a symbol of its own.
    let id = if text.is_empty() { Symbol::ABSENT } else { id };
    ids.push(id.token(), |buffer| buffer.push_str(text));
}

impl RowSource for ColumnRows<'_> {
    fn add_row(&mut self) -> bool {
        let (inner, at) = (self.input.inner, self.next);
        let Some(raw) = inner.model.columns.get(at as usize) else {
            return false;
        };
        self.next += 1;
        let column = Column::new(inner, at);
        self.input.push_label(&mut self.label);
        self.push_names(at, raw);
        self.id.push(column.id());
        let object = inner.model.objects.get(raw.object as usize);
        push_id(&mut self.object_id, &self.input, object.map_or(Symbol::ABSENT, |object| object.id));
        let name = number_of_column_name(&mut self.name, &self.input, at);
        self.name.push_number(name);
        let first = object.map_or(at, |object| object.columns.start);
        self.position.append_value(i32::try_from(at.saturating_sub(first)).map_or(i32::MAX, |at| at.saturating_add(1)));
        self.data_type.push_symbol(&inner.model, raw.data_type);
        let [primary, foreign, unique] = [column.is_primary_key(), column.is_foreign_key(), column.is_unique_key()];
        let values = [column.is_record_set(), column.is_system(), primary, foreign, unique];
        self.flags.iter_mut().zip(values).for_each(|(flag, value)| flag.append_value(value));
        true
    }

    fn rows(&self) -> usize {
        self.label.len()
    }

    fn bytes(&self) -> usize {
        self.key.bytes()
            + self.qualified_name.bytes()
            + self.objects.bytes()
            + self.name.bytes()
            + self.data_type.bytes()
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let [object, server, database, schema, name] = self.objects.finish_for(&self.object.finish()?)?;
        let mut columns = vec![self.label.finish()?, self.key.finish()?, self.id.finish()?, object];
        columns.extend([self.object_id.finish()?, server, database, schema, name, self.name.finish()?]);
        columns.extend([self.qualified_name.finish()?, Arc::new(self.position.finish()), self.data_type.finish()?]);
        columns.extend(self.flags.iter_mut().map(|flag| Arc::new(flag.finish()) as ArrayRef));
        Ok(columns)
    }
}

pub(super) struct StatementRows<'a> {
    input: TableInput<'a>,
    next: u32,
    label: WordColumn,
    key: TextColumn,
    id: TextColumn,
    name: TextColumn,
    kind: WordColumn,
    words: [WordColumn; 4],
    document: WordColumn,
    script: WordColumn,
    span: SpanColumns,
    query_hash_id: TextColumn,
}

impl<'a> StatementRows<'a> {
    pub(super) fn new(input: TableInput<'a>) -> Self {
        Self {
            input,
            next: 0,
            label: WordColumn::of_tokens(),
            key: TextColumn::new(),
            id: TextColumn::new(),
            name: TextColumn::new(),
            kind: WordColumn::of_tokens(),
            words: std::array::from_fn(|_| WordColumn::new()),
            document: WordColumn::new(),
            script: WordColumn::new(),
            span: SpanColumns::new(),
            query_hash_id: TextColumn::new(),
        }
    }
}

impl RowSource for StatementRows<'_> {
    fn add_row(&mut self) -> bool {
        let (inner, at) = (self.input.inner, self.next);
        let Some(raw) = inner.model.processes.get(at as usize) else {
            return false;
        };
        self.next += 1;
        let process = Process::new(inner, at);
        let location = process.location();
        self.input.push_label(&mut self.label);
        self.key.push_with(|key| self.input.keys.write_statement(inner, at, key));
        self.id.push(process.id());
        self.name.push_option(Some(process.name()).filter(|name| !name.is_empty()));
        self.kind.push_symbol(&inner.model, raw.kind);
        let [procedure, procedure_id, database, schema] = &mut self.words;
        procedure.push_symbol(&inner.model, raw.procedure_name);
        procedure_id.push_symbol(&inner.model, raw.procedure_id);
        database.push_text(process.database());
        schema.push_text(process.schema());
        self.document.push_text(location.label());
        self.script.push_text(location.script());
        self.span.push(&self.input, raw.coordinates);
        self.query_hash_id.push_option(process.query_hash_id());
        true
    }

    fn rows(&self) -> usize {
        self.label.len()
    }

    fn bytes(&self) -> usize {
        let words = self.words.iter().map(WordColumn::bytes).sum::<usize>() + self.document.bytes();
        self.key.bytes() + self.name.bytes() + self.query_hash_id.bytes() + words
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut columns = vec![self.label.finish()?, self.key.finish()?, self.id.finish()?, self.name.finish()?];
        columns.push(self.kind.finish()?);
        for word in &mut self.words {
            columns.push(word.finish()?);
        }
        columns.extend([self.document.finish()?, self.script.finish()?]);
        columns.extend(self.span.finish());
        columns.push(self.query_hash_id.finish()?);
        Ok(columns)
    }
}
