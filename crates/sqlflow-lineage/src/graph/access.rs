//! Who reads and who writes, and what breaks when a column goes.

use std::collections::HashSet;

use super::super::LineageInner;
use super::super::kinds::{EffectType, RelationType};
use super::super::view::{Column, Object, Process, Relationship};
use super::walk::{Rules, Stops, nodes_of_object};
use super::{Direction, Node};

/// The types of relationships by which one thing depends on another.
const DEPENDENCIES: [RelationType; 4] = [RelationType::Fdd, RelationType::Fddi, RelationType::Fdr, RelationType::Frd];

impl<'a> Object<'a> {
    /// The statements that read it, sorted by name.
    ///
    /// A statement reads what flows into its result or decides its rows. Answers that name no processes tell of none:
    /// there, and for queries that store nothing, ask for [`downstream`](Self::downstream).
    #[must_use]
    pub fn readers(&self) -> Vec<Process<'a>> {
        processes(self.inner, nodes_of_object(self.inner, self.at), Direction::Downstream)
    }

    /// The statements that write it, sorted by name; otherwise as [`readers`](Self::readers).
    #[must_use]
    pub fn writers(&self) -> Vec<Process<'a>> {
        processes(self.inner, nodes_of_object(self.inner, self.at), Direction::Upstream)
    }
}

impl<'a> Column<'a> {
    /// What would be touched if this column were dropped.
    #[must_use]
    pub fn impact(&self) -> Impact<'a> {
        let losing = self.downstream().over([RelationType::Fdd, RelationType::Fddi]);
        let object = self.object();
        let mut rules = Rules::new(self.inner, Direction::Downstream);
        rules.follow(DEPENDENCIES);
        rules.stops = Stops::ColumnsAndRows;
        let mut seen = HashSet::new();
        let mut objects: Vec<Object<'a>> = rules
            .reach([Node::Column(self.at)], None, false)
            .into_iter()
            .filter_map(|node| rules.object_of(node))
            .map(|at| Object::new(self.inner, at))
            .filter(|reached| *reached != object && seen.insert(*reached))
            .collect();
        objects.sort_by_cached_key(|object| (object.qualified_name(), object.id().to_owned()));
        Impact {
            columns: losing.to_vec(),
            objects,
            statements: processes(self.inner, [Node::Column(self.at)], Direction::Downstream),
            relationships: self.relationships().collect(),
        }
    }

    /// The relationships of any type that this column is an end of, in the order of the answer.
    pub fn relationships(&self) -> impl Iterator<Item = Relationship<'a>> + use<'a> {
        let inner = self.inner;
        let node = Node::Column(self.at);
        let mut met: Vec<u32> = [Direction::Upstream, Direction::Downstream]
            .into_iter()
            .flat_map(|direction| inner.index().at(&inner.model, node, direction))
            .copied()
            .collect();
        met.sort_unstable();
        met.dedup();
        met.into_iter().map(move |at| Relationship::new(inner, at))
    }
}

/// What depends on a column; made by [`Column::impact`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Impact<'a> {
    /// The stored columns whose values come from it, however far (`fdd`, `fddi`), sorted by qualified name.
    pub columns: Vec<Column<'a>>,
    /// The stored objects that depend on it in any way, however far: a value, a filter, a join (`fdd`, `fddi`, `fdr`,
    /// `frd`); sorted by qualified name. Its own object is not one of them.
    pub objects: Vec<Object<'a>>,
    /// The statements that read it themselves and would fail, sorted by name; as [`Object::readers`].
    pub statements: Vec<Process<'a>>,
    /// The relationships of any type that it is an end of, joins and foreign keys among them.
    pub relationships: Vec<Relationship<'a>>,
}

/// The processes of the relationships between some nodes and the nearest stored objects.
fn processes(inner: &LineageInner, nodes: impl IntoIterator<Item = Node>, direction: Direction) -> Vec<Process<'_>> {
    let mut rules = Rules::new(inner, direction);
    rules.follow(DEPENDENCIES);
    rules.stops = Stops::ColumnsAndRows;
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for node in nodes {
        let mut visit = |at| {
            let relationship = Relationship::new(inner, at);
            if relationship.effect_type() != Some(EffectType::ForeignKey) {
                found.extend(relationship.process().filter(|process| seen.insert(*process)));
            }
        };
        rules.each_relationship(node, &mut visit);
        if direction == Direction::Downstream {
            // Both sides of a join are read, whichever the server calls its target.
            let ends = [Direction::Upstream, Direction::Downstream];
            let all = ends.into_iter().flat_map(|direction| inner.index().at(&inner.model, node, direction)).copied();
            all.filter(|&at| Relationship::new(inner, at).relation_type() == RelationType::Join).for_each(visit);
        }
    }
    found.sort_by_cached_key(|process| (process.name(), process.id()));
    found
}
