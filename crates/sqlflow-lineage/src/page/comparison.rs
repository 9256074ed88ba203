//! The data of a page about the differences between two lineages: everything that either of them stores, with what was
//! added and removed.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::diff::{Diff, DiffSide, IdentityTable, StoredRecords};
use crate::graph::{ColumnFlow, Vertex};
use crate::kinds::{EffectType, RelationType};
use crate::view::{Endpoint, Object, Process};

use super::content::{ABSENT, Change, Content, Label, Message, ObjectRole, Unresolved};
use super::whole;

pub(super) fn content<'a>(diff: &'a Diff<'a>, open_at: Option<Vertex<'_>>) -> Content<'a> {
    let (old, new) = diff.sides();
    let (from, to) = (whole::title(old), whole::title(new));
    let mut content = Content::new(if from == to { to } else { format!("{from} → {to}") });
    content.is_comparison = true;
    content.reasons = diff.notes().iter().map(ToString::to_string).collect();
    content.messages = messages(diff);
    let mut identities = IdentityTable::new(old, new);
    let sides = [new, old].map(|lineage| StoredRecords::new(lineage, &mut identities));
    let mut union = Union::new(content, &sides);
    union.add_kind_changes(diff);
    union.add_column_flows();
    union.add_object_flows();
    union.add_unresolved();
    union.content.open_at = open_at.and_then(|vertex| union.node(vertex));
    union.content.finish()
}

fn messages(diff: &Diff<'_>) -> Vec<Message> {
    let (old, new) = diff.sides();
    let of_side = |side, lineage| {
        whole::messages(lineage)
            .into_iter()
            .map(move |message| Message { kind: format!("{} ({side})", message.kind), ..message })
    };
    of_side("new", new).chain(of_side("old", old)).collect()
}

/// The records of both sides, each name once. The new side is the first.
struct Union<'a, 's> {
    content: Content<'a>,
    sides: &'s [StoredRecords<'a>; 2],
    /// The number of each object, by its identity.
    objects: HashMap<usize, u32>,
    /// The node of each column of a side, by the position of the column there.
    columns: [HashMap<u32, u32>; 2],
    statements: HashMap<(usize, u32), u32>,
}

/// An object of either side, with the identities and names of its columns.
struct UnitedObject<'a> {
    object: Object<'a>,
    change: Change,
    columns: Vec<(usize, Cow<'a, str>, Change)>,
}

