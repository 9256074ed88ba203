//! Names as SQL has them: qualified, quoted, and equal apart from case unless quoted.

mod id_form;
mod lookup;
mod lookup_name;
mod server;
mod suggest;

use std::borrow::Cow;

pub(super) use self::id_form::{NamedRecord, RepeatedIds, id_form};
#[cfg(feature = "arrow")]
pub(super) use self::id_form::{PREFIX as ID_PREFIX, id_and_number};
pub(super) use self::lookup::NameIndex;
pub(super) use self::server::{has_several_servers, named_server, shown_server};

use super::LineageInner;
use super::model::{Model, RawColumn, RawObject, ScopeKind};

/// The name of a database or schema that was not named.
const DEFAULT: &str = "DEFAULT";

/// One identifier of a qualified name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamePart<'t> {
    /// The identifier as written, with its quotes.
    pub(super) written: &'t str,
    /// The identifier without quotes; quotes that are doubled inside stay doubled.
    bare: &'t str,
    quoted: bool,
}

impl<'t> NamePart<'t> {
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

    /// Returns `true` if a query for this identifier matches one that is spelled `other`.
    fn matches(self, other: NamePart<'_>) -> bool {
        let (query, other) = (self.text(), other.text());
        if self.quoted { query == other } else { same_apart_from_case(&query, &other) }
    }

    /// Returns the identifier without quotes, with a doubled quote inside as one.
    fn text(self) -> Cow<'t, str> {
        match self.written.chars().last() {
            Some(close) if self.quoted && self.bare.contains(close) => {
                self.bare.replace(&format!("{close}{close}"), &close.to_string()).into()
            }
            _ => self.bare.into(),
        }
    }

    /// Returns the identifier without quotes, with a doubled quote inside as one.
    pub(super) fn unquoted(self) -> String {
        self.text().into_owned()
    }

    /// Returns the identifier in double quotes.
    fn in_quotes(self) -> String {
        format!("\"{}\"", self.text().replace('"', "\"\""))
    }

    /// Appends the identifier in a form that is equal for all its spellings.
    ///
    /// Case does not count unless double quotes keep a mixed one: a quoted name in one case is the way in which some
    /// dialect stores an unquoted name. A dot inside is escaped, to differ from a dot between identifiers.
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
        let name = self.text();
        if is_exact {
            name.chars().for_each(&mut push);
        } else if name.is_ascii() && !name.bytes().any(|byte| matches!(byte, b'.' | b'\\')) {
            let start = identity.len();
            identity.push_str(&name);
            if let Some(own) = identity.get_mut(start..) {
                own.make_ascii_lowercase();
            }
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

pub(super) fn fold(text: &str) -> String {
    folded(text).collect()
}

/// The meaning of dots inside one pair of back quotes, which depends on the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuotedDots {
    /// The dots belong to the identifier.
    Literal,
    /// The dots separate identifiers: `` `project.dataset.table` `` in Google BigQuery.
    Separators,
}

impl QuotedDots {
    fn of_vendor(vendor: Option<&str>) -> Self {
        match vendor {
            Some(vendor) if vendor.eq_ignore_ascii_case("dbvbigquery") => Self::Separators,
            _ => Self::Literal,
        }
    }

    /// Returns the rule of the dialect of a document.
    pub(super) fn of_document(model: &Model) -> Self {
        Self::of_vendor(model.texts.get_present(model.vendor))
    }

    /// Returns the rule of the dialect of an object: that of its server, or else of the document.
    pub(super) fn of_object(model: &Model, object: &RawObject) -> Self {
        let server = model.scope(object.scope, ScopeKind::Server).map(|server| server.vendor);
        let vendor = server.and_then(|vendor| model.texts.get_present(vendor));
        Self::of_vendor(vendor.or_else(|| model.texts.get_present(model.vendor)))
    }
}

/// Splits a name at the dots outside quotes. A quote that is not closed is a character like any other.
pub(super) fn parts(name: &str, dots: QuotedDots) -> Vec<NamePart<'_>> {
    let mut parts = Vec::new();
    add_parts(&mut parts, name, dots);
    parts
}

