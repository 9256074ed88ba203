//! Statements without lineage.

use sqlparser::ast::Statement;

/// Returns `true` for a statement that moves no values between tables: it defines, shows or sets something else, or
/// only removes or protects what is there. The list is complete, so that a kind of statement which a new version of the
/// parser adds cannot be passed over by accident.
#[expect(clippy::too_many_lines, reason = "one line for each kind of statement")]
pub(super) fn has_no_lineage(statement: &Statement) -> bool {
    match statement {
        Statement::Analyze(..)
        | Statement::Truncate(..)
        | Statement::Msck(..)
        | Statement::Install { .. }
        | Statement::Load { .. }
        | Statement::Raise(..)
        | Statement::Open(..)
        | Statement::Close { .. }
        | Statement::CreateVirtualTable { .. }
        | Statement::CreateIndex(..)
        | Statement::CreateRole(..)
        | Statement::CreateSecret { .. }
        | Statement::CreateServer(..)
        | Statement::CreateForeignDataWrapper(..)
        | Statement::CreateUserMapping(..)
        | Statement::CreatePolicy(..)
        | Statement::CreateConnector(..)
        | Statement::CreateOperator(..)
        | Statement::CreateOperatorFamily(..)
        | Statement::CreateOperatorClass(..)
        | Statement::CreateTextSearch(..)
        | Statement::CreateAggregate(..)
        | Statement::AlterSchema(..)
        | Statement::AlterIndex { .. }
        | Statement::AlterFunction(..)
        | Statement::AlterType(..)
        | Statement::AlterCollation(..)
        | Statement::AlterOperator(..)
        | Statement::AlterOperatorFamily(..)
        | Statement::AlterOperatorClass(..)
        | Statement::AlterTextSearch(..)
        | Statement::AlterRole { .. }
        | Statement::AlterPolicy(..)
        | Statement::AlterTrigger(..)
        | Statement::AlterConnector { .. }
        | Statement::AlterSession { .. }
        | Statement::AttachDatabase { .. }
        | Statement::AttachDuckDBDatabase { .. }
        | Statement::DetachDuckDBDatabase { .. }
        | Statement::Drop { .. }
        | Statement::DropFunction(..)
        | Statement::DropDomain(..)
        | Statement::DropProcedure { .. }
        | Statement::DropSecret { .. }
        | Statement::DropPolicy(..)
        | Statement::DropRule(..)
        | Statement::DropConnector { .. }
        | Statement::CreateExtension(..)
        | Statement::CreateCollation(..)
        | Statement::DropExtension(..)
        | Statement::DropOperator(..)
        | Statement::DropOperatorFamily(..)
        | Statement::DropOperatorClass(..)
        | Statement::Fetch { .. }
        | Statement::Flush { .. }
        | Statement::Discard { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowStatus { .. }
        | Statement::ShowVariables { .. }
        | Statement::ShowCreate { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowCatalogs { .. }
        | Statement::ShowDatabases { .. }
        | Statement::ShowProcessList { .. }
        | Statement::ShowSchemas { .. }
        | Statement::ShowCharset(..)
        | Statement::ShowObjects(..)
        | Statement::ShowTables { .. }
        | Statement::ShowViews { .. }
        | Statement::ShowCollation { .. }
        | Statement::Comment { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::CreateSchema { .. }
        | Statement::CreateDatabase { .. }
        | Statement::DropTrigger(..)
        | Statement::CreateMacro { .. }
        | Statement::CreateStage { .. }
        | Statement::CreateFileFormat { .. }
        | Statement::CreateWarehouse(..)
        | Statement::Assert { .. }
        | Statement::Grant(..)
        | Statement::GrantRole(..)
        | Statement::Deny(..)
        | Statement::Revoke(..)
        | Statement::RevokeRole(..)
        | Statement::AlterDefaultPrivileges(..)
        | Statement::Deallocate { .. }
        | Statement::Kill { .. }
        | Statement::ExplainTable { .. }
        | Statement::Explain { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. }
        | Statement::Cache { .. }
        | Statement::UNCache { .. }
        | Statement::CreateSequence { .. }
        | Statement::CreateDomain(..)
        | Statement::CreateType { .. }
        | Statement::Pragma { .. }
        | Statement::Lock(..)
        | Statement::LockTables { .. }
        | Statement::UnlockTables
        | Statement::OptimizeTable { .. }
        | Statement::LISTEN { .. }
        | Statement::UNLISTEN { .. }
        | Statement::NOTIFY { .. }
        | Statement::List(..)
        | Statement::Remove(..)
        | Statement::RaisError { .. }
        | Statement::Throw(..)
        | Statement::Print(..)
        | Statement::WaitFor(..)
        | Statement::CreateUser(..)
        | Statement::AlterUser(..)
        | Statement::Vacuum(..)
        | Statement::Reset(..)
        | Statement::RefreshMaterializedView(..) => true,
        Statement::Set(..)
        | Statement::Query(..)
        | Statement::Insert(..)
        | Statement::Directory { .. }
        | Statement::Case(..)
        | Statement::If(..)
        | Statement::While(..)
        | Statement::Call(..)
        | Statement::Copy { .. }
        | Statement::CopyIntoSnowflake { .. }
        | Statement::Update(..)
        | Statement::Delete(..)
        | Statement::CreateView(..)
        | Statement::CreateTable(..)
        | Statement::CreateForeignTable(..)
        | Statement::CreateRule(..)
        | Statement::AlterTable(..)
        | Statement::AlterView(..)
        | Statement::Declare { .. }
        | Statement::Use(..)
        | Statement::StartTransaction { .. }
        | Statement::CreateFunction(..)
        | Statement::CreateTrigger(..)
        | Statement::CreateProcedure { .. }
        | Statement::Execute { .. }
        | Statement::Prepare { .. }
        | Statement::Merge(..)
        | Statement::Unload { .. }
        | Statement::LoadData { .. }
        | Statement::RenameTable(..)
        | Statement::Put { .. }
        | Statement::Return(..)
        | Statement::ExportData(..) => false,
    }
}
