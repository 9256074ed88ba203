//! The server as part of a name.

use crate::view::is_intermediate;

use super::{LineageInner, Model, NamePart, QuotedDots, RawObject, ScopeKind, parts, same_apart_from_case};

/// The name that servers give to a database server without a name.
const STAND_IN: &str = "DEFAULT_SERVER";
/// The number of identifiers in a name that has all levels: server, database, schema, object.
const LEVELS: usize = 4;

fn server_text<'m>(model: &'m Model, object: &RawObject) -> &'m str {
    model.texts.get(model.scope_name(object.scope, ScopeKind::Server))
}

fn is_stand_in(name: &str) -> bool {
    name.is_empty() || name.eq_ignore_ascii_case(STAND_IN)
}

/// Returns the server of an object, unless it has no name or that of the stand-in.
pub(crate) fn named_server<'m>(model: &'m Model, object: &RawObject) -> Option<&'m str> {
    Some(server_text(model, object)).filter(|name| !is_stand_in(name))
}

/// Returns `true` if the objects belong to more than one server. The stand-in for a server without a name, and none at
/// all, count as one. Results inside statements do not count, because flat documents do not say where they belong.
pub(crate) fn has_several_servers(model: &Model) -> bool {
    let mut servers = model.objects.iter().map(|object| (named_server(model, object), object));
    let Some((first, _)) = servers.find(|(_, object)| !is_intermediate(model, object)) else {
        return false;
    };
    let is_first = |server: Option<&str>| match (server, first) {
        (Some(server), Some(first)) => same_apart_from_case(server, first),
        (server, first) => server == first,
    };
    servers.any(|(server, object)| !is_first(server) && !is_intermediate(model, object))
}

/// Returns the server that stands before a qualified name: none if the document has only one, if it is the stand-in, or
/// if the name of the object begins with it already.
pub(crate) fn shown_server<'m>(inner: &'m LineageInner, object: &RawObject, name: &[NamePart<'_>]) -> Option<&'m str> {
    if !inner.shows_servers() {
        return None;
    }
    let server = named_server(&inner.model, object)?;
    let is_repeated = name.len() >= LEVELS
        && name.first().is_some_and(|first| same_apart_from_case(&first.text(), &NamePart::new(server).text()));
    (!is_repeated).then_some(server)
}

/// Returns the readings of the server of an object as identifiers: its name has dots if it is the name of a host, and a
/// query may quote it as a whole. There is none if the document gives no server.
pub(super) fn readings<'m>(model: &'m Model, object: &RawObject) -> Vec<Vec<NamePart<'m>>> {
    let server = server_text(model, object);
    if server.is_empty() {
        return Vec::new();
    }
    let split = parts(server, QuotedDots::Literal);
    if split.len() == 1 {
        return vec![split];
    }
    vec![split, vec![NamePart::new(server)]]
}
