//! Name resolution: the objects in scope, and the column that an identifier refers to.

use sqlparser::ast::Ident;
use sqlparser::tokenizer::Span;

use super::builder::LineageBuilder;
use super::dialect::Dialect;
use super::expression::DataFlow;
use super::identifier::Identifier;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Endpoint, ObjectIndex, ObjectKind, SourceRange};

/// The objects that the names in a query can refer to.
pub(super) struct NameScope<'a> {
    pub(super) items: Vec<FromItem>,
    pub(super) shared: Vec<SharedColumn>,
    pub(super) outer: Option<&'a Self>,
    /// The values that the select list has given names to.
    pub(super) aliases: Vec<(String, DataFlow)>,
    /// `true` where the names of values may be used in expressions.
    pub(super) aliases_visible: bool,
    /// The columns that decide the values of a function over a named window.
    pub(super) windows: Vec<(String, DataFlow)>,
}

/// A column by which tables are joined, and which therefore belongs to each of them.
pub(super) struct SharedColumn {
    pub(super) key: String,
    pub(super) objects: Vec<ObjectIndex>,
}

/// One entry of a FROM clause.
pub(super) struct FromItem {
    /// The qualifiers that refer to it.
    pub(super) names: Vec<String>,
    pub(super) object: ObjectIndex,
}

impl<'a> NameScope<'a> {
    pub(super) fn within(outer: Option<&'a Self>) -> Self {
        Self {
            items: Vec::new(),
            shared: Vec::new(),
            outer,
            aliases: Vec::new(),
            aliases_visible: false,
            windows: Vec::new(),
        }
    }

    /// Returns the objects that a column belongs to, if a join by name defines it.
    pub(super) fn tables_sharing(&self, key: &str) -> &[ObjectIndex] {
        let shared = self.shared.iter().find(|shared| shared.key == key);
        shared.map_or(&[], |shared| shared.objects.as_slice())
    }

    /// Returns `true` if a condition holds for an object in scope.
    fn knows(&self, condition: impl Fn(ObjectIndex) -> bool + Copy) -> bool {
        self.items.iter().any(|item| condition(item.object)) || self.outer.is_some_and(|outer| outer.knows(condition))
    }

    pub(super) fn item(&self, qualifier: &str) -> Option<ObjectIndex> {
        let found = self.items.iter().find(|item| item.is_qualified_by(qualifier));
        found.map(|item| item.object).or_else(|| self.outer.and_then(|outer| outer.item(qualifier)))
    }
}

impl NameScope<'_> {
    /// Returns `true` if there is no object that a column could belong to.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.outer.is_none_or(NameScope::is_empty)
    }
}

impl FromItem {
    /// Returns `true` if a qualifier refers to this entry.
    pub(super) fn is_qualified_by(&self, qualifier: &str) -> bool {
        self.names.iter().any(|name| name == qualifier)
    }
}

