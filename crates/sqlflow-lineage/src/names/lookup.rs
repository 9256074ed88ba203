//! Finding the objects and columns that a name means.

use std::collections::HashMap;

use crate::error::LookupError;
use crate::graph::Vertex;
use crate::kinds::Mode;
use crate::model::{Model, RawObject};
use crate::view::{Column, Object};
use crate::{Lineage, LineageInner};

use super::id_form::{NamedRecord, by_id_form};
use super::lookup_name::{candidates, own_candidates};
use super::suggest::{similar, similar_objects};
use super::{NamePart, QuotedDots, fold, object_parts, parts, server, shown_server, tail_fits};

/// The objects by the last identifier of their name, in lower case and without quotes. Objects without a name are not
/// among them.
pub(crate) struct NameIndex {
    pub(super) objects: HashMap<Box<str>, Vec<u32>>,
}

impl NameIndex {
    pub(crate) fn new(model: &Model) -> Self {
        let mut objects: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for (at, object) in (0..).zip(&model.objects) {
            if model.texts.get(object.name).is_empty() {
                continue;
            }
            if let Some(last) = object_parts(model, object, false).last() {
                objects.entry(fold(&last.text()).into()).or_default().push(at);
            }
        }
        Self { objects }
    }

    /// Returns the objects whose name ends in this identifier.
    pub(super) fn ending_in(&self, identifier: NamePart<'_>) -> &[u32] {
        self.objects.get(fold(&identifier.text()).as_str()).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The extent to which a query covers the qualified name of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum MatchExtent {
    /// The query is the end of the name.
    Tail,
    /// The query is the whole name, as it is displayed.
    Whole,
}

fn match_object(query: &[NamePart<'_>], inner: &LineageInner, object: &RawObject) -> Option<MatchExtent> {
    let model = &inner.model;
    let name = object_parts(model, object, false);
    if tail_fits(query, &name) {
        let is_whole = query.len() == name.len() && shown_server(inner, object, &name).is_none();
        return Some(if is_whole { MatchExtent::Whole } else { MatchExtent::Tail });
    }
    let with_defaults = object_parts(model, object, true);
    if tail_fits(query, &with_defaults) {
        return Some(MatchExtent::Tail);
    }
    if query.len() <= name.len() {
        return None;
    }
    // A name with a server is complete, so nothing can stand before it.
    let is_whole = |name: &[NamePart<'_>], server: &[NamePart<'_>]| {
        let (of_server, rest) = query.split_at_checked(server.len()).unwrap_or((query, &[]));
        rest.len() == name.len() && tail_fits(of_server, server) && tail_fits(rest, name)
    };
    let servers = server::readings(model, object);
    let found = servers.iter().any(|server| is_whole(&name, server) || is_whole(&with_defaults, server));
    found.then_some(MatchExtent::Whole)
}

/// Lookup by name.
impl Lineage {
    /// Returns the object that has a name, which is matched as SQL does.
    ///
    /// The name may have a database and a schema or not, and may be `"quoted"`, `` `quoted` `` or `[quoted]`. Case is
    /// ignored unless the name is quoted. The server may stand before a name that is otherwise complete:
    /// `SRV2.Db1.dbo.T`. Dots inside quotes belong to the name, except that `` `project.dataset.table` `` is three
    /// names if the [vendor](Self::vendor) is Google BigQuery (`dbvbigquery`).
    ///
    /// If several objects match, these rules choose one: an object whose whole qualified name was given, then an object
    /// that is not an [intermediate](Object::is_intermediate) result, then an object that is spelled exactly so.
    ///
    /// If no object has the name, `id:12` means the object with the id `12`. The candidates of an error have
    /// [names that find them](crate::Candidate::lookup_name), which are of this form where nothing else tells objects
    /// apart.
    ///
    /// ```
    /// use sqlflow_lineage::{Lineage, LookupError};
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES"},
    ///     {"id": "2", "name": "ORDERS", "type": "table", "schema": "STAGE"},
    ///     {"id": "3", "name": "LINES", "type": "table", "schema": "SALES"}
    /// ]}"#.parse()?;
    /// assert_eq!(lineage.object("lines")?.id(), "3");
    /// assert_eq!(lineage.object("sales.[ORDERS]")?.id(), "1");
    ///
    /// match lineage.object("orders") {
    ///     Err(LookupError::AmbiguousObject { candidates, .. }) => {
    ///         let names: Vec<&str> = candidates.iter().map(|one| one.name.as_str()).collect();
    ///         assert_eq!(names, ["SALES.ORDERS", "STAGE.ORDERS"]);
    ///     }
    ///     other => panic!("{other:?}"),
    /// }
    /// let error = lineage.object("line").unwrap_err();
    /// assert_eq!(error.to_string(), "no object is named `line`; did you mean SALES.LINES?");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LookupError::ObjectNotFound`], or [`LookupError::AmbiguousObject`] with the candidates.
    pub fn object(&self, name: &str) -> Result<Object<'_>, LookupError> {
        let inner = &*self.inner;
        match objects_named(inner, name).as_slice() {
            [] => Err(not_found(inner, name)),
            [one] => Ok(Object::new(inner, *one)),
            several => {
                let vertices = several.iter().map(|&at| Vertex::Object(Object::new(inner, at)));
                Err(LookupError::AmbiguousObject {
                    name: name.to_owned(),
                    count: several.len(),
                    candidates: candidates(vertices),
                })
            }
        }
    }

    /// Returns the column that has the given name in the object that has the given name; see [`object`](Self::object).
    ///
    /// ```
    /// use sqlflow_lineage::Lineage;
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES",
    ///      "columns": [{"id": "2", "name": "AMOUNT"}]}
    /// ]}"#.parse()?;
    /// assert_eq!(lineage.column("sales.orders", "amount")?.id(), "2");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`object`](Self::object), and [`LookupError::ColumnNotFound`] or
    /// [`LookupError::AmbiguousColumn`].
    pub fn column(&self, object: &str, column: &str) -> Result<Column<'_>, LookupError> {
        self.object(object)?.column(column)
    }

    /// Returns the object or column that a name means; a column is written `object.column`.
    ///
    /// This is for names that people type. The names are matched as by [`object`](Self::object). `id:12` means the
    /// object or column with the id `12` if nothing has that name.
    ///
    /// ```
    /// use sqlflow_lineage::{Lineage, Vertex};
    ///
    /// let lineage: Lineage = r#"{"dbobjs": [
    ///     {"id": "1", "name": "ORDERS", "type": "table", "schema": "SALES",
    ///      "columns": [{"id": "2", "name": "AMOUNT"}]}
    /// ]}"#.parse()?;
    /// for name in ["orders", "sales.orders", "orders.amount"] {
    ///     match lineage.find(name)? {
    ///         Vertex::Object(object) => println!("{object} is a {}", object.kind()),
    ///         Vertex::Column(column) => println!("{column} is a column"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`object`](Self::object) and [`column`](Self::column). [`LookupError::AmbiguousObject`] also
    /// reports a name that means both an object and a column, or several columns of different objects.
    pub fn find(&self, name: &str) -> Result<Vertex<'_>, LookupError> {
        let inner = &*self.inner;
        match vertices_named(inner, name).as_slice() {
            [] => Err(nothing_named(inner, name)),
            [one] => Ok(*one),
            several => Err(LookupError::AmbiguousObject {
                name: name.to_owned(),
                count: several.len(),
                candidates: candidates(several.iter().copied()),
            }),
        }
    }
}

