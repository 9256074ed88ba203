//! Where in a tree everything stands: which scope each object, process and scope is written in, and which levels have
//! to be made up because a flat answer left them out.

use std::collections::HashMap;

use super::super::intern::Symbol;
use super::super::model::{Model, NONE, ScopeKind};

const DEFAULT: &str = "DEFAULT";
const DEFAULT_SERVER: &str = "DEFAULT_SERVER";

/// A server, database or schema of the tree: one of the model's, with the same index, or a made-up one after those.
#[derive(Clone, Copy)]
struct Place {
    kind: ScopeKind,
    parent: u32,
}

/// The tree. A scope that an object of a tree names in its own fields, out of the order of levels, is no place: the
/// object stands in the scope's base and names the rest again.
pub(super) struct Places {
    all: Vec<Place>,
    /// For each scope of the model the place that what is in it stands in.
    bases: Vec<u32>,
    /// Those that stand for one that was not named, by what they stand in.
    defaults: HashMap<(ScopeKind, u32), u32>,
    children: Groups,
    objects: Groups,
    routines: Groups,
    processes: Groups,
}

impl Places {
    pub(super) fn new(model: &Model) -> Self {
        let mut places = Self {
            all: Vec::with_capacity(model.scopes.len()),
            bases: Vec::with_capacity(model.scopes.len()),
            defaults: HashMap::new(),
            children: Groups::default(),
            objects: Groups::default(),
            routines: Groups::default(),
            processes: Groups::default(),
        };
        places.find_bases(model);
        for kind in [ScopeKind::Server, ScopeKind::Database, ScopeKind::Schema] {
            places.settle(model, kind);
        }
        let mut deepest: HashMap<u32, u32> = HashMap::new();
        let mut standing = Vec::with_capacity(model.objects.len());
        for (at, object) in (0..).zip(&model.objects) {
            if is_within(model, at) {
                standing.push(NONE);
            } else {
                let base = places.base(object.scope);
                standing.push(*deepest.entry(base).or_insert_with(|| places.deepest(model, base)));
            }
        }
        let routines = (0..).zip(&model.objects).map(|(at, o)| if is_within(model, at) { o.within } else { NONE });
        let count = places.all.len();
        places.objects = Groups::new(count, standing.iter().copied());
        places.routines = Groups::new(model.objects.len(), routines);
        places.processes = Groups::new(count, model.processes.iter().map(|process| places.base(process.scope)));
        let parents = (0..count).map(|at| if places.is_place(at) { places.parent_group(at) } else { NONE });
        places.children = Groups::new(count + 1, parents);
        places
    }

    fn find_bases(&mut self, model: &Model) {
        for (at, scope) in (0..).zip(&model.scopes) {
            let above = model.scopes.get(scope.parent as usize).filter(|_| scope.parent < at);
            let base_above = self.base(scope.parent);
            let is_out_of_order = above.is_some_and(|above| scope.kind <= above.kind);
            let base = if above.is_some() && (is_out_of_order || base_above != scope.parent) { base_above } else { at };
            self.all.push(Place { kind: scope.kind, parent: if above.is_some() { scope.parent } else { NONE } });
            self.bases.push(base);
        }
    }

    /// Gives the scopes of one kind that skip a level one to stand in. Those above them are settled.
    fn settle(&mut self, model: &Model, kind: ScopeKind) {
        for (at, scope) in (0..).zip(&model.scopes) {
            if scope.kind != kind || !self.is_place(at as usize) {
                continue;
            }
            let parent = self.all.get(at as usize).map_or(NONE, |place| place.parent);
            let parent = match kind {
                ScopeKind::Server => parent,
                ScopeKind::Database => self.server_over(parent),
                ScopeKind::Schema => self.database_over(model, parent),
            };
            if let Some(place) = self.all.get_mut(at as usize) {
                place.parent = parent;
            }
            if self.name(model, at as usize) == Some(name_of_none(kind)) {
                self.defaults.entry((kind, parent)).or_insert(at);
            }
        }
    }

    fn server_over(&mut self, parent: u32) -> u32 {
        if parent == NONE { self.default_place(ScopeKind::Server, NONE) } else { parent }
    }

    /// A database, or a server that has none.
    fn database_over(&mut self, model: &Model, parent: u32) -> u32 {
        let at = self.server_over(parent);
        let (catalogs, _) = self.supports(model, at);
        if catalogs && self.kind(at) == Some(ScopeKind::Server) {
            return self.default_place(ScopeKind::Database, at);
        }
        at
    }

    /// The place as deep as its server has levels.
    fn deepest(&mut self, model: &Model, place: u32) -> u32 {
        let at = self.database_over(model, place);
        let (_, schemas) = self.supports(model, at);
        if schemas && self.kind(at) != Some(ScopeKind::Schema) {
            return self.default_place(ScopeKind::Schema, at);
        }
        at
    }

