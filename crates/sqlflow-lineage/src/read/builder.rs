//! The model under construction, which every part of the reader writes into.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde::de;

use super::super::Lineage;
use super::super::error::{ReadError, ReadErrorKind};
use super::super::intern::{Symbol, Texts};
use super::super::model::{ArenaFull, Model, NONE, RawBusiestTable, RawProcess, RawScope, ScopeKind, Span, push};
use super::fields::JsonPath;

/// A limit of the model that ends reading, although the JSON is sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LimitExceeded {
    TooMany(&'static str),
    TooDeep,
}

impl From<ArenaFull> for LimitExceeded {
    fn from(ArenaFull(what): ArenaFull) -> Self {
        Self::TooMany(what)
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(what) => write!(f, "more {what} than 32 bits can count"),
            Self::TooDeep => f.write_str("nested too deeply"),
        }
    }
}

/// The shape of `data` at the top of an envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataShape {
    #[default]
    Absent,
    Null,
    Object,
    Other,
}

/// The content of the envelope. It is interpreted when all of it is read, because keys come in any order.
#[derive(Default)]
pub(super) struct EnvelopeState {
    pub(super) code: Option<i64>,
    pub(super) error: Option<String>,
    pub(super) message: Option<String>,
    pub(super) data: DataShape,
    /// `true` if the document has something that only lineage has.
    pub(super) is_lineage: bool,
    /// `true` if the relationships are not a list. A lineage without them would say that nothing depends on anything.
    pub(super) has_unread_relationships: bool,
}

/// Beyond this many different paths, unknown fields are counted under one entry, so that the list for a hostile document
/// does not become longer than the document.
const MAX_UNKNOWN_PATHS: usize = 1000;
const OTHER_PATHS: &str = "…";

#[derive(Default)]
pub(super) struct Builder {
    pub(super) model: Model,
    pub(super) envelope: EnvelopeState,
    /// The hash code of the previous coordinate, because neighbours mostly have the same.
    pub(super) last_hash: Symbol,
    /// The busiest tables of the summary that is being read.
    pub(super) busiest: Vec<RawBusiestTable>,
    /// `true` if the graph section is kept.
    pub(super) keeps_graph: bool,
    fault: Option<LimitExceeded>,
    /// The paths of the fields that were not understood, and the number of their occurrences.
    unknown: BTreeMap<String, u64>,
    processes: HashMap<Symbol, u32>,
    scopes: HashMap<(u32, ScopeKind, Symbol), u32>,
}

impl Builder {
    pub(super) fn fault(&self) -> Option<LimitExceeded> {
        self.fault
    }

    /// Records the limit that was exceeded and returns an error that stops the parser.
    pub(super) fn fail<E: de::Error>(&mut self, fault: impl Into<LimitExceeded>) -> E {
        let fault = fault.into();
        self.fault = Some(fault);
        E::custom(fault)
    }

    /// Counts a field or value that was not understood.
    pub(super) fn note(&mut self, path: &JsonPath<'_>) {
        let mut path = path.to_string();
        let unknown = &mut self.unknown;
        if unknown.len() >= MAX_UNKNOWN_PATHS && !unknown.contains_key(&path) {
            OTHER_PATHS.clone_into(&mut path);
        }
        *unknown.entry(path).or_default() += 1;
    }

    pub(super) fn intern<E: de::Error>(&mut self, text: &str) -> Result<Symbol, E> {
        match self.model.texts.intern(text) {
            Ok(symbol) => Ok(symbol),
            Err(full) => Err(self.fail(full)),
        }
    }

    /// Sets the label of the document.
    pub(super) fn label(&mut self, label: &str) -> Result<(), ReadError> {
        let symbol = self.model.texts.intern(label);
        self.model.label = symbol.map_err(|ArenaFull(what)| {
            ReadError::new(ReadErrorKind::TooMany, format!("the document holds more {what} than 32 bits can count"))
        })?;
        Ok(())
    }

    /// Keeps text that came after the JSON.
    pub(super) fn trailing(&mut self, rest: &[u8]) {
        let text = String::from_utf8_lossy(rest);
        let text = text.trim();
        if !text.is_empty() {
            self.model.trailing = Some(text.to_owned());
        }
    }

    pub(super) fn open_scope(&mut self, kind: ScopeKind, parent: u32) -> Result<u32, ArenaFull> {
        let scope = RawScope {
            kind,
            name: Symbol::ABSENT,
            parent,
            vendor: Symbol::ABSENT,
            supports_catalogs: None,
            supports_schemas: None,
        };
        push(&mut self.model.scopes, scope, "scopes")
    }

