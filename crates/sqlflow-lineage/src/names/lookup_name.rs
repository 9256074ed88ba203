//! Names that find exactly one object or column.

use crate::error::Candidate;
use crate::graph::Vertex;
use crate::view::{Column, Object};

use super::id_form::{NamedRecord, numbered_id_form};
use super::lookup::{columns_named, readings_as_column, vertices_named};
use super::{LineageInner, NamePart, QuotedDots, id_form, joined, named_server, object_parts, parts};

/// The number of candidates that an error has.
const MAX_CANDIDATES: usize = 32;
/// A name that ends like those of more objects than this is not tried, because to do so for each of them would take
/// quadratic time.
const MAX_OBJECTS: usize = 1000;
/// The same for the columns of the objects that the beginning of the name can mean.
const MAX_COLUMNS: usize = 20_000;
/// Longer names, in bytes, are not tried: nobody writes them.
const MAX_LENGTH: usize = 300;

/// Names that find an object or a column.
impl Object<'_> {
    /// Returns the name that finds exactly this object with [`Lineage::object`](crate::Lineage::object) and
    /// [`Lineage::find`](crate::Lineage::find).
    ///
    /// It is the [qualified name](Self::qualified_name) unless that means something else too; then the name has quotes
    /// or the server, or if that is not enough, it is the id in the form `id:12`. If several records have one id, it is
    /// `id:12#2` for the second of them.
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES"},
    ///     {"id": "2", "name": "RS-1", "type": "select_list"},
    ///     {"id": "3", "name": "RS-1", "type": "select_list"}
    /// ]}"#.parse()?;
    /// let names: Vec<String> = lineage.objects().map(|object| object.lookup_name()).collect();
    /// assert_eq!(names, ["SALES.ORDERS", "id:2", "id:3"]);
    /// for object in lineage.objects() {
    ///     assert_eq!(lineage.object(&object.lookup_name())?, object);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lookup_name(&self) -> String {
        let finds_it = |name: &str| finds(name, Vertex::Object(*self));
        let found = spellings(*self).into_iter().find(|name| finds_it(name));
        found.unwrap_or_else(|| id_form_of(Vertex::Object(*self), finds_it))
    }
}

/// Names that find an object or a column.
impl Column<'_> {
    /// Returns the name that finds exactly this column with [`Lineage::find`](crate::Lineage::find).
    ///
    /// It is the [qualified name](Self::qualified_name) unless that means something else too; see
    /// [`Object::lookup_name`].
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "columns": [
    ///         {"id": "2", "name": "TOTAL"}, {"id": "3", "name": "NOTE"}, {"id": "4", "name": "NOTE"}]}
    /// ]}"#.parse()?;
    /// let names: Vec<String> = lineage.columns().map(|column| column.lookup_name()).collect();
    /// assert_eq!(names, ["ORDERS.TOTAL", "id:3", "id:4"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn lookup_name(&self) -> String {
        let own = own_spellings(*self);
        let objects = spellings(self.object());
        let mut names = objects.iter().flat_map(|object| own.iter().map(move |own| format!("{object}.{own}")));
        let finds_it = |name: &str| finds(name, Vertex::Column(*self));
        names.find(|name| finds_it(name)).unwrap_or_else(|| id_form_of(Vertex::Column(*self), finds_it))
    }
}

/// Returns `true` if a name means a vertex and nothing else.
fn finds(name: &str, vertex: Vertex<'_>) -> bool {
    name.len() <= MAX_LENGTH
        && is_quickly_compared(vertex.inner(), name)
        && vertices_named(vertex.inner(), name).as_slice() == [vertex]
}

/// Returns `true` if a lookup of a name compares it with few names.
fn is_quickly_compared(inner: &LineageInner, name: &str) -> bool {
    let dots = QuotedDots::of_document(&inner.model);
    let ending_like = |name| parts(name, dots).last().map(|last| inner.names().ending_in(*last)).unwrap_or_default();
    let mut objects = ending_like(name).len();
    let mut columns = 0;
    for (object, _) in readings_as_column(name) {
        let ending = ending_like(object);
        objects += ending.len();
        if objects > MAX_OBJECTS {
            return false;
        }
        columns += ending.iter().map(|&at| Object::new(inner, at).columns().len()).sum::<usize>();
    }
    objects <= MAX_OBJECTS && columns <= MAX_COLUMNS
}

