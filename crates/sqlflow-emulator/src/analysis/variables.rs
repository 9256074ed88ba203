//! Variables, parameters, cursors and the records of loops: values that pass from one statement of a script to another.
//!
//! Each of them is an object of kind `variable`. A variable has one column of the same name; a cursor or a record has
//! those of its query. A routine has its own variables, and so has the code outside of all routines in a script.

use std::collections::HashMap;

use sqlparser::ast::{Declare, DeclareAssignment, Expr, Ident, ObjectName, Query, Set};

use super::dialect::Dialect;
use super::expression::{DataFlow, makes_one_value};
use super::identifier::{self, Identifier};
use super::query::RecordSetRole;
use super::resolution::NameScope;
use super::walker::StatementWalker;
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, ObjectKind, RelationshipKind};

/// A routine, or the number of a script for code outside of all routines, and the name of a variable.
type VariableKey = (String, String);

/// The variables that are known so far.
#[derive(Default)]
pub(super) struct Variables {
    objects: HashMap<VariableKey, ObjectIndex>,
}

impl StatementWalker<'_> {
    fn variable_key(&self, name: &Identifier) -> VariableKey {
        let scope = match &self.routine {
            Some(routine) => routine.to_lowercase(),
            None => self.builder.base.script.to_string(),
        };
        (scope, name.key.to_lowercase())
    }

    /// Returns the object of a variable, a cursor or a record, if one with this name is declared.
    pub(super) fn declared_variable(&self, name: &Identifier) -> Option<ObjectIndex> {
        self.builder.variables.objects.get(&self.variable_key(name)).copied()
    }

    fn declare_object(&mut self, name: &Identifier) -> ObjectIndex {
        if let Some(known) = self.declared_variable(name) {
            return known;
        }
        let object = self.builder.intermediate(ObjectKind::Variable, name.written.clone(), name.at);
        self.builder.mark_complete(object);
        let key = self.variable_key(name);
        self.builder.variables.objects.insert(key, object);
        object
    }

    /// Declares a variable or a parameter.
    pub(super) fn declare_variable(&mut self, name: &Ident) -> ColumnIndex {
        let name = self.builder.name(name);
        let object = self.declare_object(&name);
        self.builder.column(object, &name)
    }

    /// Returns the column of a variable, if one with this name is declared.
    pub(super) fn variable(&self, name: &Identifier) -> Option<ColumnIndex> {
        let object = self.declared_variable(name)?;
        self.builder.existing(object, name)
    }

    /// Returns the column of a variable that is written with a sign before its name, as in `:v` or `$v`.
    pub(super) fn host_variable(&self, text: &str, clause: Clause) -> Option<Endpoint> {
        let name = text.trim_start_matches([':', '$']);
        let name = self.builder.made_up_identifier(name, self.builder.base);
        let column = self.variable(&name)?;
        Some(Endpoint { column, clause: Some(clause), at: self.builder.base })
    }

    /// Returns the value of `l(i)` if `l` is a variable and not a function: a collection of PL/SQL.
    pub(super) fn element_of_collection(&self, name: &ObjectName, clause: Clause) -> Option<DataFlow> {
        let [single] = identifier::parts(name)[..] else { return None };
        let collection = self.declared_variable(&self.builder.name(single))?;
        let columns = self.builder.columns_of(collection).into_iter();
        let values = columns.map(|column| Endpoint { clause: Some(clause), ..self.builder.endpoint(column) }).collect();
        Some(DataFlow { values, ..DataFlow::default() })
    }

    /// Reads the assignment of an expression to a variable.
    pub(super) fn assign_variable(&mut self, name: &Ident, value: &Expr) {
        if let Expr::Subquery(query) = value
            && makes_one_value(query)
        {
            let result = self.query(query, &RecordSetRole::Result, None);
            let target = self.declare_variable(name);
            self.fill_record(result, target.object);
            let fields = self.builder.columns_of(result).into_iter().map(|column| self.builder.endpoint(column));
            let values = fields.collect();
            return self.assign_flow(target, DataFlow { values, ..DataFlow::default() });
        }
        let flow = self.expression(value, &NameScope::within(None), Clause::SelectList);
        let target = self.declare_variable(name);
        self.assign_flow(target, flow);
    }

    fn assign_flow(&mut self, target: ColumnIndex, mut flow: DataFlow) {
        // `x := x + 1` adds no source.
        flow.values.retain(|end| end.column != target);
        self.connect_flow(target, flow);
    }

    /// Reads the query of a cursor or of a loop over a record.
    pub(super) fn open_cursor(&mut self, name: Option<&Ident>, query: &Query) {
        let result = self.query(query, &RecordSetRole::Result, None);
        if let Some(name) = name {
            self.declare_record(name, result);
        }
    }

    /// Reads the head of a loop over a cursor that is declared elsewhere: the record has the columns of the cursor.
    pub(super) fn loop_over_cursor(&mut self, record: &Ident, cursor: &Ident) {
        let cursor = self.builder.name(cursor);
        if let Some(cursor) = self.declared_variable(&cursor) {
            self.declare_record(record, cursor);
        }
    }

    /// Declares a record with the columns of a query or of a cursor.
    fn declare_record(&mut self, name: &Ident, from: ObjectIndex) {
        let name = self.builder.name(name);
        let record = self.declare_object(&name);
        if record != from {
            self.fill_record(from, record);
        }
    }

    /// Gives a record the columns of a query or of a cursor, also those that a `*` stands for.
    fn fill_record(&mut self, from: ObjectIndex, record: ObjectIndex) {
        for source in self.builder.columns_of(from) {
            let column = self.builder.name_of(source);
            let target = self.builder.column(record, &column);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, Effect::Cursor, target, vec![source]);
        }
        if !self.builder.is_complete(from) {
            self.builder.pass_through(record, from, Effect::Cursor);
            self.builder.mark_incomplete(record);
        }
    }

    /// Returns the columns of a query or a cursor for a number of variables, by position. What follows a `*` over
    /// unknown columns has no known position.
    fn sources_by_position(&self, from: ObjectIndex, count: usize) -> Vec<ColumnIndex> {
        let columns = self.builder.columns_of(from);
        let star = columns.iter().position(|column| self.builder.is_star(*column));
        let at = |position: usize| star.filter(|star| position >= *star).unwrap_or(position);
        (0..count).map_while(|position| columns.get(at(position)).copied()).collect()
    }

    /// Returns `true` if a single target of `INTO` receives a whole row.
    fn is_whole_row(&self, from: ObjectIndex, targets: &[Ident]) -> bool {
        targets.len() == 1 && (!self.builder.is_complete(from) || self.builder.columns_of(from).len() > 1)
    }

    /// Reads `FETCH c INTO a, b`: the columns of the cursor's query, by position.
    pub(super) fn fetch(&mut self, cursor: &Ident, into: &[Ident]) {
        let name = self.builder.name(cursor);
        let Some(record) = self.declared_variable(&name) else { return };
        if self.is_whole_row(record, into) {
            for target in into {
                self.declare_record(target, record);
            }
        }
        let sources = self.sources_by_position(record, into.len());
        for (source, name) in sources.into_iter().zip(into) {
            let target = self.declare_variable(name);
            let source = self.builder.endpoint(source);
            self.builder.relate(RelationshipKind::Fdd, Effect::Cursor, target, vec![source]);
        }
    }

    /// Gives the columns of a query's result to the variables of its `INTO`, by position.
    pub(super) fn select_into_variables(&mut self, result: ObjectIndex, variables: &[Ident]) {
        if self.is_whole_row(result, variables) {
            for name in variables {
                self.declare_record(name, result);
            }
        }
        let sources = self.sources_by_position(result, variables.len());
        for (source, name) in sources.into_iter().zip(variables) {
            let target = self.declare_variable(name);
            let source = self.builder.endpoint(source);
            self.assign_flow(target, DataFlow { values: vec![source], ..DataFlow::default() });
        }
    }

    /// Gives the columns of `SELECT @v = …` to the variables that they name.
    pub(super) fn assign_named_columns(&mut self, result: ObjectIndex) {
        for source in self.builder.columns_of(result) {
            let name = self.builder.name_of(source);
            if name.written.starts_with('@') {
                let target = self.declare_variable(&Ident::new(name.written));
                let source = self.builder.endpoint(source);
                self.assign_flow(target, DataFlow { values: vec![source], ..DataFlow::default() });
            }
        }
    }

    /// Reads a declaration of variables or of a cursor.
    pub(super) fn declaration(&mut self, declaration: &Declare) {
        if let Some(query) = &declaration.for_query {
            return self.open_cursor(declaration.names.first(), query);
        }
        for name in &declaration.names {
            match &declaration.assignment {
                Some(
                    DeclareAssignment::Expr(value)
                    | DeclareAssignment::Default(value)
                    | DeclareAssignment::DuckAssignment(value)
                    | DeclareAssignment::For(value)
                    | DeclareAssignment::MsSqlAssignment(value),
                ) => self.assign_variable(name, value),
                None => {
                    self.declare_variable(name);
                }
            }
        }
    }

    /// Reads `SET`. Settings of the session have literals as values, and thus no lineage.
    pub(super) fn set(&mut self, set: &Set) {
        let assign = |walker: &mut Self, name: &ObjectName, value: &Expr| {
            let [single] = identifier::parts(name)[..] else { return };
            let declares = single.value.starts_with('@') || walker.builder.dialect() == Dialect::Snowflake;
            if declares || walker.variable(&walker.builder.name(single)).is_some() {
                walker.assign_variable(single, value);
            } else {
                // The value may be a query all the same.
                walker.expression(value, &NameScope::within(None), Clause::SelectList);
            }
        };
        match set {
            Set::SingleAssignment { variable, values, .. } => {
                for value in values {
                    assign(self, variable, value);
                }
            }
            Set::ParenthesizedAssignments { variables, values } => {
                for (name, value) in variables.iter().zip(values) {
                    assign(self, name, value);
                }
            }
            Set::MultipleAssignments { assignments } => {
                for assignment in assignments {
                    assign(self, &assignment.name, &assignment.value);
                }
            }
            _ => {}
        }
    }
}
