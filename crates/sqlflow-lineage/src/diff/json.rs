//! Differences as JSON for programs.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::full::sources_and_targets;
use super::{Changes, Diff, DiffNote, FullDiff, KindChange};
use crate::view::{Column, Object, Relationship};

/// A record that was added or removed.
#[derive(Serialize)]
#[serde(tag = "record", rename_all = "snake_case")]
enum ChangedRecord<'a> {
    Object {
        kind: &'a str,
        name: String,
        id: &'a str,
    },
    Column {
        object: String,
        column: &'a str,
        name: String,
        id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        implied: Option<bool>,
    },
    ColumnFlow {
        source: String,
        target: String,
        implied: bool,
    },
    ObjectFlow {
        source: String,
        target: String,
        implied: bool,
    },
    Relationship {
        kind: &'a str,
        effect: Option<&'a str>,
        sources: Vec<String>,
        targets: Vec<String>,
        id: &'a str,
    },
}

/// The key by which records are sorted: objects, columns, flows, relationships, each by name.
type SortKey = (u8, String, String);

impl<'a> ChangedRecord<'a> {
    fn object(object: Object<'a>) -> Self {
        Self::Object { kind: object.kind_text(), name: object.qualified_name(), id: object.id() }
    }

    fn column(column: Column<'a>, implied: Option<bool>) -> Self {
        Self::Column {
            object: column.object().qualified_name(),
            column: column.name(),
            name: column.qualified_name(),
            id: column.id(),
            implied,
        }
    }

    fn relationship(relationship: Relationship<'a>) -> Self {
        let [sources, targets] = sources_and_targets(relationship);
        Self::Relationship {
            kind: relationship.type_text(),
            effect: relationship.effect_text(),
            sources,
            targets,
            id: relationship.id(),
        }
    }

    fn sort_key(&self) -> SortKey {
        match self {
            Self::Object { name, id, .. } => (0, name.clone(), (*id).to_owned()),
            Self::Column { name, id, .. } => (1, name.clone(), (*id).to_owned()),
            Self::ColumnFlow { source, target, .. } => (2, source.clone(), target.clone()),
            Self::ObjectFlow { source, target, .. } => (3, source.clone(), target.clone()),
            Self::Relationship { sources, targets, id, .. } => {
                (4, format!("{} → {}", sources.join(", "), targets.join(", ")), (*id).to_owned())
            }
        }
    }
}

/// The records of all kinds that were added or removed.
#[derive(Default)]
struct ChangedRecords<'a> {
    added: Vec<ChangedRecord<'a>>,
    removed: Vec<ChangedRecord<'a>>,
}

impl<'a> ChangedRecords<'a> {
    fn extend<T>(&mut self, changes: &Changes<T>, record: impl Fn(&T) -> ChangedRecord<'a>) {
        self.added.extend(changes.added.iter().map(&record));
        self.removed.extend(changes.removed.iter().map(&record));
    }

    fn sorted(mut self) -> Self {
        self.added.sort_by_cached_key(ChangedRecord::sort_key);
        self.removed.sort_by_cached_key(ChangedRecord::sort_key);
        self
    }
}

impl Serialize for Diff<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut records = ChangedRecords::default();
        records.extend(&self.objects, |object| ChangedRecord::object(*object));
        records.extend(&self.columns.with(&self.implied_columns), |(column, implied)| {
            ChangedRecord::column(**column, Some(**implied))
        });
        records.extend(&self.column_flows.with(&self.implied_column_flows), |(flow, implied)| {
            ChangedRecord::ColumnFlow {
                source: flow.source.qualified_name(),
                target: flow.target.qualified_name(),
                implied: **implied,
            }
        });
        records.extend(&self.object_flows.with(&self.implied_object_flows), |(flow, implied)| {
            ChangedRecord::ObjectFlow {
                source: flow.source.qualified_name(),
                target: flow.target.qualified_name(),
                implied: **implied,
            }
        });
        let records = records.sorted();
        let mut changed: Vec<ChangedObject<'_>> = self.changed_kinds.iter().map(ChangedObject::new).collect();
        changed.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let mut json = serializer.serialize_struct("Diff", 4)?;
        json.serialize_field("added", &records.added)?;
        json.serialize_field("removed", &records.removed)?;
        json.serialize_field("changed", &changed)?;
        json.serialize_field("notes", &self.notes)?;
        json.end()
    }
}

impl Serialize for FullDiff<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut records = ChangedRecords::default();
        records.extend(self.objects(), |object| ChangedRecord::object(*object));
        records.extend(self.columns(), |column| ChangedRecord::column(*column, None));
        records.extend(self.relationships(), |relationship| ChangedRecord::relationship(*relationship));
        let records = records.sorted();
        let mut json = serializer.serialize_struct("FullDiff", 3)?;
        json.serialize_field("added", &records.added)?;
        json.serialize_field("removed", &records.removed)?;
        json.serialize_field("notes", self.notes())?;
        json.end()
    }
}

/// An object whose kind changed.
#[derive(Serialize)]
struct ChangedObject<'a> {
    record: &'static str,
    name: String,
    kind: &'a str,
    old_kind: &'a str,
    id: &'a str,
}

impl<'a> ChangedObject<'a> {
    fn new(change: &KindChange<'a>) -> Self {
        Self {
            record: "object",
            name: change.new.qualified_name(),
            kind: change.new.kind_text(),
            old_kind: change.old.kind_text(),
            id: change.new.id(),
        }
    }
}

impl Serialize for DiffNote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("DiffNote", 4)?;
        json.serialize_field("side", self.side.as_str())?;
        json.serialize_field("kind", self.kind.as_str())?;
        json.serialize_field("count", &self.count)?;
        json.serialize_field("message", &self.to_string())?;
        json.end()
    }
}
