//! Fields that few records have.

use crate::intern::Symbol;

/// The values of fields that few records have: the record, the field and the text.
#[derive(Clone, Debug)]
pub(crate) struct Extras<K> {
    entries: Vec<(u32, K, Symbol)>,
}

impl<K> Default for Extras<K> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

/// Returns the last value of a field among those of a record.
pub(crate) fn last_value<K: Copy + PartialEq>(values: &[(u32, K, Symbol)], key: K) -> Symbol {
    values.iter().rev().find(|entry| entry.1 == key).map_or(Symbol::ABSENT, |entry| entry.2)
}

impl<K: Copy + PartialEq> Extras<K> {
    pub(crate) fn add(&mut self, owner: u32, key: K, value: Symbol) {
        if !value.is_absent() {
            self.entries.push((owner, key, value));
        }
    }

    /// Sorts the values by record. It must be called before the first [`Self::get`].
    pub(crate) fn settle(&mut self) {
        if !self.entries.is_sorted_by_key(|entry| entry.0) {
            self.entries.sort_by_key(|entry| entry.0);
        }
        self.entries.shrink_to_fit();
    }

    /// Sorts the values by record and keeps the first of several values of one field. It must be called before the first
    /// [`Self::get`].
    pub(crate) fn settle_first(&mut self) {
        self.settle();
        let mut kept: Vec<(u32, K, Symbol)> = Vec::with_capacity(self.entries.len());
        for &entry in &self.entries {
            let is_given = kept.iter().rev().take_while(|it| it.0 == entry.0).any(|it| it.1 == entry.1);
            if !is_given {
                kept.push(entry);
            }
        }
        self.entries = kept;
    }

    /// Gives the values of each record to the record at its new index. It must be called before [`Self::settle`].
    pub(crate) fn move_owners(&mut self, place: impl Fn(u32) -> u32) {
        for entry in &mut self.entries {
            entry.0 = place(entry.0);
        }
    }

    /// Returns the record, the field and the last value of each field that has one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, K, Symbol)> + '_ {
        self.entries.iter().copied().filter(|&(owner, key, value)| self.get(owner, key) == value)
    }

    /// Returns the last value of a field, because JSON readers use the last of two equal keys.
    pub(crate) fn get(&self, owner: u32, key: K) -> Symbol {
        let from = self.entries.partition_point(|entry| entry.0 < owner);
        last_value(self.run(from, owner), key)
    }

    /// Returns the values of a record, for a walk over all records in their order: `from` is the place where those of the
    /// last record begin, and becomes that of this one.
    #[cfg(feature = "arrow")]
    pub(crate) fn of(&self, owner: u32, from: &mut usize) -> &[(u32, K, Symbol)] {
        let rest = self.entries.get(*from..).unwrap_or_default();
        *from += rest.iter().take_while(|entry| entry.0 < owner).count();
        self.run(*from, owner)
    }

    /// Returns the values of a record that begin at this place.
    fn run(&self, from: usize, owner: u32) -> &[(u32, K, Symbol)] {
        let rest = self.entries.get(from..).unwrap_or_default();
        let len = rest.iter().take_while(|entry| entry.0 == owner).count();
        rest.get(..len).unwrap_or_default()
    }

    /// Removes and returns the values that were added since there were `len` of them.
    pub(crate) fn drain_since(&mut self, len: usize) -> impl Iterator<Item = (K, Symbol)> + '_ {
        let len = len.min(self.entries.len());
        self.entries.drain(len..).map(|entry| (entry.1, entry.2))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<(u32, K, Symbol)>()
    }
}
