//! Queries: what a statement reads from, and the record sets it makes on the way.

use std::collections::HashMap;

use flowscope_core::Dialect;
use sqlparser::ast::{
    ConnectByKind, Cte, Expr, FromTable, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, Join, JoinConstraint,
    JoinOperator, JsonTableColumn, ObjectName, OrderBy, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, Spanned, Statement, TableAlias, TableFactor, TableObject,
    TableWithJoins, Values, WildcardAdditionalOptions, With,
};
use sqlparser::tokenizer::Span;

use super::draft::Draft;
use super::expression::Flow;
use super::names::{self, Name};
use super::script::{Lines, Owned};
use super::{Clause, ColumnIndex, Effect, Endpoint, ObjectIndex, ObjectKind, ProblemKind, Range, RelationKind};

/// Queries nested deeper than this are given up on.
const MAX_DEPTH: usize = 200;

/// Literals of longer lists of values are not recorded, since there may be any number.
const MAX_VALUES_ROWS: usize = 1000;

/// Walks the syntax tree of one statement.
pub(super) struct Walker<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) file: &'a str,
    owned: &'a Owned,
    /// The text that the parser's spans refer to.
    lines: Lines<'a>,
    /// Common table expressions in reach, innermost last.
    ctes: Vec<HashMap<String, ObjectIndex>>,
    /// What the query being read groups by.
    pub(super) grouping: Vec<Endpoint>,
    pub(super) depth: usize,
    /// The procedure whose body is being read.
    pub(super) routine: Option<String>,
}

/// What a query's rows are for, which decides what they are called.
pub(super) enum Role {
    Result,
    Insert,
    Derived(String),
}

/// What the names in a query can refer to.
pub(super) struct Scope<'a> {
    pub(super) items: Vec<Item>,
    shared: Vec<Shared>,
    outer: Option<&'a Self>,
}

/// A column that a join by name makes one of several: it belongs to each of these objects.
struct Shared {
    key: String,
    objects: Vec<ObjectIndex>,
}

/// One entry of a FROM clause.
pub(super) struct Item {
    /// The qualifiers it answers to.
    names: Vec<String>,
    pub(super) object: ObjectIndex,
}

impl<'a> Scope<'a> {
    pub(super) fn within(outer: Option<&'a Self>) -> Self {
        Self { items: Vec::new(), shared: Vec::new(), outer }
    }

    /// The objects that a column belongs to if a join by name is what defines it.
    pub(super) fn sharing(&self, key: &str) -> &[ObjectIndex] {
        let shared = self.shared.iter().find(|shared| shared.key == key);
        shared.map_or(&[], |shared| shared.objects.as_slice())
    }

    fn item(&self, qualifier: &str) -> Option<ObjectIndex> {
        let found = self.items.iter().find(|item| item.answers_to(qualifier));
        found.map(|item| item.object).or_else(|| self.outer.and_then(|outer| outer.item(qualifier)))
    }
}

/// A condition under which entries of a FROM clause are joined.
pub(super) struct JoinClause<'a> {
    kind: &'static str,
    constraint: &'a JoinConstraint,
}

impl<'a> Walker<'a> {
    pub(super) fn new(draft: &'a mut Draft, file: &'a str, owned: &'a Owned, source: &'a str) -> Self {
        let lines = Lines::of(source, 0);
        Self { draft, file, owned, lines, ctes: Vec::new(), grouping: Vec::new(), depth: 0, routine: None }
    }

    pub(super) fn range(&self, span: Span) -> Range {
        self.draft.place(span)
    }

    /// Where an expression stands, with the parentheses it ends with.
    pub(super) fn extent(&self, expression: &Expr) -> Range {
        let span = expression.span();
        if span == Span::empty() {
            return self.range(span);
        }
        self.range(self.lines.closed(span, matches!(expression, Expr::Function(_))))
    }

    /// Says that a part of the statement is not reflected in the lineage.
    pub(super) fn not_analysed(&mut self, what: &str) {
        let (line, column) = self.draft.base.start;
        let message = format!("{}: {what} not analysed in the statement at line {line}, column {column}", self.file);
        self.draft.problem(ProblemKind::AnalyzeError, self.file, message, Some(self.draft.base));
    }

    /// Says that a detail of the statement is not reflected in the lineage, which is right without it.
    pub(super) fn remark(&mut self, what: &str) {
        let (line, column) = self.draft.base.start;
        let message = format!("{}: {what} not analysed in the statement at line {line}, column {column}", self.file);
        self.draft.problem(ProblemKind::SyntaxHint, self.file, message, Some(self.draft.base));
    }

    /// Reads a query and gives the record set it makes.
    pub(super) fn query(&mut self, query: &Query, role: &Role, outer: Option<&Scope<'_>>) -> ObjectIndex {
        if self.depth >= MAX_DEPTH {
            self.not_analysed("a query nested too deeply is");
            return self.record_set(&Role::Result, self.draft.base);
        }
        self.depth += 1;
        self.ctes.push(HashMap::new());
        if let Some(with) = &query.with {
            self.with(with, outer);
        }
        let object = self.body(&query.body, role, outer, query.order_by.as_ref());
        if !query.pipe_operators.is_empty() {
            self.not_analysed("pipe operators are");
        }
        self.ctes.pop();
        self.depth -= 1;
        object
    }

