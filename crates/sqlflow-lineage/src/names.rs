//! Names as SQL has them: qualified, quoted, and equal apart from case unless quoted.

use std::collections::HashMap;

use super::error::{Candidate, LookupError};
use super::graph::Vertex;
use super::kinds::Mode;
use super::model::{Model, RawObject, ScopeKind};
use super::view::{Column, Object};
use super::{Inner, Lineage};

/// The name of a database or schema that was not named.
const DEFAULT: &str = "DEFAULT";

/// One identifier of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'t> {
    /// As written, with its quotes.
    pub(super) written: &'t str,
    /// Without quotes; quotes doubled inside stay doubled.
    bare: &'t str,
    quoted: bool,
}

impl<'t> Part<'t> {
    pub(super) fn new(written: &'t str) -> Self {
        for (open, close) in QUOTES {
            let bare = written.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
            if let Some(bare) = bare
                && closing(written, open, close) == Some(written.len())
            {
                return Self { written, bare, quoted: true };
            }
        }
        Self { written, bare: written, quoted: false }
    }

    /// Whether a question for this part means one named `other`.
    fn means(self, other: Part<'_>) -> bool {
        if self.quoted { self.bare == other.bare } else { same_apart_from_case(self.bare, other.bare) }
    }

    /// As it is called where there are no quotes: a doubled quote inside is one.
    pub(super) fn unquoted(self) -> String {
        match self.written.chars().last() {
            Some(close) if self.quoted => self.bare.replace(&format!("{close}{close}"), &close.to_string()),
            _ => self.bare.to_owned(),
        }
    }

    /// Case aside, unless double quotes keep a mixed one; in one case alone, they say what some dialect takes an
    /// unquoted name for. A dot inside is told from one between parts.
    fn push_identity(self, identity: &mut String) {
        let is_exact = self.written.starts_with('"')
            && self.quoted
            && self.bare.contains(char::is_uppercase)
            && self.bare.contains(char::is_lowercase);
        let mut push = |c: char| {
            if matches!(c, '.' | '\\') {
                identity.push('\\');
            }
            identity.push(c);
        };
        let name = self.unquoted();
        if is_exact {
            name.chars().for_each(&mut push);
        } else {
            folded(&name).for_each(&mut push);
        }
    }
}

const QUOTES: [(char, char); 3] = [('"', '"'), ('`', '`'), ('[', ']')];

fn same_apart_from_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || folded(a).eq(folded(b))
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

fn fold(text: &str) -> String {
    folded(text).collect()
}

/// Takes a name apart at the dots outside quotes. A quote that is not closed is a character like any other.
///
/// Back quotes around a whole path (`` `project.dataset.table` ``) are how Google's warehouse writes one, so that such
/// a name falls apart too.
pub(super) fn parts(name: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = name;
    loop {
        let end = part_end(rest);
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        add_part(&mut parts, part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return parts,
        }
    }
}

fn add_part<'t>(parts: &mut Vec<Part<'t>>, written: &'t str) {
    let part = Part::new(written);
    if written.starts_with('`') && part.quoted && part.bare.contains('.') {
        parts.extend(part.bare.split('.').map(|bare| Part { written: bare, bare, quoted: true }));
    } else {
        parts.push(part);
    }
}

/// Where the first part of a name ends: at a dot, or at the end.
fn part_end(name: &str) -> usize {
    let first = name.chars().next();
    let close = QUOTES.iter().find(|quote| Some(quote.0) == first);
    if let Some(&(open, close)) = close
        && let Some(end) = closing(name, open, close)
    {
        return end;
    }
    name.find('.').unwrap_or(name.len())
}

/// The end of a quoted part, if its quote is closed where the part ends. A doubled closing quote is none.
fn closing(name: &str, open: char, close: char) -> Option<usize> {
    let inside = name.strip_prefix(open)?;
    let mut chars = inside.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != close {
            continue;
        }
        match chars.peek() {
            Some(&(_, next)) if next == close => {
                chars.next();
            }
            Some(&(_, '.')) | None => return Some(at + open.len_utf8() + close.len_utf8()),
            Some(_) => return None,
        }
    }
    None
}

