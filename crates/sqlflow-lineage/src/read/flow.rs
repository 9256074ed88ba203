//! Relationships and their endpoints.

use serde::de::MapAccess;

use super::super::intern::Symbol;
use super::super::model::{
    EndpointExtra, EndpointRole, RawEndpoint, RawRelationship, RawTransform, RelationshipExtra, Span, index_of_next,
    push,
};
use super::builder::{Builder, LimitExceeded};
use super::fields::{FieldValue, RecordReader, fields};

fields!(RelationshipField {
    Id = "id",
    Kind = "type",
    Effect = "effectType",
    Target = "target",
    Sources = "sources",
    Caller = "caller",
    Callees = "callees",
    ProcessId = "processId",
    ProcessType = "processType",
    Function = "function",
    TimestampMin = "timestampMin",
    TimestampMax = "timestampMax",
    JoinType = "joinType",
    Clause = "clause",
    Condition = "condition",
    CallStatement = "callStmt",
    CallCoordinates = "callCoordinate" | "callCoordinates",
});

pub(super) struct RelationshipReader {
    /// The index that the record will have.
    at: u32,
    endpoints_from: u32,
    raw: RawRelationship,
    call_coordinates: Span,
    /// The previous relationship, because types repeat from one relationship to the next.
    likely: RawRelationship,
}

impl RelationshipReader {
    pub(super) fn open(builder: &mut Builder) -> Result<Self, LimitExceeded> {
        Ok(Self {
            at: index_of_next(&builder.model.relationships, "relationships")?,
            endpoints_from: index_of_next(&builder.model.endpoints, "endpoints")?,
            raw: RawRelationship::default(),
            call_coordinates: Span::default(),
            likely: builder.model.relationships.last().copied().unwrap_or_default(),
        })
    }

    fn extra<'de, A: MapAccess<'de>>(
        &self,
        key: RelationshipExtra,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let text = value.text(builder)?;
        builder.model.relationship_extras.add(self.at, key, text);
        Ok(())
    }
}

impl RecordReader for RelationshipReader {
    type Field = RelationshipField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: RelationshipField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        use RelationshipExtra as Extra;
        match field {
            RelationshipField::Id => self.raw.id = value.text(builder)?,
            RelationshipField::Kind => self.raw.kind = value.text_like(builder, self.likely.kind)?,
            RelationshipField::Effect => self.raw.effect = value.text_like(builder, self.likely.effect)?,
            RelationshipField::ProcessId => self.raw.process_id = value.text(builder)?,
            RelationshipField::Target => {
                value.record(builder, |b| EndpointReader::open(b, EndpointRole::Target))?;
            }
            RelationshipField::Sources => {
                value.records(builder, |b| EndpointReader::open(b, EndpointRole::Source))?;
            }
            RelationshipField::Caller => {
                value.record(builder, |b| EndpointReader::open(b, EndpointRole::Caller))?;
            }
            RelationshipField::Callees => {
                value.records(builder, |b| EndpointReader::open(b, EndpointRole::Callee))?;
            }
            RelationshipField::ProcessType => self.extra(Extra::ProcessType, value, builder)?,
            RelationshipField::Function => self.extra(Extra::Function, value, builder)?,
            RelationshipField::TimestampMin => self.extra(Extra::TimestampMin, value, builder)?,
            RelationshipField::TimestampMax => self.extra(Extra::TimestampMax, value, builder)?,
            RelationshipField::JoinType => self.extra(Extra::JoinType, value, builder)?,
            RelationshipField::Clause => self.extra(Extra::Clause, value, builder)?,
            RelationshipField::Condition => self.extra(Extra::Condition, value, builder)?,
            RelationshipField::CallStatement => self.extra(Extra::CallStatement, value, builder)?,
            RelationshipField::CallCoordinates => {
                self.call_coordinates = value.coordinates(builder)?.or(self.call_coordinates);
            }
        }
        Ok(())
    }

    fn close(mut self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        self.raw.endpoints = Span::since(self.endpoints_from, &builder.model.endpoints, "endpoints")?;
        push(&mut builder.model.relationships, self.raw, "relationships")?;
        if !self.call_coordinates.is_empty() {
            builder.model.call_coordinates.push((self.at, self.call_coordinates));
        }
        Ok(())
    }
}