/// Returns the objects and columns that a name can mean.
pub(super) fn vertices_named<'a>(inner: &'a LineageInner, name: &str) -> Vec<Vertex<'a>> {
    let mut found: Vec<Vertex<'_>> = objects_named_in(inner, name).map(Vertex::Object).collect();
    for (object, column) in readings_as_column(name) {
        let columns = objects_named_in(inner, object).flat_map(|object| columns_named(object, column));
        found.extend(columns.map(Vertex::Column));
    }
    if found.is_empty() {
        found.extend(by_id_form(inner, name).map(|record| match record {
            NamedRecord::Object(at) => Vertex::Object(Object::new(inner, at)),
            NamedRecord::Column(at) => Vertex::Column(Column::new(inner, at)),
        }));
    }
    found
}

fn objects_named_in<'a>(inner: &'a LineageInner, name: &str) -> impl Iterator<Item = Object<'a>> + use<'a> {
    objects_named(inner, name).into_iter().map(|at| Object::new(inner, at))
}

/// Returns the error for a name that means neither an object nor a column.
fn nothing_named(inner: &LineageInner, name: &str) -> LookupError {
    let mut readings = readings_as_column(name);
    let without_it = readings.find_map(|(object, column)| Some((objects_named_in(inner, object).next()?, column)));
    without_it.map_or_else(|| not_found(inner, name), |(object, column)| column_not_found(object, column))
}