impl<'a, 's> Union<'a, 's> {
    fn new(content: Content<'a>, sides: &'s [StoredRecords<'a>; 2]) -> Self {
        let mut union = Self {
            content,
            sides,
            objects: HashMap::new(),
            columns: [HashMap::new(), HashMap::new()],
            statements: HashMap::new(),
        };
        union.add_objects();
        union
    }

    fn add_objects(&mut self) {
        let united = united_objects(self.sides);
        let mut nodes: HashMap<usize, u32> = HashMap::new();
        let (mut object_changes, mut column_changes) = (Vec::new(), Vec::new());
        for (identity, united) in united {
            let UnitedObject { object, change, columns } = united;
            let (qualified, own) = (object.qualified_name(), object.own_name());
            let number = self.content.add_object(&qualified, own, object.kind_text(), ObjectRole::Stored);
            self.objects.insert(identity, number);
            object_changes.push(change);
            for (identity, name, change) in columns {
                nodes.insert(identity, self.content.add_column(name));
                column_changes.push(change);
            }
        }
        for (side, records) in self.sides.iter().enumerate() {
            self.columns[side] = records
                .columns
                .iter()
                .filter_map(|(identity, column)| Some((column.at, *nodes.get(identity)?)))
                .collect();
        }
        let old_kinds = vec![0; object_changes.len()];
        self.content.set_changes(object_changes, old_kinds, column_changes);
    }

    fn add_kind_changes(&mut self, diff: &'a Diff<'a>) {
        for change in diff.changed_kinds() {
            let identity = self.sides[0].name(change.new);
            if let Some(&number) = self.objects.get(&identity) {
                self.content.set_old_kind(number, change.old.kind_text());
            }
        }
    }

    fn add_column_flows(&mut self) {
        let sides = self.sides;
        for (side, flow, change) in changed(sides, |records| &records.column_flows) {
            let ends = [flow.source, flow.target].map(|column| self.columns[side].get(&column.at).copied());
            let [Some(source), Some(target)] = ends else {
                continue;
            };
            let mut statements: Vec<Option<Process<'a>>> = flow.statements().into_iter().map(Some).collect();
            if statements.is_empty() {
                statements.push(None);
            }
            for statement in statements {
                let label = self.label(side, Some(&flow), statement, change);
                self.content.add_relationship(label, target, &[(source, 0)]);
            }
        }
    }

    /// Adds the flows between whole objects that no flow between their columns shows.
    fn add_object_flows(&mut self) {
        let sides = self.sides;
        let of_columns = sides.each_ref().map(|records| {
            let ends = |flow: &ColumnFlow<'_>| (records.name(flow.source.object()), records.name(flow.target.object()));
            records.column_flows.iter().map(|(_, flow)| ends(flow)).collect::<HashSet<_>>()
        });
        for (side, flow, change) in changed(sides, |records| &records.object_flows) {
            let ends = [flow.source, flow.target].map(|object| sides[side].name(object));
            if of_columns[side].contains(&(ends[0], ends[1])) {
                continue;
            }
            let nodes =
                ends.map(|identity| self.objects.get(&identity).map(|&number| self.content.object_node(number)));
            if let [Some(source), Some(target)] = nodes {
                let label = self.label(side, None, None, change);
                self.content.add_relationship(label, target, &[(source, 0)]);
            }
        }
    }

    /// Adds the endpoints of both sides through which no flow can be followed.
    fn add_unresolved(&mut self) {
        for (side, records) in ["new", "old"].into_iter().zip(self.sides) {
            let lineage = records.lineage;
            for relationship in lineage.relationships() {
                for end in relationship.endpoints().filter(|end| !end.is_resolved()) {
                    let is_other = |other: &Endpoint<'_>| whole::is_source(other) != whole::is_source(&end);
                    let others = relationship.endpoints().filter(is_other);
                    let mut nodes = others.filter_map(|other| Vertex::new(&lineage.inner, other.node()?));
                    let other = nodes.find_map(|vertex| self.node(vertex));
                    let found = whole::unresolved(relationship, end, other);
                    let relation = format!("{} ({side})", found.relation);
                    self.content.unresolved.push(Unresolved { relation, ..found });
                }
            }
        }
    }

    fn label(
        &mut self,
        side: usize,
        flow: Option<&ColumnFlow<'a>>,
        statement: Option<Process<'a>>,
        change: Change,
    ) -> u32 {
        let effects = flow.map(ColumnFlow::effects).unwrap_or_default();
        let effects: Vec<&str> = effects.iter().map(EffectType::as_str).collect();
        let functions = flow.map(ColumnFlow::functions).unwrap_or_default();
        let label = Label {
            relation: self.content.texts.number(RelationType::Fdd.as_str().to_owned()),
            effect: self.content.texts.number(effects.join(", ")),
            function: self.content.texts.number(functions.join(", ")),
            statement: statement.map_or(ABSENT, |statement| i64::from(self.statement(side, statement))),
            line: 0,
            carries_values: true,
            is_foreign_key: false,
            change,
        };
        self.content.label(label)
    }

    fn statement(&mut self, side: usize, statement: Process<'a>) -> u32 {
        let content = &mut self.content;
        let add = || content.add_statement(whole::statement_name(statement), whole::place(statement.location()));
        *self.statements.entry((side, statement.at)).or_insert_with(add)
    }

    fn node(&self, vertex: Vertex<'_>) -> Option<u32> {
        self.sides.iter().enumerate().find_map(|(side, records)| {
            if !std::ptr::eq(vertex.inner(), &raw const *records.lineage.inner) {
                return None;
            }
            match vertex {
                Vertex::Column(column) => self.columns[side].get(&column.at).copied(),
                Vertex::Object(object) => {
                    let number = self.objects.get(&records.name(object))?;
                    Some(self.content.object_node(*number))
                }
            }
        })
    }
}

/// Returns the stored objects of both sides with their identities: those of the new side in the order of its document,
/// then those that only the old side has.
fn united_objects<'a>(sides: &[StoredRecords<'a>; 2]) -> Vec<(usize, UnitedObject<'a>)> {
    let mut united: Vec<(usize, UnitedObject<'a>)> = Vec::new();
    let mut positions: HashMap<usize, usize> = HashMap::new();
    let own = |records: &StoredRecords<'a>| records.objects.iter().map(|(name, _)| *name).collect::<HashSet<_>>();
    let in_old = own(&sides[1]);
    let columns_in_old: HashSet<usize> = sides[1].columns.iter().map(|(identity, _)| *identity).collect();
    let mut seen: HashSet<usize> = HashSet::new();
    for (side, records) in [DiffSide::New, DiffSide::Old].into_iter().zip(sides) {
        let change = |is_in_old: bool| match side {
            DiffSide::New if is_in_old => Change::None,
            DiffSide::New => Change::Added,
            DiffSide::Old => Change::Removed,
        };
        for &(identity, object) in &records.objects {
            positions.entry(identity).or_insert_with(|| {
                let change = change(in_old.contains(&identity));
                united.push((identity, UnitedObject { object, change, columns: Vec::new() }));
                united.len() - 1
            });
        }
        for &(identity, column) in &records.columns {
            let position = positions.get(&records.name(column.object())).copied();
            if let (Some(position), true) = (position, seen.insert(identity)) {
                let change = change(columns_in_old.contains(&identity));
                united[position].1.columns.push((identity, whole::column_name(column), change));
            }
        }
    }
    united
}

/// Returns the flows of both sides, each once, with its side and its change.
fn changed<'a, T: Clone>(
    sides: &[StoredRecords<'a>; 2],
    flows: impl for<'r> Fn(&'r StoredRecords<'a>) -> &'r Vec<(usize, T)>,
) -> Vec<(usize, T, Change)> {
    let of = |side: usize| flows(&sides[side]).iter();
    let [in_new, in_old] = [0, 1].map(|side| of(side).map(|(identity, _)| *identity).collect::<HashSet<_>>());
    let mut seen = HashSet::new();
    let new = of(0).filter(|(identity, _)| seen.insert(*identity)).map(|(identity, flow)| {
        (0, flow.clone(), if in_old.contains(identity) { Change::None } else { Change::Added })
    });
    let mut all: Vec<_> = new.collect();
    let old = of(1).filter(|(identity, _)| !in_new.contains(identity) && seen.insert(*identity));
    all.extend(old.map(|(_, flow)| (1, flow.clone(), Change::Removed)));
    all
}
