//! Analysis without a job: the SQL comes with the request, and the response carries its lineage.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::analysis::{self, AnalysisSettings, Diagnostic, Lineage};
use super::envelope::{Envelope, Failure, download, respond};
use super::export::{DrawingMode, DrawnLineage};
use super::faults::wire::ConnectionInfo;
use super::layout::Drawing;
use super::model::LineageModel;
use super::parameters::Parameters;
use super::routes::{Action, DrawingForm};
use super::selection::{ExportOptions, LineageView};
use super::{Service, archive, clock, csv, export, submission};

/// The vendor of a request that names none.
const DEFAULT_VENDOR: &str = "dbvoracle";

/// The address that a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallerAddress(IpAddr);

impl CallerAddress {
    pub(super) fn of(request: &Request) -> Self {
        let peer = ConnectionInfo::of(request.extensions());
        Self(peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.address.ip()))
    }
}

/// The number of calls without credentials that each address has made today.
#[derive(Debug, Default)]
pub(super) struct AnonymousCalls {
    today: Mutex<(u64, HashMap<IpAddr, u32>)>,
}

impl AnonymousCalls {
    /// Counts a call and returns `true`, or returns `false` if the address has no calls left.
    fn admit(&self, caller: CallerAddress, allowed: u32, now: SystemTime) -> bool {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        let day = clock::day(now);
        if today.0 != day {
            *today = (day, HashMap::new());
        }
        let calls = today.1.entry(caller.0).or_default();
        let admitted = *calls < allowed;
        *calls += u32::from(admitted);
        admitted
    }
}

