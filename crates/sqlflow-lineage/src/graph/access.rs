//! The readers and writers of objects, and everything that depends on a column.

use std::collections::HashSet;

use super::super::LineageInner;
use super::super::coverage::{Coverage, coverage_on_request};
use super::super::kinds::RelationType;
use super::super::view::{Column, Object, Process, Relationship, endpoints};
use super::impact::{self, Impact};
use super::walk::{StopAt, WalkRules, nodes_of_object};
use super::{Direction, Node};

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
    /// A column is used not only where its value flows, but also where it filters, joins or sorts. Servers report that
    /// only if `fdr`, `frd` and `join` relationships are requested, with intermediate record sets. If the lineage cannot
    /// know it, [`Impact::is_complete`] is `false` and the impact says so when it is displayed.
    ///
    /// ```
    /// use sqlflow_lineage::{Lineage, RelationType};
    ///
    /// let document = br#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "columns": [
    ///         {"id": "2", "name": "TOTAL"}, {"id": "3", "name": "STATUS"}]},
    ///     {"id": "4", "name": "REPORT", "type": "view", "columns": [
    ///         {"id": "5", "name": "SUM"}, {"id": "6", "name": "RelationRows", "source": "system"}]}
    /// ], "relationships": [
    ///     {"id": "7", "type": "fdd", "target": {"id": "5"}, "sources": [{"id": "2"}]},
    ///     {"id": "8", "type": "fdr", "target": {"id": "6"},
    ///      "sources": [{"id": "3", "clauseType": "where"}]}
    /// ]}"#;
    /// let reader = Lineage::reader().requested_types(RelationType::DEPENDENCIES);
    /// let lineage = reader.read_slice(document)?;
    ///
    /// // create view REPORT as select sum(TOTAL) from ORDERS where STATUS = 'paid'
    /// let impact = lineage.column("ORDERS", "STATUS")?.impact();
    /// assert!(impact.columns.is_empty(), "its value flows nowhere");
    /// assert_eq!(impact.objects[0].qualified_name(), "REPORT");
    /// assert!(impact.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn impact(&self) -> Impact<'a> {
        let dependents =
            self.downstream().over(RelationType::VALUE_FLOWS.into_iter().chain([RelationType::Fddi])).to_vec();
        let inner = self.inner;
        let object = self.object();
        let rules = dependency_rules(inner, Direction::Downstream);
        let mut seen = HashSet::new();
        let mut lost = Vec::new();
        let meet_lost = |relationship, end| lost.push((relationship, end));
        // What depends on the whole object depends on the column, as far as the document tells.
        let whole = Some(Node::Object(object.at)).filter(|node| rules.shows(*node));
        let starts = [Node::Column(self.at)].into_iter().chain(whole);
        let (reached, walked_over) = rules.reach_and_lose(starts.clone(), None, false, meet_lost);
        lost.extend(rules.ambiguous_at(&walked_over));
        let mut objects: Vec<Object<'a>> = reached
            .into_iter()
            .filter_map(|node| rules.object_of(node))
            .map(|at| Object::new(inner, at))
            .filter(|reached| *reached != object && seen.insert(*reached))
            .collect();
        objects.sort_by_cached_key(|object| (object.qualified_name(), object.id().to_owned()));
        lost.sort_unstable();
        lost.dedup();
        let (foreign_keys, mut relationships): (Vec<_>, Vec<_>) =
            self.relationships().partition(Relationship::is_foreign_key);
        // What leads into the column does not depend on it.
        relationships.retain(|relationship| {
            let leads_out = relationship.sources().chain(relationship.caller());
            relationship.relation_type() == RelationType::Join
                || leads_out.into_iter().any(|end| end.column() == Some(*self))
        });
        let dependencies = coverage_on_request(&inner.model);
        Impact {
            column: *self,
            columns: dependents,
            objects,
            statements: processes(inner, starts, Direction::Downstream),
            writers: processes(inner, [Node::Column(self.at)], Direction::Upstream),
            relationships,
            foreign_keys,
            reasons: impact::reasons(inner, &dependencies, lost.len()),
            unresolved: endpoints(inner, lost),
            uncertain_types: dependencies
                .into_iter()
                .filter(|(_, coverage)| *coverage != Coverage::Included)
                .map(|(relation, _)| relation)
                .collect(),
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

/// Returns rules that follow everything by which one column or object depends on another.
fn dependency_rules(inner: &LineageInner, direction: Direction) -> WalkRules<'_> {
    let mut rules = WalkRules::new(inner, direction);
    let indirect = [RelationType::Fddi, RelationType::Fdr, RelationType::Frd];
    rules.follow(RelationType::VALUE_FLOWS.into_iter().chain(indirect));
    rules.stop_at = StopAt::StoredColumnsAndRecordSets;
    rules
}

/// Returns the processes of the relationships between some nodes and the nearest stored objects.
fn processes(inner: &LineageInner, nodes: impl IntoIterator<Item = Node>, direction: Direction) -> Vec<Process<'_>> {
    let rules = dependency_rules(inner, direction);
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for node in nodes {
        let mut visit = |at| {
            let relationship = Relationship::new(inner, at);
            if !relationship.is_foreign_key() {
                let through = relationship.endpoints().filter_map(|end| end.process());
                found.extend(relationship.process().into_iter().chain(through).filter(|process| seen.insert(*process)));
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
