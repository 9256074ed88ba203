//! The columns of objects, among them those that exist because a `*` passes them through.

use std::collections::HashSet;

use sqlparser::ast::Ident;

use super::super::expression::DataFlow;
use super::super::identifier::Identifier;
use super::super::{
    Clause, Column, ColumnIndex, DiagnosticKind, Effect, Endpoint, ObjectIndex, ObjectKind, RELATION_ROWS,
    RelationshipKind, SourceRange,
};
use super::LineageBuilder;

/// The name of the table that holds literals.
const CONSTANTS: &str = "SQL_CONSTANTS";

/// An object whose columns another object has because of a `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PassThrough {
    from: ObjectIndex,
    /// The names of the columns that do not pass.
    except: Vec<String>,
    effect: Effect,
    process: Option<usize>,
}

impl LineageBuilder {
    /// Returns the column of a literal.
    pub(in crate::analysis) fn constant(&mut self, literal: String, at: SourceRange) -> ColumnIndex {
        let constants = self.singleton(ObjectKind::ConstantTable, CONSTANTS);
        let name = Identifier { written: literal.clone(), normal: literal.clone(), key: literal, at };
        self.column(constants, &name)
    }

    /// Returns the column for a name that belongs to no known table, and reports it.
    pub(in crate::analysis) fn orphan(&mut self, name: &Identifier, file: &str) -> ColumnIndex {
        let (line, column) = name.at.start;
        let message = format!("{file}: find orphan column near: {}({line},{column})", name.written);
        self.add_diagnostic(DiagnosticKind::LinkOrphanColumn, file, message, Some(name.at));
        let table = self.pseudo_table();
        self.column(table, name)
    }

    /// Returns the column with this name, creating it if necessary.
    pub(in crate::analysis) fn column(&mut self, object: ObjectIndex, name: &Identifier) -> ColumnIndex {
        self.existing(object, name).unwrap_or_else(|| self.discover_column(object, name))
    }

    /// Makes an object a function that is used as a table: its arguments flow into every column that is read from it.
    pub(in crate::analysis) fn set_arguments(&mut self, object: ObjectIndex, arguments: DataFlow) {
        self.arguments.insert(object, arguments);
    }

    /// Adds a column that an object turns out to have.
    pub(in crate::analysis) fn discover_column(&mut self, object: ObjectIndex, name: &Identifier) -> ColumnIndex {
        let column = self.add_column(object, name);
        if let Some(flow) = self.arguments.get(&object).cloned() {
            let function = self.object(object).name.clone();
            self.function_flow(column, &function, flow);
        }
        column
    }

    /// Returns the column with this name, if it exists.
    pub(in crate::analysis) fn existing(&self, object: ObjectIndex, name: &Identifier) -> Option<ColumnIndex> {
        let column = self.columns.get(&(object, name.key.clone()))?;
        Some(ColumnIndex { object, column: *column })
    }

    /// Adds a column, even if there is one with this name.
    pub(in crate::analysis) fn add_column(&mut self, object: ObjectIndex, name: &Identifier) -> ColumnIndex {
        let column = Column {
            id: self.id(),
            name: name.written.clone(),
            normal_name: name.normal.clone(),
            data_type: None,
            primary_key: false,
            foreign_key: false,
            at: name.at,
        };
        let columns = &mut self.lineage.objects[object.0].columns;
        columns.push(column);
        let index = columns.len() - 1;
        self.columns.entry((object, name.key.clone())).or_insert(index);
        ColumnIndex { object, column: index }
    }

    pub(in crate::analysis) fn column_mut(&mut self, index: ColumnIndex) -> &mut Column {
        &mut self.lineage.objects[index.object.0].columns[index.column]
    }

    /// Returns the column that stands for the record set of an object.
    pub(in crate::analysis) fn relation_rows(&mut self, object: ObjectIndex) -> ColumnIndex {
        let at = self.object(object).at.first().copied().unwrap_or(self.base);
        let name = Identifier {
            written: RELATION_ROWS.into(),
            normal: RELATION_ROWS.into(),
            key: format!("\0{RELATION_ROWS}"),
            at,
        };
        self.column(object, &name)
    }

    /// Returns the columns of an object in order, without the one for its record set.
    pub(in crate::analysis) fn columns_of(&self, object: ObjectIndex) -> Vec<ColumnIndex> {
        let columns = self.object(object).columns.iter().enumerate();
        columns
            .filter(|(_, column)| !column.is_relation_rows())
            .map(|(column, _)| ColumnIndex { object, column })
            .collect()
    }