    fn with(&mut self, with: &With, outer: Option<&Scope<'_>>) {
        // These have no word for it: an expression that names itself is recursive.
        let implied =
            matches!(self.draft.dialect(), Dialect::Oracle | Dialect::Mssql | Dialect::Snowflake | Dialect::Generic);
        for cte in &with.cte_tables {
            self.cte(cte, with.recursive || implied, outer);
        }
    }

    fn cte(&mut self, cte: &Cte, recursive: bool, outer: Option<&Scope<'_>>) {
        let name = self.draft.name(&cte.alias.name);
        let object = self.draft.numbered(ObjectKind::WithCte, &format!("CTE-{}", name.normal), name.at);
        let declared: Vec<Name> = cte.alias.columns.iter().map(|column| self.draft.name(&column.name)).collect();
        for column in &declared {
            self.draft.add_column(object, column);
        }
        if recursive {
            self.bind(&name, object);
        }
        let result = self.query(&cte.query, &Role::Result, outer);
        let targets = (!declared.is_empty()).then(|| self.draft.columns_of(object));
        self.feed(result, object, Effect::Select, targets);
        if !declared.is_empty() {
            self.draft.complete(object);
        }
        self.bind(&name, object);
    }

    fn bind(&mut self, name: &Name, object: ObjectIndex) {
        if let Some(innermost) = self.ctes.last_mut() {
            innermost.insert(name.key.clone(), object);
        }
    }

    fn bound(&self, name: &Name) -> Option<ObjectIndex> {
        self.ctes.iter().rev().find_map(|ctes| ctes.get(&name.key)).copied()
    }

    fn body(&mut self, body: &SetExpr, role: &Role, outer: Option<&Scope<'_>>, order: Option<&OrderBy>) -> ObjectIndex {
        match body {
            SetExpr::Select(select) => self.select(select, role, outer, order),
            SetExpr::Query(query) => self.query(query, role, outer),
            SetExpr::SetOperation { op, .. } => self.set_operation(body, *op, outer),
            SetExpr::Values(values) => self.values(values, role, outer),
            SetExpr::Table(table) => self.whole_table(table.table_name.as_deref(), table.schema_name.as_deref(), role),
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => self.changing(statement, role),
        }
    }

    /// A statement inside a query, whose rows are those it returns.
    fn changing(&mut self, statement: &Statement, role: &Role) -> ObjectIndex {
        let outer = self.draft.process.take();
        self.statement(statement, &statement.to_string());
        self.draft.process = outer;
        let mut scope = Scope::within(None);
        let returning = match statement {
            Statement::Insert(insert) => {
                if let TableObject::TableName(name) = &insert.table {
                    self.named_table(name, None, &mut scope);
                }
                insert.returning.as_ref()
            }
            Statement::Update(update) => {
                self.table_factor(&update.table.relation, &mut scope, &mut Vec::new());
                update.returning.as_ref()
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                for table in from.iter().take(1) {
                    self.table_factor(&table.relation, &mut scope, &mut Vec::new());
                }
                delete.returning.as_ref()
            }
            _ => None,
        };
        let result = self.record_set(role, self.draft.base);
        self.draft.complete(result);
        for item in returning.into_iter().flatten() {
            self.projection(item, result, &scope);
        }
        result
    }

    fn record_set(&mut self, role: &Role, at: Range) -> ObjectIndex {
        match role {
            Role::Result => self.draft.numbered(ObjectKind::SelectList, "RS", at),
            Role::Insert => self.draft.numbered(ObjectKind::InsertSelect, "INSERT-SELECT", at),
            Role::Derived(alias) => self.draft.numbered(ObjectKind::SelectList, &format!("RESULT_OF_{alias}"), at),
        }
    }

    /// `TABLE t` is short for `SELECT * FROM t`.
    fn whole_table(&mut self, table: Option<&str>, schema: Option<&str>, role: &Role) -> ObjectIndex {
        let parts = [schema, table].into_iter().flatten().map(Ident::new).collect::<Vec<_>>();
        let table = self.draft.stored(&ObjectName::from(parts), ObjectKind::Table);
        let result = self.record_set(role, self.draft.base);
        self.draft.complete(result);
        self.all_columns(result, table, &[], self.draft.base);
        result
    }

    /// A chain of UNION, INTERSECT or EXCEPT. The columns are those of its first part; the others meet them by
    /// position.
    fn set_operation(&mut self, body: &SetExpr, op: SetOperator, outer: Option<&Scope<'_>>) -> ObjectIndex {
        let name = match op {
            SetOperator::Union => "RESULT_OF_UNION",
            SetOperator::Intersect => "RESULT_OF_INTERSECT",
            SetOperator::Except | SetOperator::Minus => "RESULT_OF_MINUS",
        };
        let at = self.range(body.span());
        let union = self.draft.numbered(ObjectKind::SelectUnion, name, at);
        let mut branches = Vec::new();
        let mut rest = body;
        while let SetExpr::SetOperation { op: this, left, right, .. } = rest
            && *this == op
        {
            branches.push(right.as_ref());
            rest = left;
        }
        branches.push(rest);
        branches.reverse();
        let results: Vec<ObjectIndex> =
            branches.into_iter().map(|branch| self.body(branch, &Role::Result, outer, None)).collect();
        self.unite(union, &results, op == SetOperator::Union);
        union
    }