/// Returns the form of the id of a vertex, which is that of a name too if the document is malicious.
fn id_form_of(vertex: Vertex<'_>, finds: impl Fn(&str) -> bool) -> String {
    let (inner, record) = match vertex {
        Vertex::Object(object) => (object.inner, NamedRecord::Object(object.at)),
        Vertex::Column(column) => (column.inner, NamedRecord::Column(column.at)),
    };
    let form = id_form(inner, record);
    if finds(&form) { form } else { numbered_id_form(inner, record) }
}

/// Returns the spellings of the name of an object, the most natural first.
fn spellings(object: Object<'_>) -> Vec<String> {
    let model = &object.inner.model;
    let Some(raw) = model.objects.get(object.at as usize).filter(|_| is_writable(object.name())) else {
        return Vec::new();
    };
    let name = object_parts(model, raw, false);
    let Some((last, outer)) = name.split_last() else {
        return Vec::new();
    };
    let written = |part: &NamePart<'_>| part.written.to_owned();
    let only_last = outer.iter().map(written).chain([last.in_quotes()]);
    let all = name.iter().map(|part| part.in_quotes());
    let quoted: [String; 2] = [only_last.collect::<Vec<_>>().join("."), all.collect::<Vec<_>>().join(".")];
    let mut spellings = vec![object.qualified_name()];
    spellings.extend(quoted.clone());
    if let Some(server) = named_server(model, raw) {
        let names = [joined(name.iter().map(|part| part.written))].into_iter().chain(quoted);
        let is_one = parts(server, QuotedDots::Literal).len() == 1;
        let server = if is_one { server.to_owned() } else { NamePart::new(server).in_quotes() };
        spellings.extend(names.map(|name| format!("{server}.{name}")));
    }
    spellings
}

/// Returns the spellings of the name of a column, the most natural first.
fn own_spellings(column: Column<'_>) -> Vec<String> {
    if !is_writable(column.name()) {
        return Vec::new();
    }
    vec![column.name().to_owned(), NamePart::new(column.name()).in_quotes()]
}

fn is_writable(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_LENGTH && !name.contains(char::is_control)
}

/// Returns the candidates of an ambiguous name, with names for [`Lineage::find`](crate::Lineage::find), which
/// [`Lineage::object`](crate::Lineage::object) takes too.
pub(super) fn candidates<'a>(vertices: impl Iterator<Item = Vertex<'a>>) -> Vec<Candidate> {
    let candidate = |vertex| match vertex {
        Vertex::Object(object) => Candidate {
            name: object.qualified_name(),
            lookup_name: object.lookup_name(),
            kind: object.kind_text().to_owned(),
            id: object.id().to_owned(),
        },
        Vertex::Column(column) => column_candidate(column, column.lookup_name()),
    };
    vertices.take(MAX_CANDIDATES).map(candidate).collect()
}

/// Returns the candidates of an ambiguous name within one object, with names for [`Object::column`].
pub(super) fn own_candidates(columns: &[Column<'_>]) -> Vec<Candidate> {
    let candidate = |&column: &Column<'_>| {
        let finds_it = |name: &str| columns_named(column.object(), name).as_slice() == [column];
        let name = own_spellings(column).into_iter().find(|name| finds_it(name));
        column_candidate(column, name.unwrap_or_else(|| id_form_of(Vertex::Column(column), finds_it)))
    };
    columns.iter().take(MAX_CANDIDATES).map(candidate).collect()
}

fn column_candidate(column: Column<'_>, lookup_name: String) -> Candidate {
    Candidate { name: column.qualified_name(), lookup_name, kind: "column".to_owned(), id: column.id().to_owned() }
}
