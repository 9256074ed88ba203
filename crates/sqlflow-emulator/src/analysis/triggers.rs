//! Triggers: the rows that a statement changes have names in them, `NEW` and `OLD`, or `inserted` and `deleted`.

use sqlparser::ast::ObjectName;

use super::identifier::Identifier;
use super::walker::StatementWalker;
use super::{ObjectIndex, ObjectKind};

/// The names of changed rows.
const CHANGED_ROWS: [&str; 4] = ["new", "old", "inserted", "deleted"];

impl StatementWalker<'_> {
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
