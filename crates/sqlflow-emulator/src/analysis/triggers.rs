//! Triggers: the rows that a statement changes have names in them, `NEW` and `OLD`, or `inserted` and `deleted`.

use sqlparser::ast::ObjectName;

use super::identifier::Identifier;
use super::walker::StatementWalker;
use super::{ObjectIndex, ObjectKind};

/// The names of changed rows.
const CHANGED_ROWS: [&str; 6] = ["new", "old", "inserted", "deleted", ":new", ":old"];

impl StatementWalker<'_> {
    /// Reads the call of a routine in PL/SQL. Those of the database itself write no tables.
    pub(super) fn call_without_a_word(&mut self, name: &ObjectName) {
        let text = name.to_string().to_lowercase();
        let own = ["dbms_", "utl_", "sys.", "raise_application_error", "apex_"];
        if !own.iter().any(|prefix| text.starts_with(prefix)) {
            self.call(name);
        }
    }

    /// Enters a trigger on a table.
    pub(super) fn enter_trigger(&mut self, table: &ObjectName) {
        let table = self.builder.stored(table, ObjectKind::Table);
        self.builder.trigger = self.routine.clone().map(|routine| (routine, table));
    }

    /// Returns the table of the trigger around the statement, if a name means its changed rows.
    pub(super) fn changed_rows(&self, name: &Identifier) -> Option<ObjectIndex> {
        let (trigger, table) = self.builder.trigger.as_ref()?;
        let is_one = CHANGED_ROWS.iter().any(|known| name.normal.eq_ignore_ascii_case(known));
        (is_one && self.routine.as_ref() == Some(trigger)).then_some(*table)
    }
}