    fn unite(&mut self, union: ObjectIndex, results: &[ObjectIndex], values_of_all: bool) {
        let Some((first, others)) = results.split_first() else { return };
        self.feed(*first, union, Effect::Select, None);
        let targets = self.draft.columns_of(union);
        for other in others {
            if values_of_all {
                self.feed(*other, union, Effect::Select, Some(targets.clone()));
            } else {
                let deciding =
                    self.draft.columns_of(*other).into_iter().map(|column| self.draft.endpoint(column)).collect();
                let rows = self.draft.relation_rows(union);
                self.draft.relate(RelationKind::Fdr, Effect::Select, rows, deciding);
            }
        }
    }

    fn values(&mut self, values: &Values, role: &Role, outer: Option<&Scope<'_>>) -> ObjectIndex {
        let result = self.record_set(role, self.draft.base);
        let width = values.rows.iter().map(Vec::len).max().unwrap_or_default();
        let mut flows: Vec<Flow> = (0..width).map(|_| Flow::default()).collect();
        let scope = Scope::within(outer);
        for row in values.rows.iter().take(MAX_VALUES_ROWS) {
            for (flow, value) in flows.iter_mut().zip(row) {
                flow.join(self.expression(value, &scope, Clause::InsertValues));
            }
        }
        for (position, flow) in flows.into_iter().enumerate() {
            let name = self.draft.made_up(format!("column{}", position + 1), self.draft.base);
            let column = self.draft.add_column(result, &name);
            self.settle(column, flow);
        }
        self.draft.complete(result);
        result
    }

    fn select(
        &mut self,
        select: &Select,
        role: &Role,
        outer: Option<&Scope<'_>>,
        order: Option<&OrderBy>,
    ) -> ObjectIndex {
        let mut scope = Scope::within(outer);
        let mut joins = Vec::new();
        for table in &select.from {
            self.table_with_joins(table, &mut scope, &mut joins);
        }
        for view in &select.lateral_views {
            let arguments = self.expression(&view.lateral_view, &scope, Clause::SelectList);
            let alias = names::parts(&view.lateral_view_name).last().map(|name| self.draft.name(name));
            let columns: Vec<Name> = view.lateral_col_alias.iter().map(|name| self.draft.name(name)).collect();
            self.table_function("lateral view", alias, &columns, arguments, &mut scope);
        }
        let at = self.range(Span::union_iter(select.projection.iter().map(Spanned::span)));
        let result = self.record_set(role, at);
        self.draft.complete(result);
        let outer_grouping = std::mem::take(&mut self.grouping);
        self.grouping = self.group_by(select, &scope);
        for item in &select.projection {
            self.projection(item, result, &scope);
        }
        self.grouping = outer_grouping;
        self.filters(select, result, &scope, &joins);
        self.ordering(order, select, result, &scope);
        self.inherit_rows(&scope, result);
        if let Some(into) = &select.into {
            let table = self.draft.stored(&into.name, ObjectKind::Table);
            self.begin("Create Table", "sstcreatetable", &select.to_string());
            self.create(result, table, Effect::CreateTable, &[]);
            self.draft.process = None;
        }
        result
    }

