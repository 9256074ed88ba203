//! Generated lineage documents of any size, like those of a job over a data warehouse. The document is always the same
//! for the same number of relationships.
//!
//! All proportions were counted in real documents: two thirds of the bytes are coordinates, hash codes repeat within a
//! script, and relationships come in the usual mix. The warehouse consists of schemas that are independent of each
//! other and have the same number of statements, so the number of columns upstream of a column does not depend on the
//! size of the document.

use std::io::{self, Write};

use fastrand::Rng;

/// The number of relationships of a document of somewhat more than 100 MB.
pub(crate) const LARGE: usize = 110_000;

/// The two families of layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// A tree of servers, databases, schemas and objects: the layout since late 2022.
    Tree,
    /// One array of objects that name their schema: the layout before that.
    Flat,
}

/// The two kinds of answers that hold a lineage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The model, as `exportFullLineageAsJson` writes it.
    Full,
    /// The model, a summary of it and the picture of it, as `exportLineageAsJson` writes them.
    Drawn,
}

/// Facts about a generated document.
#[derive(Clone, Debug, Default)]
pub(crate) struct DocumentStats {
    pub(crate) bytes: u64,
    pub(crate) coordinate_bytes: u64,
    /// The bytes of the section `graph`.
    pub(crate) graph_bytes: u64,
    /// The id of a column at the end of a chain of views. It is the same in documents of every size.
    pub(crate) deep_column: String,
}

/// Generates a full document in memory.
#[allow(dead_code)] // Not every program that has this module needs both functions.
pub(crate) fn document(layout: Layout, relationships: usize) -> (Vec<u8>, DocumentStats) {
    document_of_kind(Kind::Full, layout, relationships)
}

/// Generates a document of one kind in memory.
pub(crate) fn document_of_kind(kind: Kind, layout: Layout, relationships: usize) -> (Vec<u8>, DocumentStats) {
    let mut body = Vec::new();
    let stats = write(kind, layout, relationships, &mut body).expect("a vector takes every byte");
    body.shrink_to_fit();
    (body, stats)
}

/// Writes a document with this number of relationships.
pub(crate) fn write(kind: Kind, layout: Layout, relationships: usize, out: impl Write) -> io::Result<DocumentStats> {
    let warehouse = Warehouse::new(kind, relationships);
    let mut writer = DocumentWriter { out, kind, rng: Rng::with_seed(2), stats: DocumentStats::default() };
    match kind {
        Kind::Full => writer.full(&warehouse, layout)?,
        Kind::Drawn => writer.drawn(&warehouse, layout)?,
    }
    writer.out.flush()?;
    writer.stats.deep_column = warehouse.deep_column.to_string();
    Ok(writer.stats)
}

const TABLES: usize = 10;
const STATEMENTS: usize = 40;
const STATEMENTS_PER_SCRIPT: usize = 8;
/// The number of previous statements whose results a statement may read, so that views are built on views.
const LOOK_BACK: usize = 3;

const SUBJECTS: [&str; 16] = [
    "account",
    "campaign",
    "carrier",
    "contract",
    "customer",
    "employee",
    "invoice",
    "ledger",
    "order",
    "payment",
    "product",
    "region",
    "shipment",
    "store",
    "supplier",
    "warehouse",
];
const PROPERTIES: [&str; 14] = [
    "amount",
    "category",
    "code",
    "created_at",
    "currency",
    "description",
    "id",
    "key",
    "name",
    "quantity",
    "status",
    "total",
    "type",
    "updated_at",
];
const DATA_TYPES: [&str; 4] = ["NUMBER(18,2)", "VARCHAR2(255)", "DATE", "INTEGER"];
const CLAUSES: [&str; 3] = ["where", "joinCondition", "orderby"];

struct Column {
    id: u32,
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ObjectKind {
    Table,
    View,
    SelectList,
    InsertSelect,
}

impl ObjectKind {
    fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::SelectList => "select_list",
            Self::InsertSelect => "insert-select",
        }
    }

    fn section(self) -> &'static str {
        match self {
            Self::Table => "tables",
            Self::View => "views",
            Self::SelectList | Self::InsertSelect => "others",
        }
    }
}

