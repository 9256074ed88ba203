//! The operations: their paths, the credentials they require, and the handler that responds.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::envelope::{Failure, respond, success};
use super::faults::http::DeleteJobFirst;
use super::parameters::Parameters;
use super::request_log::{self, ParameterNames};
use super::{Service, direct, disposition, export, submission};

/// The prefixes of the operations' paths.
const PREFIXES: [&str; 2] = ["/api/gspLive_backend", "/gspLive_backend"];

/// The credentials that an operation requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequiredCredentials {
    /// No credentials.
    Open,
    /// A user id. A token is not part of the operation, but is checked if there is one.
    User,
    /// A user id and its token.
    Token,
}

/// One operation of the API.
struct Operation {
    path: &'static str,
    methods: &'static [Method],
    credentials: RequiredCredentials,
    action: Action,
}

/// The form in which a lineage is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrawingForm {
    Json,
    Image,
}

/// The action of an operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    GenerateToken,
    Submit,
    SubmitPersistent,
    DescribeJob,
    DescribeJobs,
    Delete,
    Rerun,
    SetOnTop,
    ListSchedules,
    PauseSchedule,
    ResumeSchedule,
    UpdateSchedule,
    ExportJson,
    ExportFullJson,
    ExportCsv,
    ExportGraphml,
    JobGraph,
    LatestJobGraph,
    LatestJobTables,
    JobTables,
    SelectedTables,
    LeftMost,
    LeftMostCsv,
    LeftMostGraph,
    LatestJobLeftMost,
    Upstream,
    Downstream,
    Selected,
    Calls,
    Analyze,
    AnalyzeGraph,
    AnalyzeTables,
    AnalyzeFullJson,
    AnalyzeCsv,
    Anonymous,
    CheckSyntax,
    Version,
    NotEmulated,
}

impl Action {
    /// Returns `true` for an operation whose lineage is always between tables.
    pub(super) fn is_table_level(self) -> bool {
        matches!(self, Self::LatestJobTables | Self::JobTables | Self::SelectedTables | Self::AnalyzeTables)
    }

    /// Returns `true` for an operation that takes no job, since it is about the latest one of its user.
    pub(super) fn is_about_the_latest_job(self) -> bool {
        matches!(self, Self::LatestJobGraph | Self::LatestJobTables | Self::LatestJobLeftMost)
    }

    /// Returns `true` for an operation that draws ultimate sources and what comes from them.
    pub(super) fn draws_ultimate_sources(self) -> bool {
        matches!(self, Self::LeftMostGraph | Self::LatestJobLeftMost)
    }
}

const POST: &[Method] = &[Method::POST];
const GET: &[Method] = &[Method::GET];
const BOTH: &[Method] = &[Method::GET, Method::POST];

const fn operation(
    path: &'static str,
    methods: &'static [Method],
    credentials: RequiredCredentials,
    action: Action,
) -> Operation {
    Operation { path, methods, credentials, action }
}

const fn job(path: &'static str, action: Action) -> Operation {
    operation(path, POST, RequiredCredentials::Token, action)
}

const fn missing(path: &'static str) -> Operation {
    operation(path, POST, RequiredCredentials::Token, Action::NotEmulated)
}

