//! The options of the operations that return lineage: one setter for each, for every request that has the option.

/// Writes the setters of the options that requests have. Each request lists the options that the vendor documents for its
/// operation, and after `seen` those that were only seen in the vendor's own clients.
macro_rules! options {
    ($($request:ty: $($option:ident)*; seen $($seen:ident)*;)+) => {
        $(
            impl $request {
                $($crate::job::options::option!($option, "");)*
                $($crate::job::options::option!(
                    $seen,
                    "\n\nThe option was seen in the vendor's own clients, and the vendor does not document it for this operation."
                );)*
            }
        )+
    };
}
pub(crate) use options;

/// Writes the setter of one option, with a note at the end of its documentation.
macro_rules! option {
    (relation_types, $note:literal) => {
        /// Sets the types of relationships in the result. Server default: `fdd` only. An empty list is an error.
        #[doc = $note]
        pub fn relation_types(
            self,
            relation_types: impl ::std::iter::IntoIterator<Item = $crate::lineage::RelationType>,
        ) -> Self {
            self.with(|form| form.show_relation_type = Some(relation_types.into_iter().collect()))
        }
    };
    (job, $note:literal) => {
        /// Sets a job whose settings the server uses. Without a source of SQL, the request is about the SQL of the job.
        ///
        /// An empty id fails before anything is sent, because servers treat it as the latest job of the user.
        #[doc = $note]
        pub fn job(self, id: impl Into<$crate::JobId>) -> Self {
            self.with(|form| form.job_id = Some(id.into()))
        }
    };
    (vendor, $note:literal) => {
        /// Sets the dialect of the SQL. By default, the server uses that of the job.
        #[doc = $note]
        pub fn vendor(self, vendor: $crate::Vendor) -> Self {
            self.with(|form| form.dbvendor = Some(vendor))
        }
    };
    (distance, $note:literal) => {
        /// Sets the number of steps to follow from the table. By default, the server decides.
        #[doc = $note]
        pub fn distance(self, steps: u32) -> Self {
            self.with(|form| form.distance = Some(i32::try_from(steps).unwrap_or(i32::MAX)))
        }
    };
    (column_level, $note:literal) => {
        /// Sets whether the result is between columns (`true`) or between tables (`false`).
        #[doc = $note]
        pub fn column_level(self, columns: bool) -> Self {
            self.with(|form| form.column_level = Some(columns.to_string()))
        }
    };
    (column, $note:literal) => {
        /// Limits the result to what involves this column of the [`table`](Self::table). A column without a table is an
        /// error.
        #[doc = $note]
        pub fn column(self, name: impl Into<String>) -> Self {
            self.with(|form| form.column = Some(name.into()))
        }
    };
    (target_column, $note:literal) => {
        /// Limits the query to this column of the table.
        #[doc = $note]
        pub fn column(self, name: impl Into<String>) -> Self {
            self.with(|form| form.table_column = Some(name.into()))
        }
    };
    (simple_output, $note:literal) => {
        $crate::job::options::option!(
            flag simple_output,
            "Sets whether intermediate results are left out. Server default: `false`.",
            $note
        );
    };
    (ignore_record_set, $note:literal) => {
        $crate::job::options::option!(
            flag ignore_record_set,
            "Sets whether intermediate record sets are left out. Server default: `false`.",
            $note
        );
    };
    // In direct analysis, the vendor documents an exception.
    (ignore_inner_record_set, $note:literal) => {
        $crate::job::options::option!(
            flag ignore_record_set,
            "Sets whether intermediate record sets are left out, except the output of the top level select list. Server \
             default: `false`.",
            $note
        );
    };
    (ignore_function, $note:literal) => {
        $crate::job::options::option!(
            flag ignore_function,
            "Sets whether function calls are left out. Server default: `false`.",
            $note
        );
    };
    (show_constant_table, $note:literal) => {
        $crate::job::options::option!(
            flag show_constant_table,
            "Sets whether literals are shown as the columns of a constant table. Server default: `false`.",
            $note
        );
    };
    (show_transform, $note:literal) => {
        $crate::job::options::option!(
            flag show_transform,
            "Sets whether the expressions that values pass through are shown. Server default: `false`.",
            $note
        );
    };
    (show_link_only, $note:literal) => {
        $crate::job::options::option!(
            flag show_link_only,
            "Sets whether only columns that take part in a relationship are shown. Server default: `true`.",
            $note
        );
    };
    (hide_column, $note:literal) => {
        $crate::job::options::option!(
            flag hide_column,
            "Sets whether tables are drawn without their columns. Server default: `false`.",
            $note
        );
    };
    (normalize_identifier, $note:literal) => {
        $crate::job::options::option!(
            flag normalize_identifier,
            "Sets whether identifiers are converted to the case that the dialect uses. Server default: `true`.",
            $note
        );
    };
    (treat_arguments_in_count_function_as_direct_dataflow, $note:literal) => {
        $crate::job::options::option!(
            flag treat_arguments_in_count_function_as_direct_dataflow,
            "Sets whether the arguments of `COUNT` count as direct sources. Server default: `false`.",
            $note
        );
    };
    (ignore_self_lineage, $note:literal) => {
        $crate::job::options::option!(
            flag ignore_self_lineage,
            "Sets whether lineage from a table to itself is left out. Server default: `true`.",
            $note
        );
    };
    (table_to_table, $note:literal) => {
        $crate::job::options::option!(
            flag table_to_table,
            "Sets whether only relationships between tables are returned. Server default: `false`.",
            $note
        );
    };
    (share, $note:literal) => {
        $crate::job::options::option!(
            flag share,
            "Sets whether the server creates a URL under which the result can be shared. Server default: `false`.",
            $note
        );
    };
    (all_tables_in_from_clause_included_in_table_level_lineage, $note:literal) => {
        $crate::job::options::option!(
            flag all_tables_in_from_clause_included_in_table_level_lineage,
            "Sets whether every table of a `FROM` clause is a source, also one that no column is read from.",
            $note
        );
    };
    (delimiter, $note:literal) => {
        $crate::job::options::option!(
            text delimiter,
            "Sets the delimiter between two values. Server default: a comma.",
            $note
        );
    };
    (session_id, $note:literal) => {
        $crate::job::options::option!(
            text session_id,
            "Sets the session of an earlier response ([`Lineage::session_id`](crate::Lineage::session_id)), to ask about \
             the same result again. In an analysis, it takes the place of a source of SQL.",
            $note
        );
    };
    (export_include_table, $note:literal) => {
        $crate::job::options::option!(
            text export_include_table,
            "Limits the export to these tables, in the notation of the server.",
            $note
        );
    };
    (export_include_servers, $note:literal) => {
        $crate::job::options::option!(
            text export_include_servers,
            "Limits the export to these servers, in the notation of the server.",
            $note
        );
    };
    (default_server, $note:literal) => {
        $crate::job::options::option!(
            text default_server,
            "Sets the server of names that do not specify one.",
            $note
        );
    };
    (default_database, $note:literal) => {
        $crate::job::options::option!(
            text default_database,
            "Sets the database of names that do not specify one.",
            $note
        );
    };
    (default_schema, $note:literal) => {
        $crate::job::options::option!(
            text default_schema,
            "Sets the schema of names that do not specify one.",
            $note
        );
    };
    (server, $note:literal) => {
        $crate::job::options::option!(text server, "Limits the result to what involves this server.", $note);
    };
    (database, $note:literal) => {
        $crate::job::options::option!(text database, "Limits the result to what involves this database.", $note);
    };
    (schema, $note:literal) => {
        $crate::job::options::option!(text schema, "Limits the result to what involves this schema.", $note);
    };
    (table, $note:literal) => {
        $crate::job::options::option!(text table, "Limits the result to what involves this table.", $note);
    };
    (tag, $note:literal) => {
        $crate::job::options::option!(text tag, "Sets a tag of the caller, which the server returns unchanged.", $note);
    };
    (flag $name:ident, $doc:literal, $note:literal) => {
        #[doc = $doc]
        #[doc = $note]
        pub fn $name(self, value: bool) -> Self {
            self.with(|form| form.$name = Some(value))
        }
    };
    (text $name:ident, $doc:literal, $note:literal) => {
        #[doc = $doc]
        #[doc = $note]
        pub fn $name(self, value: impl Into<String>) -> Self {
            self.with(|form| form.$name = Some(value.into()))
        }
    };
}
pub(crate) use option;