fn not_found(inner: &LineageInner, name: &str) -> LookupError {
    let (errors, warnings) = problems(inner);
    LookupError::ObjectNotFound {
        name: name.to_owned(),
        similar: similar_objects(inner, &parts(name, QuotedDots::of_document(&inner.model))),
        in_summary: inner.model.mode == Some(Mode::Summary),
        errors,
        warnings,
    }
}

fn column_not_found(object: Object<'_>, name: &str) -> LookupError {
    let (errors, warnings) = problems(object.inner);
    LookupError::ColumnNotFound {
        object: object.qualified_name(),
        name: name.to_owned(),
        similar: similar(NamePart::new(name).bare, object.columns().map(|column| column.name())),
        in_summary: object.inner.model.mode == Some(Mode::Summary),
        errors,
        warnings,
    }
}

/// Returns the number of errors and of warnings in a document, either of which can be the reason that a name is
/// missing.
fn problems(inner: &LineageInner) -> (usize, usize) {
    (inner.model.diagnostics.len(), inner.model.count_of_own_warnings())
}

/// Returns every way to read a name as object and column: the name of a column may contain dots.
pub(super) fn readings_as_column(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| Some((name.get(..at)?, name.get(at + 1..)?))).filter(|(object, _)| !object.is_empty())
}

/// Returns the objects that a name can mean, narrowed down: none, one, or those that only a longer name tells apart.
pub(super) fn objects_named(inner: &LineageInner, name: &str) -> Vec<u32> {
    let mut matching = matching_objects(inner, &parts(name, QuotedDots::of_document(&inner.model)));
    // A name that the server invented may have dots that separate nothing.
    if matching.is_empty() {
        matching = matching_objects(inner, &[NamePart::new(name)]);
    }
    let matching = narrow(inner, matching);
    if matching.is_empty() {
        return match by_id_form(inner, name) {
            Some(NamedRecord::Object(at)) => vec![at],
            _ => Vec::new(),
        };
    }
    let is_exact = |at: &u32| Object::new(inner, *at).qualified_name() == name;
    match matching.iter().copied().filter(is_exact).collect::<Vec<_>>().as_slice() {
        [one] => vec![*one],
        _ => matching,
    }
}

