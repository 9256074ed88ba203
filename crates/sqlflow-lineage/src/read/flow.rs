//! Relationships and their ends.

use serde::de::MapAccess;

use super::super::intern::Symbol;
use super::super::model::{
    EndExtra, RawEnd, RawRelationship, RawTransform, RelationshipExtra, Role, Span, index_of_next, push,
};
use super::builder::{Builder, Fault};
use super::record::{Record, Value, fields};

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
});

pub(super) struct Relationship {
    /// The index it will have.
    at: u32,
    ends_from: u32,
    raw: RawRelationship,
    /// Types repeat from one relationship to the next.
    likely: RawRelationship,
}

impl Relationship {
    pub(super) fn open(builder: &mut Builder) -> Result<Self, Fault> {
        Ok(Self {
            at: index_of_next(&builder.model.relationships, "relationships")?,
            ends_from: index_of_next(&builder.model.ends, "ends")?,
            raw: RawRelationship::default(),
            likely: builder.model.relationships.last().copied().unwrap_or_default(),
        })
    }

    fn extra<'de, A: MapAccess<'de>>(
        &self,
        key: RelationshipExtra,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let text = value.text(builder)?;
        builder.model.relationship_extras.add(self.at, key, text);
        Ok(())
    }
}

impl Record for Relationship {
    type Field = RelationshipField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: RelationshipField,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        use RelationshipExtra as Extra;
        match field {
            RelationshipField::Id => self.raw.id = value.text(builder)?,
            RelationshipField::Kind => self.raw.kind = value.text_like(builder, self.likely.kind)?,
            RelationshipField::Effect => self.raw.effect = value.text_like(builder, self.likely.effect)?,
            RelationshipField::ProcessId => self.raw.process_id = value.text(builder)?,
            RelationshipField::Target => {
                value.record(builder, |b| End::open(b, Role::Target))?;
            }
            RelationshipField::Sources => {
                value.records(builder, |b| End::open(b, Role::Source))?;
            }
            RelationshipField::Caller => {
                value.record(builder, |b| End::open(b, Role::Caller))?;
            }
            RelationshipField::Callees => {
                value.records(builder, |b| End::open(b, Role::Callee))?;
            }
            RelationshipField::ProcessType => self.extra(Extra::ProcessType, value, builder)?,
            RelationshipField::Function => self.extra(Extra::Function, value, builder)?,
            RelationshipField::TimestampMin => self.extra(Extra::TimestampMin, value, builder)?,
            RelationshipField::TimestampMax => self.extra(Extra::TimestampMax, value, builder)?,
            RelationshipField::JoinType => self.extra(Extra::JoinType, value, builder)?,
            RelationshipField::Clause => self.extra(Extra::Clause, value, builder)?,
            RelationshipField::Condition => self.extra(Extra::Condition, value, builder)?,
        }
        Ok(())
    }

    fn close(mut self, builder: &mut Builder) -> Result<(), Fault> {
        self.raw.ends = Span::since(self.ends_from, &builder.model.ends, "ends")?;
        push(&mut builder.model.relationships, self.raw, "relationships")?;
        Ok(())
    }
}

fields!(EndField {
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

struct End {
    /// The index it will have.
    at: u32,
    raw: RawEnd,
}

impl End {
    fn open(builder: &mut Builder, role: Role) -> Result<Self, Fault> {
        Ok(Self {
            at: index_of_next(&builder.model.ends, "ends")?,
            raw: RawEnd {
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
        key: EndExtra,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        let text = value.text(builder)?;
        builder.model.end_extras.add(self.at, key, text);
        Ok(())
    }

    /// A source is often called as the target is, and parents repeat from one end to the next.
    fn previous(builder: &Builder) -> Option<&RawEnd> {
        builder.model.ends.last()
    }
}

impl Record for End {
    type Field = EndField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: EndField,
        value: Value<'_, A>,
        builder: &mut Builder,
    ) -> Result<(), A::Error> {
        match field {
            EndField::Id => self.raw.id = value.text(builder)?,
            EndField::Name => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.name);
                self.raw.name = value.text_like(builder, likely)?;
            }
            EndField::ParentId => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.parent_id);
                self.raw.parent_id = value.text_like(builder, likely)?;
            }
            EndField::ParentName => {
                let likely = Self::previous(builder).map_or(Symbol::ABSENT, |end| end.parent_name);
                self.raw.parent_name = value.text_like(builder, likely)?;
            }
            EndField::Coordinates => {
                self.raw.coordinates = value.coordinates(builder)?.or(self.raw.coordinates);
            }
            EndField::ClauseType => self.raw.clause = value.text(builder)?,
            EndField::TableId => self.extra(EndExtra::TableId, value, builder)?,
            EndField::TableName => self.extra(EndExtra::TableName, value, builder)?,
            EndField::ColumnType => self.extra(EndExtra::ColumnType, value, builder)?,
            EndField::Function => self.extra(EndExtra::Function, value, builder)?,
            EndField::Kind => self.extra(EndExtra::Kind, value, builder)?,
            EndField::Transforms => {
                let end = self.at;
                value.records(builder, |_| Ok(Transform(RawTransform { end, ..RawTransform::default() })))?;
            }
        }
        Ok(())
    }

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
        push(&mut builder.model.ends, self.raw, "ends")?;
        Ok(())
    }
}

fields!(TransformField {
    Kind = "type",
    Code = "code",
    Coordinates = "coordinates" | "coordinate",
});

struct Transform(RawTransform);

impl Record for Transform {
    type Field = TransformField;

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        field: TransformField,
        value: Value<'_, A>,
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

    fn close(self, builder: &mut Builder) -> Result<(), Fault> {
        push(&mut builder.model.transforms, self.0, "transforms")?;
        Ok(())
    }
}
