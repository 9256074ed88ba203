//! The columns of `*` and their modifiers: EXCEPT and EXCLUDE, REPLACE, RENAME and ILIKE.

use sqlparser::ast::{ExcludeSelectItem, Expr, Ident, ObjectName, RenameSelectItem, WildcardAdditionalOptions};

use super::identifier::{self, Identifier};
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, RelationshipKind, SourceRange};

/// The changes that a query makes to the columns of `*`.
#[derive(Default)]
pub(super) struct StarModifiers<'q> {
    /// The names of the columns that are left out.
    pub(super) excluded: Vec<String>,
    /// The columns that have other values.
    pub(super) replaced: Vec<(Identifier, &'q Expr)>,
    /// The columns that have other names.
    pub(super) renamed: Vec<(Identifier, Identifier)>,
    /// A pattern that the names match.
    pub(super) pattern: Option<String>,
}

impl StarModifiers<'_> {
    /// Returns the names of the columns that do not pass through unchanged.
    fn changed(&self) -> Vec<String> {
        let replaced = self.replaced.iter().map(|(name, _)| name.key.clone());
        let renamed = self.renamed.iter().map(|(from, _)| from.key.clone());
        self.excluded.iter().cloned().chain(replaced).chain(renamed).collect()
    }

    fn leaves_out(&self, name: &Identifier) -> bool {
        let matches = |pattern: &String| matches_pattern(&name.normal.to_lowercase(), &pattern.to_lowercase());
        self.excluded.contains(&name.key) || !self.pattern.as_ref().is_none_or(matches)
    }
}

impl StatementWalker<'_> {
    /// Reads the modifiers of `*`.
    pub(super) fn modifiers<'q>(&self, options: &'q WildcardAdditionalOptions) -> StarModifiers<'q> {
        let except = options
            .opt_except
            .iter()
            .flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements));
        let mut excluded: Vec<String> = except.map(|ident| self.builder.name(ident).key).collect();
        excluded.extend(options.opt_exclude.iter().flat_map(|exclude| self.excluded(exclude)));
        let replaced = options.opt_replace.iter().flat_map(|replace| &replace.items);
        let renamed = match &options.opt_rename {
            Some(RenameSelectItem::Single(item)) => std::slice::from_ref(item),
            Some(RenameSelectItem::Multiple(items)) => items.as_slice(),
            None => &[],
        };
        StarModifiers {
            excluded,
            replaced: replaced.map(|item| (self.builder.name(&item.column_name), &item.expr)).collect(),
            renamed: renamed
                .iter()
                .map(|item| (self.builder.name(&item.ident), self.builder.name(&item.alias)))
                .collect(),
            pattern: options.opt_ilike.as_ref().map(|like| like.pattern.clone()),
        }
    }

    /// Returns the names of the columns that `EXCLUDE` lists.
    pub(super) fn excluded(&self, exclude: &ExcludeSelectItem) -> Vec<String> {
        let names: &[ObjectName] = match exclude {
            ExcludeSelectItem::Single(name) => std::slice::from_ref(name),
            ExcludeSelectItem::Multiple(names) => names,
        };
        let idents = names.iter().filter_map(|name| identifier::parts(name).last().copied());
        idents.map(|ident: &Ident| self.builder.name(ident).key).collect()
    }

    /// Adds the columns of `*` over several objects.
    pub(super) fn columns_of_all(
        &mut self,
        result: ObjectIndex,
        from: &[ObjectIndex],
        modifiers: &StarModifiers<'_>,
        scope: &NameScope<'_>,
        at: SourceRange,
    ) {
        let mut done = Vec::new();
        for object in from {
            self.star_of(result, *object, modifiers, scope, at, &mut done);
        }
        // What is left belongs to unknown columns.
        for (name, expr) in &modifiers.replaced {
            if !done.contains(&name.key) {
                self.output(expr, name, result, scope);
            }
        }
        for (old, new) in &modifiers.renamed {
            if !done.contains(&old.key)
                && let Some((source, _)) = self.resolve_name(old, scope)
            {
                let column = self.builder.add_column(result, new);
                self.pass_value(source, column, at);
            }
        }
    }

    /// Adds the columns of `*` over one object: every known column, and one named `*` for the unknown ones.
    pub(super) fn all_columns(&mut self, result: ObjectIndex, from: ObjectIndex, excluded: &[String], at: SourceRange) {
        let modifiers = StarModifiers { excluded: excluded.to_vec(), ..StarModifiers::default() };
        self.star_of(result, from, &modifiers, &NameScope::within(None), at, &mut Vec::new());
    }

    fn star_of(
        &mut self,
        result: ObjectIndex,
        from: ObjectIndex,
        modifiers: &StarModifiers<'_>,
        scope: &NameScope<'_>,
        at: SourceRange,
        done: &mut Vec<String>,
    ) {
        for source in self.builder.columns_of_star(from, at) {
            let name = Identifier { at, ..self.builder.name_of(source) };
            if self.builder.is_star(source) {
                self.builder.pass_through_except(result, from, Effect::Select, &modifiers.changed());
                self.builder.mark_incomplete(result);
                let column = self.builder.column(result, &name);
                self.pass_value(source, column, at);
                continue;
            }
            if modifiers.leaves_out(&name) {
                continue;
            }
            // A column by which tables are joined is there once.
            let shared = scope.tables_sharing(&name.key);
            let again = shared.contains(&from) && shared.first() != Some(&from);
            if let Some(column) = self.builder.existing(result, &name).filter(|_| again) {
                self.pass_value(source, column, at);
            } else if let Some((new, expr)) = modifiers.replaced.iter().find(|(new, _)| new.key == name.key) {
                self.output(expr, new, result, scope);
                done.push(name.key);
            } else if let Some((_, new)) = modifiers.renamed.iter().find(|(old, _)| old.key == name.key) {
                let column = self.builder.add_column(result, new);
                self.pass_value(source, column, at);
                done.push(name.key);
            } else {
                let column = self.builder.add_column(result, &name);
                self.pass_value(source, column, at);
            }
        }
    }

    fn pass_value(&mut self, source: ColumnIndex, column: ColumnIndex, at: SourceRange) {
        let source = Endpoint { column: source, clause: Some(Clause::SelectList), at };
        self.builder.relate(RelationshipKind::Fdd, Effect::Select, column, vec![source]);
    }
}

/// Compares a name with a pattern in which `%` stands for any text and `_` for any character.
fn matches_pattern(name: &str, pattern: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Whether the pattern so far can end at each position of the name.
    let mut ends = vec![false; name.len() + 1];
    ends[0] = true;
    for wanted in pattern.chars() {
        let first = ends.iter().position(|end| *end).unwrap_or(ends.len());
        ends = (0..ends.len())
            .map(|at| match wanted {
                '%' => at >= first,
                _ => at > 0 && ends[at - 1] && (wanted == '_' || wanted == name[at - 1]),
            })
            .collect();
    }
    ends[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_has_wildcards_for_texts_and_for_characters() {
        assert!(matches_pattern("order_id", "%id%"));
        assert!(matches_pattern("a1", "a_"));
        assert!(!matches_pattern("a12", "a_"));
        assert!(matches_pattern("", "%"));
        assert!(!matches_pattern("x", ""));
        // Each `%` may end anywhere, which must not be tried one by one.
        assert!(!matches_pattern(&"a".repeat(60), &format!("{}b", "%a".repeat(30))));
    }
}