/// The name of an object by parts: its database and schema, then its own name.
///
/// The name itself may be qualified too; what both say is said once.
pub(super) fn object_parts<'m>(model: &'m Model, object: &RawObject, with_defaults: bool) -> Vec<Part<'m>> {
    let scopes = [ScopeKind::Database, ScopeKind::Schema].map(|kind| {
        let name = model.scope_name(object.scope, kind);
        model.texts.get_present(name)
    });
    let mut outer: Vec<Part<'m>> = scopes
        .into_iter()
        .flatten()
        .filter(|name| !name.is_empty() && (with_defaults || !is_default(name)))
        .flat_map(parts)
        .collect();
    let name = model.texts.get(object.name);
    if is_result_inside_a_statement(model, object) {
        outer.push(Part::new(name));
        return outer;
    }
    let mut own = parts(name);
    if !with_defaults {
        strip_defaults(&mut own);
    }
    join_parts(outer, own)
}

/// A name such as `"DEFAULT.ORDERS"` says no more than `ORDERS`.
fn strip_defaults(own: &mut Vec<Part<'_>>) {
    if let Some(last) = own.pop() {
        own.retain(|part| part.quoted || !is_default(part.bare));
        own.push(last);
    }
}

/// The names of results are made up by the server; dots in them part nothing.
fn is_result_inside_a_statement(model: &Model, object: &RawObject) -> bool {
    super::view::is_intermediate(model, object)
}

fn join_parts<'m>(outer: Vec<Part<'m>>, own: Vec<Part<'m>>) -> Vec<Part<'m>> {
    let Some((last, prefix)) = own.split_last() else {
        return outer;
    };
    let ends_with = |long: &[Part<'_>], short: &[Part<'_>]| {
        long.len() >= short.len()
            && long.iter().rev().zip(short.iter().rev()).all(|(a, b)| same_apart_from_case(a.bare, b.bare))
    };
    if ends_with(prefix, &outer) {
        return own;
    }
    let mut joined = outer;
    if ends_with(&joined, prefix) {
        joined.push(*last);
    } else {
        joined.extend(own);
    }
    joined
}

pub(super) fn is_default(name: &str) -> bool {
    name.eq_ignore_ascii_case(DEFAULT)
}

/// The qualified name of an object, without `DEFAULT` containers.
pub(super) fn object_name(model: &Model, object: &RawObject) -> String {
    let parts = object_parts(model, object, false);
    let written: Vec<&str> = parts.iter().map(|part| part.written).collect();
    written.join(".")
}

/// What the qualified name of an object means, however it is spelled: equal for two that SQL takes for one. A result's
/// name is its own alone: flat answers do not say where it stands.
pub(super) fn identity(model: &Model, object: &RawObject) -> String {
    if is_result_inside_a_statement(model, object) {
        return column_identity(model.texts.get(object.name));
    }
    identity_of(&object_parts(model, object, false))
}

/// What the name of a column means, as [`identity`].
pub(super) fn column_identity(name: &str) -> String {
    identity_of(&[Part::new(name)])
}

/// What a name that may be qualified means, as [`identity`].
pub(super) fn name_identity(name: &str) -> String {
    let mut own = parts(name);
    strip_defaults(&mut own);
    identity_of(&own)
}

fn identity_of(parts: &[Part<'_>]) -> String {
    let mut identity = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            identity.push('.');
        }
        part.push_identity(&mut identity);
    }
    identity
}

/// Objects by the last part of their name, case aside.
pub(super) struct Names {
    objects: HashMap<Box<str>, Vec<u32>>,
}

impl Names {
    pub(super) fn new(model: &Model) -> Self {
        let mut objects: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for (at, object) in (0..).zip(&model.objects) {
            if let Some(last) = object_parts(model, object, false).last() {
                objects.entry(fold(last.bare).into()).or_default().push(at);
            }
        }
        Self { objects }
    }
}

/// How well a name fits an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The end of the qualified name.
    Tail,
    /// All of it.
    Whole,
}