/// Every operation that the vendor publishes, and those that are only in its own clients.
static OPERATIONS: [Operation; 75] = [
    operation("/user/generateToken", POST, RequiredCredentials::Open, Action::GenerateToken),
    operation("/user/generateSecretKey", POST, RequiredCredentials::User, Action::NotEmulated),
    job("/demo/syntax/check", Action::CheckSyntax),
    operation("/api/anonymous/lineage", POST, RequiredCredentials::Open, Action::Anonymous),
    job("/sqlflow/job/submitUserJob", Action::Submit),
    job("/sqlflow/job/submitPersistJob", Action::SubmitPersistent),
    job("/sqlflow/job/displayUserJobSummary", Action::DescribeJob),
    job("/sqlflow/job/displayUserJobsSummary", Action::DescribeJobs),
    job("/sqlflow/job/deleteUserJob", Action::Delete),
    operation("/sqlflow/job/rerunJob", POST, RequiredCredentials::User, Action::Rerun),
    job("/sqlflow/job/setJobOnTop", Action::SetOnTop),
    job("/sqlflow/job/listScheduleJobs", Action::ListSchedules),
    job("/sqlflow/job/pauseScheduleJob", Action::PauseSchedule),
    job("/sqlflow/job/resumeScheduleJob", Action::ResumeSchedule),
    job("/sqlflow/job/updateScheduleJob", Action::UpdateSchedule),
    job("/sqlflow/job/exportLineageAsJson", Action::ExportJson),
    job("/sqlflow/job/exportFullLineageAsJson", Action::ExportFullJson),
    job("/sqlflow/job/exportFullLineageAsCsv", Action::ExportCsv),
    job("/sqlflow/job/exportLineageAsGraphml", Action::ExportGraphml),
    job("/sqlflow/job/displayUserJobGraph", Action::JobGraph),
    job("/sqlflow/job/displayUserLatestJobGraph", Action::LatestJobGraph),
    job("/sqlflow/job/leftMostSourceTable", Action::LeftMost),
    job("/sqlflow/job/leftMostSourceTableAsCsv", Action::LeftMostCsv),
    job("/sqlflow/generation/sqlflow", Action::Analyze),
    job("/sqlflow/generation/sqlflow/graph", Action::AnalyzeGraph),
    job("/sqlflow/generation/sqlflow/exportFullLineageAsJson", Action::AnalyzeFullJson),
    job("/sqlflow/generation/sqlflow/exportFullLineageAsCsv", Action::AnalyzeCsv),
    missing("/sqlflow/generation/deleteUserSchema"),
    missing("/sqlflow/generation/displayUserDbvendorSchema"),
    missing("/sqlflow/generation/displayUserSchemaSummary"),
    missing("/sqlflow/generation/submitUserSchema"),
    operation("/sqlflow/generation/downstream", POST, RequiredCredentials::Open, Action::NotEmulated),
    operation("/sqlflow/generation/upstream", POST, RequiredCredentials::Open, Action::NotEmulated),
    missing("/sqlflow/generation/sqlflow/download/metadata_lineage"),
    operation("/sqlflow/generation/sqlflow/downstreamGraph", BOTH, RequiredCredentials::Token, Action::Downstream),
    job("/sqlflow/generation/sqlflow/downstreamGraph/image", Action::Downstream),
    operation("/sqlflow/generation/sqlflow/upstreamGraph", BOTH, RequiredCredentials::Token, Action::Upstream),
    job("/sqlflow/generation/sqlflow/upstreamGraph/image", Action::Upstream),
    missing("/sqlflow/generation/sqlflow/getSelectedDbObjectInfo"),
    job("/sqlflow/generation/sqlflow/graph/image", Action::AnalyzeGraph),
    job("/sqlflow/generation/sqlflow/graph/table_level_lineage", Action::AnalyzeTables),
    job("/sqlflow/generation/sqlflow/leftMostSourceTableGraph", Action::LeftMostGraph),
    job("/sqlflow/generation/sqlflow/leftMostSourceTableGraph/image", Action::LeftMostGraph),
    missing("/sqlflow/generation/sqlflow/listTableColumns"),
    missing("/sqlflow/generation/sqlflow/selected_dbobject/download/metadata_lineage"),
    missing("/sqlflow/generation/sqlflow/erdiagramSelectGraph"),
    missing("/sqlflow/generation/sqlflow/erdiagramSelectGraph/image"),
    job("/sqlflow/generation/sqlflow/selectedgraph", Action::Selected),
    job("/sqlflow/generation/sqlflow/selectedgraph/image", Action::Selected),
    job("/sqlflow/generation/sqlflow/selectedgraph/table_level_lineage", Action::SelectedTables),
    missing("/sqlflow/job/displayMetadataQueryGraph"),
    missing("/sqlflow/job/displayMetadataQuerySource"),
    job("/sqlflow/job/displayUserLatestJobLeftMostTable", Action::LatestJobLeftMost),
    job("/sqlflow/job/displayUserLatestJobTableLevelLineage", Action::LatestJobTables),
    operation("/sqlflow/job/download/parquet", GET, RequiredCredentials::Token, Action::NotEmulated),
    operation("/sqlflow/job/download/subJobFile", GET, RequiredCredentials::Token, Action::NotEmulated),
    missing("/sqlflow/job/exportDatabaseMetadata"),
    operation("/sqlflow/job/exportMetadata", GET, RequiredCredentials::User, Action::NotEmulated),
    missing("/sqlflow/job/fetchLeftMostTableLineageSQL"),
    missing("/sqlflow/job/generate/parquet"),
    missing("/sqlflow/job/graph/summary"),
    missing("/sqlflow/job/submitTableAffectSQLJob"),
    missing("/sqlflow/job/updateUserJobGraphCache"),
    job("/sqlflow/job/exportLineageAsCsv", Action::ExportCsv),
    missing("/sqlflow/job/exportJobFile"),
    missing("/sqlflow/job/displayProcedureGraph"),
    missing("/sqlflow/job/displayProcedureSource"),
    missing("/sqlflow/job/fetchRegularJobTableRelationSqls"),
    job("/sqlflow/generation/sqlflow/exportLineageAsCsv", Action::AnalyzeCsv),
    job("/sqlflow/generation/sqlflow/graph/call_lineage", Action::Calls),
    missing("/sqlflow/generation/sql/format"),
    operation("/sqlflow/graph/share/{id}", GET, RequiredCredentials::Open, Action::NotEmulated),
    missing("/demo/xml/toXML"),
    missing("/database/testConnection"),
    operation("/version", GET, RequiredCredentials::Open, Action::Version),
];

