//! The texts of a document, each stored once in one buffer and known by a four-byte symbol.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::model::{ArenaFull, growth};

/// A text in one [`Texts`]; the default symbol stands for a field that was absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Symbol(u32);

impl Symbol {
    pub(super) const ABSENT: Self = Self(0);

    pub(super) fn is_absent(self) -> bool {
        self == Self::ABSENT
    }

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }

    /// Returns the symbol of an [index](Self::index).
    pub(super) fn of_index(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self)
    }

    /// Returns this symbol, or `other` if this one is absent.
    pub(super) fn or(self, other: Self) -> Self {
        if self.is_absent() { other } else { self }
    }
}

/// The texts of a document. Symbol `n` is the bytes between `ends[n - 1]` and `ends[n]`.
#[derive(Clone)]
pub(super) struct Texts {
    buffer: String,
    ends: Vec<u32>,
    // The seed is random because the texts come from outside and could be chosen to collide.
    table: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Default for Texts {
    fn default() -> Self {
        Self { buffer: String::new(), ends: vec![0], table: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl Texts {
    /// Returns the text of a symbol; empty if the symbol is absent.
    pub(super) fn get(&self, symbol: Symbol) -> &str {
        text_at(&self.buffer, &self.ends, symbol.0)
    }

    pub(super) fn get_present(&self, symbol: Symbol) -> Option<&str> {
        (!symbol.is_absent()).then(|| self.get(symbol))
    }

    /// Returns the number of symbols, including the absent one.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn find(&self, text: &str) -> Option<Symbol> {
        let hash = self.hasher.hash_one(text);
        self.table.find(hash, |&n| text_at(&self.buffer, &self.ends, n) == text).map(|&n| Symbol(n))
    }

    pub(super) fn intern(&mut self, text: &str) -> Result<Symbol, ArenaFull> {
        let Self { buffer, ends, table, hasher } = self;
        let hash = hasher.hash_one(text);
        if let Some(&n) = table.find(hash, |&n| text_at(buffer, ends, n) == text) {
            return Ok(Symbol(n));
        }
        let end = u32::try_from(buffer.len() + text.len()).map_err(|_| ArenaFull("text"))?;
        let symbol = u32::try_from(ends.len()).map_err(|_| ArenaFull("texts"))?;
        if buffer.capacity() - buffer.len() < text.len() {
            buffer.reserve_exact(text.len() + growth(buffer.len()));
        }
        buffer.push_str(text);
        if ends.len() == ends.capacity() {
            ends.reserve_exact(growth(ends.len()));
        }
        ends.push(end);
        table.insert_unique(hash, symbol, |&n| hasher.hash_one(text_at(buffer, ends, n)));
        Ok(Symbol(symbol))
    }

    pub(super) fn shrink(&mut self) {
        let Self { buffer, ends, table, hasher } = self;
        buffer.shrink_to_fit();
        ends.shrink_to_fit();
        table.shrink_to_fit(|&n| hasher.hash_one(text_at(buffer, ends, n)));
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.buffer.capacity() + self.ends.capacity() * 4 + self.table.allocation_size()
    }
}

fn text_at<'t>(buffer: &'t str, ends: &[u32], symbol: u32) -> &'t str {
    let symbol = symbol as usize;
    let start = symbol.checked_sub(1).and_then(|before| ends.get(before));
    match (start, ends.get(symbol)) {
        (Some(&start), Some(&end)) => buffer.get(start as usize..end as usize).unwrap_or(""),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_occurs_twice_is_stored_once() {
        let mut texts = Texts::default();
        let first = texts.intern("RS-1").unwrap();
        let other = texts.intern("fdd").unwrap();
        assert_eq!(texts.intern("RS-1").unwrap(), first);
        assert_ne!(first, other);
        assert_eq!(texts.buffer, "RS-1fdd");
        assert_eq!(texts.find("fdd"), Some(other));
        assert_eq!(texts.find("fdr"), None);
    }

    #[test]
    fn an_empty_text_differs_from_an_absent_one() {
        let mut texts = Texts::default();
        let empty = texts.intern("").unwrap();
        assert!(!empty.is_absent());
        assert_eq!(texts.get_present(empty), Some(""));
        assert_eq!(texts.get_present(Symbol::ABSENT), None);
        assert_eq!(texts.get(Symbol::ABSENT), "");
    }
}
