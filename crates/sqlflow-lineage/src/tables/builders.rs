//! Columns of record batches that are filled row by row.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, ListArray, StringArray};
use arrow_buffer::{NullBuffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, FieldRef};
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::intern::Symbol;
use crate::model::{Model, NONE};

/// Texts one after the other, as arrays store them.
struct TextBuffer {
    buffer: String,
    ends: Vec<i32>,
}

impl TextBuffer {
    fn new() -> Self {
        Self { buffer: String::new(), ends: vec![0] }
    }

    /// Appends a text, which `write` appends to the buffer.
    fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.buffer);
        self.ends.push(i32::try_from(self.buffer.len()).unwrap_or(i32::MAX));
    }

    fn len(&self) -> usize {
        self.ends.len() - 1
    }

    fn get(&self, number: i32) -> &str {
        let at = usize::try_from(number).unwrap_or(usize::MAX);
        match (self.ends.get(at), self.ends.get(at.saturating_add(1))) {
            (Some(&start), Some(&end)) => {
                let at = |end: i32| usize::try_from(end).unwrap_or_default();
                self.buffer.get(at(start)..at(end)).unwrap_or_default()
            }
            _ => "",
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
        let Self { buffer, ends } = std::mem::replace(self, Self::new());
        if i32::try_from(buffer.len()).is_err() {
            return Err(ArrowError::OffsetOverflowError(buffer.len()));
        }
        let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
        StringArray::try_new(ends, buffer.into_bytes().into(), nulls)
    }
}

/// A column of texts that are different in most rows.
pub(super) struct TextColumn {
    texts: TextBuffer,
    nulls: NullBufferBuilder,
}

impl TextColumn {
    pub(super) fn new() -> Self {
        Self { texts: TextBuffer::new(), nulls: NullBufferBuilder::new(0) }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.push_with(|buffer| buffer.push_str(text));
    }