struct Object {
    id: u32,
    name: String,
    kind: ObjectKind,
    /// The index of the script that creates it.
    script: usize,
    /// The columns; the last one is the record set.
    columns: Vec<Column>,
}

struct Procedure {
    id: u32,
    name: String,
}

struct Process {
    id: u32,
    name: String,
    kind: &'static str,
    query: String,
    script: usize,
}

/// The index of an object in its schema, and the index of one of its columns.
type ColumnIndex = (usize, usize);

enum Relationship {
    /// The value of `target` is computed from those of `sources`.
    Value {
        target: ColumnIndex,
        sources: Vec<ColumnIndex>,
        effect: &'static str,
        process: Option<usize>,
        script: usize,
    },
    /// `sources` decide which rows `target` has.
    Records {
        target: ColumnIndex,
        sources: Vec<ColumnIndex>,
        clause: &'static str,
        script: usize,
    },
    ForeignKey {
        target: ColumnIndex,
        source: ColumnIndex,
        script: usize,
    },
    Call {
        caller: usize,
        callee: usize,
        script: usize,
    },
}

impl Relationship {
    fn kind(&self) -> &'static str {
        match self {
            Self::Value { .. } => "fdd",
            Self::Records { .. } => "fdr",
            Self::ForeignKey { .. } => "er",
            Self::Call { .. } => "call",
        }
    }

    /// Returns the source and target of each edge that the picture has for it.
    fn ends(&self) -> Vec<(ColumnIndex, ColumnIndex)> {
        match self {
            Self::Value { target, sources, .. } | Self::Records { target, sources, .. } => {
                sources.iter().map(|&source| (source, *target)).collect()
            }
            Self::ForeignKey { target, source, .. } => vec![(*source, *target)],
            Self::Call { .. } => Vec::new(),
        }
    }
}

struct Schema {
    name: String,
    /// The hash codes of its scripts.
    scripts: Vec<String>,
    objects: Vec<Object>,
    procedures: Vec<Procedure>,
    processes: Vec<Process>,
    relationships: Vec<Relationship>,
}

struct Warehouse {
    schemas: Vec<Schema>,
    deep_column: u32,
    /// The first id that relationships can use.
    next_id: u32,
}

impl Warehouse {
    fn new(kind: Kind, relationships: usize) -> Self {
        let mut rng = Rng::with_seed(1);
        let mut ids = 0;
        let mut schemas = Vec::new();
        let mut left = relationships;
        while left > 0 {
            let mut schema = Planner { kind, rng: &mut rng, ids: &mut ids }.schema(schemas.len());
            schema.relationships.truncate(left);
            left -= schema.relationships.len();
            schemas.push(schema);
        }
        let deep_column = schemas
            .first()
            .and_then(|schema| schema.objects.last())
            .and_then(|object| object.columns.first())
            .map_or(0, |column| column.id);
        Self { schemas, deep_column, next_id: ids + 1 }
    }
}

/// Creates the content of a schema. Nothing is written before, because relationships refer to all of its columns.
struct Planner<'p> {
    kind: Kind,
    rng: &'p mut Rng,
    ids: &'p mut u32,
}

