//! Columns of record batches that are filled row by row.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, ListArray, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, FieldRef};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

use crate::intern::Symbol;
use crate::model::{Model, NONE};

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

/// The numbers of tokens, which are indices of records or of symbols.
///
/// Rows that follow each other have tokens that are close together, so they find their numbers in a few cache lines, which
/// a hash table would spread over the whole of it. Only the pages of tokens that have numbers exist.
#[derive(Default)]
pub(super) struct TokenMap {
    /// The number of the page of each range of tokens, from 1; zero if it has none.
    pages: Vec<u32>,
    /// The numbers of the tokens of all pages, or [`NULL`].
    numbers: Vec<i32>,
}

/// The number of tokens of a page: their numbers take 64 bytes.
const PAGE: usize = 16;

impl TokenMap {
    /// Returns the number of a token.
    pub(super) fn get(&self, token: u32) -> Option<i32> {
        let page = *self.pages.get(token as usize / PAGE)?;
        let at = (page as usize).checked_sub(1)? * PAGE + token as usize % PAGE;
        self.numbers.get(at).copied().filter(|&number| number != NULL)
    }

    /// Sets the number of a token. The time for the first token of a lineage is proportional to its records.
    pub(super) fn insert(&mut self, token: u32, number: i32) {
        if token == NONE {
            return;
        }
        let range = token as usize / PAGE;
        if self.pages.len() <= range {
            self.pages.resize(range + 1, 0);
        }
        let Some(page) = self.pages.get_mut(range) else {
            return;
        };
        if *page == 0 {
            self.numbers.resize(self.numbers.len() + PAGE, NULL);
            *page = u32::try_from(self.numbers.len() / PAGE).unwrap_or(0);
        }
        let at = (*page as usize).saturating_sub(1) * PAGE + token as usize % PAGE;
        if let Some(place) = self.numbers.get_mut(at) {
            *place = number;
        }
    }

    pub(super) fn clear(&mut self) {
        self.pages.clear();
        self.numbers.clear();
    }
}

/// The numbers of several texts of each token, which are known after one search.
pub(super) struct TokenRecords<T> {
    map: TokenMap,
    records: Vec<T>,
}

impl<T> Default for TokenRecords<T> {
    fn default() -> Self {
        Self { map: TokenMap::default(), records: Vec::new() }
    }
}

impl<T: Copy> TokenRecords<T> {
    pub(super) fn get(&self, token: u32) -> Option<T> {
        let at = self.map.get(token)?;
        self.records.get(usize::try_from(at).ok()?).copied()
    }

    pub(super) fn insert(&mut self, token: u32, record: T) {
        self.map.insert(token, i32::try_from(self.records.len()).unwrap_or(i32::MAX));
        self.records.push(record);
    }

    pub(super) fn clear(&mut self) {
        self.map.clear();
        self.records.clear();
    }
}

/// The distinct texts of a column, and their numbers.
struct Distinct {
    /// The number of the text of each token. Two tokens may have the same text.
    tokens: TokenMap,
    /// The numbers by text, if two tokens may have the same text.
    texts: Option<HashTable<i32>>,
    hasher: DefaultHashBuilder,
    buffer: String,
    ends: Vec<i32>,
}

impl Distinct {
    fn new(texts: Option<HashTable<i32>>) -> Self {
        Self {
            tokens: TokenMap::default(),
            texts,
            hasher: DefaultHashBuilder::default(),
            buffer: String::new(),
            ends: vec![0],
        }
    }

    /// Returns the number of the text that was appended to the buffer.
    fn number_of_appended(&mut self) -> i32 {
        let Self { texts, hasher, buffer, ends, .. } = self;
        let next = i32::try_from(ends.len() - 1).unwrap_or(i32::MAX);
        if let Some(texts) = texts {
            let text = |number: i32| text_at(buffer, ends, number);
            let start = ends.last().map_or(0, |&end| usize::try_from(end).unwrap_or_default());
            let appended = buffer.get(start..).unwrap_or_default();
            let hash = hasher.hash_one(appended);
            if let Some(&known) = texts.find(hash, |&number| text(number) == appended) {
                buffer.truncate(start);
                return known;
            }
            texts.insert_unique(hash, next, |&number| hasher.hash_one(text(number)));
        }
        ends.push(i32::try_from(buffer.len()).unwrap_or(i32::MAX));
        next
    }

    fn finish(&mut self) -> Result<StringArray, ArrowError> {
        let ends = std::mem::replace(&mut self.ends, vec![0]);
        let buffer = std::mem::take(&mut self.buffer);
        self.tokens.clear();
        if let Some(texts) = &mut self.texts {
            texts.clear();
        }
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
pub(super) const NULL: i32 = -1;

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
        Self::with(Distinct::new(Some(HashTable::new())))
    }

    /// Creates a column whose texts all have tokens, of which no two have the same text. The texts are not compared.
    pub(super) fn of_tokens() -> Self {
        Self::with(Distinct::new(None))
    }

    fn with(distinct: Distinct) -> Self {
        Self { distinct, numbers: Vec::new(), has_null: false, last: None }
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
        let number = if let Some(number) = self.distinct.tokens.get(token) {
            number
        } else {
            let number = self.number_of_new(write);
            self.distinct.tokens.insert(token, number);
            number
        };
        self.last = Some((token, number));
        number
    }

    /// Returns the number of a text that `write` appends to the buffer, of a token that is known to be new.
    pub(super) fn number_of_new(&mut self, write: impl FnOnce(&mut String)) -> i32 {
        write(&mut self.distinct.buffer);
        self.distinct.number_of_appended()
    }

    /// Returns the number of a text, or that of none if it is empty.
    pub(super) fn number_of(&mut self, text: &str) -> i32 {
        if text.is_empty() {
            return NULL;
        }
        self.distinct.buffer.push_str(text);
        self.distinct.number_of_appended()
    }

    /// Returns the number of the text of a symbol, or that of none if it is absent or empty.
    pub(super) fn number_of_symbol(&mut self, model: &Model, symbol: Symbol) -> i32 {
        let text = model.texts.get(symbol);
        if text.is_empty() {
            return NULL;
        }
        self.number(u32::try_from(symbol.index()).unwrap_or(u32::MAX), |buffer| buffer.push_str(text))
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
        let number = self.number_of_symbol(model, symbol);
        self.push_number(number);
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
        Self { words: WordColumn::of_tokens(), ends: vec![0] }
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
