//! Columns named `*`, which stand for all columns of a result, and the names of the values that pass through them.
//!
//! A document can say that eighty columns flow into `RS-1.*`, and `RS-1.*` into `RS-2.C5`. The value of `C5` comes from the
//! one of the eighty that has its name. If none has, the column was renamed, and the value can come from any of them.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::super::LineageInner;
use super::super::kinds::RelationType;
use super::super::model::Model;
use super::super::names::{NamePart, fold};
use super::ids::Node;
use super::index::Adjacency;
use super::walk::Position;

const STAR: &str = "*";

/// The name of a column that is next to a star, as a number. Names that are the same apart from case and quotes have the
/// same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameNumber(u32);

/// The stars of a lineage; most lineages have none.
#[derive(Default)]
pub(crate) struct Stars {
    stars: HashMap<u32, Star>,
    /// The names of all columns next to a star.
    names: HashMap<u32, NameNumber>,
}

#[derive(Default)]
struct Star {
    /// The columns and the stars whose values flow into this star.
    columns_into: Vec<u32>,
    stars_into: Vec<u32>,
    /// The names of the values that flow into this star, also through other stars; found when they are needed.
    content: OnceLock<HashSet<NameNumber>>,
}

impl Stars {
    pub(super) fn new(inner: &LineageInner, into: &Adjacency, out_of: &Adjacency) -> Self {
        let model = &inner.model;
        let all: Vec<u32> = (0..)
            .zip(&model.columns)
            .filter(|(_, column)| is_star(model.texts.get(column.name)))
            .map(|(at, _)| at)
            .collect();
        let mut stars = Self { stars: all.iter().map(|&at| (at, Star::default())).collect(), names: HashMap::new() };
        let mut numbers: HashMap<String, NameNumber> = HashMap::new();
        for at in all {
            let mut star = Star::default();
            for source in value_neighbours(inner, into, at, true) {
                if stars.stars.contains_key(&source) {
                    star.stars_into.push(source);
                } else {
                    star.columns_into.push(source);
                    stars.number(model, source, &mut numbers);
                }
            }
            for target in value_neighbours(inner, out_of, at, false) {
                if !stars.stars.contains_key(&target) {
                    stars.number(model, target, &mut numbers);
                }
            }
            stars.stars.insert(at, star);
        }
        stars
    }

    fn number(&mut self, model: &Model, column: u32, numbers: &mut HashMap<String, NameNumber>) {
        let name = model.columns.get(column as usize).map_or("", |column| model.texts.get(column.name));
        let next = NameNumber(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
        let number = *numbers.entry(fold(&NamePart::new(name).unquoted())).or_insert(next);
        self.names.insert(column, number);
    }

    /// Returns all stars, sorted.
    #[cfg(feature = "html")]
    pub(crate) fn columns(&self) -> Vec<u32> {
        let mut columns: Vec<u32> = self.stars.keys().copied().collect();
        columns.sort_unstable();
        columns
    }

    /// Returns the columns next to a star, sorted, and the number of the name of each.
    #[cfg(feature = "html")]
    pub(crate) fn names(&self) -> (Vec<u32>, Vec<u32>) {
        let mut names: Vec<(u32, u32)> = self.names.iter().map(|(&column, name)| (column, name.0)).collect();
        names.sort_unstable();
        names.into_iter().unzip()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stars.is_empty()
    }

    /// Returns `true` if a node is a star, or next to one.
    pub(super) fn concerns(&self, node: Node) -> bool {
        !self.is_empty() && (self.is_star(node) || self.name_of(node).is_some())
    }

    fn is_star(&self, node: Node) -> bool {
        matches!(node, Node::Column(at) if self.stars.contains_key(&at))
    }

    fn name_of(&self, node: Node) -> Option<NameNumber> {
        match node {
            Node::Column(at) => self.names.get(&at).copied(),
            Node::Object(_) | Node::Process(_) => None,
        }
    }

    /// Returns `true` if a value of this name flows into a star.
    fn holds(&self, star: Node, name: NameNumber) -> bool {
        let Node::Column(at) = star else {
            return false;
        };
        self.stars.get(&at).is_some_and(|star| star.content.get_or_init(|| self.content(at)).contains(&name))
    }

    fn content(&self, star: u32) -> HashSet<NameNumber> {
        let mut names = HashSet::new();
        let mut seen = HashSet::from([star]);
        let mut todo = vec![star];
        while let Some(star) = todo.pop().and_then(|at| self.stars.get(&at)) {
            names.extend(star.columns_into.iter().filter_map(|source| self.names.get(source)));
            todo.extend(star.stars_into.iter().filter(|source| seen.insert(**source)));
        }
        names
    }

    /// Follows a value from a position to the node `to` against the direction of its flow, and returns its position there,
    /// or `None` if the value does not come from there.
    pub(super) fn upstream(&self, from: Position, to: Node) -> Option<Position> {
        let Position { node, name } = from;
        match (self.is_star(node), self.is_star(to)) {
            (true, true) => Some(Position { node: to, name }),
            (true, false) => {
                let is_other = name.is_some_and(|name| self.name_of(to).is_some_and(|other| other != name));
                (!is_other).then_some(to.into())
            }
            (false, true) => Some(Position { node: to, name: self.name_of(node).filter(|&name| self.holds(to, name)) }),
            (false, false) => Some(to.into()),
        }
    }

    /// Follows a value in the direction of its flow; see [`upstream`](Self::upstream), which it mirrors.
    pub(super) fn downstream(&self, from: Position, to: Node) -> Option<Position> {
        let Position { node, name } = from;
        match (self.is_star(node), self.is_star(to)) {
            (true, true) => Some(Position { node: to, name }),
            (true, false) => {
                let target = self.name_of(to);
                let is_other =
                    |name: NameNumber| target.is_some_and(|target| target != name && self.holds(node, target));
                (!name.is_some_and(is_other)).then_some(to.into())
            }
            (false, true) => Some(Position { node: to, name: self.name_of(node) }),
            (false, false) => Some(to.into()),
        }
    }
}

fn is_star(name: &str) -> bool {
    // The length decides first, because every column of a lineage is asked.
    name == STAR || (name.len() == STAR.len() + 2 && NamePart::new(name).unquoted() == STAR)
}

/// Returns the columns at the other end of the relationships along which a value flows into or out of a column.
fn value_neighbours<'m>(
    inner: &'m LineageInner,
    adjacency: &'m Adjacency,
    column: u32,
    sources: bool,
) -> impl Iterator<Item = u32> + 'm {
    let model = &inner.model;
    let relationships = adjacency.of(Node::Column(column).index(model)).iter();
    relationships
        .filter_map(|&at| model.relationships.get(at as usize))
        .filter(|relationship| RelationType::from(model.texts.get(relationship.kind)).carries_values())
        .flat_map(|relationship| relationship.endpoints.indices().zip(relationship.endpoints.of(&model.endpoints)))
        .filter(move |(_, end)| (end.role == super::EndpointRole::Source) == sources)
        .filter_map(|(at, end)| match inner.node_of(at, end) {
            Some(Node::Column(at)) => Some(at),
            _ => None,
        })
}