fields!(EndpointField {
    Id = "id",
    Name = "column" | "name",
    ParentId = "parentId",
    ParentName = "parentName",
    Coordinates = "coordinates" | "coordinate",
    ClauseType = "clauseType",
    TableId = "sourceId" | "targetId",
    TableName = "sourceName" | "targetName",
    ColumnType = "columnType",
    Function = "function",
    Kind = "type",
    Transforms = "transforms",
});

struct EndpointReader {
    /// The index that the record will have.
    at: u32,
    raw: RawEndpoint,
}

impl EndpointReader {
    fn open(builder: &mut Builder, role: EndpointRole) -> Result<Self, LimitExceeded> {
        Ok(Self {
            at: index_of_next(&builder.model.endpoints, "endpoints")?,
            raw: RawEndpoint {
                id: Symbol::ABSENT,
                name: Symbol::ABSENT,
                parent_id: Symbol::ABSENT,
                parent_name: Symbol::ABSENT,
                clause: Symbol::ABSENT,
                coordinates: Span::default(),
                role,
            },
        })
    }

    fn extra<'de, A: MapAccess<'de>>(
        &self,
        key: EndpointExtra,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let text = value.text(builder)?;
        builder.model.endpoint_extras.add(self.at, key, text);
        Ok(())
    }

    /// Returns the previous endpoint: a source often has the name of its target, and parents repeat from one endpoint to
    /// the next.
    fn previous(builder: &Builder) -> Option<&RawEndpoint> {
        builder.model.endpoints.last()
    }
}

impl RecordReader for EndpointReader {
    type Field = EndpointField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: EndpointField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            EndpointField::Id => self.raw.id = value.text(builder)?,
            EndpointField::Name => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.name);
                self.raw.name = value.text_like(builder, likely)?;
            }
            EndpointField::ParentId => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.parent_id);
                self.raw.parent_id = value.text_like(builder, likely)?;
            }
            EndpointField::ParentName => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.parent_name);
                self.raw.parent_name = value.text_like(builder, likely)?;
            }
            EndpointField::Coordinates => {
                self.raw.coordinates = value.coordinates(builder)?.or(self.raw.coordinates);
            }
            EndpointField::ClauseType => self.raw.clause = value.text(builder)?,
            EndpointField::TableId => self.extra(EndpointExtra::TableId, value, builder)?,
            EndpointField::TableName => self.extra(EndpointExtra::TableName, value, builder)?,
            EndpointField::ColumnType => self.extra(EndpointExtra::ColumnType, value, builder)?,
            EndpointField::Function => self.extra(EndpointExtra::Function, value, builder)?,
            EndpointField::Kind => self.extra(EndpointExtra::Kind, value, builder)?,
            EndpointField::Transforms => {
                let endpoint = self.at;
                value
                    .records(builder, |_| Ok(TransformReader(RawTransform { endpoint, ..RawTransform::default() })))?;
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.endpoints, self.raw, "endpoints")?;
        Ok(())
    }
}

fields!(TransformField {
    Kind = "type",
    Code = "code",
    Coordinates = "coordinates" | "coordinate",
});

struct TransformReader(RawTransform);

impl RecordReader for TransformReader {
    type Field = TransformField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: TransformField,
        value: FieldValue<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            TransformField::Kind => self.0.kind = value.text(builder)?,
            TransformField::Code => self.0.code = value.text(builder)?,
            TransformField::Coordinates => {
                self.0.coordinates = value.coordinates(builder)?.or(self.0.coordinates);
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), LimitExceeded> {
        push(&mut builder.model.transforms, self.0, "transforms")?;
        Ok(())
    }
}