fn fit(asked: &[Part<'_>], model: &Model, object: &RawObject) -> Option<Fit> {
    let name = object_parts(model, object, false);
    if tail_fits(asked, &name) {
        return Some(if asked.len() == name.len() { Fit::Whole } else { Fit::Tail });
    }
    let name = object_parts(model, object, true);
    tail_fits(asked, &name).then_some(Fit::Tail)
}

/// An empty part, as in `db..orders`, means whatever is there.
pub(super) fn tail_fits(asked: &[Part<'_>], name: &[Part<'_>]) -> bool {
    asked.len() <= name.len()
        && asked.iter().rev().zip(name.iter().rev()).all(|(asked, part)| asked.written.is_empty() || asked.means(*part))
}

impl Lineage {
    /// Looks an object up by name, as SQL does: with or without database and schema, `"quoted"`, `` `quoted` `` or
    /// `[quoted]`, without regard to case unless quoted.
    ///
    /// Where several objects could be meant, one whose whole qualified name was given is, then one that is no
    /// [intermediate](Object::is_intermediate) result, then one that is spelled exactly so.
    ///
    /// # Errors
    ///
    /// [`LookupError::ObjectNotFound`], or [`LookupError::AmbiguousObject`] with the candidates.
    pub fn object(&self, name: &str) -> Result<Object<'_>, LookupError> {
        let inner = &*self.inner;
        match objects_named(inner, name).as_slice() {
            [] => Err(not_found(inner, name)),
            [one] => Ok(Object::new(inner, *one)),
            several => Err(LookupError::AmbiguousObject {
                name: name.to_owned(),
                candidates: several.iter().map(|&at| candidate(Object::new(inner, at))).collect(),
            }),
        }
    }

    /// Looks a column up by the name of its object (see [`object`](Self::object)) and its own.
    ///
    /// # Errors
    ///
    /// As [`object`](Self::object), and [`LookupError::ColumnNotFound`] or [`LookupError::AmbiguousColumn`].
    pub fn column(&self, object: &str, column: &str) -> Result<Column<'_>, LookupError> {
        self.object(object)?.column(column)
    }
}

