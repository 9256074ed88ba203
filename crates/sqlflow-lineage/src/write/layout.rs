//! The layout of the tree that is written: the scope of each object, process and scope, and the levels that are added
//! because a flat document does not name them.

use std::collections::HashMap;

use super::super::intern::Symbol;
use super::super::model::{Model, NONE, ScopeKind};

const DEFAULT: &str = "DEFAULT";
const DEFAULT_SERVER: &str = "DEFAULT_SERVER";

/// A server, database or schema of the tree: a scope of the model, with the same index, or one of the scopes that are
/// added after those.
#[derive(Clone, Copy)]
struct TreeNode {
    kind: ScopeKind,
    parent: u32,
}

/// The layout of the tree.
///
/// A scope that an object of a tree document names in its own fields, out of the order of levels, is no node: the object
/// is written in the base of the scope and names the rest again.
pub(super) struct TreeLayout {
    nodes: Vec<TreeNode>,
    /// The base of each scope of the model: the node that its content is written in.
    bases: Vec<u32>,
    /// The nodes for scopes that were not named, by kind and parent.
    defaults: HashMap<(ScopeKind, u32), u32>,
    children: Groups,
    objects: Groups,
    routines: Groups,
    processes: Groups,
}

impl TreeLayout {
    pub(super) fn new(model: &Model) -> Self {
        let mut layout = Self {
            nodes: Vec::with_capacity(model.scopes.len()),
            bases: Vec::with_capacity(model.scopes.len()),
            defaults: HashMap::new(),
            children: Groups::default(),
            objects: Groups::default(),
            routines: Groups::default(),
            processes: Groups::default(),
        };
        layout.find_bases(model);
        for kind in [ScopeKind::Server, ScopeKind::Database, ScopeKind::Schema] {
            layout.settle(model, kind);
        }
        let mut deepest: HashMap<u32, u32> = HashMap::new();
        let mut nodes_of_objects = Vec::with_capacity(model.objects.len());
        for (at, object) in (0..).zip(&model.objects) {
            if is_within(model, at) {
                nodes_of_objects.push(NONE);
            } else {
                let base = layout.base(object.scope);
                nodes_of_objects.push(*deepest.entry(base).or_insert_with(|| layout.deepest(model, base)));
            }
        }
        let routines = (0..).zip(&model.objects).map(|(at, o)| if is_within(model, at) { o.within } else { NONE });
        let count = layout.nodes.len();
        layout.objects = Groups::new(count, nodes_of_objects.iter().copied());
        layout.routines = Groups::new(model.objects.len(), routines);
        layout.processes = Groups::new(count, model.processes.iter().map(|process| layout.base(process.scope)));
        let parents = (0..count).map(|at| if layout.is_node(at) { layout.parent_group(at) } else { NONE });
        layout.children = Groups::new(count + 1, parents);
        layout
    }

    fn find_bases(&mut self, model: &Model) {
        for (at, scope) in (0..).zip(&model.scopes) {
            let above = model.scopes.get(scope.parent as usize).filter(|_| scope.parent < at);
            let base_above = self.base(scope.parent);
            let is_out_of_order = above.is_some_and(|above| scope.kind <= above.kind);
            let base = if above.is_some() && (is_out_of_order || base_above != scope.parent) { base_above } else { at };
            self.nodes.push(TreeNode { kind: scope.kind, parent: if above.is_some() { scope.parent } else { NONE } });
            self.bases.push(base);
        }
    }

    /// Gives a parent to the scopes of one kind that skip a level. The kinds above must be settled.
    fn settle(&mut self, model: &Model, kind: ScopeKind) {
        for (at, scope) in (0..).zip(&model.scopes) {
            if scope.kind != kind || !self.is_node(at as usize) {
                continue;
            }
            let parent = self.nodes.get(at as usize).map_or(NONE, |node| node.parent);
            let parent = match kind {
                ScopeKind::Server => parent,
                ScopeKind::Database => self.server_over(parent),
                ScopeKind::Schema => self.database_over(model, parent),
            };
            if let Some(node) = self.nodes.get_mut(at as usize) {
                node.parent = parent;
            }
            if self.name(model, at as usize) == Some(default_name(kind)) {
                self.defaults.entry((kind, parent)).or_insert(at);
            }
        }
    }

    fn server_over(&mut self, parent: u32) -> u32 {
        if parent == NONE { self.default_node(ScopeKind::Server, NONE) } else { parent }
    }

    /// Returns the database at or above a node, or the server if it has no databases.
    fn database_over(&mut self, model: &Model, parent: u32) -> u32 {
        let at = self.server_over(parent);
        let (catalogs, _) = self.supports(model, at);
        if catalogs && self.kind(at) == Some(ScopeKind::Server) {
            return self.default_node(ScopeKind::Database, at);
        }
        at
    }

    /// Returns the node at or below `node` that is as deep as the levels of its server.
    fn deepest(&mut self, model: &Model, node: u32) -> u32 {
        let at = self.database_over(model, node);
        let (_, schemas) = self.supports(model, at);
        if schemas && self.kind(at) != Some(ScopeKind::Schema) {
            return self.default_node(ScopeKind::Schema, at);
        }
        at
    }