impl Planner<'_> {
    fn schema(&mut self, number: usize) -> Schema {
        let scripts = STATEMENTS / STATEMENTS_PER_SCRIPT;
        let mut schema = Schema {
            name: format!("MART_{number:03}"),
            scripts: (0..scripts).map(|at| self.hash_code(at)).collect(),
            objects: Vec::new(),
            procedures: Vec::new(),
            processes: Vec::new(),
            relationships: Vec::new(),
        };
        for at in 0..TABLES {
            // The picture also has the columns that no statement uses. So many of them make it 42 % of the text, which was
            // counted in a real answer.
            let columns = self.rng.usize(if self.kind == Kind::Drawn { 70..100 } else { 8..20 });
            let name = format!("src_{}_{at}", self.subject());
            let columns = self.columns(columns);
            self.object(&mut schema, name, ObjectKind::Table, 0, columns);
        }
        for (at, script) in (0..scripts).enumerate() {
            let id = self.id();
            schema.procedures.push(Procedure { id, name: format!("load_{}_{at}", self.subject()) });
            schema.relationships.push(Relationship::Call { caller: at, callee: self.rng.usize(..=at), script });
        }
        for at in 0..STATEMENTS {
            self.statement(&mut schema, at);
        }
        schema
    }

    /// Adds a view over a select list, or an insert.
    fn statement(&mut self, schema: &mut Schema, at: usize) {
        let script = at / STATEMENTS_PER_SCRIPT;
        let inputs = self.inputs(schema);
        let width = self.rng.usize(6..18);
        let columns = self.columns(width);
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let is_view = self.rng.u8(..10) < 7;
        let id = self.id();
        let (process, result, target, effect) = if is_view {
            ("sstcreateview", ObjectKind::SelectList, ObjectKind::View, "create_view")
        } else {
            ("sstinsert", ObjectKind::InsertSelect, ObjectKind::Table, "insert")
        };
        let verb = if is_view { "Create View" } else { "Insert" };
        let name = format!("Query {verb}-{}", at + 1);
        schema.processes.push(Process { id, name, kind: process, query: self.hash(), script });
        let result_name = if is_view { format!("RS-{}", at + 1) } else { format!("INSERT-SELECT-{}", at + 1) };
        let from = self.object(schema, result_name, result, script, columns);
        let target_columns = names.into_iter().map(|name| Column { id: self.id(), name }).collect();
        let prefix = if is_view { "v" } else { "fact" };
        let target_name = format!("{prefix}_{}_{at}", self.subject());
        let to = self.object(schema, target_name, target, script, target_columns);
        for column in 0..width {
            let sources = self.sources(schema, &inputs);
            let select =
                Relationship::Value { target: (from, column), sources, effect: "select", process: None, script };
            // Half of the relationships into stored objects name a process: a fifth of all relationships.
            let process = (self.rng.bool()).then_some(at);
            let sources = vec![(from, column)];
            let store = Relationship::Value { target: (to, column), sources, effect, process, script };
            schema.relationships.extend([select, store]);
        }
        for _ in 0..(width * 19).div_ceil(40) {
            let sources = self.sources(schema, &inputs);
            let clause = CLAUSES[self.rng.usize(..CLAUSES.len())];
            schema.relationships.push(Relationship::Records { target: (from, width), sources, clause, script });
        }
        if self.rng.u8(..10) == 0 {
            let (target, source) = (self.end(schema, &[to]), self.end(schema, &inputs));
            schema.relationships.push(Relationship::ForeignKey { target, source, script });
        }
    }

    /// Returns the stored objects that a statement reads.
    fn inputs(&mut self, schema: &Schema) -> Vec<usize> {
        let stored: Vec<usize> = (0..)
            .zip(&schema.objects)
            .filter(|(_, object)| matches!(object.kind, ObjectKind::Table | ObjectKind::View))
            .map(|(at, _)| at)
            .collect();
        let recent = &stored[stored.len().saturating_sub(LOOK_BACK)..];
        (0..self.rng.usize(1..=3)).map(|_| recent[self.rng.usize(..recent.len())]).collect()
    }

    fn sources(&mut self, schema: &Schema, inputs: &[usize]) -> Vec<ColumnIndex> {
        let count = [1, 1, 1, 1, 1, 1, 1, 2][self.rng.usize(..8)];
        (0..count).map(|_| self.end(schema, inputs)).collect()
    }

    fn end(&mut self, schema: &Schema, of: &[usize]) -> ColumnIndex {
        let object = of[self.rng.usize(..of.len())];
        let values = schema.objects[object].columns.len() - 1;
        (object, self.rng.usize(..values))
    }

    fn object(
        &mut self,
        schema: &mut Schema,
        name: String,
        kind: ObjectKind,
        script: usize,
        mut columns: Vec<Column>,
    ) -> usize {
        let id = self.id();
        columns.push(Column { id: self.id(), name: "RelationRows".to_owned() });
        schema.objects.push(Object { id, name, kind, script, columns });
        schema.objects.len() - 1
    }

    fn columns(&mut self, count: usize) -> Vec<Column> {
        (0..count)
            .map(|_| {
                let name = format!("{}_{}", self.subject(), PROPERTIES[self.rng.usize(..PROPERTIES.len())]);
                Column { id: self.id(), name }
            })
            .collect()
    }

    fn subject(&mut self) -> &'static str {
        SUBJECTS[self.rng.usize(..SUBJECTS.len())]
    }

    /// Returns the hash code of a script. Some servers write none, and some number the scripts.
    fn hash_code(&mut self, script: usize) -> String {
        match script {
            0 => "0".to_owned(),
            1 => self.rng.u16(1..2000).to_string(),
            _ => self.hash(),
        }
    }

    fn hash(&mut self) -> String {
        format!("{:032x}", self.rng.u128(..))
    }

    fn id(&mut self) -> u32 {
        *self.ids += 1;
        *self.ids
    }
}