impl Lineage {
    /// Looks up what a whole name means: an object, or a column written `object.column`. For names that people type,
    /// see [`object`](Self::object) for how they are read.
    ///
    /// # Errors
    ///
    /// As [`object`](Self::object) and [`column`](Self::column); [`LookupError::AmbiguousObject`] too where one reading
    /// is an object and another a column, or where several places to part object and column do.
    pub fn find(&self, name: &str) -> Result<Vertex<'_>, LookupError> {
        let inner = &*self.inner;
        let objects = |name| objects_named(inner, name).into_iter().map(|at| Object::new(inner, at));
        let mut found: Vec<Vertex<'_>> = objects(name).map(Vertex::Object).collect();
        let mut refused = None;
        for (object, column) in readings_as_column(name) {
            for object in objects(object) {
                match object.column(column) {
                    Ok(column) => found.push(Vertex::Column(column)),
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
        }
        match found.as_slice() {
            [] => Err(refused.unwrap_or_else(|| not_found(inner, name))),
            [one] => Ok(*one),
            several => Err(LookupError::AmbiguousObject {
                name: name.to_owned(),
                candidates: several.iter().map(|&vertex| vertex_candidate(vertex)).collect(),
            }),
        }
    }
}

fn not_found(inner: &Inner, name: &str) -> LookupError {
    LookupError::ObjectNotFound {
        name: name.to_owned(),
        similar: similar_objects(inner, &parts(name)),
        in_summary: inner.model.mode == Some(Mode::Summary),
    }
}

/// Every way to read a name as object and column: a column's name may have dots of its own.
fn readings_as_column(name: &str) -> impl Iterator<Item = (&str, &str)> {
    let dots = name.match_indices('.').map(|(at, _)| at);
    dots.filter_map(|at| Some((name.get(..at)?, name.get(at + 1..)?))).filter(|(object, _)| !object.is_empty())
}

fn vertex_candidate(vertex: Vertex<'_>) -> Candidate {
    match vertex {
        Vertex::Object(object) => candidate(object),
        Vertex::Column(column) => column_candidate(column),
    }
}

fn column_candidate(column: Column<'_>) -> Candidate {
    Candidate { name: column.qualified_name(), kind: "column".to_owned(), id: column.id().to_owned() }
}

/// What a name can mean, narrowed down: none, one, or those that only a longer name tells apart.
fn objects_named(inner: &Inner, name: &str) -> Vec<u32> {
    let mut fitting = fitting_objects(inner, &parts(name));
    // A server's own made-up names may have dots that part nothing.
    if fitting.is_empty() {
        fitting = fitting_objects(inner, &[Part::new(name)]);
    }
    let fitting = narrow(inner, fitting);
    let is_exact = |at: &u32| Object::new(inner, *at).qualified_name() == name;
    match fitting.iter().copied().filter(is_exact).collect::<Vec<_>>().as_slice() {
        [one] => vec![*one],
        _ => fitting,
    }
}

fn fitting_objects(inner: &Inner, asked: &[Part<'_>]) -> Vec<(Fit, u32)> {
    let Some(last) = asked.last() else {
        return Vec::new();
    };
    let named = inner.names().objects.get(fold(last.bare).as_str());
    named
        .into_iter()
        .flatten()
        .filter_map(|&at| {
            let object = inner.model.objects.get(at as usize)?;
            Some((fit(asked, &inner.model, object)?, at))
        })
        .collect()
}

fn narrow(inner: &Inner, fitting: Vec<(Fit, u32)>) -> Vec<u32> {
    let stored = |at: &u32| !Object::new(inner, *at).is_intermediate();
    let all: Vec<u32> = fitting.iter().map(|(_, at)| *at).collect();
    let whole: Vec<u32> = fitting.into_iter().filter(|(fit, _)| *fit == Fit::Whole).map(|(_, at)| at).collect();
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

fn candidate(object: Object<'_>) -> Candidate {
    Candidate { name: object.qualified_name(), kind: object.kind_text().to_owned(), id: object.id().to_owned() }
}

impl<'a> Object<'a> {
    /// Looks up a column of this object by name: without regard to case unless it is quoted, and where that leaves
    /// several, the one that is spelled exactly so.
    ///
    /// # Errors
    ///
    /// [`LookupError::ColumnNotFound`] or [`LookupError::AmbiguousColumn`].
    pub fn column(&self, name: &str) -> Result<Column<'a>, LookupError> {
        let asked = Part::new(name);
        let mut found: Vec<Column<'a>> =
            self.columns().filter(|column| asked.means(Part::new(column.name()))).collect();
        let exact: Vec<Column<'a>> = found.iter().copied().filter(|c| c.name() == name).collect();
        if found.len() > 1 && exact.len() == 1 {
            found = exact;
        }
        match found.as_slice() {
            [] => Err(LookupError::ColumnNotFound {
                object: self.qualified_name(),
                name: name.to_owned(),
                similar: similar(asked.bare, self.columns().map(|column| column.name())),
            }),
            [one] => Ok(*one),
            several => Err(LookupError::AmbiguousColumn {
                object: self.qualified_name(),
                name: name.to_owned(),
                candidates: several.iter().map(|&column| column_candidate(column)).collect(),
            }),
        }
    }
}

/// How many similar names an error offers.
const OFFERED: usize = 5;

/// Objects of the same name elsewhere, or else of a name that differs by a letter or two.
fn similar_objects(inner: &Inner, asked: &[Part<'_>]) -> Vec<String> {
    let Some(last) = asked.last() else {
        return Vec::new();
    };
    let qualified = |at: &u32| {
        let object = inner.model.objects.get(*at as usize);
        object.map(|object| object_name(&inner.model, object))
    };
    let objects = &inner.names().objects;
    if let Some(same) = objects.get(fold(last.bare).as_str()) {
        return same.iter().filter_map(qualified).take(OFFERED).collect();
    }
    similar(last.bare, objects.keys().map(AsRef::as_ref))
        .iter()
        .filter_map(|name| objects.get(name.as_str()))
        .flatten()
        .filter_map(qualified)
        .take(OFFERED)
        .collect()
}

/// The names that differ from one by at most two letters, the closest first.
fn similar<'t>(name: &str, names: impl Iterator<Item = &'t str>) -> Vec<String> {
    let name: Vec<char> = folded(name).take(LONGEST_COMPARED + 1).collect();
    let mut close: Vec<(usize, &str)> = names.filter_map(|other| Some((distance(&name, other)?, other))).collect();
    close.sort_unstable();
    close.dedup();
    close.into_iter().take(OFFERED).map(|(_, name)| name.to_owned()).collect()
}

const LONGEST_COMPARED: usize = 64;
const FARTHEST: usize = 2;

/// The number of letters to add, leave out or change, if that is few.
fn distance(a: &[char], b: &str) -> Option<usize> {
    let b: Vec<char> = folded(b).take(LONGEST_COMPARED + 1).collect();
    if a.len().abs_diff(b.len()) > FARTHEST || a.len().max(b.len()) > LONGEST_COMPARED {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (place, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *place;
            let change = diagonal + usize::from(from != to);
            diagonal = above;
            left = change.min(above + 1).min(left + 1);
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    let distance = row.last().copied()?;
    // Of a name of three letters, two changed make another name.
    (distance <= FARTHEST.min(a.len() / 2)).then_some(distance)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::read_model;
    use super::*;

    fn bare(name: &str) -> Vec<&str> {
        parts(name).iter().map(|part| part.bare).collect()
    }

    #[test]
    fn a_name_falls_apart_at_dots_outside_quotes() {
        assert_eq!(bare("sales.orders"), ["sales", "orders"]);
        assert_eq!(bare(r#""a.b".[c.d].e"#), ["a.b", "c.d", "e"]);
        assert_eq!(bare("`p.d.t`"), ["p", "d", "t"]);
        assert_eq!(bare("db..t"), ["db", "", "t"]);
        assert_eq!(bare(r#""say ""hi"".".t"#), [r#"say ""hi""."#, "t"]);
    }

    #[test]
    fn spellings_of_one_name_have_one_identity() {
        for name in
            ["sales.orders", "SALES.\"ORDERS\"", "[Sales].`Orders`", "DEFAULT.Sales.\"orders\"", "`SALES.orders`"]
        {
            assert_eq!(name_identity(name), "sales.orders", "{name}");
        }
        assert_eq!(name_identity("sales.\"Orders\""), "sales.Orders");
        assert_ne!(name_identity("\"a.b\".c"), name_identity("a.b.c"));
        assert_ne!(name_identity("[a\\.b]"), name_identity("[a\\].b"));
        assert_eq!(column_identity("SUM(A.B)"), column_identity("sum(a.b)"));
    }

    #[test]
    fn an_expression_between_two_quoted_names_is_not_one_quoted_name() {
        for (written, quoted) in [(r#""a" || "b""#, false), ("[a]+[b]", false), (r#""a""b""#, true), ("[a]]b]", true)] {
            assert_eq!(Part::new(written).quoted, quoted, "{written}");
        }
    }

    #[test]
    fn one_name_in_quotes_loses_them() {
        for (written, bare) in [
            ("\"Order\"", "Order"),
            ("[Order]", "Order"),
            ("`Order`", "Order"),
            ("\"a\"\"b\"", "a\"b"),
            ("[a]]b]", "a]b"),
            ("\"\"", ""),
            ("\"", "\""),
            ("\"a\" || \"b\"", "\"a\" || \"b\""),
            ("[a]+[b]", "[a]+[b]"),
            ("plain", "plain"),
        ] {
            assert_eq!(Part::new(written).unquoted(), bare, "{written}");
        }
        assert_eq!(column_identity("\"a\"\"b\""), column_identity("[a\"b]"));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_a_letter() {
        assert_eq!(bare(r#""a.b"#), [r#""a"#, "b"]);
        assert_eq!(bare("[a"), ["[a"]);
        assert_eq!(bare(r#"""#), [r#"""#]);
    }

    const OBJECTS: &str = r#"
        {"id": "1", "name": "ORDERS", "type": "table", "database": "PROD", "schema": "SALES",
         "columns": [{"id": "11", "name": "TOTAL"}, {"id": "12", "name": "\"Total\""}, {"id": "13", "name": "NOTE"}]},
        {"id": "2", "name": "orders", "type": "table", "schema": "STAGE"},
        {"id": "3", "name": "\"Mixed Case\"", "type": "view", "schema": "SALES"},
        {"id": "4", "name": "[dbo].[Lines]", "type": "table", "database": "DEFAULT", "schema": "DEFAULT"},
        {"id": "5", "name": "`shop.eu.sold`", "type": "table"},
        {"id": "6", "name": "RS-1", "type": "select_list"},
        {"id": "7", "name": "RS-1", "type": "select_list"},
        {"id": "8", "name": "items", "type": "table", "schema": "DEFAULT"},
        {"id": "9", "name": "items", "type": "function"},
        {"id": "10", "name": "PROD.SALES.LOG", "type": "table", "schema": "SALES"},
        {"id": "14", "name": "RESULT_OF_a.b", "type": "select_list"}"#;

    #[test]
    fn a_whole_name_means_an_object_or_a_column() {
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
    fn of_names_that_differ_in_case_alone_the_one_spelled_so_is_meant() {
        let lineage =
            read_model(r#"{"id": "1", "name": "s", "type": "table"}, {"id": "2", "name": "S", "type": "table"}"#, "");
        assert_eq!(lineage.object("s").unwrap().id(), "1");
        assert_eq!(lineage.object("S").unwrap().id(), "2");
    }

    #[test]
    fn an_answer_that_is_a_summary_says_why_a_name_means_nothing() {
        let error = super::super::fixtures::read(super::super::fixtures::SUMMARY).object("nowhere").unwrap_err();
        assert!(error.to_string().contains("summary"), "{error}");
    }

    #[test]
    fn a_whole_name_of_several_columns_lists_them() {
        let results = (1..4).map(|at| {
            let more = if at == 3 { r#", {"id": "y", "name": "y"}"# } else { "" };
            format!(r#"{{"id": "{at}", "name": "RS-1", "type": "select_list", "columns": [{{"id": "x{at}", "name": "x"}}{more}]}}"#)
        });
        let lineage = read_model(&results.collect::<Vec<_>>().join(","), "");
        let error = lineage.find("RS-1.x").unwrap_err();
        assert_eq!(error.candidates().iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["x1", "x2", "x3"]);
        assert_eq!(lineage.find("RS-1.y").unwrap().id(), "y");
    }

    fn id_of(name: &str) -> Result<String, LookupError> {
        let lineage = read_model(OBJECTS, "");
        lineage.object(name).map(|object| object.id().to_owned())
    }

    #[test]
    fn a_name_is_found_with_or_without_its_containers_whatever_its_case() {
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
    fn a_quoted_name_is_found_by_its_exact_case_alone() {
        assert_eq!(id_of("\"Mixed Case\"").unwrap(), "3");
        assert_eq!(id_of("[Mixed Case]").unwrap(), "3");
        assert_eq!(id_of("mixed case").unwrap(), "3");
        assert!(id_of("\"mixed case\"").is_err());
    }

    #[test]
    fn an_ambiguous_name_lists_what_it_could_mean() {
        let error = id_of("orders").unwrap_err();
        let names: Vec<&str> = error.candidates().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["PROD.SALES.ORDERS", "STAGE.orders"]);
        assert!(error.to_string().contains("STAGE.orders (table, id 2)"), "{error}");
        let error = id_of("rs-1").unwrap_err();
        assert_eq!(error.candidates().len(), 2);
    }

    #[test]
    fn a_stored_object_is_meant_rather_than_an_intermediate_one() {
        assert_eq!(id_of("items").unwrap(), "8");
        assert_eq!(id_of("default.items").unwrap(), "8");
    }

    #[test]
    fn a_name_that_the_server_made_up_may_have_dots() {
        assert_eq!(id_of("RESULT_OF_a.b").unwrap(), "14");
    }

    #[test]
    fn a_name_that_nothing_has_is_an_error_with_close_names() {
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
        assert!(error.to_string().contains("there is NOTE"), "{error}");
    }

    #[test]
    fn a_qualified_name_leaves_out_default_and_says_nothing_twice() {
        let lineage = read_model(OBJECTS, "");
        let names: Vec<String> = lineage.objects().map(|object| object.qualified_name()).collect();
        assert_eq!(
            names,
            [
                "PROD.SALES.ORDERS",
                "STAGE.orders",
                "SALES.\"Mixed Case\"",
                "[dbo].[Lines]",
                "shop.eu.sold",
                "RS-1",
                "RS-1",
                "items",
                "items",
                "PROD.SALES.LOG",
                "RESULT_OF_a.b",
            ]
        );
    }

    #[test]
    fn a_letter_or_two_apart_is_similar() {
        let names = ["orders", "order", "customers"];
        assert_eq!(similar("ordrs", names.into_iter()), ["orders", "order"]);
        assert!(similar("xyz", names.into_iter()).is_empty());
    }
}