impl Operation {
    /// Finds the operation at a path. The anonymous one is also found without the prefix.
    fn find(path: &str) -> Option<&'static Self> {
        let path = canonical(path);
        let path = path.as_str();
        let inner = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix)).unwrap_or(path);
        let bare = inner.len() == path.len();
        OPERATIONS
            .iter()
            .find(|operation| operation.is_at(inner) && (!bare || matches!(operation.action, Action::Anonymous)))
    }

    /// Returns the form of the drawing: an operation with `/image` at the end of its path draws the same as the one without.
    fn drawing_form(&self) -> DrawingForm {
        if self.path.ends_with("/image") { DrawingForm::Image } else { DrawingForm::Json }
    }

    fn is_at(&self, path: &str) -> bool {
        match self.path.strip_suffix("{id}") {
            Some(parent) => path.strip_prefix(parent).is_some_and(|id| !id.is_empty() && !id.contains('/')),
            None => self.path == path,
        }
    }

    /// Returns the end of the path, which names the operation in records and messages.
    fn name(&self) -> &'static str {
        let path = self.path;
        let parents = ["/sqlflow/job/", "/sqlflow/", "/user/", "/"];
        parents.iter().find_map(|parent| path.strip_prefix(parent)).unwrap_or(path)
    }
}

/// Returns a path without percent-encoding, doubled slashes and a trailing slash.
pub(super) fn canonical(path: &str) -> String {
    let decoded = disposition::without_escapes(path, b'%');
    let decoded = String::from_utf8_lossy(&decoded);
    let steps = decoded.split('/').filter(|step| !step.is_empty());
    steps.fold(String::with_capacity(path.len()), |path, step| path + "/" + step)
}

/// Returns the name of each operation, and whether the emulator does it.
pub(super) fn operations() -> impl Iterator<Item = (&'static str, bool)> {
    OPERATIONS.iter().map(|operation| (operation.name(), !matches!(operation.action, Action::NotEmulated)))
}

/// Returns the name of the operation at a path.
pub(super) fn operation_name(path: &str) -> Option<&'static str> {
    Operation::find(path).map(Operation::name)
}

/// Returns the operation whose name ends like a text that is not one, whatever its case and its qualifiers.
pub(super) fn similar_operation(text: &str) -> Option<&'static str> {
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    OPERATIONS.iter().map(Operation::name).find(|name| last(name) == last(text))
}

/// Returns `true` if there is an operation with this name.
pub(super) fn has_operation(name: &str) -> bool {
    OPERATIONS.iter().any(|operation| operation.name() == name)
}

/// Creates the router of the whole server.
pub(super) fn router(service: Arc<Service>) -> Router {
    let observed = middleware::from_fn_with_state(Arc::clone(&service), request_log::record_request);
    Router::new().fallback(dispatch).layer(DefaultBodyLimit::disable()).layer(observed).with_state(service)
}

async fn dispatch(State(service): State<Arc<Service>>, request: Request) -> Response {
    let path = request.uri().path();
    let Some(operation) = Operation::find(path) else {
        return Failure::new(404, format!("There is nothing at {path}."))
            .with_status(StatusCode::NOT_FOUND)
            .into_response();
    };
    if !operation.methods.contains(request.method()) {
        return other_method(operation, request.method());
    }
    let caller = direct::CallerAddress::of(&request);
    let delete_job_first = request.extensions().get::<DeleteJobFirst>().is_some();
    let mut parameters = match Parameters::read(&service, request).await {
        Ok(parameters) => parameters,
        Err(failure) => return failure.into_response(),
    };
    if delete_job_first {
        submission::vanish(&service, operation.action, &parameters);
    }
    let fields = parameters.names();
    let outcome = run_action(&service, operation, &mut parameters, caller).await;
    let mut response = outcome.unwrap_or_else(IntoResponse::into_response);
    response.extensions_mut().insert(ParameterNames { fields });
    response
}