    pub(super) fn table_with_joins<'q>(
        &mut self,
        table: &'q TableWithJoins,
        scope: &mut Scope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        let start = scope.items.len();
        self.table_factor(&table.relation, scope, joins);
        for join in &table.joins {
            let middle = scope.items.len();
            self.table_factor(&join.relation, scope, joins);
            if let Some(clause) = join_clause(join) {
                self.share(clause.constraint, start, middle, scope);
                joins.push(clause);
            }
        }
    }

    /// Notes the columns by whose names two sides of a FROM clause are joined.
    fn share(&self, constraint: &JoinConstraint, start: usize, middle: usize, scope: &mut Scope<'_>) {
        let objects = |items: &[Item]| items.iter().map(|item| item.object).collect::<Vec<_>>();
        let left = objects(&scope.items[start..middle]);
        let right = objects(&scope.items[middle..]);
        let (keys, sure): (Vec<String>, bool) = match constraint {
            JoinConstraint::Using(columns) => {
                let idents = columns.iter().filter_map(|name| names::parts(name).last().copied());
                (idents.map(|ident| self.draft.name(ident).key).collect(), true)
            }
            JoinConstraint::Natural => (self.known_keys(&right), false),
            _ => return,
        };
        for key in keys {
            let (Some(left), Some(right)) = (self.holder(&key, &left, sure), self.holder(&key, &right, sure)) else {
                continue;
            };
            let mut objects = scope.sharing(&key).to_vec();
            if objects.is_empty() {
                objects.push(left);
            }
            objects.push(right);
            scope.shared.retain(|shared| shared.key != key);
            scope.shared.push(Shared { key, objects });
        }
    }

    /// The table of one side that is known to have a column, or else, if one is sure to have it, the first that may.
    fn holder(&self, key: &String, side: &[ObjectIndex], sure: bool) -> Option<ObjectIndex> {
        let known = side.iter().find(|object| self.known_keys(&[**object]).contains(key));
        let possible = || side.iter().find(|object| sure && !self.draft.is_complete(**object));
        known.or_else(possible).copied()
    }

    /// The names of columns that tables are known to have.
    fn known_keys(&self, objects: &[ObjectIndex]) -> Vec<String> {
        let columns = objects.iter().flat_map(|object| self.draft.columns_of(*object));
        columns.map(|column| self.draft.name_of(column).key).collect()
    }

    pub(super) fn table_factor<'q>(
        &mut self,
        factor: &'q TableFactor,
        scope: &mut Scope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => self.named_table(name, alias.as_ref(), scope),
            TableFactor::Table { name, alias, args: Some(args), .. } => {
                self.called_table(name, &args.args, alias.as_ref(), scope);
            }
            TableFactor::Function { name, args, alias, .. } => self.called_table(name, args, alias.as_ref(), scope),
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                self.derived(*lateral, subquery, alias.as_ref(), scope);
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.table_with_joins(table_with_joins, scope, joins),
            TableFactor::TableFunction { expr, alias } => {
                let flow = self.expression(expr, scope, Clause::SelectList);
                self.aliased_function("table", alias.as_ref(), flow, scope);
            }
            TableFactor::UNNEST { array_exprs, alias, with_offset_alias, .. } => {
                let flow = self.expressions(array_exprs, scope, Clause::SelectList);
                self.aliased_function("unnest", alias.as_ref(), flow, scope);
                let offset = with_offset_alias.as_ref().map(|ident| self.draft.name(ident).key);
                scope.items.last_mut().into_iter().for_each(|item| item.names.extend(offset.clone()));
            }
            TableFactor::JsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let mut idents = Vec::new();
                json_columns(columns, &mut idents);
                self.function_with_columns("json_table", alias.as_ref(), &idents, flow, scope);
            }
            TableFactor::OpenJsonTable { json_expr, columns, alias, .. } => {
                let flow = self.expression(json_expr, scope, Clause::SelectList);
                let idents: Vec<&Ident> = columns.iter().map(|column| &column.name).collect();
                self.function_with_columns("openjson", alias.as_ref(), &idents, flow, scope);
            }
            TableFactor::Pivot { table, alias, .. } | TableFactor::Unpivot { table, alias, .. } => {
                self.not_analysed("PIVOT and UNPIVOT are");
                self.reshaped(table, alias.as_ref(), scope, joins);
            }
            TableFactor::MatchRecognize { table, alias, .. } => {
                self.not_analysed("MATCH_RECOGNIZE is");
                self.reshaped(table, alias.as_ref(), scope, joins);
            }
            TableFactor::XmlTable { .. } | TableFactor::SemanticView { .. } => {
                self.not_analysed("an XML table or semantic view is");
            }
        }
    }

    fn named_table(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut Scope<'_>) {
        let parts: Vec<Name> = names::parts(name).into_iter().map(|ident| self.draft.name(ident)).collect();
        let cte = match parts.as_slice() {
            [single] => self.bound(single),
            _ => None,
        };
        if cte.is_none() && self.elements(name, alias, scope) {
            return;
        }
        let object = cte.unwrap_or_else(|| self.draft.stored(name, ObjectKind::Table));
        let names = alias.map_or_else(|| qualifiers(&parts), |alias| vec![self.draft.name(&alias.name).key]);
        scope.items.push(Item { names, object });
    }

    fn derived(&mut self, lateral: bool, subquery: &Query, alias: Option<&TableAlias>, scope: &mut Scope<'_>) {
        let name = alias.map(|alias| self.draft.name(&alias.name));
        let role = name.as_ref().map_or(Role::Result, |name| Role::Derived(name.normal.clone()));
        let object =
            if lateral { self.query(subquery, &role, Some(scope)) } else { self.query(subquery, &role, scope.outer) };
        let columns = alias.into_iter().flat_map(|alias| &alias.columns);
        let renamed: Vec<Name> = columns.map(|column| self.draft.name(&column.name)).collect();
        self.draft.rename_columns(object, &renamed);
        scope.items.push(Item { names: name.map(|name| name.key).into_iter().collect(), object });
    }

    /// A table whose columns are turned into others in a way that is not followed: its own stay in reach.
    fn reshaped<'q>(
        &mut self,
        table: &'q TableFactor,
        alias: Option<&TableAlias>,
        scope: &mut Scope<'_>,
        joins: &mut Vec<JoinClause<'q>>,
    ) {
        let before = scope.items.len();
        self.table_factor(table, scope, joins);
        if let Some(alias) = alias {
            let name = self.draft.name(&alias.name).key;
            scope.items[before..].iter_mut().for_each(|item| item.names.push(name.clone()));
        }
    }

    fn called_table(
        &mut self,
        name: &ObjectName,
        args: &[FunctionArg],
        alias: Option<&TableAlias>,
        scope: &mut Scope<'_>,
    ) {
        let mut flow = Flow::default();
        for arg in args {
            if let FunctionArg::Named { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(expr), .. }
            | FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg
            {
                flow.join(self.expression(expr, scope, Clause::SelectList));
            }
        }
        self.aliased_function(&name.to_string(), alias, flow, scope);
    }

    fn aliased_function(&mut self, function: &str, alias: Option<&TableAlias>, arguments: Flow, scope: &mut Scope<'_>) {
        self.function_with_columns(function, alias, &[], arguments, scope);
    }

    /// A function whose columns the alias lists, or else the function itself.
    fn function_with_columns(
        &mut self,
        function: &str,
        alias: Option<&TableAlias>,
        own: &[&Ident],
        arguments: Flow,
        scope: &mut Scope<'_>,
    ) {
        let name = alias.map(|alias| self.draft.name(&alias.name));
        let listed: Vec<&Ident> = alias.into_iter().flat_map(|alias| &alias.columns).map(|def| &def.name).collect();
        let columns = if listed.is_empty() { own } else { &listed };
        let columns: Vec<Name> = columns.iter().map(|ident| self.draft.name(ident)).collect();
        self.table_function(function, name, &columns, arguments, scope);
    }

    /// A function in the place of a table: its arguments flow into every column it has. Without a list of columns those
    /// that are read are all that is known of it, and its name may stand for the one it has.
    fn table_function(
        &mut self,
        function: &str,
        alias: Option<Name>,
        columns: &[Name],
        arguments: Flow,
        scope: &mut Scope<'_>,
    ) {
        let object = self.draft.intermediate(ObjectKind::Function, function.to_owned(), self.draft.base);
        self.draft.call_with(object, arguments);
        for name in columns {
            self.draft.discover_column(object, name);
        }
        if !columns.is_empty() {
            self.draft.complete(object);
        }
        scope.items.push(Item { names: alias.map(|alias| alias.key).into_iter().collect(), object });
    }

    /// `FROM t, t.items`: the elements of an array that a table before it holds.
    fn elements(&mut self, name: &ObjectName, alias: Option<&TableAlias>, scope: &mut Scope<'_>) -> bool {
        let parts: Vec<Ident> = names::parts(name).into_iter().cloned().collect();
        let idents: Vec<&Ident> = parts.iter().collect();
        let within = (1..parts.len()).any(|length| {
            let qualifier = self.joined_key(&idents[..length]);
            scope.items.iter().any(|item| item.answers_to(&qualifier))
        });
        if !within || !matches!(self.draft.dialect(), Dialect::Bigquery | Dialect::Redshift) {
            return false;
        }
        let array = self.expression(&Expr::CompoundIdentifier(parts.clone()), scope, Clause::SelectList);
        let element = alias.map(|alias| &alias.name).or(parts.last());
        let element = element.map(|ident| self.draft.name(ident));
        self.table_function("unnest", element, &[], array, scope);
        true
    }

    fn group_by(&mut self, select: &Select, scope: &Scope<'_>) -> Vec<Endpoint> {
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return Vec::new() };
        let mut grouping = Vec::new();
        for expression in expressions {
            let meant = self.unaliased(expression, select, scope);
            grouping.extend(self.expression(meant, scope, Clause::Unknown).into_deciding(self.draft));
        }
        grouping
    }

    /// The expression behind an alias of the select list, or behind its position in it.
    fn unaliased<'q>(&self, expression: &'q Expr, select: &'q Select, scope: &Scope<'_>) -> &'q Expr {
        if let Expr::Identifier(ident) = expression {
            let name = self.draft.name(ident);
            let column = scope.items.iter().any(|item| self.draft.existing(item.object, &name).is_some());
            let aliased = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if self.draft.name(alias).key == name.key => Some(expr),
                _ => None,
            });
            return aliased.filter(|_| !column).unwrap_or(expression);
        }
        let position = expression.to_string().parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        match position.and_then(|position| select.projection.get(position)) {
            Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => expr,
            _ => expression,
        }
    }

    fn projection(&mut self, item: &SelectItem, result: ObjectIndex, scope: &Scope<'_>) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let name = self.name_of_value(expr);
                self.output(expr, &name, result, scope);
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let at = self.range(expr.span().union(&alias.span));
                let name = self.draft.name(alias);
                self.output(expr, &Name { at, ..name }, result, scope);
            }
            SelectItem::Wildcard(options) => {
                let excluded = self.excluded(options);
                let at = self.range(options.wildcard_token.0.span);
                for item in &scope.items {
                    self.all_columns(result, item.object, &excluded, at);
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let excluded = self.excluded(options);
                let qualifier = self.joined_key(&names::parts(name));
                if let Some(object) = scope.item(&qualifier) {
                    let at = self.range(options.wildcard_token.0.span);
                    self.all_columns(result, object, &excluded, at);
                } else {
                    self.not_analysed(&format!("{name}.* is"));
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
                let name = self.draft.made_up("*", self.range(expr.span()));
                self.output(expr, &name, result, scope);
            }
        }
    }

    /// What a column is called that is given a value and no name.
    pub(super) fn name_of_value(&self, expr: &Expr) -> Name {
        let at = self.extent(expr);
        let name = match expr {
            Expr::Identifier(ident) => self.draft.name(ident),
            Expr::CompoundIdentifier(parts) if !parts.is_empty() => self.draft.name(&parts[parts.len() - 1]),
            other => self.draft.made_up(other.to_string(), at),
        };
        Name { at, ..name }
    }

    fn output(&mut self, expr: &Expr, name: &Name, result: ObjectIndex, scope: &Scope<'_>) {
        let flow = self.expression(expr, scope, Clause::SelectList);
        let column = self.draft.add_column(result, name);
        self.settle(column, flow);
    }

    /// Lets a flow end in a column of a record set.
    pub(super) fn settle(&mut self, column: ColumnIndex, flow: Flow) {
        self.draft.relate(RelationKind::Fdd, Effect::Select, column, flow.values);
        self.draft.relate(RelationKind::Fdr, Effect::Select, column, flow.deciding);
        self.draft.relate(RelationKind::Frd, Effect::Select, column, flow.rows);
    }

    fn excluded(&mut self, options: &WildcardAdditionalOptions) -> Vec<String> {
        use sqlparser::ast::ExcludeSelectItem;

        if options.opt_replace.is_some() || options.opt_rename.is_some() || options.opt_ilike.is_some() {
            self.not_analysed("what is done to the columns of * is");
        }

        let excluded: Vec<&Ident> = match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(ident)) => vec![ident],
            Some(ExcludeSelectItem::Multiple(idents)) => idents.iter().collect(),
            None => Vec::new(),
        };
        let except = options
            .opt_except
            .iter()
            .flat_map(|except| std::iter::once(&except.first_element).chain(&except.additional_elements));
        excluded.into_iter().chain(except).map(|ident| self.draft.name(ident).key).collect()
    }

    /// `*`: every column that is known, or one named `*` that stands for those that are not.
    pub(super) fn all_columns(&mut self, result: ObjectIndex, from: ObjectIndex, excluded: &[String], at: Range) {
        for source in self.draft.columns_of_star(from, at) {
            let name = Name { at, ..self.draft.name_of(source) };
            if excluded.contains(&name.key) {
                continue;
            }
            let column = if self.draft.is_star(source) {
                self.draft.pass_through(result, from, Effect::Select);
                self.draft.incomplete(result);
                self.draft.column(result, &name)
            } else {
                self.draft.add_column(result, &name)
            };
            let source = Endpoint { column: source, clause: Some(Clause::SelectList), at };
            self.draft.relate(RelationKind::Fdd, Effect::Select, column, vec![source]);
        }
    }

    fn filters(&mut self, select: &Select, result: ObjectIndex, scope: &Scope<'_>, joins: &[JoinClause<'_>]) {
        self.join_conditions(joins, result, scope, Effect::Select);
        let wheres = select.selection.iter().chain(&select.prewhere).map(|expr| (expr, Clause::Where));
        let having = select.having.iter().chain(&select.qualify).map(|expr| (expr, Clause::Unknown));
        let hierarchy = select.connect_by.iter().flat_map(|clause| match clause {
            ConnectByKind::ConnectBy { relationships, .. } => relationships.as_slice(),
            ConnectByKind::StartWith { condition, .. } => std::slice::from_ref(condition.as_ref()),
        });
        let hierarchy = hierarchy.map(|expr| (expr, Clause::Where));
        for (expr, clause) in wheres.chain(having).chain(hierarchy) {
            self.decide(expr, clause, result, scope, Effect::Select);
        }
    }

    /// Lets an expression decide the record set of an object.
    pub(super) fn decide(
        &mut self,
        expr: &Expr,
        clause: Clause,
        target: ObjectIndex,
        scope: &Scope<'_>,
        effect: Effect,
    ) {
        if clause != Clause::OrderBy {
            self.comparisons(expr, "inner", scope);
        }
        let sources = self.expression(expr, scope, clause).into_deciding(self.draft);
        self.decide_rows(target, effect, sources);
    }

    pub(super) fn decide_rows(&mut self, target: ObjectIndex, effect: Effect, sources: Vec<Endpoint>) {
        if !sources.is_empty() {
            let rows = self.draft.relation_rows(target);
            self.draft.relate(RelationKind::Fdr, effect, rows, sources);
        }
    }

    pub(super) fn join_conditions(
        &mut self,
        joins: &[JoinClause<'_>],
        target: ObjectIndex,
        scope: &Scope<'_>,
        effect: Effect,
    ) {
        for join in joins {
            match join.constraint {
                JoinConstraint::On(condition) => {
                    self.comparisons(condition, join.kind, scope);
                    let sources = self.expression(condition, scope, Clause::JoinCondition).into_deciding(self.draft);
                    self.decide_rows(target, effect, sources);
                }
                JoinConstraint::Using(columns) => {
                    let idents = columns.iter().filter_map(|name| names::parts(name).last().copied());
                    for ident in idents {
                        let name = self.draft.name(ident);
                        let sources = self.shared_column(&name, Clause::JoinCondition, scope);
                        self.decide_rows(target, effect, sources);
                    }
                }
                JoinConstraint::Natural => self.remark("the columns that a natural join compares are"),
                JoinConstraint::None => {}
            }
        }
    }

    /// A column that a join by name defines, in each of the tables it belongs to. Nothing for any other column.
    pub(super) fn shared_column(&mut self, name: &Name, clause: Clause, scope: &Scope<'_>) -> Vec<Endpoint> {
        let objects = scope.sharing(&name.key);
        let columns = objects.iter().filter_map(|object| self.draft.find_column(*object, name));
        columns.map(|column| Endpoint { column, clause: Some(clause), at: name.at }).collect()
    }

    fn ordering(&mut self, order: Option<&OrderBy>, select: &Select, result: ObjectIndex, scope: &Scope<'_>) {
        let Some(OrderBy { kind: OrderByKind::Expressions(expressions), .. }) = order else { return };
        for ordered in expressions {
            let meant = self.unaliased(&ordered.expr, select, scope);
            self.decide(meant, Clause::OrderBy, result, scope, Effect::Select);
        }
    }

    /// What decides the rows of a part decides those of the whole.
    pub(super) fn inherit_rows(&mut self, scope: &Scope<'_>, result: ObjectIndex) {
        for item in &scope.items {
            self.inherit_rows_of(item.object, result, Effect::Select);
        }
    }

    fn inherit_rows_of(&mut self, part: ObjectIndex, whole: ObjectIndex, effect: Effect) {
        let decided = self.draft.object(part).columns.iter().any(super::Column::is_relation_rows);
        if decided && self.draft.object(part).kind.is_record_set() {
            let source = self.draft.relation_rows(part);
            let source = self.draft.endpoint(source);
            self.decide_rows(whole, effect, vec![source]);
        }
    }

    /// Lets the columns of a record set end in those of another object: the given ones, or those of the same names.
    pub(super) fn feed(
        &mut self,
        result: ObjectIndex,
        target: ObjectIndex,
        effect: Effect,
        columns: Option<Vec<ColumnIndex>>,
    ) {
        let sources = self.draft.columns_of(result);
        let unknown = (!self.draft.is_complete(result)).then(|| {
            let star = self.draft.made_up("*", self.draft.base);
            sources.iter().position(|source| Some(*source) == self.draft.existing(result, &star))
        });
        match (columns, unknown.flatten()) {
            (Some(columns), star) => {
                for (position, column) in columns.into_iter().enumerate() {
                    let source = match star {
                        Some(star) if position >= star => sources.get(star),
                        _ => sources.get(position),
                    };
                    self.feed_column(source.copied(), column, effect);
                }
            }
            (None, star) => {
                let fresh = self.draft.columns_of(target).is_empty();
                for source in &sources {
                    let name = self.draft.name_of(*source);
                    let column = if fresh && star.is_none() && effect != Effect::Insert {
                        self.draft.add_column(target, &name)
                    } else {
                        self.draft.column(target, &name)
                    };
                    self.feed_column(Some(*source), column, effect);
                }
                if star.is_some() {
                    self.draft.pass_through(target, result, effect);
                } else if fresh && effect != Effect::Insert {
                    self.draft.complete(target);
                }
            }
        }
        if self.draft.object(target).kind.is_record_set() && self.draft.is_complete(result) {
            self.draft.complete(target);
        }
        self.inherit_rows_of(result, target, effect);
    }

    fn feed_column(&mut self, source: Option<ColumnIndex>, target: ColumnIndex, effect: Effect) {
        if let Some(source) = source {
            let source = self.draft.endpoint(source);
            self.draft.relate(RelationKind::Fdd, effect, target, vec![source]);
        }
    }

    /// The column that an identifier means.
    pub(super) fn resolve(&mut self, parts: &[Ident], scope: &Scope<'_>) -> Option<(ColumnIndex, Range)> {
        let (last, _) = parts.split_last()?;
        let name = self.draft.name(last);
        let at = self.range(Span::union_iter(parts.iter().map(|part| part.span)));
        let found =
            if parts.len() == 1 { self.resolve_bare(&name, scope) } else { self.resolve_qualified(parts, scope) };
        let column = match found {
            Some(column) => column,
            None if is_no_column(last, parts.len() > 1) || scope.is_empty() => return None,
            None => self.draft.orphan(&name, self.file),
        };
        Some((column, at))
    }

    /// `t.c`, `s.t.c`, and `c.field` of a column that holds a structure.
    fn resolve_qualified(&mut self, parts: &[Ident], scope: &Scope<'_>) -> Option<ColumnIndex> {
        let idents: Vec<&Ident> = parts.iter().collect();
        for length in (1..parts.len()).rev() {
            let qualifier = self.joined_key(&idents[..length]);
            if let Some(object) = scope.item(&qualifier) {
                let name = self.draft.name(&parts[length]);
                return self.draft.find_column(object, &name);
            }
        }
        let name = self.draft.name(&parts[0]);
        let known = scope.items.iter().find_map(|item| self.draft.existing(item.object, &name));
        known.or_else(|| {
            (is_structured(self.draft) && scope.items.len() == 1).then(|| self.resolve_bare(&name, scope)).flatten()
        })
    }

    fn resolve_bare(&mut self, name: &Name, scope: &Scope<'_>) -> Option<ColumnIndex> {
        let known = scope
            .items
            .iter()
            .find_map(|item| self.draft.existing(item.object, name).filter(|_| self.draft.is_complete(item.object)));
        if known.is_some() {
            return known;
        }
        if let Some(object) = scope.sharing(&name.key).first() {
            return self.draft.find_column(*object, name);
        }
        if let Some(element) = scope.items.iter().find(|item| self.is_element(item, name)) {
            return self.draft.find_column(element.object, name);
        }
        let open: Vec<ObjectIndex> =
            scope.items.iter().map(|item| item.object).filter(|object| !self.draft.is_complete(*object)).collect();
        let chosen = match open.as_slice() {
            [] => return scope.outer.and_then(|outer| self.resolve_bare(name, outer)),
            [single] => Some(*single),
            several => self.owner(several, name),
        };
        if chosen.is_some() && is_word_for_a_value(name) {
            return None;
        }
        chosen.and_then(|object| self.draft.find_column(object, name))
    }

    /// Whether a name stands for the one column of a function in the place of a table.
    fn is_element(&self, item: &Item, name: &Name) -> bool {
        let function = self.draft.object(item.object).kind == ObjectKind::Function;
        function && item.answers_to(&name.key) && !self.draft.is_complete(item.object)
    }

    /// Asks the graph of `flowscope-core` which of several tables has the column.
    fn owner(&self, candidates: &[ObjectIndex], name: &Name) -> Option<ObjectIndex> {
        let column = name.normal.to_lowercase();
        let owns = |object: &&ObjectIndex| {
            let table = self.draft.object(**object);
            let simple = table.normal_name.rsplit('.').next().unwrap_or_default().to_lowercase();
            [simple, table.normal_name.to_lowercase()]
                .into_iter()
                .any(|table| self.owned.contains(&(table, column.clone())))
        };
        let mut owners = candidates.iter().filter(owns);
        let owner = owners.next().copied();
        owner.filter(|_| owners.next().is_none())
    }

    fn joined_key(&self, idents: &[&Ident]) -> String {
        idents.iter().map(|ident| self.draft.name(ident).key).collect::<Vec<_>>().join(".")
    }
}