impl StatementWalker<'_> {
    /// Returns the column that an identifier refers to.
    pub(super) fn resolve(&mut self, parts: &[Ident], scope: &NameScope<'_>) -> Option<(ColumnIndex, SourceRange)> {
        let (last, _) = parts.split_last()?;
        let name = self.builder.name(last);
        let at = self.range(Span::union_iter(parts.iter().map(|part| part.span)));
        if parts.len() == 1 && self.builder.templates.contains(&name.written.to_lowercase()) {
            return None;
        }
        if let Some(variable) = self.resolve_variable(parts, &name, scope) {
            return Some((variable, at));
        }
        let found =
            if parts.len() == 1 { self.resolve_bare(&name, scope) } else { self.resolve_qualified(parts, scope) };
        let column = match found {
            Some(column) => column,
            None if is_not_a_column(last, parts.len() > 1, self.builder.dialect()) || scope.is_empty() => return None,
            None => self.builder.orphan(&name, self.file),
        };
        Some((column, at))
    }

    /// Resolves a variable, a parameter, or the field of a record. A column that a table is known to have comes first.
    fn resolve_variable(&mut self, parts: &[Ident], name: &Identifier, scope: &NameScope<'_>) -> Option<ColumnIndex> {
        match parts {
            [_] if !scope.knows(|object| self.builder.existing(object, name).is_some()) => self.variable(name),
            [record, _] => {
                let record = self.builder.name(record);
                if scope.item(&record.key).is_some() {
                    return None;
                }
                if let Some(table) = self.changed_rows(&record) {
                    return self.builder.find_column(table, name);
                }
                let object = self.declared_variable(&record)?;
                self.builder.find_column(object, name)
            }
            _ => None,
        }
    }

    /// Returns the value that the select list gives a name to, where the dialect allows the name in other expressions.
    /// Except in `ClickHouse`, a column with this name comes first.
    pub(super) fn aliased_value(&self, name: &Identifier, scope: &NameScope<'_>, clause: Clause) -> Option<DataFlow> {
        let dialect = self.builder.dialect();
        let unknown_product = matches!(dialect, Dialect::Generic | Dialect::Ansi);
        if !scope.aliases_visible && !unknown_product {
            return None;
        }
        let (_, flow) = scope.aliases.iter().rev().find(|(key, _)| *key == name.key)?;
        let column = scope.items.iter().any(|item| self.builder.knows(item.object, name));
        let first = if scope.aliases_visible {
            dialect == Dialect::Clickhouse || !column
        } else {
            // Where the rules are unknown, an alias is meant if it is the only thing that the name can stand for.
            !column && scope.items.iter().all(|item| self.builder.is_complete(item.object))
        };
        first.then(|| flow.clone().within(clause))
    }

    /// Returns the column that a name without a qualifier refers to.
    pub(super) fn resolve_name(
        &mut self,
        name: &Identifier,
        scope: &NameScope<'_>,
    ) -> Option<(ColumnIndex, SourceRange)> {
        self.resolve_bare(name, scope).map(|column| (column, name.at))
    }

    /// Resolves `t.c`, `s.t.c`, and `c.field` of a column with a structured type.
    fn resolve_qualified(&mut self, parts: &[Ident], scope: &NameScope<'_>) -> Option<ColumnIndex> {
        let idents: Vec<&Ident> = parts.iter().collect();
        for length in (1..parts.len()).rev() {
            let qualifier = self.joined_key(&idents[..length]);
            if let Some(object) = scope.item(&qualifier) {
                let name = self.builder.name(&parts[length]);
                return self.builder.find_column(object, &name);
            }
        }
        // `FROM t` may be read as `default_schema.t.c`, where a field cannot be meant.
        if let [.., table, column] = parts
            && parts.len() > 2
            && !is_structured(self.builder)
            && let Some(object) = scope.item(&self.builder.name(table).key)
        {
            let name = self.builder.name(column);
            return self.builder.find_column(object, &name);
        }
        let name = self.builder.name(&parts[0]);
        let known = scope.items.iter().find_map(|item| self.builder.existing(item.object, &name));
        known.or_else(|| {
            (is_structured(self.builder) && scope.items.len() == 1).then(|| self.resolve_bare(&name, scope)).flatten()
        })
    }

    /// Returns the column with a structured type that a name refers to.
    pub(super) fn resolve_structure(
        &mut self,
        parts: &[Ident],
        scope: &NameScope<'_>,
    ) -> Option<(ColumnIndex, SourceRange)> {
        if !is_structured(self.builder) {
            return None;
        }
        let column = match parts {
            [single] => {
                let name = self.builder.name(single);
                self.resolve_bare(&name, scope)
            }
            several => self.resolve_qualified(several, scope),
        };
        column.map(|column| (column, self.range(Span::union_iter(parts.iter().map(|part| part.span)))))
    }

    fn resolve_bare(&mut self, name: &Identifier, scope: &NameScope<'_>) -> Option<ColumnIndex> {
        let known = scope.items.iter().find_map(|item| {
            self.builder.existing(item.object, name).filter(|_| self.builder.is_complete(item.object))
        });
        if known.is_some() {
            return known;
        }
        if let Some(object) = scope.tables_sharing(&name.key).first() {
            return self.builder.find_column(*object, name);
        }
        if let Some(element) = scope.items.iter().find(|item| self.is_element(item, name)) {
            return self.builder.find_column(element.object, name);
        }
        let open: Vec<ObjectIndex> =
            scope.items.iter().map(|item| item.object).filter(|object| !self.builder.is_complete(*object)).collect();
        let chosen = match open.as_slice() {
            [] => return scope.outer.and_then(|outer| self.resolve_bare(name, outer)),
            [single] => Some(*single),
            several => self.owner(several, name),
        };
        if chosen.is_some() && is_pseudo_column(name, self.builder.dialect()) {
            return None;
        }
        chosen.and_then(|object| self.builder.find_column(object, name))
    }

    /// Returns `true` if a name stands for the single column of a function that is used as a table.
    fn is_element(&self, item: &FromItem, name: &Identifier) -> bool {
        let function = self.builder.object(item.object).kind == ObjectKind::Function;
        function && item.is_qualified_by(&name.key) && !self.builder.is_complete(item.object)
    }

    /// Returns the only table that is known to have a column, because another statement or another part of this one
    /// says so.
    fn owner(&self, candidates: &[ObjectIndex], name: &Identifier) -> Option<ObjectIndex> {
        let mut owners = candidates.iter().filter(|object| self.builder.existing(**object, name).is_some());
        let owner = owners.next().copied();
        // `UPDATE t … FROM t JOIN s` names the table twice.
        owner.filter(|owner| owners.all(|other| other == owner))
    }

    /// Returns a column that a join by name defines, in each of the tables it belongs to. Empty for any other column.
    pub(super) fn shared_column(&mut self, name: &Identifier, clause: Clause, scope: &NameScope<'_>) -> Vec<Endpoint> {
        let objects = scope.tables_sharing(&name.key);
        let columns = objects.iter().filter_map(|object| self.builder.find_column(*object, name));
        columns.map(|column| Endpoint { column, clause: Some(clause), at: name.at }).collect()
    }

    pub(super) fn joined_key(&self, idents: &[&Ident]) -> String {
        idents.iter().map(|ident| self.builder.name(ident).key).collect::<Vec<_>>().join(".")
    }
}