/// Responds with the methods of an operation, as a failure unless the caller used OPTIONS.
fn other_method(operation: &Operation, method: &Method) -> Response {
    let mut response = if method == Method::OPTIONS {
        StatusCode::OK.into_response()
    } else {
        let message = format!("Request method '{method}' is not supported by {}.", operation.name());
        Failure::new(405, message).with_status(StatusCode::METHOD_NOT_ALLOWED).into_response()
    };
    let allowed = if operation.methods.contains(&Method::GET) {
        if operation.methods.contains(&Method::POST) { "GET, POST, OPTIONS" } else { "GET, OPTIONS" }
    } else {
        "POST, OPTIONS"
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    response
}

/// Returns `true` if the request asks for the drawing of a job, although the operation is for SQL.
fn draws_a_job(parameters: &Parameters) -> bool {
    parameters.get("jobId").is_some() && !analyzes_sql(parameters)
}

fn analyzes_sql(parameters: &Parameters) -> bool {
    parameters.get("sqltext").is_some() || parameters.has("sqlfile")
}

async fn run_action(
    service: &Arc<Service>,
    operation: &Operation,
    parameters: &mut Parameters,
    caller: direct::CallerAddress,
) -> Result<Response, Failure> {
    let user = authenticate(service, operation.credentials, parameters)?;
    let form = operation.drawing_form();
    match operation.action {
        Action::GenerateToken => generate_token(service, parameters),
        Action::Submit => submission::submit(service, &user, parameters),
        Action::SubmitPersistent => submission::submit_persistent(service, &user, parameters),
        Action::DescribeJob => submission::describe(service, &user, parameters),
        Action::DescribeJobs => Ok(submission::describe_all(service, &user)),
        Action::Delete => submission::delete(service, &user, parameters),
        Action::Rerun => submission::rerun(service, &user, parameters),
        Action::SetOnTop => submission::set_on_top(service, &user, parameters),
        Action::ListSchedules => Ok(submission::list_schedules(service, &user)),
        Action::PauseSchedule => submission::cancel_schedule(service, &user, parameters, true),
        Action::ResumeSchedule => submission::cancel_schedule(service, &user, parameters, false),
        Action::UpdateSchedule => submission::update_schedule(service, &user, parameters),
        Action::Version => Ok(success(json!({ "version": concat!("emulator ", env!("CARGO_PKG_VERSION")) }))),
        Action::Calls if !analyzes_sql(parameters) => {
            export::respond(service, Action::Calls, form, &user, parameters).await
        }
        Action::Calls => direct::analyze(Action::Calls, form, parameters).await,
        Action::AnalyzeGraph if draws_a_job(parameters) => {
            export::respond(service, Action::JobGraph, form, &user, parameters).await
        }
        Action::AnalyzeTables if draws_a_job(parameters) => {
            export::respond(service, Action::JobTables, form, &user, parameters).await
        }
        Action::Analyze
        | Action::AnalyzeGraph
        | Action::AnalyzeTables
        | Action::AnalyzeFullJson
        | Action::AnalyzeCsv => direct::analyze(operation.action, form, parameters).await,
        Action::Anonymous => direct::anonymous(service, parameters, caller).await,
        Action::CheckSyntax => direct::check_syntax(parameters).await,
        Action::NotEmulated => Err(not_emulated(operation)),
        action => export::respond(service, action, form, &user, parameters).await,
    }
}

/// Creates the one answer of all operations that are not emulated.
fn not_emulated(operation: &Operation) -> Failure {
    let name = operation.name();
    Failure::new(
        501,
        format!("The SQLFlow emulator does not emulate the operation '{name}'. Its page at / lists those it does."),
    )
}

/// Returns the user id of the caller, or fails if the required credentials are missing or wrong.
fn authenticate(
    service: &Service,
    credentials: RequiredCredentials,
    parameters: &Parameters,
) -> Result<String, Failure> {
    let user = parameters.get("userId").unwrap_or_default();
    match (credentials, parameters.get("token")) {
        (RequiredCredentials::Open, _) => {}
        (RequiredCredentials::User, None) => service.accounts.knows(user)?,
        (RequiredCredentials::User | RequiredCredentials::Token, token) => {
            service.accounts.check(user, token.unwrap_or_default(), SystemTime::now())?;
        }
    }
    Ok(user.to_owned())
}

/// Responds with a token. This is the one response whose code is a string and that has no `data`.
fn generate_token(service: &Service, parameters: &Parameters) -> Result<Response, Failure> {
    let user = parameters.get("userId").unwrap_or_default();
    let secret_key = parameters.get("secretKey").unwrap_or_default();
    let token = service.accounts.issue(user, secret_key, SystemTime::now())?;
    Ok(respond(StatusCode::OK, 200, &json!({ "code": "200", "userId": user, "token": token })))
}