    pub(super) fn push_option(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.push(text);
        } else {
            self.texts.push_with(|_| {});
            self.nulls.append_null();
        }
    }

    /// Adds a text, which `write` appends to the buffer.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut String)) {
        self.texts.push_with(write);
        self.nulls.append_non_null();
    }

    pub(super) fn bytes(&self) -> usize {
        self.texts.buffer.len()
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        Ok(Arc::new(self.texts.finish(nulls)?))
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

    /// Sets the number of a token. The time for the first token of a batch is proportional to the records of the lineage.
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

/// The distinct texts of a column, and their numbers.
struct Distinct {
    texts: TextBuffer,
    /// The number of the text of each token. Two tokens may have the same text.
    tokens: TokenMap,
    /// The numbers by text, if two tokens may have the same text, each with the hash of its text.
    known: Option<HashTable<(u64, i32)>>,
    hasher: DefaultHashBuilder,
}

impl Distinct {
    fn new(known: Option<HashTable<(u64, i32)>>) -> Self {
        Self { texts: TextBuffer::new(), tokens: TokenMap::default(), known, hasher: DefaultHashBuilder::default() }
    }

    /// Returns the number of a text, which `write` appends to the buffer.
    fn number_of(&mut self, write: impl FnOnce(&mut String)) -> i32 {
        let Self { texts, known, hasher, .. } = self;
        let next = i32::try_from(texts.len()).unwrap_or(i32::MAX);
        let start = texts.buffer.len();
        texts.push_with(write);
        if let Some(known) = known {
            let text = texts.buffer.get(start..).unwrap_or_default();
            let hash = hasher.hash_one(text);
            if let Some(&(_, known)) = known.find(hash, |&(other, at)| other == hash && texts.get(at) == text) {
                texts.buffer.truncate(start);
                texts.ends.pop();
                return known;
            }
            known.insert_unique(hash, (hash, next), |&(hash, _)| hash);
        }
        next
    }

    fn finish(&mut self) -> Result<StringArray, ArrowError> {
        self.clear_numbers();
        self.texts.finish(None)
    }

    /// Forgets all texts, of a column that is no part of a batch.
    fn clear(&mut self) {
        self.clear_numbers();
        self.texts.buffer.clear();
        self.texts.ends.truncate(1);
    }

    fn clear_numbers(&mut self) {
        self.tokens.clear();
        if let Some(known) = &mut self.known {
            known.clear();
        }
    }
}

/// The number of a text in a row that has none, and of a record in a row that refers to none.
pub(super) const NULL: i32 = -1;

/// A column of numbers, which are those of texts or of records.
///
/// It has an entry for each row of the batch, or for each record that the rows refer to. In the second case, the rows are
/// filled in when the batch is finished, so that a row costs one number however many columns say something about its
/// record.
#[derive(Default)]
pub(super) struct NumberColumn {
    entries: Vec<i32>,
    has_null: bool,
}

impl NumberColumn {
    pub(super) fn push(&mut self, number: i32) {
        self.has_null |= number == NULL;
        self.entries.push(number);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, entry: i32) -> i32 {
        usize::try_from(entry).ok().and_then(|entry| self.entries.get(entry)).copied().unwrap_or(NULL)
    }

    /// Returns the entries, which are those of rows.
    pub(super) fn finish(&mut self) -> Result<Int32Array, ArrowError> {
        std::mem::take(self).into_array()
    }

    /// Returns the entries of rows, if each row has the number of its entry.
    pub(super) fn finish_for(&mut self, rows: &Int32Array) -> Result<Int32Array, ArrowError> {
        let numbers = if (0..).zip(&self.entries).all(|(entry, &number)| entry == number) {
            rows.clone()
        } else {
            let entries = rows.values().iter().map(|&row| self.get(row)).collect();
            let of_entries = Self { entries, has_null: self.has_null }.into_array()?;
            let nulls = NullBuffer::union(of_entries.nulls(), rows.nulls());
            Int32Array::try_new(of_entries.values().clone(), nulls)?
        };
        self.entries.clear();
        self.has_null = false;
        Ok(numbers)
    }

    /// Returns the entries as an array in which [`NULL`] is null.
    fn into_array(mut self) -> Result<Int32Array, ArrowError> {
        let nulls = self.has_null.then(|| {
            let nulls: NullBuffer = self.entries.iter().map(|&number| number != NULL).collect();
            self.entries.iter_mut().filter(|number| **number == NULL).for_each(|number| *number = 0);
            nulls
        });
        Int32Array::try_new(ScalarBuffer::from(self.entries), nulls)
    }
}

/// A column of texts that repeat: each is stored once in a batch.
///
/// A text is known by a token, so that it is built once and not for each row. The tokens of a column are either the
/// indices of records or symbols. A column to which symbols are added by [`push_symbol`](Self::push_symbol), for which an
/// empty text is null, gets none by [`push`](Self::push), which knows nothing of that.
pub(super) struct WordColumn {
    distinct: Distinct,
    numbers: NumberColumn,
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
        Self { distinct, numbers: NumberColumn::default(), last: None }
    }

    /// Adds the text of a token, which `write` appends to the buffer if the token is new.
    pub(super) fn push(&mut self, token: u32, write: impl FnOnce(&mut String)) {
        let number = self.number(token, write);
        self.push_number(number);
    }

    /// Returns the text of a number.
    pub(super) fn text(&self, number: i32) -> &str {
        self.distinct.texts.get(number)
    }

    /// Returns the number of the text of an entry.
    pub(super) fn number_at(&self, entry: i32) -> i32 {
        self.numbers.get(entry)
    }

    /// Forgets all texts, of a column that is no part of a batch.
    pub(super) fn clear(&mut self) {
        self.last = None;
        self.distinct.clear();
    }

    /// Returns the number of the text of a token.
    #[inline]
    pub(super) fn number(&mut self, token: u32, write: impl FnOnce(&mut String)) -> i32 {
        match self.last {
            Some((last, number)) if last == token => number,
            _ => self.number_of_other(token, write),
        }
    }

    /// Returns the number of the text of a token, which is not the last one that was looked up.
    fn number_of_other(&mut self, token: u32, write: impl FnOnce(&mut String)) -> i32 {
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
        self.distinct.number_of(write)
    }

    /// Returns the number of a text, or that of none if it is empty.
    pub(super) fn number_of(&mut self, text: &str) -> i32 {
        if text.is_empty() { NULL } else { self.number_of_new(|buffer| buffer.push_str(text)) }
    }

    /// Returns the number of the text of a symbol, or that of none if it is absent or empty.
    #[inline]
    pub(super) fn number_of_symbol(&mut self, model: &Model, symbol: Symbol) -> i32 {
        match self.last {
            Some((last, number)) if last == symbol.token() => number,
            _ => self.number_of_other_symbol(model, symbol),
        }
    }

    fn number_of_other_symbol(&mut self, model: &Model, symbol: Symbol) -> i32 {
        match model.texts.get(symbol) {
            "" => NULL,
            text => self.number_of_other(symbol.token(), |buffer| buffer.push_str(text)),
        }
    }

    pub(super) fn push_number(&mut self, number: i32) {
        self.numbers.push(number);
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

    /// Returns the number of entries.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.distinct.texts.buffer.len()
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let numbers = self.numbers.finish()?;
        self.finish_as(numbers)
    }

    /// Returns the texts of rows, if each row has the number of its entry in this column.
    pub(super) fn finish_for(&mut self, rows: &Int32Array) -> Result<ArrayRef, ArrowError> {
        let numbers = self.numbers.finish_for(rows)?;
        self.finish_as(numbers)
    }

    fn finish_as(&mut self, numbers: Int32Array) -> Result<ArrayRef, ArrowError> {
        self.last = None;
        let mut texts = self.distinct.finish()?;
        if texts.is_empty() && !numbers.is_empty() {
            // The keys of rows without a text must be valid too.
            texts = StringArray::from(vec![""]);
        }
        Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(numbers, Arc::new(texts))?))
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