fn matching_objects(inner: &LineageInner, query: &[NamePart<'_>]) -> Vec<(MatchExtent, u32)> {
    let Some(last) = query.last() else {
        return Vec::new();
    };
    let matching = inner.names().ending_in(*last).iter().filter_map(|&at| {
        let object = inner.model.objects.get(at as usize)?;
        Some((match_object(query, inner, object)?, at))
    });
    matching.collect()
}

fn narrow(inner: &LineageInner, matching: Vec<(MatchExtent, u32)>) -> Vec<u32> {
    let stored = |at: &u32| !Object::new(inner, *at).is_intermediate();
    let all: Vec<u32> = matching.iter().map(|(_, at)| *at).collect();
    let whole: Vec<u32> =
        matching.into_iter().filter(|(extent, _)| *extent == MatchExtent::Whole).map(|(_, at)| at).collect();
    for choice in [whole, all.clone()] {
        let only_stored: Vec<u32> = choice.iter().copied().filter(stored).collect();
        for choice in [only_stored, choice] {
            if choice.len() == 1 {
                return choice;
            }
        }
    }
    all
}

/// Lookup by name.
impl<'a> Object<'a> {
    /// Returns the column of this object that has a name.
    ///
    /// Case does not count unless the name is quoted. If several columns match, the one that is spelled exactly so is
    /// chosen. If no column has the name, `id:13` means the column of this object that has the id `13`.
    ///
    /// # Errors
    ///
    /// [`LookupError::ColumnNotFound`] or [`LookupError::AmbiguousColumn`].
    pub fn column(&self, name: &str) -> Result<Column<'a>, LookupError> {
        match columns_named(*self, name).as_slice() {
            [] => Err(column_not_found(*self, name)),
            [one] => Ok(*one),
            several => Err(LookupError::AmbiguousColumn {
                object: self.qualified_name(),
                name: name.to_owned(),
                count: several.len(),
                candidates: own_candidates(several),
            }),
        }
    }
}

/// Returns the columns of an object that a name can mean, narrowed down.
pub(super) fn columns_named<'a>(object: Object<'a>, name: &str) -> Vec<Column<'a>> {
    let query = NamePart::new(name);
    let is_named = |column: &Column<'_>| !column.name().is_empty() && query.matches(NamePart::new(column.name()));
    let found: Vec<Column<'a>> = object.columns().filter(is_named).collect();
    if found.is_empty() {
        return match by_id_form(object.inner, name) {
            Some(NamedRecord::Column(at)) if Column::new(object.inner, at).object() == object => {
                vec![Column::new(object.inner, at)]
            }
            _ => Vec::new(),
        };
    }
    match found.iter().copied().filter(|column| column.name() == name).collect::<Vec<_>>().as_slice() {
        [one] => vec![*one],
        _ => found,
    }
}

#[cfg(test)]
mod tests {
    use crate::LookupError;
    use crate::fixtures::{SUMMARY, read, read_model};
    use crate::names::tests::OBJECTS;

    #[test]
    fn find_returns_an_object_or_a_column() {
        let lineage = read_model(
            r#"{"id": "1", "name": "a", "type": "table", "columns": [{"id": "2", "name": "b"}, {"id": "3", "name": "c"}]},
               {"id": "4", "name": "b", "type": "table", "schema": "a", "columns": [{"id": "5", "name": "sum(o.x)"}]}"#,
            "",
        );
        let id = |name: &str| lineage.find(name).map(|vertex| vertex.id().to_owned());
        assert_eq!(id("A").unwrap(), "1");
        assert_eq!(id("a.c").unwrap(), "3");
        assert_eq!(id("b.sum(o.x)").unwrap(), "5");
        assert_eq!(id("a.b.SUM(O.X)").unwrap(), "5");
        assert_eq!(id("a.b").unwrap_err().candidates().len(), 2);
        assert!(matches!(id("x.y"), Err(LookupError::ObjectNotFound { .. })));
        assert!(matches!(id("a.d"), Err(LookupError::ColumnNotFound { .. })));
    }

