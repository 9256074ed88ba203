//! The readers and writers of objects, and everything that depends on a column.

use std::collections::HashSet;

use super::super::LineageInner;
use super::super::kinds::{EffectType, RelationType};
use super::super::view::{Column, Object, Process, Relationship};
use super::walk::{StopAt, WalkRules, nodes_of_object};
use super::{Direction, Node};

/// The types of relationships that make one column or object depend on another.
const DEPENDENCIES: [RelationType; 4] = [RelationType::Fdd, RelationType::Fddi, RelationType::Fdr, RelationType::Frd];

impl<'a> Object<'a> {
    /// Returns the statements that read this object, sorted by name.
    ///
    /// A statement reads the objects whose values flow into its result or decide its rows. The list is empty if the
    /// document names no processes; in that case, and for queries that store nothing, use
    /// [`downstream`](Self::downstream).
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "table", "columns": [{"id": "4", "name": "SUM"}]},
    /// #     {"id": "6", "name": "Query Insert-1", "type": "process"}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "processId": "6",
    /// #     "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let readers = lineage.object("ORDERS")?.readers();
    /// assert_eq!(readers[0].name(), "Query Insert-1");
    /// assert_eq!(lineage.object("REPORT")?.writers(), readers);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn readers(&self) -> Vec<Process<'a>> {
        processes(self.inner, nodes_of_object(self.inner, self.at), Direction::Downstream)
    }

    /// Returns the statements that write this object, sorted by name. The limits of [`readers`](Self::readers) apply.
    #[must_use]
    pub fn writers(&self) -> Vec<Process<'a>> {
        processes(self.inner, nodes_of_object(self.inner, self.at), Direction::Upstream)
    }
}

impl<'a> Column<'a> {
    /// Returns everything that would be affected if this column were dropped.
    ///
    /// ```
    /// # use sqlflow_lineage::Lineage;
    /// # let lineage: Lineage = r#"{"dbobjs": [
    /// #     {"id": "1", "name": "ORDERS", "type": "table", "columns": [{"id": "2", "name": "TOTAL"}]},
    /// #     {"id": "3", "name": "REPORT", "type": "view", "columns": [{"id": "4", "name": "SUM"}]}],
    /// #   "relationships": [{"id": "5", "type": "fdd", "target": {"id": "4"}, "sources": [{"id": "2"}]}]}"#.parse()?;
    /// let impact = lineage.column("ORDERS", "TOTAL")?.impact();
    /// assert_eq!(impact.columns[0].qualified_name(), "REPORT.SUM");
    /// assert_eq!(impact.objects[0].qualified_name(), "REPORT");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn impact(&self) -> Impact<'a> {
        let dependents = self.downstream().over([RelationType::Fdd, RelationType::Fddi]);
        let object = self.object();
        let mut rules = WalkRules::new(self.inner, Direction::Downstream);
        rules.follow(DEPENDENCIES);
        rules.stop_at = StopAt::StoredColumnsAndRecordSets;
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
            columns: dependents.to_vec(),
            objects,
            statements: processes(self.inner, [Node::Column(self.at)], Direction::Downstream),
            relationships: self.relationships().collect(),
        }
    }

    /// Returns the relationships of any type that have this column as an endpoint, in the order of the document.
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

/// Everything that depends on a column; created by [`Column::impact`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Impact<'a> {
    /// The stored columns whose values come from the column, at any distance (`fdd`, `fddi`), sorted by qualified name.
    pub columns: Vec<Column<'a>>,
    /// The stored objects that depend on the column at any distance, through a value, a filter or a join (`fdd`,
    /// `fddi`,
    /// `fdr`, `frd`), sorted by qualified name. The object of the column itself is not included.
    pub objects: Vec<Object<'a>>,
    /// The statements that read the column directly and would fail, sorted by name; see [`Object::readers`].
    pub statements: Vec<Process<'a>>,
    /// The relationships of any type that have the column as an endpoint, including joins and foreign keys.
    pub relationships: Vec<Relationship<'a>>,
}

/// Returns the processes of the relationships between some nodes and the nearest stored objects.
fn processes(inner: &LineageInner, nodes: impl IntoIterator<Item = Node>, direction: Direction) -> Vec<Process<'_>> {
    let mut rules = WalkRules::new(inner, direction);
    rules.follow(DEPENDENCIES);
    rules.stop_at = StopAt::StoredColumnsAndRecordSets;
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
            // A join reads both of its sides, no matter which of them the server calls the target.
            let ends = [Direction::Upstream, Direction::Downstream];
            let all = ends.into_iter().flat_map(|direction| inner.index().at(&inner.model, node, direction)).copied();
            all.filter(|&at| Relationship::new(inner, at).relation_type() == RelationType::Join).for_each(visit);
        }
    }
    found.sort_by_cached_key(|process| (process.name(), process.id()));
    found
}