    /// Returns the name of a column, to look it up in another object.
    pub(in crate::analysis) fn name_of(&self, column: ColumnIndex) -> Identifier {
        let described = self.lineage.column(column);
        let quoted = described.name.chars().next().filter(|first| matches!(first, '"' | '`' | '['));
        let ident = match quoted {
            Some(quote) => Ident::with_quote(quote, described.normal_name.clone()),
            None => Ident::new(described.name.clone()),
        };
        let mut name = Identifier::of(&ident, self.dialect(), described.at);
        name.written.clone_from(&described.name);
        name
    }

    /// Declares that all columns of an object are known.
    pub(in crate::analysis) fn mark_complete(&mut self, object: ObjectIndex) {
        self.complete.insert(object);
    }

    pub(in crate::analysis) fn is_complete(&self, object: ObjectIndex) -> bool {
        self.complete.contains(&object)
    }

    /// Declares that an object may have unknown columns.
    pub(in crate::analysis) fn mark_incomplete(&mut self, object: ObjectIndex) {
        self.complete.remove(&object);
    }

    /// Renames the columns of an intermediate result to the names that an alias lists.
    pub(in crate::analysis) fn rename_columns(&mut self, object: ObjectIndex, names: &[Identifier]) {
        for (column, name) in self.columns_of(object).into_iter().zip(names) {
            let old = self.name_of(column);
            self.columns.remove(&(object, old.key));
            self.columns.insert((object, name.key.clone()), column.column);
            let described = self.column_mut(column);
            described.name.clone_from(&name.written);
            described.normal_name.clone_from(&name.normal);
        }
    }

    /// Declares that an object also has the unknown columns of another object.
    pub(in crate::analysis) fn pass_through(&mut self, object: ObjectIndex, from: ObjectIndex, effect: Effect) {
        self.pass_through_except(object, from, effect, &[]);
    }

    /// Declares that an object also has the unknown columns of another object, apart from some.
    pub(in crate::analysis) fn pass_through_except(
        &mut self,
        object: ObjectIndex,
        from: ObjectIndex,
        effect: Effect,
        except: &[String],
    ) {
        let process = self.process.filter(|_| effect.changes_the_database());
        let pass_throughs = self.pass_throughs.entry(object).or_default();
        match pass_throughs.iter_mut().find(|pass| pass.from == from) {
            Some(pass) => pass.except.retain(|name| except.contains(name)),
            None => pass_throughs.push(PassThrough { from, except: except.to_vec(), effect, process }),
        }
    }

    /// Finds the columns of a select list that its own `*` stands for as well, as in `SELECT a, *` over a subquery whose
    /// columns are unknown: another `*` over the result would otherwise give them twice.
    pub(in crate::analysis) fn find_passed_columns(&mut self, result: ObjectIndex) {
        let passes = self.pass_throughs.get(&result).cloned().unwrap_or_default();
        for pass in passes {
            for column in self.columns_of(result) {
                let name = self.name_of(column);
                let source = self.existing(pass.from, &name).filter(|source| self.passed_columns.contains(source));
                if source.is_some_and(|source| self.has_only_source(column, source)) {
                    self.passed_columns.insert(column);
                }
            }
        }
    }

    /// Records that a column is part of what a `*` stands for if the column that it takes over is.
    pub(in crate::analysis) fn pass_on_passed(&mut self, source: ColumnIndex, column: ColumnIndex) {
        if self.passed_columns.contains(&source) {
            self.passed_columns.insert(column);
        }
    }

    /// Returns `true` if a column has the value of another and nothing else.
    fn has_only_source(&self, column: ColumnIndex, source: ColumnIndex) -> bool {
        self.only_source(column) == Some(source)
    }

    /// Returns the column whose value another column has, if it has no other source.
    fn only_source(&self, column: ColumnIndex) -> Option<ColumnIndex> {
        // A column of an intermediate result exists before the relationships that lead to it.
        let created = self.lineage.column(column).id;
        let since = self.lineage.relationships.iter().rev().take_while(|relationship| relationship.id > created);
        let mut into = since.filter(|relationship| {
            relationship.target.column == column
                && !matches!(relationship.kind, RelationshipKind::Join | RelationshipKind::Er)
        });
        let only = into.next().filter(|relationship| relationship.kind == RelationshipKind::Fdd)?;
        let [end] = only.sources.as_slice() else { return None };
        into.next().is_none().then_some(end.column)
    }

    /// Returns the column of a table that a column of an intermediate result is, if it is one.
    pub(in crate::analysis) fn stored_column(&self, column: ColumnIndex) -> Option<ColumnIndex> {
        let mut next = column;
        while !self.object(next.object).kind.is_stored() {
            if !matches!(self.object(next.object).kind, ObjectKind::SelectList | ObjectKind::WithCte) {
                return None;
            }
            next = self.only_source(next)?;
        }
        Some(next)
    }