    /// Returns the scope that a flat object names in its own fields, and adds it if it is new.
    pub(super) fn named_scope(&mut self, parent: u32, kind: ScopeKind, name: Symbol) -> Result<u32, ArenaFull> {
        if name.is_absent() {
            return Ok(parent);
        }
        if let Some(&scope) = self.scopes.get(&(parent, kind, name)) {
            return Ok(scope);
        }
        let scope = self.open_scope(kind, parent)?;
        if let Some(opened) = self.model.scopes.get_mut(scope as usize) {
            opened.name = name;
        }
        self.scopes.insert((parent, kind, name), scope);
        Ok(scope)
    }

    /// Adds a process. If its id is known (documents list a process in up to three places), only absent fields are filled.
    pub(super) fn add_process(&mut self, process: RawProcess) -> Result<(), ArenaFull> {
        let id = self.model.texts.non_empty(process.id);
        let Model { processes, texts, .. } = &mut self.model;
        let known = self.processes.get(&id).and_then(|&at| processes.get_mut(at as usize));
        if let Some(known) = known {
            let kept = fill(texts, known, process);
            if !kept {
                self.forget_last_coordinates(process.coordinates);
            }
            return Ok(());
        }
        let at = push(&mut self.model.processes, process, "processes")?;
        if !id.is_absent() {
            self.processes.insert(id, at);
        }
        Ok(())
    }

    /// Removes coordinates that nothing refers to, if they are the last ones.
    fn forget_last_coordinates(&mut self, span: Span) {
        let coordinates = &mut self.model.coordinates;
        if span.indices().end as usize == coordinates.len() {
            coordinates.truncate(span.start as usize);
        }
    }

    /// Returns the lineage, or the error that the envelope reports, now that the whole document is read.
    pub(super) fn finish(mut self) -> Result<Lineage, ReadError> {
        let envelope = std::mem::take(&mut self.envelope);
        let words = envelope.error.as_deref().or(envelope.message.as_deref());
        let failed = match envelope.code {
            Some(code) => !(200..300).contains(&code),
            None => !envelope.is_lineage && words.is_some() && envelope.data != DataShape::Object,
        };
        if failed {
            let detail = match envelope.code {
                Some(code) => format!("the server responded with code {code}"),
                None => "the server responded with an error".to_owned(),
            };
            return Err(ReadError::new(ReadErrorKind::Failed, detail).with_envelope(envelope.code, words));
        }
        if !envelope.is_lineage {
            return Err(no_lineage(&envelope, words));
        }
        if envelope.has_unread_relationships {
            let detail = "`relationships` is not a list, so that the lineage in the document is lost; check that it is \
                          the response of a lineage operation";
            return Err(ReadError::new(ReadErrorKind::NotLineage, detail).with_envelope(envelope.code, words));
        }
        self.model.code = envelope.code;
        self.model.warnings = envelope.error;
        if envelope.message.is_some() {
            // Only failures have been seen with a message; together with data it may say no more than "success".
            self.note(&JsonPath::ROOT.then("message"));
        }
        let unknown = std::mem::take(&mut self.unknown);
        self.model.unknown = unknown.into_iter().map(|(path, count)| (path.into_boxed_str(), count)).collect();
        // Their memory is free before the model is trimmed, which needs some for a moment.
        self.processes = HashMap::new();
        self.scopes = HashMap::new();
        self.model.settle();
        Ok(Lineage::from_model(self.model))
    }
}

fn no_lineage(envelope: &EnvelopeState, words: Option<&str>) -> ReadError {
    let nothing =
        matches!(envelope.data, DataShape::Null) || (envelope.data == DataShape::Absent && envelope.code.is_some());
    let (kind, detail) = if nothing {
        (
            ReadErrorKind::NoData,
            "the response says success but holds no data; check that the job exists and has finished",
        )
    } else {
        (
            ReadErrorKind::NotLineage,
            "the JSON holds none of `dbobjs`, `relationships`, `sqlflow` or `summary`; check that it is the response of \
             a lineage operation",
        )
    };
    ReadError::new(kind, detail).with_envelope(envelope.code, words)
}

/// Fills absent fields and returns `true` if the coordinates were used too.
fn fill(texts: &Texts, known: &mut RawProcess, more: RawProcess) -> bool {
    known.name = texts.or(known.name, more.name);
    known.kind = texts.or(known.kind, more.kind);
    known.procedure_name = texts.or(known.procedure_name, more.procedure_name);
    known.procedure_id = texts.or(known.procedure_id, more.procedure_id);
    known.query_hash_id = texts.or(known.query_hash_id, more.query_hash_id);
    if known.scope == NONE {
        known.scope = more.scope;
    }
    known.flags = known.flags.or(more.flags);
    let takes_coordinates = known.coordinates.is_empty();
    if takes_coordinates {
        known.coordinates = more.coordinates;
    }
    takes_coordinates
}