fn add_parts<'t>(parts: &mut Vec<NamePart<'t>>, name: &'t str, dots: QuotedDots) {
    let mut rest = name;
    loop {
        let end = part_end(rest);
        let (part, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        add_part(parts, part, dots);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => return,
        }
    }
}

fn add_part<'t>(parts: &mut Vec<NamePart<'t>>, written: &'t str, dots: QuotedDots) {
    let part = NamePart::new(written);
    if dots == QuotedDots::Separators && written.starts_with('`') && part.quoted && part.bare.contains('.') {
        parts.extend(part.bare.split('.').map(|bare| NamePart { written: bare, bare, quoted: true }));
    } else {
        parts.push(part);
    }
}

/// Returns the end of the first identifier of a name: a dot, or the end of the name.
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

/// Returns the end of a quoted identifier, if its quote is closed right where the identifier ends. A doubled closing
/// quote does not close it.
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

/// Returns the identifiers of an object's name: its database and schema, then its own name. The server is not among
/// them.
///
/// The name itself may be qualified too; an identifier that both give appears once.
pub(super) fn object_parts<'m>(model: &'m Model, object: &RawObject, with_defaults: bool) -> Vec<NamePart<'m>> {
    parts_by_rule(model, object, with_defaults, QuotedDots::of_object(model, object))
}

fn parts_by_rule<'m>(model: &'m Model, object: &RawObject, with_defaults: bool, dots: QuotedDots) -> Vec<NamePart<'m>> {
    let scopes = [ScopeKind::Database, ScopeKind::Schema].map(|kind| {
        let name = model.scope_name(object.scope, kind);
        model.texts.get_present(name)
    });
    let mut outer = Vec::with_capacity(3);
    for name in scopes.into_iter().flatten() {
        if !name.is_empty() && (with_defaults || !is_default(name)) {
            add_parts(&mut outer, name, dots);
        }
    }
    let name = model.texts.get(object.name);
    // A name without dots is one identifier, and repeats no level.
    if is_result_inside_a_statement(model, object) || !name.contains('.') {
        outer.push(NamePart::new(name));
        return outer;
    }
    let mut own = parts(name, dots);
    if !with_defaults {
        strip_defaults(&mut own);
    }
    join_parts(outer, own)
}

/// Removes `DEFAULT` levels: a name such as `"DEFAULT.ORDERS"` says no more than `ORDERS`.
pub(super) fn strip_defaults(own: &mut Vec<NamePart<'_>>) {
    if let Some(last) = own.pop() {
        own.retain(|part| part.quoted || !is_default(part.bare));
        own.push(last);
    }
}

/// Returns `true` if the server invented the name of the object: dots in such a name separate nothing.
fn is_result_inside_a_statement(model: &Model, object: &RawObject) -> bool {
    super::view::is_intermediate(model, object)
}

