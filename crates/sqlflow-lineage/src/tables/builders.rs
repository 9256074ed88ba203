//! Columns of record batches that are filled row by row.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, ListArray, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, FieldRef};
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use std::hash::BuildHasher;

use crate::intern::Symbol;
use crate::model::Model;

/// A column of texts that are different in most rows.
pub(super) struct TextColumn {
    texts: StringBuilder,
}

impl TextColumn {
    pub(super) fn new() -> Self {
        Self { texts: StringBuilder::new() }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.texts.append_value(text);
    }

    pub(super) fn push_option(&mut self, text: Option<&str>) {
        self.texts.append_option(text);
    }

    /// Adds a text that consists of several parts.
    pub(super) fn push_parts(&mut self, parts: &[&str]) {
        for part in parts {
            // A builder in memory takes every text.
            let _ = self.texts.write_str(part);
        }
        self.texts.append_value("");
    }

    pub(super) fn bytes(&self) -> usize {
        self.texts.values_slice().len()
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        Arc::new(self.texts.finish())
    }
}

/// The distinct texts of a column, and their numbers.
struct Distinct {
    /// The number of the text of each token. Two tokens may have the same text.
    tokens: HashMap<u32, i32>,
    texts: HashTable<i32>,
    hasher: DefaultHashBuilder,
    buffer: String,
    ends: Vec<i32>,
}

impl Distinct {
    fn new() -> Self {
        Self {
            tokens: HashMap::new(),
            texts: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            buffer: String::new(),
            ends: vec![0],
        }
    }

    /// Returns the number of the text that was appended to the buffer.
    fn number_of_appended(&mut self) -> i32 {
        let Self { texts, hasher, buffer, ends, .. } = self;
        let text = |number: i32| text_at(buffer, ends, number);
        let next = i32::try_from(ends.len() - 1).unwrap_or(i32::MAX);
        let start = ends.last().map_or(0, |&end| usize::try_from(end).unwrap_or_default());
        let appended = buffer.get(start..).unwrap_or_default();
        let hash = hasher.hash_one(appended);
        if let Some(&known) = texts.find(hash, |&number| text(number) == appended) {
            buffer.truncate(start);
            return known;
        }
        texts.insert_unique(hash, next, |&number| hasher.hash_one(text(number)));
        ends.push(i32::try_from(buffer.len()).unwrap_or(i32::MAX));
        next
    }

    fn finish(&mut self) -> Result<StringArray, ArrowError> {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let buffer = std::mem::take(&mut self.buffer);
        self.tokens.clear();
        self.texts.clear();
        StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(ends)), buffer.into_bytes().into(), None)
    }
}

fn text_at<'t>(buffer: &'t str, ends: &[i32], number: i32) -> &'t str {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    match (ends.get(at), ends.get(at.saturating_add(1))) {
        (Some(&start), Some(&end)) => {
            let at = |end: i32| usize::try_from(end).unwrap_or_default();
            buffer.get(at(start)..at(end)).unwrap_or_default()
        }
        _ => "",
    }
}

/// The number of a text in a row that has none.
const NULL: i32 = -1;

/// A column of texts that repeat: each is stored once in a batch.
///
/// A text is known by a token, the index of a record or a symbol, so that it is built once and not for each row.
pub(super) struct WordColumn {
    distinct: Distinct,
    numbers: Vec<i32>,
    has_null: bool,
    last: Option<(u32, i32)>,
}

impl WordColumn {
    pub(super) fn new() -> Self {
        Self { distinct: Distinct::new(), numbers: Vec::new(), has_null: false, last: None }
    }

    /// Adds the text of a token, which `write` appends to the buffer if the token is new.
    pub(super) fn push(&mut self, token: u32, write: impl FnOnce(&mut String)) {
        let number = self.number(token, write);
        self.push_number(number);
    }

    /// Returns the text of a number.
    pub(super) fn text(&self, number: i32) -> &str {
        text_at(&self.distinct.buffer, &self.distinct.ends, number)
    }

    /// Forgets all texts, of a column that is no part of a batch.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// Returns the number of the text of a token.
    pub(super) fn number(&mut self, token: u32, write: impl FnOnce(&mut String)) -> i32 {
        if let Some((last, number)) = self.last
            && last == token
        {
            return number;
        }
        let number = if let Some(&number) = self.distinct.tokens.get(&token) {
            number
        } else {
            write(&mut self.distinct.buffer);
            let number = self.distinct.number_of_appended();
            self.distinct.tokens.insert(token, number);
            number
        };
        self.last = Some((token, number));
        number
    }

    /// Returns the number of a text, or that of none if it is empty.
    pub(super) fn number_of(&mut self, text: &str) -> i32 {
        if text.is_empty() {
            return NULL;
        }
        self.distinct.buffer.push_str(text);
        self.distinct.number_of_appended()
    }

    pub(super) fn push_number(&mut self, number: i32) {
        self.has_null |= number == NULL;
        self.numbers.push(number);
    }

    pub(super) fn push_null(&mut self) {
        self.push_number(NULL);
    }

    /// Adds the text of a symbol, or none if it is absent or empty.
    pub(super) fn push_symbol(&mut self, model: &Model, symbol: Symbol) {
        let text = model.texts.get(symbol);
        if text.is_empty() {
            self.push_null();
        } else {
            self.push(u32::try_from(symbol.index()).unwrap_or(u32::MAX), |buffer| buffer.push_str(text));
        }
    }

    /// Adds a text of which there are few.
    pub(super) fn push_text(&mut self, text: Option<&str>) {
        let number = self.number_of(text.unwrap_or_default());
        self.push_number(number);
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.distinct.buffer.len()
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let mut numbers = std::mem::take(&mut self.numbers);
        self.last = None;
        let nulls = std::mem::take(&mut self.has_null).then(|| {
            let nulls: NullBuffer = numbers.iter().map(|&number| number != NULL).collect();
            numbers.iter_mut().filter(|number| **number == NULL).for_each(|number| *number = 0);
            nulls
        });
        let mut values = self.distinct.finish()?;
        if values.is_empty() && !numbers.is_empty() {
            // The keys of rows without a text must be valid too.
            values = StringArray::from(vec![""]);
        }
        let keys = Int32Array::try_new(ScalarBuffer::from(numbers), nulls)?;
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values))?))
    }
}

/// A column of lists of texts that repeat.
pub(super) struct WordListColumn {
    words: WordColumn,
    ends: Vec<i32>,
}

impl WordListColumn {
    pub(super) fn new() -> Self {
        Self { words: WordColumn::new(), ends: vec![0] }
    }

    /// Adds the texts of some symbols, in alphabetical order and each once.
    pub(super) fn push_symbols(&mut self, model: &Model, symbols: &mut Vec<Symbol>) {
        if symbols.len() > 1 {
            symbols.sort_unstable_by(|a, b| model.texts.get(*a).cmp(model.texts.get(*b)));
            symbols.dedup();
        }
        for symbol in symbols.drain(..) {
            self.words.push_symbol(model, symbol);
        }
        self.ends.push(i32::try_from(self.words.len()).unwrap_or(i32::MAX));
    }

    /// Returns the number of texts in all lists.
    pub(super) fn texts(&self) -> usize {
        self.words.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.bytes()
    }

    pub(super) fn finish(&mut self, element: &FieldRef) -> Result<ArrayRef, ArrowError> {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
        Ok(Arc::new(ListArray::try_new(element.clone(), offsets, self.words.finish()?, None)?))
    }
}
