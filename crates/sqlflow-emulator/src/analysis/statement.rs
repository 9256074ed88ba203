//! Statements: what each kind does to the tables it names.

use sha2::{Digest as _, Sha256};
use sqlparser::ast::{
    AlterTable, AlterTableOperation, Assignment, AssignmentTarget, ColumnDef, ColumnOption, ConditionalStatementBlock,
    ConditionalStatements, CreateTable, CreateView, Delete, Expr, FromTable, Ident, Insert, Merge, MergeAction,
    MergeInsertExpr, MergeInsertKind, ObjectName, RenameTableNameKind, SetExpr, Spanned, Statement, TableConstraint,
    TableFactor, TableObject, TableWithJoins, Update, UpdateTableFromKind, Use,
};

use super::names;
use super::query::{Item, Role, Scope, Walker};
use super::{Clause, ColumnIndex, Effect, ObjectIndex, ObjectKind, RelationKind, hexadecimal};

impl Walker<'_> {
    /// Reads a statement whose text is given.
    pub(super) fn statement(&mut self, statement: &Statement, text: &str) {
        match statement {
            Statement::Query(query) => {
                self.query(query, &Role::Result, None);
            }
            Statement::Insert(insert) => self.insert(insert, text),
            Statement::CreateTable(create) => self.create_table(create, text),
            Statement::CreateView(create) => self.create_view(create, text),
            Statement::Update(update) => self.update(update, text),
            Statement::Delete(delete) => self.delete(delete, text),
            Statement::Merge(merge) => self.merge(merge, text),
            Statement::AlterTable(alter) => self.alter_table(alter, text),
            Statement::Use(use_) => self.use_(use_),
            other => self.routine_or_other(other),
        }
        self.draft.process = None;
    }

    /// Reads no more of a statement than the columns it gives a new table.
    pub(super) fn definition(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable(create) if create.query.is_none() && !create.columns.is_empty() => {
                let table = self.draft.stored(&create.name, ObjectKind::Table);
                create.columns.iter().for_each(|column| self.define(table, column));
                self.draft.complete(table);
            }
            Statement::Use(use_) => self.use_(use_),
            _ => {}
        }
    }

    fn routine_or_other(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateProcedure { name, body, .. } => {
                let outer = self.routine.replace(name.to_string());
                self.block(body);
                self.routine = outer;
            }
            Statement::StartTransaction { statements, .. } => self.statements(statements),
            Statement::If(branches) => {
                self.conditional(&branches.if_block);
                branches.elseif_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::Case(branches) => {
                branches.when_blocks.iter().chain(&branches.else_block).for_each(|block| self.conditional(block));
            }
            Statement::While(repeated) => self.conditional(&repeated.while_block),
            Statement::CreateFunction(create) => self.unread(&format!("the body of function {} is", create.name)),
            Statement::CreateTrigger(create) => self.unread(&format!("the body of trigger {} is", create.name)),
            Statement::Execute { .. } => self.remark("what is executed by name or as text is"),
            Statement::Copy { .. }
            | Statement::CopyIntoSnowflake { .. }
            | Statement::Unload { .. }
            | Statement::LoadData { .. } => {
                self.unread("the transfer between a table and files is");
            }
            _ => {}
        }
    }

    /// A statement that was parsed and gives no lineage although it has some.
    fn unread(&mut self, what: &str) {
        self.draft.not_understood();
        self.not_analysed(what);
    }

    fn block(&mut self, block: &ConditionalStatements) {
        self.statements(block.statements());
    }

    fn conditional(&mut self, block: &ConditionalStatementBlock) {
        self.block(&block.conditional_statements);
    }

    fn statements(&mut self, statements: &[Statement]) {
        for statement in statements {
            self.statement(statement, &statement.to_string());
        }
    }

    /// Makes the statement a process.
    pub(super) fn begin(&mut self, step: &str, kind: &'static str, text: &str) {
        let hash = hexadecimal(&Sha256::digest(text.as_bytes())[..16]);
        let at = self.draft.base;
        self.draft.begin_process(self.routine.as_deref(), step, kind, hash, at);
    }

    fn insert(&mut self, insert: &Insert, text: &str) {
        let TableObject::TableName(name) = &insert.table else {
            return self.unread("an insert into a function or a query is");
        };
        self.begin("Insert", "sstinsert", text);
        let table = self.draft.stored(name, ObjectKind::Table);
        let columns: Vec<&Ident> = insert.columns.iter().chain(&insert.after_columns).collect();
        let listed: Vec<ColumnIndex> = columns.into_iter().map(|ident| self.target_column(table, ident)).collect();
        if let Some(source) = &insert.source {
            let result = self.query(source, &Role::Insert, None);
            let literal = matches!(*source.body, SetExpr::Values(_));
            let targets = self.insert_targets(table, listed, result, literal);
            self.feed(result, table, Effect::Insert, targets);
        }
        self.assign(&insert.assignments, table, table, &Scope::within(None), Effect::Insert);
        if insert.on.is_some() {
            self.remark("what an insert does to rows that are there already is");
        }
    }

    /// The columns that a query's columns meet by position: those listed, or all of a table that is known. A `VALUES`
    /// list has no names to go by.
    fn insert_targets(
        &mut self,
        table: ObjectIndex,
        listed: Vec<ColumnIndex>,
        result: ObjectIndex,
        literal: bool,
    ) -> Option<Vec<ColumnIndex>> {
        if !listed.is_empty() {
            return Some(listed);
        }
        let known = self.draft.columns_of(table);
        let fits = !self.draft.is_complete(result) || known.len() >= self.draft.columns_of(result).len();
        if self.draft.is_complete(table) && fits { Some(known) } else { literal.then_some(known) }
    }

    fn target_column(&mut self, table: ObjectIndex, ident: &Ident) -> ColumnIndex {
        let name = self.draft.name(ident);
        self.draft.column(table, &name)
    }

    fn create_table(&mut self, create: &CreateTable, text: &str) {
        let table = self.draft.stored(&create.name, ObjectKind::Table);
        for column in &create.columns {
            self.define(table, column);
        }
        if let Some(original) = &create.clone {
            let original = self.draft.stored(original, ObjectKind::Table);
            self.copy_columns(original, table, text);
        } else if let Some(query) = &create.query {
            let declared = self.draft.columns_of(table);
            let result = self.query(query, &Role::Result, None);
            self.begin("Create Table", "sstcreatetable", text);
            if declared.is_empty() || create.columns.is_empty() {
                self.create(result, table, Effect::CreateTable, &[]);
            } else {
                self.feed(result, table, Effect::CreateTable, Some(declared));
                self.draft.complete(table);
            }
        } else if !create.columns.is_empty() {
            self.draft.complete(table);
            if has_foreign_key(create) {
                self.begin("Create Table", "sstcreatetable", text);
            }
        }
        for constraint in &create.constraints {
            self.constrain(table, constraint);
        }
        for column in &create.columns {
            self.column_constraints(table, column);
        }
    }

    fn copy_columns(&mut self, original: ObjectIndex, copy: ObjectIndex, text: &str) {
        self.begin("Create Table", "sstcreatetable", text);
        let sources = self.draft.columns_of(original);
        for source in sources {
            let name = self.draft.name_of(source);
            let target = self.draft.column(copy, &name);
            let source = self.draft.endpoint(source);
            self.draft.relate(RelationKind::Fdd, Effect::CreateTable, target, vec![source]);
        }
        if self.draft.is_complete(original) {
            self.draft.complete(copy);
        }
    }

    fn define(&mut self, table: ObjectIndex, definition: &ColumnDef) {
        let column = self.target_column(table, &definition.name);
        self.draft.column_mut(column).data_type = Some(definition.data_type.to_string());
    }

    fn column_constraints(&mut self, table: ObjectIndex, definition: &ColumnDef) {
        let column = self.target_column(table, &definition.name);
        for option in &definition.options {
            match &option.option {
                ColumnOption::PrimaryKey(_) => self.draft.column_mut(column).primary_key = true,
                ColumnOption::ForeignKey(key) => self.foreign_key(&[column], &key.foreign_table, &key.referred_columns),
                _ => {}
            }
        }
    }

    fn constrain(&mut self, table: ObjectIndex, constraint: &TableConstraint) {
        match constraint {
            TableConstraint::PrimaryKey(key) => {
                for column in &key.columns {
                    if let Expr::Identifier(ident) = &column.column.expr {
                        let column = self.target_column(table, ident);
                        self.draft.column_mut(column).primary_key = true;
                    }
                }
            }
            TableConstraint::ForeignKey(key) => {
                let columns: Vec<ColumnIndex> =
                    key.columns.iter().map(|ident| self.target_column(table, ident)).collect();
                self.foreign_key(&columns, &key.foreign_table, &key.referred_columns);
            }
            _ => {}
        }
    }

    fn foreign_key(&mut self, columns: &[ColumnIndex], referred: &ObjectName, referred_columns: &[Ident]) {
        let referred = self.draft.stored(referred, ObjectKind::Table);
        for (position, column) in columns.iter().enumerate() {
            self.draft.column_mut(*column).foreign_key = true;
            // Without a list the key meets the primary key of the other table.
            let meets = match referred_columns.get(position) {
                Some(ident) => Some(self.target_column(referred, ident)),
                None => self.primary_key(referred).get(position).copied(),
            };
            if let Some(meets) = meets {
                let source = self.draft.endpoint(meets);
                for kind in [RelationKind::Fdd, RelationKind::Er] {
                    self.draft.relate(kind, Effect::ForeignKey, *column, vec![source]);
                }
            }
        }
    }

    fn primary_key(&self, table: ObjectIndex) -> Vec<ColumnIndex> {
        let columns = self.draft.object(table).columns.iter().enumerate();
        columns
            .filter(|(_, column)| column.primary_key)
            .map(|(column, _)| ColumnIndex { object: table, column })
            .collect()
    }

    fn create_view(&mut self, create: &CreateView, text: &str) {
        let result = self.query(&create.query, &Role::Result, None);
        self.begin("Create View", "sstcreateview", text);
        let view = self.draft.stored(&create.name, ObjectKind::View);
        let columns: Vec<&Ident> = create.columns.iter().map(|column| &column.name).collect();
        self.create(result, view, Effect::CreateView, &columns);
        if let Some(target) = &create.to {
            let target = self.draft.stored(target, ObjectKind::Table);
            self.feed(view, target, Effect::Insert, None);
        }
    }

    /// Lets a record set become a table or a view, under the names given or its own.
    pub(super) fn create(&mut self, result: ObjectIndex, target: ObjectIndex, effect: Effect, columns: &[&Ident]) {
        let targets: Vec<ColumnIndex> = columns.iter().map(|ident| self.target_column(target, ident)).collect();
        let named = !targets.is_empty();
        self.feed(result, target, effect, named.then_some(targets));
        if named || self.draft.is_complete(result) {
            self.draft.complete(target);
        }
    }

    fn update(&mut self, update: &Update, text: &str) {
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        let from = match &update.from {
            Some(UpdateTableFromKind::BeforeSet(from) | UpdateTableFromKind::AfterSet(from)) => from.as_slice(),
            None => &[],
        };
        // In `UPDATE a SET … FROM t AS a` the alias, not a table of that name, is what changes.
        let alias = self.single_name(&update.table).filter(|alias| self.names_alias(from, alias));
        if alias.is_none() {
            self.table_with_joins(&update.table, &mut scope, &mut joins);
        }
        for table in from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let meant = |item: &&Item| alias.as_ref().is_none_or(|alias| item.answers_to(alias));
        let target = scope.items.iter().find(meant).map(|item| item.object);
        let Some(target) = target else { return self.unread("the target of an update is") };
        self.begin("Update", "sstupdate", text);
        let at = self.range(update.table.span());
        let set = self.draft.numbered(ObjectKind::UpdateSet, "UPDATE-SET", at);
        self.assign(&update.assignments, set, target, &scope, Effect::Update);
        self.join_conditions(&joins, set, &scope, Effect::Select);
        if let Some(selection) = &update.selection {
            self.decide(selection, Clause::Where, set, &scope, Effect::Select);
        }
        self.inherit_rows(&scope, set);
        self.rows_to_rows(set, target, Effect::Update);
    }

    /// What a table is called if its name is a single word without an alias.
    fn single_name(&self, table: &TableWithJoins) -> Option<String> {
        let TableFactor::Table { name, alias: None, .. } = &table.relation else { return None };
        let [single] = names::parts(name)[..] else { return None };
        Some(self.draft.name(single).key)
    }

    fn names_alias(&self, tables: &[TableWithJoins], name: &str) -> bool {
        let factors = tables
            .iter()
            .flat_map(|table| std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)));
        let mut aliases = factors.filter_map(|factor| match factor {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => alias.as_ref(),
            _ => None,
        });
        aliases.any(|alias| self.draft.name(&alias.name).key == name)
    }

    fn rows_to_rows(&mut self, from: ObjectIndex, to: ObjectIndex, effect: Effect) {
        if self.draft.object(from).columns.iter().any(super::Column::is_relation_rows) {
            let rows = self.draft.relation_rows(from);
            let source = self.draft.endpoint(rows);
            self.decide_rows(to, effect, vec![source]);
        }
    }

    /// `SET a = …`, by way of a record set unless the target itself is given.
    fn assign(
        &mut self,
        assignments: &[Assignment],
        set: ObjectIndex,
        target: ObjectIndex,
        scope: &Scope<'_>,
        effect: Effect,
    ) {
        for assignment in assignments {
            let names: Vec<&ObjectName> = match &assignment.target {
                AssignmentTarget::ColumnName(name) => vec![name],
                AssignmentTarget::Tuple(names) => names.iter().collect(),
            };
            let values = self.assigned(&assignment.value, names.len(), scope);
            for (name, flow) in names.into_iter().zip(values) {
                let Some(ident) = names::parts(name).last().copied() else { continue };
                let changed = self.target_column(target, ident);
                if set == target {
                    self.draft.relate(RelationKind::Fdd, effect, changed, flow.values);
                    continue;
                }
                let name = self.draft.name(ident);
                let step = self.draft.column(set, &name);
                self.settle(step, flow);
                let source = self.draft.endpoint(step);
                self.draft.relate(RelationKind::Fdd, effect, changed, vec![source]);
            }
        }
    }

    /// The values that go to a number of columns: one each of a tuple or of a query's columns.
    fn assigned(&mut self, value: &Expr, width: usize, scope: &Scope<'_>) -> Vec<super::expression::Flow> {
        match value {
            Expr::Tuple(items) if items.len() == width => {
                items.iter().map(|item| self.expression(item, scope, Clause::SelectList)).collect()
            }
            Expr::Subquery(query) if width > 1 => {
                let result = self.query(query, &Role::Result, Some(scope));
                let columns = self.draft.columns_of(result).into_iter().map(|column| self.draft.endpoint(column));
                columns.map(|end| super::expression::Flow { values: vec![end], ..Default::default() }).collect()
            }
            other => vec![self.expression(other, scope, Clause::SelectList); width],
        }
    }

    fn delete(&mut self, delete: &Delete, text: &str) {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        for table in from.iter().chain(delete.using.iter().flatten()) {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        let named = delete.tables.first().map(|name| {
            let key = names::parts(name).iter().map(|ident| self.draft.name(ident).key).collect::<Vec<_>>().join(".");
            scope.items.iter().find(|item| item.answers_to(&key)).map(|item| item.object)
        });
        let Some(target) = named.flatten().or_else(|| scope.items.first().map(|item| item.object)) else {
            return self.unread("the target of a delete is");
        };
        self.begin("Delete", "sstdelete", text);
        self.join_conditions(&joins, target, &scope, Effect::Delete);
        if let Some(selection) = &delete.selection {
            self.decide(selection, Clause::Where, target, &scope, Effect::Delete);
        }
    }

    fn merge(&mut self, merge: &Merge, text: &str) {
        let mut scope = Scope::within(None);
        let mut joins = Vec::new();
        self.table_factor(&merge.table, &mut scope, &mut joins);
        let Some(target) = scope.items.first().map(|item| item.object) else {
            return self.unread("the target of a merge is");
        };
        self.table_factor(&merge.source, &mut scope, &mut joins);
        self.begin("Merge", "sstmerge", text);
        let at = self.range(merge.table.span());
        for clause in &merge.clauses {
            let (set, effect) = match &clause.action {
                MergeAction::Update(update) => {
                    let set = self.draft.numbered(ObjectKind::MergeUpdate, "MERGE-UPDATE", at);
                    self.assign(&update.assignments, set, target, &scope, Effect::MergeUpdate);
                    (set, Effect::MergeUpdate)
                }
                MergeAction::Insert(insert) => {
                    let set = self.draft.numbered(ObjectKind::MergeInsert, "MERGE-INSERT", at);
                    self.merge_insert(insert, set, target, &scope);
                    (set, Effect::MergeInsert)
                }
                MergeAction::Delete { .. } => (target, Effect::Delete),
            };
            self.decide(&merge.on, Clause::JoinCondition, set, &scope, Effect::Merge);
            if let Some(predicate) = &clause.predicate {
                self.decide(predicate, Clause::Where, set, &scope, Effect::Merge);
            }
            if set != target {
                self.rows_to_rows(set, target, effect);
            }
        }
    }

    fn merge_insert(&mut self, insert: &MergeInsertExpr, set: ObjectIndex, target: ObjectIndex, scope: &Scope<'_>) {
        let MergeInsertKind::Values(values) = &insert.kind else {
            return self.insert_row(set, target, scope);
        };
        let idents: Vec<&Ident> = insert.columns.iter().filter_map(|name| names::parts(name).last().copied()).collect();
        let mut targets: Vec<ColumnIndex> = idents.into_iter().map(|ident| self.target_column(target, ident)).collect();
        if targets.is_empty() {
            targets = if self.draft.is_complete(target) { self.draft.columns_of(target) } else { Vec::new() };
        }
        for value in values.rows.iter().flatten().skip(targets.len()) {
            // Nothing says how the columns of the table are called, so they are called like what goes into them.
            let name = self.name_of_value(value);
            targets.push(self.draft.column(target, &name));
        }
        for (changed, value) in
            values.rows.iter().flatten().enumerate().filter_map(|(i, value)| Some((*targets.get(i)?, value)))
        {
            let name = self.draft.name_of(changed);
            let step = self.draft.column(set, &name);
            let flow = self.expression(value, scope, Clause::SelectList);
            self.settle(step, flow);
            let source = self.draft.endpoint(step);
            self.draft.relate(RelationKind::Fdd, Effect::MergeInsert, changed, vec![source]);
        }
    }

    /// `INSERT ROW`: every column of the source, by name.
    fn insert_row(&mut self, set: ObjectIndex, target: ObjectIndex, scope: &Scope<'_>) {
        self.draft.complete(set);
        for item in scope.items.iter().skip(1) {
            self.all_columns(set, item.object, &[], self.draft.base);
        }
        self.feed(set, target, Effect::MergeInsert, None);
    }

    fn alter_table(&mut self, alter: &AlterTable, text: &str) {
        let table = self.draft.stored(&alter.name, ObjectKind::Table);
        self.begin("Alter Table", "sstaltertable", text);
        for operation in &alter.operations {
            match operation {
                AlterTableOperation::AddColumn { column_def, .. } => {
                    self.define(table, column_def);
                    self.column_constraints(table, column_def);
                }
                AlterTableOperation::AddConstraint { constraint, .. } => self.constrain(table, constraint),
                AlterTableOperation::RenameTable {
                    table_name: RenameTableNameKind::As(name) | RenameTableNameKind::To(name),
                } => {
                    let renamed = self.draft.stored(name, ObjectKind::Table);
                    self.rename(table, renamed);
                }
                _ => {}
            }
        }
    }

    fn rename(&mut self, table: ObjectIndex, renamed: ObjectIndex) {
        for source in self.draft.columns_of(table) {
            let name = self.draft.name_of(source);
            let target = self.draft.column(renamed, &name);
            let source = self.draft.endpoint(source);
            self.draft.relate(RelationKind::Fdd, Effect::CreateTable, target, vec![source]);
        }
        if self.draft.is_complete(table) {
            self.draft.complete(renamed);
        }
    }

    fn use_(&mut self, use_: &Use) {
        let name = match use_ {
            Use::Catalog(name) | Use::Database(name) | Use::Object(name) => (name, true),
            Use::Schema(name) => (name, false),
            _ => return,
        };
        let Some(last) = names::parts(name.0).last().map(|ident| ident.value.clone()) else { return };
        if name.1 {
            self.draft.settings.database = Some(last);
        } else {
            self.draft.settings.schema = Some(last);
        }
    }
}

fn has_foreign_key(create: &CreateTable) -> bool {
    let in_column = |option: &ColumnOption| matches!(option, ColumnOption::ForeignKey(_));
    create.constraints.iter().any(|constraint| matches!(constraint, TableConstraint::ForeignKey(_)))
        || create.columns.iter().flat_map(|column| &column.options).any(|option| in_column(&option.option))
}