fn join_parts<'m>(outer: Vec<NamePart<'m>>, own: Vec<NamePart<'m>>) -> Vec<NamePart<'m>> {
    let Some((last, prefix)) = own.split_last() else {
        return outer;
    };
    let ends_with = |long: &[NamePart<'_>], short: &[NamePart<'_>]| {
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

/// Returns `true` for the name of a level that has none. A schema may be called `default`: Hive has a database of this
/// name.
pub(super) fn is_default(name: &str) -> bool {
    name == DEFAULT
}

/// Returns the qualified name of an object, without `DEFAULT` levels, and with its server if the document needs it.
///
/// An object without a name has the form of its id, which a lookup takes.
pub(super) fn object_name(inner: &LineageInner, at: u32, object: &RawObject) -> String {
    let model = &inner.model;
    if model.texts.get(object.name).is_empty() {
        return id_form(inner, NamedRecord::Object(at));
    }
    let parts = object_parts(model, object, false);
    let server = shown_server(inner, object, &parts);
    let name = joined(server.into_iter().chain(parts.iter().map(|part| part.written)));
    // A name like `DEFAULT.` has nothing but levels that are left out.
    if name.is_empty() { model.texts.get(object.name).to_owned() } else { name }
}

/// Returns the qualified name of a column.
pub(super) fn column_name(inner: &LineageInner, at: u32, column: &RawColumn) -> String {
    let object = inner.model.objects.get(column.object as usize);
    let mut name = object.map(|object| object_name(inner, column.object, object)).unwrap_or_default();
    push_own_name(inner, at, column, &mut name);
    name
}

/// Appends a dot and the name of a column to the qualified name of its object. A column without a name has the form of
/// its id.
pub(super) fn push_own_name(inner: &LineageInner, at: u32, column: &RawColumn, name: &mut String) {
    name.push('.');
    match inner.model.texts.get(column.name) {
        "" => name.push_str(&id_form(inner, NamedRecord::Column(at))),
        own => name.push_str(own),
    }
}

/// Returns the qualified name of an object in a form that says the same in every layout: without the server, which flat
/// documents leave out, and whatever the dialect, which some do not give.
pub(super) fn name_in_any_layout(model: &Model, object: &RawObject) -> String {
    let parts = parts_by_rule(model, object, false, QuotedDots::Separators);
    joined(parts.iter().map(|part| part.written))
}

/// Returns the name of an object without the quotes around a whole path, if a document of this vendor would not split
/// it as its own document does.
pub(super) fn name_for_vendor(model: &Model, object: &RawObject, vendor: Option<&str>) -> Option<String> {
    if is_result_inside_a_statement(model, object) {
        return None;
    }
    let has_own_vendor = model.scope(object.scope, ScopeKind::Server).is_some_and(|server| !server.vendor.is_absent());
    let splits = |dots| dots == QuotedDots::Separators;
    if has_own_vendor || splits(QuotedDots::of_vendor(vendor)) || !splits(QuotedDots::of_object(model, object)) {
        return None;
    }
    Some(joined(parts(model.texts.get(object.name), QuotedDots::Separators).iter().map(|part| part.written)))
}

fn joined<'t>(identifiers: impl Iterator<Item = &'t str>) -> String {
    let mut joined = String::new();
    for (at, identifier) in identifiers.enumerate() {
        if at > 0 {
            joined.push('.');
        }
        joined.push_str(identifier);
    }
    joined
}

/// Returns the qualified name of an object in a form that is equal for all spellings that SQL treats as one name.
/// The server is not part of it.
///
/// The form of a result inside a statement has no containers, because flat documents do not say where it stands.
pub(super) fn identity(model: &Model, object: &RawObject) -> String {
    if is_result_inside_a_statement(model, object) {
        return column_identity(model.texts.get(object.name));
    }
    identity_of(&object_parts(model, object, false))
}

/// Returns the name of a column in the form of [`identity`].
pub(super) fn column_identity(name: &str) -> String {
    identity_of(&[NamePart::new(name)])
}

/// Returns a name that may be qualified in the form of [`identity`].
pub(super) fn name_identity(name: &str, dots: QuotedDots) -> String {
    let mut own = parts(name, dots);
    strip_defaults(&mut own);
    identity_of(&own)
}

fn identity_of(parts: &[NamePart<'_>]) -> String {
    let mut identity = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            identity.push('.');
        }
        part.push_identity(&mut identity);
    }
    identity
}