    #[test]
    fn exact_case_decides_between_names_that_differ_only_in_case() {
        let lineage =
            read_model(r#"{"id": "1", "name": "s", "type": "table"}, {"id": "2", "name": "S", "type": "table"}"#, "");
        assert_eq!(lineage.object("s").unwrap().id(), "1");
        assert_eq!(lineage.object("S").unwrap().id(), "2");
    }

    #[test]
    fn a_failed_lookup_in_a_summary_says_that_the_document_is_a_summary() {
        let error = read(SUMMARY).object("nowhere").unwrap_err();
        assert!(error.to_string().contains("summary"), "{error}");
    }

    #[test]
    fn find_lists_all_columns_that_an_ambiguous_name_could_mean() {
        let results = (1..4).map(|at| {
            let more = if at == 3 { r#", {"id": "y", "name": "y"}"# } else { "" };
            format!(r#"{{"id": "{at}", "name": "RS-1", "type": "select_list", "columns": [{{"id": "x{at}", "name": "x"}}{more}]}}"#)
        });
        let lineage = read_model(&results.collect::<Vec<_>>().join(","), "");
        let error = lineage.find("RS-1.x").unwrap_err();
        assert_eq!(error.candidates().iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["x1", "x2", "x3"]);
        assert_eq!(lineage.find("RS-1.y").unwrap().id(), "y");
    }

    /// Returns the id of the object with a name, in a document of Google BigQuery.
    fn id_of(name: &str) -> Result<String, LookupError> {
        let lineage = read(&format!(r#"{{"dbvendor": "dbvbigquery", "dbobjs": [{OBJECTS}]}}"#));
        lineage.object(name).map(|object| object.id().to_owned())
    }

    #[test]
    fn an_object_is_found_in_any_case_and_with_or_without_its_containers() {
        for name in ["sales.orders", "PROD.sales.Orders", "prod.SALES.\"ORDERS\"", "prod..orders"] {
            assert_eq!(id_of(name).unwrap(), "1", "{name}");
        }
        for name in ["lines", "DBO.LINES", "[dbo].[Lines]", "\"dbo\".`Lines`"] {
            assert_eq!(id_of(name).unwrap(), "4", "{name}");
        }
        for name in ["sold", "shop.eu.sold", "`shop.eu.sold`", "eu.SOLD"] {
            assert_eq!(id_of(name).unwrap(), "5", "{name}");
        }
        for name in ["log", "sales.log", "prod.sales.log"] {
            assert_eq!(id_of(name).unwrap(), "10", "{name}");
        }
    }

    #[test]
    fn a_quoted_name_matches_only_its_exact_case() {
        assert_eq!(id_of("\"Mixed Case\"").unwrap(), "3");
        assert_eq!(id_of("[Mixed Case]").unwrap(), "3");
        assert_eq!(id_of("mixed case").unwrap(), "3");
        assert!(id_of("\"mixed case\"").is_err());
    }

    #[test]
    fn an_ambiguous_name_lists_the_candidates() {
        let error = id_of("orders").unwrap_err();
        let names: Vec<&str> = error.candidates().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["PROD.SALES.ORDERS", "STAGE.orders"]);
        assert_eq!(error.to_string(), "`orders` could mean PROD.SALES.ORDERS (table), STAGE.orders (table)");
        let error = id_of("rs-1").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`rs-1` could mean RS-1 (select_list): write id:6, RS-1 (select_list): write id:7"
        );
    }

    #[test]
    fn a_stored_object_wins_over_an_intermediate_one() {
        assert_eq!(id_of("items").unwrap(), "8");
        assert_eq!(id_of("default.items").unwrap(), "8");
    }

    #[test]
    fn a_name_that_the_server_invented_may_have_dots() {
        assert_eq!(id_of("RESULT_OF_a.b").unwrap(), "14");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_similar_names() {
        let error = id_of("test.orders").unwrap_err();
        assert!(
            matches!(&error, LookupError::ObjectNotFound { similar, .. }
            if similar == &["PROD.SALES.ORDERS", "STAGE.orders"]),
            "{error}"
        );
        let error = id_of("ordres").unwrap_err();
        assert!(error.to_string().contains("PROD.SALES.ORDERS"), "{error}");
        assert!(id_of("").is_err());
    }

    #[test]
    fn a_column_is_found_by_name_and_by_quoted_name() {
        let lineage = read_model(OBJECTS, "");
        let orders = lineage.object("sales.orders").unwrap();
        assert_eq!(lineage.column("sales.orders", "note").unwrap().id(), "13");
        assert_eq!(orders.column("\"Total\"").unwrap().id(), "12");
        assert_eq!(orders.column("TOTAL").unwrap().id(), "11");
        assert_eq!(orders.column("total").unwrap_err().candidates().len(), 2);
        let error = orders.column("nite").unwrap_err();
        assert!(error.to_string().contains("did you mean NOTE?"), "{error}");
    }
}