/// Returns `true` for a word that looks like a column and is a value of the session or of a sequence.
fn is_pseudo_column(name: &Identifier, dialect: Dialect) -> bool {
    const WORDS: &[&str] = &[
        "sysdate",
        "systimestamp",
        "current_date",
        "current_timestamp",
        "current_time",
        "current_role",
        "current_catalog",
        "current_schema",
        "localtime",
        "localtimestamp",
        "current_user",
        "session_user",
        "system_user",
        "user",
        "rownum",
        "level",
        "uid",
    ];
    const ORACLE: &[&str] = &["sessiontimezone", "dbtimezone", "connect_by_isleaf", "connect_by_iscycle"];
    let word = name.written.to_lowercase();
    let own: &[&str] = match dialect {
        Dialect::Oracle => ORACLE,
        // These are reserved words.
        Dialect::Teradata => &["date", "time", "session", "account"],
        // `CURRENT DATE` of Db2, where the parser takes the second word for an alias.
        Dialect::Generic | Dialect::Ansi => &["sessiontimezone", "dbtimezone", "current"],
        Dialect::Mysql => &["utc_date", "utc_time", "utc_timestamp"],
        _ => &[],
    };
    name.written.starts_with('@') || WORDS.contains(&word.as_str()) || own.contains(&word.as_str())
}

fn is_not_a_column(last: &Ident, qualified: bool, dialect: Dialect) -> bool {
    let word = last.value.to_lowercase();
    let sequence = qualified && matches!(word.as_str(), "nextval" | "currval");
    let name =
        Identifier { written: last.to_string(), normal: String::new(), key: String::new(), at: SourceRange::default() };
    sequence || is_pseudo_column(&name, dialect)
}

/// Returns `true` if `a.b` may be the field of a column.
fn is_structured(builder: &LineageBuilder) -> bool {
    matches!(
        builder.dialect(),
        Dialect::Bigquery
            | Dialect::Databricks
            | Dialect::Spark
            | Dialect::Hive
            | Dialect::Duckdb
            | Dialect::Clickhouse
            | Dialect::Redshift
    )
}