impl Item {
    /// Whether a qualifier means this entry.
    pub(super) fn answers_to(&self, qualifier: &str) -> bool {
        self.names.iter().any(|name| name == qualifier)
    }
}

impl Scope<'_> {
    /// Whether there is nothing a column could belong to.
    fn is_empty(&self) -> bool {
        self.items.is_empty() && self.outer.is_none_or(Scope::is_empty)
    }
}

/// Every way to qualify a column of a table that has no alias.
fn qualifiers(parts: &[Name]) -> Vec<String> {
    (0..parts.len())
        .map(|from| parts[from..].iter().map(|part| part.key.as_str()).collect::<Vec<_>>().join("."))
        .collect()
}

/// Words that look like columns and are values of the session or of a sequence.
fn is_word_for_a_value(name: &Name) -> bool {
    const WORDS: [&str; 12] = [
        "sysdate",
        "systimestamp",
        "current_date",
        "current_timestamp",
        "current_time",
        "localtimestamp",
        "current_user",
        "session_user",
        "user",
        "rownum",
        "level",
        "uid",
    ];
    name.written.starts_with('@') || WORDS.contains(&name.written.to_lowercase().as_str())
}

fn is_no_column(last: &Ident, qualified: bool) -> bool {
    let word = last.value.to_lowercase();
    let sequence = qualified && matches!(word.as_str(), "nextval" | "currval");
    let name = Name { written: last.to_string(), normal: String::new(), key: String::new(), at: Range::default() };
    sequence || is_word_for_a_value(&name)
}