    /// Records the entries of the FROM clause that the rows of an intermediate result come from.
    pub(in crate::analysis) fn set_origins(&mut self, object: ObjectIndex, origins: Vec<ObjectIndex>) {
        self.origins.insert(object, origins);
    }

    /// Returns the table whose rows the rows of an object are, if there is only one.
    pub(in crate::analysis) fn stored_origin(&self, object: ObjectIndex) -> Option<ObjectIndex> {
        let mut next = object;
        let mut seen = HashSet::new();
        while !self.object(next).kind.is_stored() {
            let Some([only]) = self.origins.get(&next).map(Vec::as_slice) else { return None };
            if !seen.insert(next) {
                return None;
            }
            next = *only;
        }
        Some(next)
    }

    /// Returns the columns that `*` stands for: those of an object, and one named `*` for the unknown ones.
    pub(in crate::analysis) fn columns_of_star(&mut self, object: ObjectIndex, at: SourceRange) -> Vec<ColumnIndex> {
        if !self.is_complete(object) && !self.pass_throughs.contains_key(&object) {
            let star = self.made_up_identifier("*", at);
            return vec![self.column(object, &star)];
        }
        let columns = self.columns_of(object);
        columns.into_iter().filter(|column| !self.passed_columns.contains(column)).collect()
    }

    /// Returns `true` if a column stands for unknown columns.
    pub(in crate::analysis) fn is_star(&self, column: ColumnIndex) -> bool {
        !self.is_complete(column.object) && self.lineage.column(column).name == "*"
    }

    /// Returns the column that a statement means by `object.name`, or `None` if there cannot be one.
    pub(in crate::analysis) fn find_column(&mut self, object: ObjectIndex, name: &Identifier) -> Option<ColumnIndex> {
        if let Some(column) = self.existing(object, name) {
            return Some(column);
        }
        let kind = self.object(object).kind;
        if kind.is_stored() || matches!(kind, ObjectKind::WithCte | ObjectKind::Function) && !self.is_complete(object) {
            let pass_throughs = self.pass_throughs.contains_key(&object);
            if !pass_throughs {
                return Some(self.discover_column(object, name));
            }
        }
        self.passed_column(object, name)
    }

    /// Returns the `*` that a column comes from: the only one, or the only one over an object that is known to have it.
    fn passing(&self, all: &[PassThrough], name: &Identifier) -> Option<PassThrough> {
        let candidates: Vec<&PassThrough> = all.iter().filter(|pass| !pass.except.contains(&name.key)).collect();
        if let [only] = candidates.as_slice() {
            return Some((*only).clone());
        }
        let mut knowing = candidates.into_iter().filter(|pass| self.knows(pass.from, name));
        let first = knowing.next().cloned();
        first.filter(|_| knowing.next().is_none())
    }

    /// Returns `true` if an object is known to have a column, itself or because a `*` passes it through.
    pub(in crate::analysis) fn knows(&self, object: ObjectIndex, name: &Identifier) -> bool {
        let mut seen = HashSet::new();
        let mut waiting = vec![object];
        while let Some(next) = waiting.pop() {
            if self.existing(next, name).is_some() {
                return true;
            }
            if seen.insert(next) {
                let passes = self.pass_throughs.get(&next).into_iter().flatten();
                waiting.extend(passes.filter(|pass| !pass.except.contains(&name.key)).map(|pass| pass.from));
            }
        }
        false
    }

    /// Returns a column that an object has because a `*` passes it through.
    fn passed_column(&mut self, object: ObjectIndex, name: &Identifier) -> Option<ColumnIndex> {
        // Objects may pass columns to each other in a circle, which ends here.
        let Some(all) = self.pass_throughs.remove(&object) else {
            let star = self.made_up_identifier("*", name.at);
            return self.existing(object, &star);
        };
        let found = self.passing(&all, name);
        let source = found.as_ref().and_then(|pass| self.find_column(pass.from, name));
        let several = all.len() > 1;
        self.pass_throughs.insert(object, all);
        let Some((pass, source)) = found.zip(source) else {
            let star = self.made_up_identifier("*", name.at);
            return self.existing(object, &star).filter(|_| several);
        };
        let column = self.existing(object, name).unwrap_or_else(|| self.add_column(object, name));
        self.passed_columns.insert(column);
        let clause = (pass.effect == Effect::Select).then_some(Clause::SelectList);
        // The statement with the `*` made this relationship, not the one that reads the column.
        let reading = std::mem::replace(&mut self.process, pass.process);
        let source = Endpoint { column: source, clause, at: name.at };
        self.relate(RelationshipKind::Fdd, pass.effect, column, vec![source]);
        self.process = reading;
        Some(column)
    }
}
