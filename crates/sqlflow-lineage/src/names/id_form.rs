//! The form of an id that a lookup takes where a name cannot tell records apart: `id:12`.

use std::collections::HashMap;

use super::{LineageInner, Model};
use crate::intern::Symbol;

pub(crate) const PREFIX: &str = "id:";

/// A record that a lookup by name finds, by its index. Objects come before columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NamedRecord {
    Object(u32),
    Column(u32),
}

/// The records whose id is not theirs alone, by id: first the objects, then the columns, each in the order of the
/// document. Records without an id are under the absent symbol.
pub(crate) struct RepeatedIds {
    records: HashMap<Symbol, Vec<NamedRecord>>,
}

impl RepeatedIds {
    pub(crate) fn new(model: &Model) -> Self {
        let mut count = vec![0_u8; model.texts.len()];
        for id in ids(model).map(|(id, _)| id) {
            if let Some(count) = count.get_mut(id.index()) {
                *count = count.saturating_add(1);
            }
        }
        let mut records: HashMap<Symbol, Vec<NamedRecord>> = HashMap::new();
        let is_repeated = |id: Symbol| id.is_absent() || count.get(id.index()).is_some_and(|&count| count > 1);
        for (id, record) in ids(model).filter(|(id, _)| is_repeated(*id)) {
            records.entry(id).or_default().push(record);
        }
        Self { records }
    }

    /// Returns the number of a record among those with its id, from 1; `None` if no other record has its id.
    fn number(&self, id: Symbol, record: NamedRecord) -> Option<usize> {
        let at = self.records.get(&id)?.binary_search(&record).ok()?;
        Some(at + 1)
    }

    fn get(&self, id: Symbol, number: usize) -> Option<NamedRecord> {
        self.records.get(&id)?.get(number.checked_sub(1)?).copied()
    }
}

/// Returns the ids of all objects and columns. An empty id is no id.
fn ids(model: &Model) -> impl Iterator<Item = (Symbol, NamedRecord)> + '_ {
    let objects = (0..).zip(&model.objects).map(|(at, object)| (object.id, NamedRecord::Object(at)));
    let columns = (0..).zip(&model.columns).map(|(at, column)| (column.id, NamedRecord::Column(at)));
    objects.chain(columns).map(|(id, record)| (model.texts.non_empty(id), record))
}

fn id_of(model: &Model, record: NamedRecord) -> Symbol {
    let id = match record {
        NamedRecord::Object(at) => model.objects.get(at as usize).map(|object| object.id),
        NamedRecord::Column(at) => model.columns.get(at as usize).map(|column| column.id),
    };
    id.map_or(Symbol::ABSENT, |id| model.texts.non_empty(id))
}

/// Returns the form of the id of a record: `id:12`, or `id:12#2` for the second of several records with that id, or
/// `id:#3` for the third record without an id.
pub(crate) fn id_form(inner: &LineageInner, record: NamedRecord) -> String {
    match id_and_number(inner, record) {
        (id, Some(number)) => with_number(inner, id, number),
        (id, None) => format!("{PREFIX}{}", inner.model.texts.get(id)),
    }
}

/// Returns the id of a record, and the number that its form needs.
pub(crate) fn id_and_number(inner: &LineageInner, record: NamedRecord) -> (Symbol, Option<usize>) {
    let id = id_of(&inner.model, record);
    let number = inner.repeated_ids().number(id, record);
    (id, number.filter(|&number| number > 1 || id.is_absent()))
}

/// Returns the form of the id of a record with a number, which few names have the form of.
pub(super) fn numbered_id_form(inner: &LineageInner, record: NamedRecord) -> String {
    let id = id_of(&inner.model, record);
    with_number(inner, id, inner.repeated_ids().number(id, record).unwrap_or(1))
}

fn with_number(inner: &LineageInner, id: Symbol, number: usize) -> String {
    format!("{PREFIX}{}#{number}", inner.model.texts.get(id))
}

/// Returns the record that an id in the form of [`id_form`] means. If an object and a column have the id, it is the
/// object.
pub(super) fn by_id_form(inner: &LineageInner, name: &str) -> Option<NamedRecord> {
    let id = name.strip_prefix(PREFIX)?;
    if let Some(record) = first_with_id(inner, id) {
        return Some(record);
    }
    let (id, number) = id.rsplit_once('#')?;
    let number: usize = number.parse().ok()?;
    let symbol = if id.is_empty() { Symbol::ABSENT } else { inner.model.texts.find(id)? };
    let repeated = inner.repeated_ids().get(symbol, number);
    repeated.or_else(|| first_with_id(inner, id).filter(|_| number == 1))
}

fn first_with_id(inner: &LineageInner, id: &str) -> Option<NamedRecord> {
    let symbol = inner.model.texts.find(id).filter(|_| !id.is_empty())?;
    let object = inner.ids().object(symbol).map(NamedRecord::Object);
    object.or_else(|| inner.ids().column(symbol).map(NamedRecord::Column))
}