/// Whether `a.b` may be the field of a column.
fn is_structured(draft: &Draft) -> bool {
    matches!(
        draft.dialect(),
        Dialect::Bigquery | Dialect::Databricks | Dialect::Hive | Dialect::Duckdb | Dialect::Clickhouse
    )
}

/// The columns that `JSON_TABLE` declares, those of nested paths among them.
fn json_columns<'q>(columns: &'q [JsonTableColumn], found: &mut Vec<&'q Ident>) {
    for column in columns {
        match column {
            JsonTableColumn::Named(named) => found.push(&named.name),
            JsonTableColumn::ForOrdinality(name) => found.push(name),
            JsonTableColumn::Nested(nested) => json_columns(&nested.columns, found),
        }
    }
}

fn join_clause(join: &Join) -> Option<JoinClause<'_>> {
    let (kind, constraint) = match &join.join_operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) | JoinOperator::StraightJoin(constraint) => {
            ("inner", constraint)
        }
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => ("left", constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => ("right", constraint),
        JoinOperator::FullOuter(constraint) => ("full", constraint),
        JoinOperator::CrossJoin(constraint) => ("cross", constraint),
        JoinOperator::Semi(constraint) | JoinOperator::LeftSemi(constraint) | JoinOperator::RightSemi(constraint) => {
            ("semi", constraint)
        }
        JoinOperator::Anti(constraint) | JoinOperator::LeftAnti(constraint) | JoinOperator::RightAnti(constraint) => {
            ("anti", constraint)
        }
        JoinOperator::AsOf { constraint, .. } => ("asof", constraint),
        JoinOperator::CrossApply | JoinOperator::OuterApply => return None,
    };
    Some(JoinClause { kind, constraint })
}