    /// Returns the node for a scope that was not named, and adds it if there is none.
    fn default_node(&mut self, kind: ScopeKind, parent: u32) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        let at = *self.defaults.entry((kind, parent)).or_insert(next);
        if at == next {
            self.nodes.push(TreeNode { kind, parent });
        }
        at
    }

    /// Returns two flags: `true` if the server at or above a node has databases, and if it has schemas.
    pub(super) fn supports(&self, model: &Model, node: u32) -> (bool, bool) {
        let mut at = node;
        while let Some(found) = self.nodes.get(at as usize) {
            if found.kind == ScopeKind::Server {
                break;
            }
            at = found.parent;
        }
        let scope = model.scopes.get(at as usize);
        let known = |flag: Option<bool>| flag.unwrap_or(true);
        scope.map_or((true, true), |scope| (known(scope.supports_catalogs), known(scope.supports_schemas)))
    }

    pub(super) fn kind(&self, node: u32) -> Option<ScopeKind> {
        self.nodes.get(node as usize).map(|node| node.kind)
    }

    /// Returns `true` if a scope is a node of the tree, as all added scopes are.
    fn is_node(&self, at: usize) -> bool {
        self.bases.get(at).is_none_or(|&base| base as usize == at)
    }

    /// Returns the group that a node is a child of. Nodes without a parent are children of a group after all others.
    fn parent_group(&self, at: usize) -> u32 {
        let parent = self.nodes.get(at).map_or(NONE, |node| node.parent);
        if parent == NONE { u32::try_from(self.nodes.len()).unwrap_or(NONE) } else { parent }
    }

    /// Returns the node that the content of a scope is written in.
    pub(super) fn base(&self, scope: u32) -> u32 {
        self.bases.get(scope as usize).copied().unwrap_or(NONE)
    }

    /// Returns the name of a node, if it has one.
    pub(super) fn name<'m>(&self, model: &'m Model, at: usize) -> Option<&'m str> {
        match model.scopes.get(at) {
            Some(scope) => model.texts.get_present(scope.name),
            None => self.nodes.get(at).map(|node| default_name(node.kind)),
        }
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = u32> + Clone + '_ {
        self.children.of(u32::try_from(self.nodes.len()).unwrap_or(NONE))
    }

    pub(super) fn children(&self, node: u32, kind: ScopeKind) -> impl Iterator<Item = u32> + Clone + '_ {
        self.children.of(node).filter(move |&at| self.kind(at) == Some(kind))
    }

    pub(super) fn objects(&self, node: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.objects.of(node)
    }

    /// Returns the routines of a package.
    pub(super) fn routines(&self, package: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.routines.of(package)
    }

    pub(super) fn processes(&self, node: u32) -> impl Iterator<Item = u32> + Clone + '_ {
        self.processes.of(node)
    }

    /// Returns the fields by which an object gives its own location: the names of a server, a database and a schema.
    pub(super) fn location_fields(&self, model: &Model, at: u32) -> [Option<LocationField>; 3] {
        const KINDS: [ScopeKind; 3] = [ScopeKind::Server, ScopeKind::Database, ScopeKind::Schema];
        let Some(object) = model.objects.get(at as usize) else {
            return [None; 3];
        };
        let base = self.base(object.scope);
        let package = model.objects.get(object.within as usize).filter(|_| is_within(model, at));
        if package.is_some_and(|package| self.base(package.scope) != base) {
            // A reader gives it the location of its package, unless it names another one.
            return KINDS.map(|kind| {
                let name = model.scope_name(object.scope, kind);
                match kind {
                    _ if !name.is_absent() => Some(LocationField::Named(name)),
                    ScopeKind::Server => None,
                    ScopeKind::Database | ScopeKind::Schema => Some(LocationField::Default),
                }
            });
        }
        KINDS.map(|kind| {
            let mut at = object.scope;
            while at != base {
                let scope = model.scopes.get(at as usize)?;
                if scope.kind == kind {
                    return Some(LocationField::Named(scope.name));
                }
                at = scope.parent;
            }
            None
        })
    }
}

/// A field by which an object gives its location.
#[derive(Clone, Copy)]
pub(super) enum LocationField {
    Named(Symbol),
    Default,
}

impl LocationField {
    pub(super) fn text(self, model: &Model) -> &str {
        match self {
            Self::Named(name) => model.texts.get(name),
            Self::Default => DEFAULT,
        }
    }
}

fn default_name(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Server => DEFAULT_SERVER,
        ScopeKind::Database | ScopeKind::Schema => DEFAULT,
    }
}

/// Returns `true` if an object belongs to a package that comes before it.
fn is_within(model: &Model, at: u32) -> bool {
    model.objects.get(at as usize).is_some_and(|object| object.within < at)
}

/// The members of groups, in order, as one array with a start for each group.
#[derive(Default)]
struct Groups {
    starts: Vec<u32>,
    members: Vec<u32>,
}

impl Groups {
    /// Creates the groups from the group of each member, which may be `NONE`.
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
                && let Some(node) = members.get_mut(*next as usize)
            {
                *node = member;
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
