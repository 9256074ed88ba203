//! The ids of merged records: which stay, which become new numbers, and what references to them become.

use std::collections::HashMap;

use crate::intern::Symbol;
use crate::model::{ArenaFull, Model};

use super::{MergeInput, Merger};

/// Ids from this number on are not counted from, because a reader may hold ids as floats.
const MAX_COUNTED: u64 = 1 << 53;

/// The kind of record that a reference means if several kinds have its id.
#[derive(Clone, Copy)]
pub(super) enum ReferenceKind {
    /// An endpoint means a column first.
    Any,
    /// A parent or table means an object first.
    Object,
}

impl Merger {
    /// Returns the new id of a record that is not joined with another: the old id if it is free, or else a new number.
    pub(super) fn id(&mut self, input: &mut MergeInput<'_>, id: Symbol) -> Result<Symbol, ArenaFull> {
        let is_taken =
            |merger: &Self, symbol| merger.used_ids.contains(&symbol) || merger.unresolved_ids.contains(&symbol);
        let becomes = self.free(input, id, is_taken)?;
        if !becomes.is_absent() {
            self.used_ids.insert(becomes);
        }
        Ok(becomes)
    }

    /// Returns the new id of a reference to a record that is not joined with another, or to nothing.
    pub(super) fn reference_to_itself(&mut self, input: &mut MergeInput<'_>, id: Symbol) -> Result<Symbol, ArenaFull> {
        let becomes = self.free(input, id, |merger, symbol| merger.used_ids.contains(&symbol))?;
        if !becomes.is_absent() && !self.used_ids.contains(&becomes) {
            self.unresolved_ids.insert(becomes);
        }
        Ok(becomes)
    }

    /// Returns the id itself if it is not taken, or else a new number; the same for every use of the id in one input.
    fn free(
        &mut self,
        input: &mut MergeInput<'_>,
        id: Symbol,
        is_taken: impl Fn(&Self, Symbol) -> bool,
    ) -> Result<Symbol, ArenaFull> {
        let source = &input.inner.model.texts;
        // An empty text is no id, and two of them do not mean the same.
        let Some(text) = source.get_present(source.non_empty(id)) else {
            return Ok(Symbol::ABSENT);
        };
        if let Some(&known) = input.ids.get(&id) {
            return Ok(known);
        }
        let becomes = if self.model.texts.find(text).is_some_and(|symbol| is_taken(self, symbol)) {
            let fresh = loop {
                self.largest_id += 1;
                let fresh = self.largest_id.to_string();
                let known = self.model.texts.find(&fresh);
                let is_used = |symbol| self.used_ids.contains(&symbol) || self.unresolved_ids.contains(&symbol);
                if source.find(&fresh).is_none() && !known.is_some_and(is_used) {
                    break fresh;
                }
            };
            self.model.texts.intern(&fresh)?
        } else {
            self.model.texts.intern(text)?
        };
        input.ids.insert(id, becomes);
        Ok(becomes)
    }

    /// Returns the new id of a reference: the id of the record that it means, or an id that means nothing as before.
    pub(super) fn reference(
        &mut self,
        input: &mut MergeInput<'_>,
        id: Symbol,
        kind: ReferenceKind,
    ) -> Result<Symbol, ArenaFull> {
        let (objects, columns, arguments) = (&input.object_ids, &input.column_ids, &input.argument_ids);
        let tables = match kind {
            ReferenceKind::Any => [columns, objects, arguments],
            ReferenceKind::Object => [objects, columns, arguments],
        };
        let is_process = matches!(kind, ReferenceKind::Any) && input.inner.ids().process(id).is_some();
        let known = |table: &&HashMap<Symbol, Symbol>| table.get(&id).copied();
        let found = if is_process { tables.iter().take(2).find_map(known) } else { tables.iter().find_map(known) };
        match found {
            Some(becomes) if !becomes.is_absent() => Ok(becomes),
            _ => self.reference_to_itself(input, id),
        }
    }
}

/// Records the new id for an old one: the first record that has the id keeps it. A record without an id is not what a
/// reference without an id means.
pub(super) fn keep_first(ids: &mut HashMap<Symbol, Symbol>, id: Symbol, becomes: Symbol) {
    if !id.is_absent() {
        ids.entry(id).or_insert(becomes);
    }
}

/// Returns the largest number among the ids of a document.
pub(super) fn largest_id(model: &Model) -> u64 {
    let objects = model.objects.iter().map(|object| object.id);
    let columns = model.columns.iter().map(|column| column.id);
    let arguments = model.arguments.iter().map(|argument| argument.id);
    let processes = model.processes.iter().map(|process| process.id);
    let relationships = model.relationships.iter().map(|relationship| relationship.id);
    let ids = objects.chain(columns).chain(arguments).chain(processes).chain(relationships);
    ids.map(|id| number_of(model.texts.get(id))).max().unwrap_or_default()
}

fn number_of(id: &str) -> u64 {
    id.parse().ok().filter(|&number| number < MAX_COUNTED).unwrap_or_default()
}
