//! Relationships between columns, objects and routines.

use std::fmt;

use crate::kinds::{EffectType, RelationType};
use crate::model::{EndpointRole, RawRelationship, RelationshipExtra, Span};

use super::coordinate::{Coordinate, coordinates};
use super::endpoint::Endpoint;
use super::present;
use super::process::Process;

indexed_view! {
    /// A relationship between endpoints: a value flows, a join compares, a routine calls.
    ///
    /// ```
    /// use sqlflow_lineage::{Lineage, RelationType};
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table",
    ///      "columns": [{"id": "2", "name": "AMOUNT"}]},
    ///     {"id": "3", "name": "REPORT", "type": "view",
    ///      "columns": [{"id": "4", "name": "TOTAL"}]}
    /// ], "relationships": [
    ///     {"id": "5", "type": "fdd", "effectType": "create_view",
    ///      "target": {"id": "4"}, "sources": [{"id": "2"}]}
    /// ]}"#.parse()?;
    ///
    /// let relationship = lineage.relationships().next().expect("there is one");
    /// assert_eq!(relationship.relation_type(), RelationType::Fdd);
    /// let target = relationship.target().and_then(|target| target.column());
    /// assert_eq!(target.expect("it has a target").qualified_name(), "REPORT.TOTAL");
    /// let mut sources = relationship.sources().filter_map(|source| source.column());
    /// assert_eq!(sources.next().expect("it has a source").qualified_name(), "ORDERS.AMOUNT");
    /// # Ok::<(), sqlflow_lineage::ReadError>(())
    /// ```
    Relationship of RawRelationship in relationships
    by |relationship: &Self| relationship.at
}

impl<'a> Relationship<'a> {
    fn extra(&self, key: RelationshipExtra) -> Option<&'a str> {
        present(self.inner, self.inner.model.relationship_extras.get(self.at, key))
    }

    fn with_role(&self, role: EndpointRole) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.endpoints().filter(move |end| end.role() == role)
    }

    /// Returns the id; empty if the document gives none.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.field(|raw| raw.id).unwrap_or_default()
    }

    /// Returns the type: the meaning of the relationship for its endpoints.
    #[must_use]
    pub fn relation_type(&self) -> RelationType {
        RelationType::from(self.type_text())
    }

    /// Returns the type as the server spells it; empty if the document gives none.
    #[must_use]
    pub fn type_text(&self) -> &'a str {
        self.field(|raw| raw.kind).unwrap_or_default()
    }

    /// Returns the kind of statement or expression that made the relationship.
    #[must_use]
    pub fn effect_type(&self) -> Option<EffectType> {
        self.effect_text().map(EffectType::from)
    }

    /// Returns the kind of statement or expression that made the relationship, as the server spells it.
    #[must_use]
    pub fn effect_text(&self) -> Option<&'a str> {
        self.field(|raw| raw.effect)
    }

    /// Returns `true` if the relationship is a foreign key: a constraint, along which no value flows. Servers report it as
    /// `fdd` with the effect `foreign_key`, or as `er`.
    #[must_use]
    pub fn is_foreign_key(&self) -> bool {
        self.type_text() == RelationType::Er.as_str() || self.effect_text() == Some(EffectType::ForeignKey.as_str())
    }

    /// Returns the endpoint that the relationship is about. A `call` has none.
    #[must_use]
    pub fn target(&self) -> Option<Endpoint<'a>> {
        self.with_role(EndpointRole::Target).next()
    }

    /// Returns the endpoints that the relationship comes from; there may be none.
    pub fn sources(&self) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.with_role(EndpointRole::Source)
    }

    /// Returns the calling routine of a `call`.
    #[must_use]
    pub fn caller(&self) -> Option<Endpoint<'a>> {
        self.with_role(EndpointRole::Caller).next()
    }

    /// Returns the called routines of a `call`.
    pub fn callees(&self) -> impl Iterator<Item = Endpoint<'a>> + Clone + use<'a> {
        self.with_role(EndpointRole::Callee)
    }

    /// Returns all endpoints, whatever their role, in the order of the document.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = Endpoint<'a>> + Clone + use<'a> {
        let (inner, relationship) = (self.inner, self.at);
        let span = self.raw().map_or_else(Span::default, |raw| raw.endpoints);
        span.indices().map(move |at| Endpoint { inner, at, relationship })
    }

    /// Returns the id of the process that makes the relationship.
    #[must_use]
    pub fn process_id(&self) -> Option<&'a str> {
        self.field(|raw| raw.process_id)
    }

    /// Returns the process that makes the relationship, if the document has it.
    #[must_use]
    pub fn process(&self) -> Option<Process<'a>> {
        let at = self.inner.ids().process(self.raw()?.process_id)?;
        Some(Process::new(self.inner, at))
    }

    /// Returns the kind of the process that makes the relationship.
    #[must_use]
    pub fn process_type(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::ProcessType)
    }

    /// Returns the function that the value goes through.
    #[must_use]
    pub fn function(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Function)
    }

    /// Returns the `timestampMin` field, which is documented but has not been seen in documents.
    #[must_use]
    pub fn timestamp_min(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::TimestampMin)
    }

    /// Returns the `timestampMax` field, which is documented but has not been seen in documents.
    #[must_use]
    pub fn timestamp_max(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::TimestampMax)
    }

    /// Returns the SQL of a `call`.
    #[must_use]
    pub fn call_statement(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::CallStatement)
    }

    /// Returns the coordinates of a `call` in the SQL, usually its start and its end.
    #[must_use]
    pub fn call_coordinates(&self) -> impl ExactSizeIterator<Item = Coordinate<'a>> + Clone + use<'a> {
        coordinates(self.inner, self.inner.model.call_coordinates_of(self.at))
    }

    /// Returns the kind of join of a `join`.
    #[must_use]
    pub fn join_type(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::JoinType)
    }

    /// Returns the clause that a `join` stands in.
    #[must_use]
    pub fn clause(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Clause)
    }

    /// Returns the condition of a `join`.
    #[must_use]
    pub fn condition(&self) -> Option<&'a str> {
        self.extra(RelationshipExtra::Condition)
    }
}

/// Written as `SALES.ORDERS.TOTAL → REPORT.SUM (fdd, insert)`: the sources or the caller, the target or the callees, the
/// type and the effect.
impl fmt::Display for Relationship<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write_ends = |f: &mut fmt::Formatter<'_>, roles: [EndpointRole; 2]| {
            let mut ends = self.endpoints().filter(|end| roles.contains(&end.role()));
            match ends.next() {
                Some(first) => write!(f, "{first}")?,
                None => f.write_str("nothing")?,
            }
            ends.try_for_each(|end| write!(f, ", {end}"))
        };
        write_ends(f, [EndpointRole::Source, EndpointRole::Caller])?;
        f.write_str(" → ")?;
        write_ends(f, [EndpointRole::Target, EndpointRole::Callee])?;
        let details = [self.type_text(), self.effect_text().unwrap_or_default()];
        let details: Vec<&str> = details.into_iter().filter(|detail| !detail.is_empty()).collect();
        if details.is_empty() { Ok(()) } else { write!(f, " ({})", details.join(", ")) }
    }
}

impl fmt::Debug for Relationship<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relationship({:?}, id {:?}, {} endpoints)", self.type_text(), self.id(), self.endpoints().len())
    }
}
