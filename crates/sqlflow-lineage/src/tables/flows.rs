//! The rows of the table of flows.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::builder::BooleanBuilder;
use arrow_schema::ArrowError;

use crate::graph::Direction;
use crate::graph::Node;
use crate::graph::walk::{HopAttributes, HopDetail, WalkRules};
use crate::intern::Symbol;

use super::builders::{NumberColumn, TokenMap, WordColumn, WordListColumn};
use super::records::{ObjectColumns, number_of_column_name, push_id};
use super::schema::element;
use super::{RowSource, TableInput};

pub(super) struct FlowRows<'a> {
    input: TableInput<'a>,
    rules: WalkRules<'a>,
    /// The next column whose sources are looked for.
    next: u32,
    target: u32,
    /// The ways into the target that have no row yet, the last one first.
    ways: Vec<Way>,
    label: WordColumn,
    sides: [SideColumns; 2],
    is_result_set: BooleanBuilder,
    effects: WordListColumn,
    functions: WordListColumn,
    statement_ids: WordListColumn,
    /// The attributes of the ways from one source.
    found: [Vec<Symbol>; 3],
}

/// A way that values take from a source to the target.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    source: u32,
    effect: Symbol,
    function: Symbol,
    process: Symbol,
}

impl<'a> FlowRows<'a> {
    pub(super) fn new(input: TableInput<'a>) -> Self {
        let mut rules = WalkRules::new(input.inner, Direction::Upstream);
        rules.detail = HopDetail::Everything;
        Self {
            input,
            rules,
            next: 0,
            target: 0,
            ways: Vec::new(),
            label: WordColumn::of_tokens(),
            sides: std::array::from_fn(|_| SideColumns::new()),
            is_result_set: BooleanBuilder::new(),
            effects: WordListColumn::new(),
            functions: WordListColumn::new(),
            statement_ids: WordListColumn::new(),
            found: Default::default(),
        }
    }

    /// Finds the ways into the next column that has any. Returns `false` if there is no such column.
    fn find_ways(&mut self) -> bool {
        let columns = self.input.inner.model.columns.len();
        while self.ways.is_empty() {
            if self.next as usize >= columns {
                return false;
            }
            self.target = self.next;
            self.next += 1;
            let target = Node::Column(self.target);
            if !self.rules.shows(target) {
                continue;
            }
            self.ways.extend(self.rules.hops(target).into_iter().filter_map(|hop| {
                let Node::Column(source) = hop.to else {
                    return None;
                };
                let HopAttributes { effect, function, process, .. } = hop.attributes;
                Some(Way { source, effect, function, process })
            }));
            self.ways.sort_unstable_by(|a, b| b.cmp(a));
        }
        true
    }

    /// Collects the attributes of all ways from the next source, and returns that source.
    fn take_source(&mut self) -> Option<u32> {
        let texts = &self.input.inner.model.texts;
        let source = self.ways.last()?.source;
        while let Some(way) = self.ways.pop_if(|way| way.source == source) {
            let statement = self.input.inner.ids().process(way.process).map_or(Symbol::ABSENT, |_| way.process);
            for (found, symbol) in self.found.iter_mut().zip([way.effect, way.function, statement]) {
                if !texts.get(symbol).is_empty() {
                    found.push(symbol);
                }
            }
        }
        Some(source)
    }
}

impl RowSource for FlowRows<'_> {
    fn add_row(&mut self) -> bool {
        if !self.find_ways() {
            return false;
        }
        let Some(source) = self.take_source() else {
            return false;
        };
        let model = &self.input.inner.model;
        self.input.push_label(&mut self.label);
        for (side, column) in self.sides.iter_mut().zip([source, self.target]) {
            side.push(&self.input, column);
        }
        let target = model.columns.get(self.target as usize);
        let is_result_set = target.is_some_and(|target| self.input.inner.index().is_result_set(target.object));
        self.is_result_set.append_value(is_result_set);
        let [effects, functions, statements] = &mut self.found;
        self.effects.push_symbols(model, effects);
        self.functions.push_symbols(model, functions);
        self.statement_ids.push_symbols(model, statements);
        true
    }

    fn rows(&self) -> usize {
        // The lists of a row may be long, and they count too.
        self.label.len().max(self.statement_ids.texts() / 8).max(self.functions.texts() / 8)
    }

    fn bytes(&self) -> usize {
        self.sides.iter().map(SideColumns::bytes).sum::<usize>() + self.functions.bytes()
    }

    fn finish(&mut self) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut columns = vec![self.label.finish()?];
        for side in &mut self.sides {
            columns.extend(side.finish()?);
        }
        columns.push(Arc::new(self.is_result_set.finish()));
        let element = element();
        for list in [&mut self.effects, &mut self.functions, &mut self.statement_ids] {
            columns.push(list.finish(&element)?);
        }
        Ok(columns)
    }
}

/// The source or the target of a flow.
struct SideColumns {
    /// The column of each row.
    rows: NumberColumn,
    /// The number of each column within the batch.
    known: TokenMap,
    objects: ObjectColumns,
    // These have one entry for each number.
    object: NumberColumn,
    key: WordColumn,
    name: WordColumn,
    id: WordColumn,
}

impl SideColumns {
    fn new() -> Self {
        Self {
            rows: NumberColumn::default(),
            known: TokenMap::default(),
            objects: ObjectColumns::new(),
            object: NumberColumn::default(),
            key: WordColumn::of_tokens(),
            name: WordColumn::new(),
            id: WordColumn::of_tokens(),
        }
    }

    fn push(&mut self, input: &TableInput<'_>, at: u32) {
        let number = self.known.get(at).unwrap_or_else(|| {
            let number = self.push_column(input, at);
            self.known.insert(at, number);
            number
        });
        self.rows.push(number);
    }

    /// Adds a column that is new in the batch. Returns its number.
    fn push_column(&mut self, input: &TableInput<'_>, at: u32) -> i32 {
        let inner = input.inner;
        let column = inner.model.columns.get(at as usize).copied().unwrap_or_default();
        let number = i32::try_from(self.object.len()).unwrap_or(i32::MAX);
        let object = self.objects.number(input, column.object);
        self.object.push(object);
        let key = self.key.number_of_new(|key| {
            key.push_str(self.objects.key(object));
            input.keys.write_column_after_object(inner, at, key);
        });
        self.key.push_number(key);
        let name = number_of_column_name(&mut self.name, input, at);
        self.name.push_number(name);
        push_id(&mut self.id, input, column.id);
        number
    }

    fn bytes(&self) -> usize {
        self.key.bytes() + self.objects.bytes() + self.name.bytes() + self.id.bytes()
    }

    fn finish(&mut self) -> Result<[ArrayRef; 8], ArrowError> {
        self.known.clear();
        let rows = self.rows.finish()?;
        let objects = self.object.finish_for(&rows)?;
        let [object, server, database, schema, name] = self.objects.finish_for(&objects)?;
        let [key, own_name, id] = [&mut self.key, &mut self.name, &mut self.id];
        let [key, own_name, id] = [key.finish_for(&rows)?, own_name.finish_for(&rows)?, id.finish_for(&rows)?];
        Ok([key, object, server, database, schema, name, own_name, id])
    }
}
