//! The paths of a trace, found one by one.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::Hash;

use super::super::owned::OwnedVertex;
use super::Direction;
use super::components::Components;

/// A graph of columns or objects, in which each has a number.
pub(super) struct TraceGraph<T> {
    pub(super) items: Vec<T>,
    pub(super) next: Vec<Vec<usize>>,
    numbers: HashMap<T, usize>,
}

impl<T> Default for TraceGraph<T> {
    fn default() -> Self {
        Self { items: Vec::new(), next: Vec::new(), numbers: HashMap::new() }
    }
}

impl<T: Copy + Eq + Hash> TraceGraph<T> {
    pub(super) fn number(&mut self, item: T) -> usize {
        *self.numbers.entry(item).or_insert_with(|| {
            self.items.push(item);
            self.next.push(Vec::new());
            self.items.len() - 1
        })
    }

    pub(super) fn connect(&mut self, near: T, far: T) {
        let (near, far) = (self.number(near), self.number(far));
        self.next[near].push(far);
    }
}

/// A path along which values flow, from its first column or object to its last. Displayed as `a → b → c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path<T> {
    steps: Vec<T>,
}

impl<T: Copy> Path<T> {
    /// Returns the column or object where the path begins.
    #[must_use]
    pub fn source(&self) -> T {
        self.steps[0]
    }

    /// Returns the column or object where the path ends.
    #[must_use]
    pub fn target(&self) -> T {
        self.steps[self.steps.len() - 1]
    }

    /// Returns all columns or objects of the path, from the source to the target.
    #[must_use]
    pub fn steps(&self) -> &[T] {
        &self.steps
    }
}

impl<T> Path<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.steps
    }

    /// Returns a path whose steps do not borrow the lineage.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// use sqlflow_lineage::{OwnedVertex, Path};
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let sum = lineage.column("REPORT", "SUM")?;
    /// let paths: Vec<Path<OwnedVertex>> =
    ///     sum.upstream().paths().map(|path| path.to_owned_form()).collect();
    /// assert_eq!(paths[0].to_string(), "ORDERS.TOTAL → REPORT.SUM");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_owned_form(&self) -> Path<OwnedVertex>
    where
        for<'t> OwnedVertex: From<&'t T>,
    {
        Path { steps: self.steps.iter().map(OwnedVertex::from).collect() }
    }
}

impl<T: fmt::Display> fmt::Display for Path<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                f.write_str(" → ")?;
            }
            write!(f, "{step}")?;
        }
        Ok(())
    }
}

/// An iterator over the paths of a [`Trace`](crate::Trace).
pub struct Paths<T> {
    items: Vec<T>,
    next: Vec<Vec<usize>>,
    /// For each item, `true` if a path can end there.
    sinks: Vec<bool>,
    direction: Direction,
    /// The items of the path that is being followed, each with the number of its edges that were followed.
    current: Vec<(usize, usize)>,
    is_on_current: Vec<bool>,
    /// `true` if there are cycles, in which a path can get to an item from which it reaches no end without crossing
    /// itself.
    has_cycles: bool,
}

impl<T: Copy + Eq + Hash> Paths<T> {
    /// Creates the paths of a graph; what comes with each item only tells items apart.
    pub(super) fn new<N>(graph: TraceGraph<(T, N)>, direction: Direction) -> Self {
        let TraceGraph { items, mut next, .. } = graph;
        for next in &mut next {
            next.sort_unstable();
            next.dedup();
        }
        let mut is_on_current = vec![false; items.len()];
        let mut current = Vec::new();
        if let Some(start) = is_on_current.first_mut() {
            *start = true;
            current.push((0, 0));
        }
        let items: Vec<T> = items.into_iter().map(|(item, _)| item).collect();
        let components = Components::new(&next);
        let (sinks, has_cycles) = (components.sinks(), components.has_cycles());
        Self { items, next, sinks, direction, current, is_on_current, has_cycles }
    }

    fn path(&self) -> Path<T> {
        let mut steps: Vec<T> = self.current.iter().map(|&(at, _)| self.items[at]).collect();
        if self.direction == Direction::Upstream {
            steps.reverse();
        }
        Path { steps }
    }

    /// Returns `true` if an end can be reached from an item without crossing the current path.
    fn reaches_an_end(&self, from: usize) -> bool {
        let mut seen = HashSet::from([from]);
        let mut todo = vec![from];
        while let Some(at) = todo.pop() {
            if self.sinks[at] {
                return true;
            }
            todo.extend(self.next[at].iter().filter(|&&to| !self.is_on_current[to] && seen.insert(to)));
        }
        false
    }
}

impl<T: Copy + Eq + Hash> Iterator for Paths<T> {
    type Item = Path<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((at, followed)) = self.current.last_mut() {
            let at = *at;
            let Some(&to) = self.next[at].get(*followed) else {
                self.is_on_current[at] = false;
                self.current.pop();
                continue;
            };
            *followed += 1;
            if self.is_on_current[to] || (self.has_cycles && !self.reaches_an_end(to)) {
                continue;
            }
            self.is_on_current[to] = true;
            self.current.push((to, 0));
            if self.sinks[to] && self.next[to].iter().all(|&further| self.is_on_current[further]) {
                return Some(self.path());
            }
        }
        None
    }
}

impl<T> fmt::Debug for Paths<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paths").field("items", &self.items.len()).finish_non_exhaustive()
    }
}