struct DocumentWriter<W> {
    out: W,
    kind: Kind,
    rng: Rng,
    stats: DocumentStats,
}

impl<W: Write> DocumentWriter<W> {
    fn full(&mut self, warehouse: &Warehouse, layout: Layout) -> io::Result<()> {
        match layout {
            Layout::Tree => {
                self.text(r#"{"code":200,"data":"#)?;
                self.tree(warehouse)?;
                self.text(r#","sessionId":"8bb7a38e9f0d4d0f","jobId":"d1f5"}"#)
            }
            Layout::Flat => {
                self.text(r#"{"code":200,"data":{"mode":"global","sqlflow":"#)?;
                self.flat(warehouse)?;
                self.text("}}")
            }
        }
    }

    fn drawn(&mut self, warehouse: &Warehouse, layout: Layout) -> io::Result<()> {
        self.text(r#"{"jobId":"939fdbbaf52b45139b86c0761d6036b0","code":200,"data":{"mode":"global","summary":"#)?;
        self.summary(warehouse)?;
        self.text(r#","sqlflow":"#)?;
        match layout {
            Layout::Tree => self.tree(warehouse)?,
            Layout::Flat => self.flat(warehouse)?,
        }
        self.text(r#","graph":"#)?;
        let before = self.stats.bytes;
        self.graph(warehouse)?;
        self.stats.graph_bytes += self.stats.bytes - before;
        self.text("}}")
    }

    fn summary(&mut self, warehouse: &Warehouse) -> io::Result<()> {
        let count = |of: fn(&Schema) -> usize| warehouse.schemas.iter().map(of).sum::<usize>();
        let kind = |schema: &Schema, kind| schema.objects.iter().filter(|object| object.kind == kind).count();
        let tables: usize = warehouse.schemas.iter().map(|schema| kind(schema, ObjectKind::Table)).sum();
        let views: usize = warehouse.schemas.iter().map(|schema| kind(schema, ObjectKind::View)).sum();
        self.text(&format!(
            r#"{{"schema":{},"process":{},"database":1,"view":{views},"mostRelationTables":[{{"table":"{}"}}],"column":{},"relationship":{},"table":{tables}}}"#,
            warehouse.schemas.len(),
            count(|schema| schema.processes.len()),
            warehouse.schemas[0].objects[0].name,
            count(|schema| schema.objects.iter().map(|object| object.columns.len()).sum()),
            count(|schema| schema.relationships.len()),
        ))
    }

    fn tree(&mut self, warehouse: &Warehouse) -> io::Result<()> {
        self.text(concat!(
            r#"{"dbvendor":"dbvoracle","dbobjs":{"createdBy":"sqlflow v1.0.0","servers":[{"#,
            r#""name":"DEFAULT_SERVER","dbVendor":"dbvoracle","supportsCatalogs":true,"supportsSchemas":true,"#,
            r#""databases":[{"name":"DWH","schemas":["#
        ))?;
        self.list(&warehouse.schemas, Self::schema)?;
        self.text(r#"]}]}]},"relationships":["#)?;
        self.relationships(warehouse)?;
        self.text(r#"],"processes":["#)?;
        let processes = warehouse.schemas.iter().flat_map(|schema| schema.processes.iter().map(move |p| (schema, p)));
        self.list(processes, |writer, (schema, process)| writer.process(schema, process, process.kind))?;
        self.text("]}")
    }

    fn flat(&mut self, warehouse: &Warehouse) -> io::Result<()> {
        self.text(r#"{"dbvendor":"dbvoracle","dbobjs":["#)?;
        let objects = warehouse.schemas.iter().flat_map(|schema| schema.objects.iter().map(move |o| (schema, o)));
        self.list(objects, |writer, (schema, object)| writer.object(schema, object, Layout::Flat))?;
        for schema in &warehouse.schemas {
            for (script, procedure) in (0..).zip(&schema.procedures) {
                self.text(",")?;
                self.callable(schema, script, procedure)?;
            }
            for process in &schema.processes {
                self.text(",")?;
                self.process(schema, process, "process")?;
            }
        }
        self.text(r#"],"relationships":["#)?;
        self.relationships(warehouse)?;
        self.text("]}")
    }

    /// Writes the picture: a box for each object with a row for each column, and an edge for each source of a
    /// relationship. Boxes, rows and edges have ids of their own, which the maps at the end lead to those of the model.
    fn graph(&mut self, warehouse: &Warehouse) -> io::Result<()> {
        let mut boxes = Vec::new();
        let mut edges = Vec::new();
        let mut relationship_id = warehouse.next_id;
        for schema in &warehouse.schemas {
            let first = boxes.len();
            boxes.extend(&schema.objects);
            for relationship in &schema.relationships {
                for (source, target) in relationship.ends() {
                    let ends = [source, target].map(|(object, column)| (first + object, column));
                    edges.push((ends, relationship_id, relationship.kind()));
                }
                relationship_id += 1;
            }
        }
        self.text(r#"{"elements":{"tables":["#)?;
        self.list(boxes.iter().enumerate(), |writer, (at, object)| writer.drawn_box(at, object))?;
        self.text(r#"],"edges":["#)?;
        self.list(edges.iter().enumerate(), |writer, (at, ([source, target], ..))| {
            let ((from, from_row), (to, to_row)) = (source, target);
            writer.text(&format!(r#"{{"id":"e{at}","sourceId":"n{from}::n{from_row}","targetId":"n{to}::n{to_row}"}}"#))
        })?;
        self.text(r#"]},"tooltip":{},"relationshipIdMap":{"#)?;
        self.list(edges.iter().enumerate(), |writer, (at, (_, id, kind))| {
            writer.text(&format!(r#""e{at}":["{id}","{kind}"]"#))
        })?;
        self.text(r#"},"listIdMap":{"#)?;
        self.list(boxes.iter().enumerate(), |writer, (at, object)| {
            writer.text(&format!(r#""n{at}":["{}"]"#, object.id))?;
            for (row, column) in object.columns.iter().enumerate() {
                writer.text(&format!(r#","n{at}::n{row}":["{}"]"#, column.id))?;
            }
            Ok(())
        })?;
        self.text("}}")
    }

    fn drawn_box(&mut self, at: usize, object: &Object) -> io::Result<()> {
        let (x, y) = (self.rng.u32(0..20_000), self.rng.u32(0..90_000));
        self.text(r#"{"columns":["#)?;
        self.list(object.columns.iter().enumerate(), |writer, (row, column)| {
            writer.text(r#"{"height":15.96875,"id":""#)?;
            writer.text(&format!("n{at}::n{row}\",\"label\":"))?;
            let width = 8 * column.name.len();
            writer.label(&column.name, "13.96875", width)?;
            // The rows of a box are apart by a little less than their height, as real ones are.
            let y = f64::from(y) + 16.0 * f64::from(u32::try_from(row).unwrap_or_default()) + 0.000_149;
            writer.text(&format!(r#","width":160.5,"x":{}.000013,"y":-{y:.6}}}"#, x + 1))
        })?;
        let height = 26 + 16 * object.columns.len();
        self.text(&format!(r#"],"height":{height}.96875,"id":"n{at}","label":"#))?;
        self.label(&object.name, "17.96875", 162)?;
        self.text(&format!(r#","width":162,"x":{x},"y":-{y}.9689}}"#))
    }

    fn label(&mut self, content: &str, height: &str, width: usize) -> io::Result<()> {
        self.text(&format!(
            r#"{{"content":"{content}","fontFamily":"Segoe UI Symbol","fontSize":"12","height":{height},"width":{width}.34375,"x":0,"y":0}}"#
        ))
    }

    fn schema(&mut self, schema: &Schema) -> io::Result<()> {
        self.text(r#"{"name":""#)?;
        self.text(&schema.name)?;
        self.text("\"")?;
        for section in ["tables", "views", "others"] {
            self.text(&format!(r#","{section}":["#))?;
            let objects = schema.objects.iter().filter(|object| object.kind.section() == section);
            self.list(objects, |writer, object| writer.object(schema, object, Layout::Tree))?;
            self.text("]")?;
        }
        self.text(r#","procedures":["#)?;
        self.list((0..).zip(&schema.procedures), |writer, (script, procedure)| {
            writer.callable(schema, script, procedure)
        })?;
        self.text(r#"],"processes":["#)?;
        self.list(&schema.processes, |writer, process| writer.process(schema, process, process.kind))?;
        self.text("]}")
    }

    fn object(&mut self, schema: &Schema, object: &Object, layout: Layout) -> io::Result<()> {
        let Object { id, name, kind, script, columns } = object;
        self.text(&format!(r#"{{"id":"{id}","#))?;
        if layout == Layout::Flat {
            self.text(&format!(r#""schema":"{}","#, schema.name))?;
        }
        let kind = kind.name();
        self.text(&format!(r#""name":"{name}","displayName":"{name}","type":"{kind}","columns":["#))?;
        let record_set = columns.len() - 1;
        self.list(columns.iter().enumerate(), |writer, (at, column)| {
            let Column { id, name } = column;
            writer.text(&format!(r#"{{"id":"{id}","name":"{name}","coordinates":"#))?;
            writer.coordinates(schema, *script, 2)?;
            if at == record_set {
                writer.text(r#","source":"system","uiVisible":false"#)?;
            } else if object.kind == ObjectKind::Table && object.script == 0 {
                let data_type = DATA_TYPES[writer.rng.usize(..DATA_TYPES.len())];
                writer.text(&format!(r#","dataType":"{data_type}""#))?;
            }
            writer.text("}")
        })?;
        self.text(r#"],"coordinates":"#)?;
        self.coordinates(schema, *script, 2)?;
        self.text("}")
    }

    fn process(&mut self, schema: &Schema, process: &Process, kind: &str) -> io::Result<()> {
        let Process { id, name, query, script, .. } = process;
        self.text(&format!(
            r#"{{"id":"{id}","name":"{name}","procedureName":"batchQueries","queryHashId":"{query}","type":"{kind}","coordinates":"#
        ))?;
        self.coordinates(schema, *script, 2)?;
        self.text("}")
    }

    fn relationships(&mut self, warehouse: &Warehouse) -> io::Result<()> {
        let all = warehouse.schemas.iter().flat_map(|schema| schema.relationships.iter().map(move |r| (schema, r)));
        self.list((warehouse.next_id..).zip(all), |writer, (id, (schema, relationship))| {
            writer.text(&format!(r#"{{"id":"{id}","#))?;
            writer.relationship(schema, relationship)?;
            writer.text("}")
        })
    }

    fn relationship(&mut self, schema: &Schema, relationship: &Relationship) -> io::Result<()> {
        match relationship {
            Relationship::Value { target, sources, effect, process, script } => {
                self.text(&format!(r#""type":"fdd","effectType":"{effect}","#))?;
                self.target(schema, *script, *target)?;
                self.sources(schema, *script, sources, None)?;
                if let Some(process) = process {
                    let Process { id, kind, .. } = &schema.processes[*process];
                    self.text(&format!(r#","processId":"{id}","processType":"{kind}""#))?;
                }
                Ok(())
            }
            Relationship::Records { target, sources, clause, script } => {
                self.text(r#""type":"fdr","#)?;
                self.target(schema, *script, *target)?;
                self.sources(schema, *script, sources, Some(clause))
            }
            Relationship::ForeignKey { target, source, script } => {
                self.text(r#""type":"er","effectType":"foreign_key","#)?;
                self.target(schema, *script, *target)?;
                self.sources(schema, *script, &[*source], None)
            }
            Relationship::Call { caller, callee, script } => {
                self.text(r#""type":"call","caller":"#)?;
                self.callable(schema, *script, &schema.procedures[*caller])?;
                self.text(r#","callees":["#)?;
                self.callable(schema, *script, &schema.procedures[*callee])?;
                self.text("]")
            }
        }
    }

    fn target(&mut self, schema: &Schema, script: usize, end: ColumnIndex) -> io::Result<()> {
        self.text(r#""target":"#)?;
        self.end(schema, script, end, None)
    }

    fn sources(
        &mut self,
        schema: &Schema,
        script: usize,
        ends: &[ColumnIndex],
        clause: Option<&str>,
    ) -> io::Result<()> {
        self.text(r#","sources":["#)?;
        self.list(ends, |writer, end| writer.end(schema, script, *end, clause))?;
        self.text("]")
    }

    fn end(
        &mut self,
        schema: &Schema,
        script: usize,
        (object, column): ColumnIndex,
        clause: Option<&str>,
    ) -> io::Result<()> {
        let parent = &schema.objects[object];
        let Column { id, name } = &parent.columns[column];
        // Servers also spell the parent of an endpoint differently from its declaration.
        let parent_name = parent.name.to_uppercase();
        let parent_id = parent.id;
        self.text(&format!(
            r#"{{"id":"{id}","column":"{name}","parentId":"{parent_id}","parentName":"{parent_name}","coordinates":"#
        ))?;
        let counts = match self.kind {
            Kind::Full => [0, 2, 2, 2, 2, 2, 4, 4, 10, 12, 18],
            // Those of small scripts, which servers draw without cutting them to a summary.
            Kind::Drawn => [0, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2],
        };
        let count = counts[self.rng.usize(..counts.len())];
        self.coordinates(schema, script, count)?;
        if let Some(clause) = clause {
            self.text(&format!(r#","clauseType":"{clause}""#))?;
        }
        self.text("}")
    }

    fn callable(&mut self, schema: &Schema, script: usize, procedure: &Procedure) -> io::Result<()> {
        let Procedure { id, name } = procedure;
        self.text(&format!(r#"{{"id":"{id}","name":"{name}","type":"procedure","coordinates":"#))?;
        self.coordinates(schema, script, 2)?;
        self.text("}")
    }

    /// Writes the starts and ends of words in a script.
    fn coordinates(&mut self, schema: &Schema, script: usize, count: usize) -> io::Result<()> {
        let before = self.stats.bytes;
        self.text("[")?;
        let hash = match self.kind {
            Kind::Full => schema.scripts[script].as_str(),
            // What is drawn is mostly one text, which has no hash code.
            Kind::Drawn => "0",
        };
        let mut start = (0, 0);
        self.list(0..count, |writer, at| {
            if at % 2 == 0 {
                start = (writer.rng.u16(1..3000), writer.rng.u16(1..120));
            } else {
                start.1 += writer.rng.u16(3..30);
            }
            let (x, y) = start;
            writer.text(&format!(r#"{{"x":{x},"y":{y},"hashCode":"{hash}"}}"#))
        })?;
        self.text("]")?;
        self.stats.coordinate_bytes += self.stats.bytes - before;
        Ok(())
    }

    fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut is_first = true;
        for item in items {
            if !is_first {
                self.text(",")?;
            }
            is_first = false;
            write(self, item)?;
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        self.stats.bytes += text.len() as u64;
        self.out.write_all(text.as_bytes())
    }
}