/// Responds to `generation/sqlflow` and the operations below it.
pub(super) async fn analyze(
    action: Action,
    form: DrawingForm,
    parameters: &mut Parameters,
) -> Result<Response, Failure> {
    let delimiter = csv::delimiter(parameters.get("delimiter"))?;
    let options = match action {
        // The CSV contains tables only, as that of a job does unless it was submitted otherwise.
        Action::AnalyzeCsv => ExportOptions {
            ignore_record_set: true,
            ignore_function: true,
            table_to_table: parameters.flag("tableToTable", false)?,
            ..export::options(parameters, "fdd")?
        },
        Action::AnalyzeTables => export::between_tables(export::options(parameters, "fdd")?, parameters)?,
        Action::Calls => export::of_calls(export::options(parameters, "fdd")?),
        _ => export::options(parameters, "fdd")?,
    };
    let lineage = lineage(parameters).await?;
    let write = move || match action {
        Action::AnalyzeCsv => {
            understood(&lineage)?;
            let view = LineageView::of(&lineage, &options);
            download(export::CSV, "lineage.csv", |out| csv::write(&view, delimiter, out))
        }
        Action::AnalyzeGraph | Action::AnalyzeTables => {
            let view = LineageView::of(&lineage, &options);
            if form == DrawingForm::Image {
                understood(&lineage)?;
                return export::image_of(&view, &options);
            }
            let drawing = Drawing::of(&view, &options);
            Ok(envelope(&lineage, DrawnLineage::of(&view, DrawingMode::Global, Some(&drawing))).respond())
        }
        Action::Calls => {
            let view = LineageView::of(&lineage, &options);
            let drawing = Drawing::of(&view, &options);
            let drawn = DrawnLineage::of(&view, DrawingMode::Global, Some(&drawing));
            Ok(Envelope::new(drawn).with_warnings(&export::call_warnings(&lineage), true).respond())
        }
        _ => Ok(envelope(&lineage, LineageModel::of(&LineageView::of(&lineage, &options))).respond()),
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(|error| Failure::internal(format_args!("the lineage could not be written: {error}")))?
}

/// Responds to `/api/anonymous/lineage`.
pub(super) async fn anonymous(
    service: &Service,
    parameters: &mut Parameters,
    caller: CallerAddress,
) -> Result<Response, Failure> {
    let allowed = service.settings.max_anonymous_calls_per_day;
    if !service.anonymous.admit(caller, allowed, SystemTime::now()) {
        return Ok(too_many_calls(allowed));
    }
    parameters.required("sqltext")?;
    let options = export::options(parameters, "fdd")?;
    let lineage = lineage(parameters).await?;
    Ok(envelope(&lineage, LineageModel::of(&LineageView::of(&lineage, &options))).respond())
}

/// Creates the only failure that has an HTTP status of its own.
fn too_many_calls(allowed: u32) -> Response {
    let body = json!({
        "code": 429,
        "error": "rate_limit_exceeded",
        "message": format!("Anonymous calls are limited to {allowed} a day. Get a personal key or host SQLFlow yourself to go on."),
        "upgrade": {
            "personal_key": { "url": "https://www.gudusoft.com/" },
            "self_hosted": { "url": "https://www.gudusoft.com/" },
        },
    });
    respond(StatusCode::TOO_MANY_REQUESTS, 429, &body)
}

/// Responds to `demo/syntax/check` with code 200 for SQL without errors, or with the errors.
pub(super) async fn check_syntax(parameters: &mut Parameters) -> Result<Response, Failure> {
    let settings = submission::settings(parameters, None)?;
    let sql = parameters.required("sql")?.to_owned();
    let begun = Instant::now();
    let lineage = analysis::run_off_thread(settings, move |analyzer| analyzer.read("sql", &sql, false))
        .await
        .map_err(Failure::internal)?;
    let errors: Vec<Value> =
        lineage.diagnostics.iter().filter(|diagnostic| diagnostic.kind.is_error()).map(describe_error).collect();
    let code = if errors.is_empty() { 200 } else { 400 };
    let data = json!({
        "usedTime": format!("{}ms", begun.elapsed().as_millis()),
        "gsp.version": concat!("emulator ", env!("CARGO_PKG_VERSION")),
        "errorInfos": errors,
    });
    let mut body = json!({ "code": code, "data": data });
    if code != 200 {
        body["error"] = lineage.messages().join("\n").into();
    }
    Ok(respond(StatusCode::OK, code, &body))
}

fn describe_error(diagnostic: &Diagnostic) -> Value {
    let mut described = json!({ "errorMessage": diagnostic.message, "errorType": diagnostic.kind.name() });
    if let Some(at) = diagnostic.at {
        described["lineNo"] = at.start.0.into();
        described["columnNo"] = at.start.1.into();
    }
    described
}

/// Analyses `sqltext`, or the one file in `sqlfile`.
async fn lineage(parameters: &mut Parameters) -> Result<Lineage, Failure> {
    let settings: AnalysisSettings = submission::settings(parameters, Some(DEFAULT_VENDOR))?;
    let files = parameters.take_files("sqlfile");
    let outcome = match (parameters.get("sqltext").map(str::to_owned), files.into_iter().next()) {
        (Some(sql), _) => {
            let read = move |analyzer: &mut analysis::Analyzer| {
                analyzer.collect_definitions(&sql);
                analyzer.read("sqltext", &sql, false);
            };
            analysis::run_off_thread(settings, read).await
        }
        (None, Some(file)) => {
            analysis::run_off_thread(settings, move |analyzer| archive::analyze([&file].into_iter(), analyzer)).await
        }
        (None, None) => return Err(Failure::new(400, "One of the parameters 'sqltext' and 'sqlfile' is required.")),
    };
    outcome.map_err(Failure::internal)
}

/// Fails if nothing was understood, since a CSV or an image has no place for a message.
fn understood(lineage: &Lineage) -> Result<(), Failure> {
    match (lineage.statements, lineage.headlines().join("\n")) {
        (0, said) if said.is_empty() => Err(Failure::new(400, "The SQL contains no statement.")),
        (0, said) => Err(Failure::new(400, said)),
        _ => Ok(()),
    }
}

fn envelope<T: Serialize>(lineage: &Lineage, data: T) -> Envelope<T> {
    Envelope::new(data).with_warnings(&lineage.messages(), lineage.is_incomplete())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_limit_of_anonymous_calls_starts_again_each_day() {
        let calls = AnonymousCalls::default();
        let caller = CallerAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let now = SystemTime::UNIX_EPOCH;
        assert!(calls.admit(caller, 2, now));
        assert!(calls.admit(caller, 2, now));
        assert!(!calls.admit(caller, 2, now));
        assert!(calls.admit(CallerAddress(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), 2, now));
        assert!(calls.admit(caller, 2, now + Duration::from_secs(86_400)));
    }
}