    /// The scope that stands for one that was not named; made up if the answer has none.
    fn default_place(&mut self, kind: ScopeKind, parent: u32) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(NONE);
        let at = *self.defaults.entry((kind, parent)).or_insert(next);
        if at == next {
            self.all.push(Place { kind, parent });
        }
        at
    }

    /// Whether the server at or above a place has databases, and schemas.
    pub(super) fn supports(&self, model: &Model, place: u32) -> (bool, bool) {
        let mut at = place;
        while let Some(found) = self.all.get(at as usize) {
            if found.kind == ScopeKind::Server {
                break;
            }
            at = found.parent;
        }
        let scope = model.scopes.get(at as usize);
        let known = |flag: Option<bool>| flag.unwrap_or(true);
        scope.map_or((true, true), |scope| (known(scope.supports_catalogs), known(scope.supports_schemas)))
    }

    pub(super) fn kind(&self, place: u32) -> Option<ScopeKind> {
        self.all.get(place as usize).map(|place| place.kind)
    }

    /// Whether a scope stands in the tree itself; those that were made up do.
    fn is_place(&self, at: usize) -> bool {
        self.bases.get(at).is_none_or(|&base| base as usize == at)
    }

    /// Places without one above are children of a group after all others.
    fn parent_group(&self, at: usize) -> u32 {
        let parent = self.all.get(at).map_or(NONE, |place| place.parent);
        if parent == NONE { u32::try_from(self.all.len()).unwrap_or(NONE) } else { parent }
    }

    /// The place that what is in a scope stands in.
    pub(super) fn base(&self, scope: u32) -> u32 {
        self.bases.get(scope as usize).copied().unwrap_or(NONE)
    }

    /// Its name; a place without one has none to write.
    pub(super) fn name<'m>(&self, model: &'m Model, at: usize) -> Option<&'m str> {
        match model.scopes.get(at) {
            Some(scope) => model.texts.get_present(scope.name),
            None => self.all.get(at).map(|place| name_of_none(place.kind)),
        }
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        self.children.of(u32::try_from(self.all.len()).unwrap_or(NONE))
    }

    pub(super) fn children(&self, place: u32, kind: ScopeKind) -> impl Iterator<Item = u32> + Clone + '_ {
        self.children.of(place).filter(move |&at| self.kind(at) == Some(kind))
    }

    pub(super) fn objects(&self, place: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.objects.of(place)
    }

    /// What stands in a package.
    pub(super) fn routines(&self, package: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.routines.of(package)
    }

    pub(super) fn processes(&self, place: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.processes.of(place)
    }

    /// What an object has to say itself of where it stands: the names of a server, a database and a schema.
    pub(super) fn own_fields(&self, model: &Model, at: u32) -> [Option<OwnField>; 3] {
        const KINDS: [ScopeKind; 3] = [ScopeKind::Server, ScopeKind::Database, ScopeKind::Schema];
        let Some(object) = model.objects.get(at as usize) else {
            return [None; 3];
        };
        let base = self.base(object.scope);
        let package = model.objects.get(object.within as usize).filter(|_| is_within(model, at));
        if package.is_some_and(|package| self.base(package.scope) != base) {
            // Read again, it will stand where its package does unless it says otherwise.
            return KINDS.map(|kind| {
                let name = model.scope_name(object.scope, kind);
                match kind {
                    _ if !name.is_absent() => Some(OwnField::Named(name)),
                    ScopeKind::Server => None,
                    ScopeKind::Database | ScopeKind::Schema => Some(OwnField::Default),
                }
            });
        }
        KINDS.map(|kind| {
            let mut at = object.scope;
            while at != base {
                let scope = model.scopes.get(at as usize)?;
                if scope.kind == kind {
                    return Some(OwnField::Named(scope.name));
                }
                at = scope.parent;
            }
            None
        })
    }
}

/// A field by which an object says where it stands.
#[derive(Clone, Copy)]
pub(super) enum OwnField {
    Named(Symbol),
    Default,
}

impl OwnField {
    pub(super) fn text(self, model: &Model) -> &str {
        match self {
            Self::Named(name) => model.texts.get(name),
            Self::Default => DEFAULT,
        }
    }
}

fn name_of_none(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Server => DEFAULT_SERVER,
        ScopeKind::Database | ScopeKind::Schema => DEFAULT,
    }
}

/// Whether an object stands in another one that comes before it.
fn is_within(model: &Model, at: u32) -> bool {
    model.objects.get(at as usize).is_some_and(|object| object.within < at)
}

/// The members of each group, in order, as one array with a start for each group.
#[derive(Default)]
struct Groups {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// `groups` says of each member which group it is in, or `NONE`.
    fn new(count: usize, groups: impl Iterator<Item = u32> + Clone) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for group in groups.clone().filter(|&group| group != NONE) {
            if let Some(size) = starts.get_mut(group as usize + 1) {
                *size += 1;
            }
        }
        let mut total = 0;
        for start in &mut starts {
            total += *start;
            *start = total;
        }
        let mut members = vec![0; total as usize];
        let mut next = starts.clone();
        for (member, group) in (0..).zip(groups) {
            if let Some(next) = next.get_mut(group as usize)
                && group != NONE
                && let Some(place) = members.get_mut(*next as usize)
            {
                *place = member;
                *next += 1;
            }
        }
        Self { starts, members }
    }

    fn of(&self, group: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        let group = group as usize;
        let range = match (self.starts.get(group), self.starts.get(group + 1)) {
            (Some(&start), Some(&end)) => start as usize..end as usize,
            _ => 0..0,
        };
        self.members.get(range).unwrap_or_default().iter().copied()
    }
}