/// Returns `true` if a name ends in the identifiers of a query. An empty identifier, as in `db..orders`, matches any.
pub(super) fn tail_fits(query: &[NamePart<'_>], name: &[NamePart<'_>]) -> bool {
    query.len() <= name.len()
        && query
            .iter()
            .rev()
            .zip(name.iter().rev())
            .all(|(query, part)| query.written.is_empty() || query.matches(*part))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::read_model;
    use super::*;

    fn bare(name: &str) -> Vec<&str> {
        parts(name, QuotedDots::Literal).iter().map(|part| part.bare).collect()
    }

    #[test]
    fn a_name_is_split_at_the_dots_outside_quotes() {
        assert_eq!(bare("sales.orders"), ["sales", "orders"]);
        assert_eq!(bare(r#""a.b".[c.d].e"#), ["a.b", "c.d", "e"]);
        assert_eq!(bare("`p.d.t`.`x`"), ["p.d.t", "x"]);
        assert_eq!(bare("db..t"), ["db", "", "t"]);
        assert_eq!(bare(r#""say ""hi"".".t"#), [r#"say ""hi""."#, "t"]);
    }

    #[test]
    fn only_bigquery_splits_a_name_inside_one_pair_of_back_quotes() {
        let rule = |vendor| QuotedDots::of_vendor(vendor);
        for vendor in [None, Some("dbvmysql"), Some("dbvhive"), Some("dbvsparksql"), Some("")] {
            assert_eq!(parts("`p.d.t`", rule(vendor)).len(), 1, "{vendor:?}");
        }
        for vendor in ["dbvbigquery", "dbvBigQuery"] {
            let parts = parts("`p.d`.`t`", rule(Some(vendor)));
            assert_eq!(parts.iter().map(|part| part.bare).collect::<Vec<_>>(), ["p", "d", "t"]);
        }
        assert_eq!(parts("\"p.d\".[a.b]", QuotedDots::Separators).len(), 2, "only back quotes are split");
    }

    #[test]
    fn all_spellings_of_one_name_have_the_same_identity() {
        let identity = |name| name_identity(name, QuotedDots::Literal);
        for name in
            ["sales.orders", "SALES.\"ORDERS\"", "[Sales].`Orders`", "DEFAULT.Sales.\"orders\"", "`SALES`.orders"]
        {
            assert_eq!(identity(name), "sales.orders", "{name}");
        }
        assert_eq!(identity("sales.\"Orders\""), "sales.Orders");
        assert_ne!(identity("\"a.b\".c"), identity("a.b.c"));
        assert_ne!(identity("[a\\.b]"), identity("[a\\].b"));
        assert_eq!(name_identity("`SALES.orders`", QuotedDots::Separators), "sales.orders");
        assert_ne!(identity("`SALES.orders`"), "sales.orders");
        assert_eq!(column_identity("SUM(A.B)"), column_identity("sum(a.b)"));
    }

    #[test]
    fn an_expression_that_begins_and_ends_with_a_quoted_name_is_not_quoted() {
        for (written, quoted) in [(r#""a" || "b""#, false), ("[a]+[b]", false), (r#""a""b""#, true), ("[a]]b]", true)] {
            assert_eq!(NamePart::new(written).quoted, quoted, "{written}");
        }
    }

    #[test]
    fn a_quoted_name_can_be_unquoted() {
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
            assert_eq!(NamePart::new(written).unquoted(), bare, "{written}");
        }
        assert_eq!(column_identity("\"a\"\"b\""), column_identity("[a\"b]"));
    }

    #[test]
    fn a_quote_that_is_not_closed_is_an_ordinary_character() {
        assert_eq!(bare(r#""a.b"#), [r#""a"#, "b"]);
        assert_eq!(bare("[a"), ["[a"]);
        assert_eq!(bare(r#"""#), [r#"""#]);
    }

    pub(super) const OBJECTS: &str = r#"
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
    fn a_qualified_name_has_no_default_levels_and_no_level_twice() {
        let lineage = read_model(OBJECTS, "");
        let names: Vec<String> = lineage.objects().map(|object| object.qualified_name()).collect();
        assert_eq!(
            names,
            [
                "PROD.SALES.ORDERS",
                "STAGE.orders",
                "SALES.\"Mixed Case\"",
                "[dbo].[Lines]",
                "`shop.eu.sold`",
                "RS-1",
                "RS-1",
                "items",
                "items",
                "PROD.SALES.LOG",
                "RESULT_OF_a.b",
            ]
        );
    }
}
