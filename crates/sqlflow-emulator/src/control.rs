//! The emulator's own paths: the page at `/`, and below `/emulator` what a test suite in any language needs: faults,
//! requests, jobs and tokens. No part of SQLFlow, so plain HTTP: the status tells success from failure.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::envelope::{Failure, respond as json_response};
use super::faults::Fault;
use super::faults::wire::ConnectionInfo;
use super::jobs::{Job, JobTimes};
use super::parameters::media_type;
use super::request_log::RequestRecord;
use super::routes::{Action, canonical};
use super::{Service, clock, export, page};

/// The maximum size of a request body.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The exports of a job: the end of the path, and the operation that writes the same.
pub(super) const FILES: [(&str, Action); 3] = [
    ("lineage.json", Action::ExportFullJson),
    ("lineage.csv", Action::ExportCsv),
    ("lineage.graphml", Action::ExportGraphml),
];

/// The thing at one of the paths.
#[derive(Debug, Clone, Copy)]
enum Resource<'a> {
    Page,
    Faults,
    Requests,
    Tokens,
    Times,
    Jobs,
    Job(&'a str),
    Export(&'a str, Action),
}

impl<'a> Resource<'a> {
    fn at(path: &'a str) -> Option<Self> {
        let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
        match *steps.as_slice() {
            [] | ["emulator"] => Some(Self::Page),
            ["emulator", "faults"] => Some(Self::Faults),
            ["emulator", "requests"] => Some(Self::Requests),
            ["emulator", "tokens"] => Some(Self::Tokens),
            ["emulator", "times"] => Some(Self::Times),
            ["emulator", "jobs"] => Some(Self::Jobs),
            ["emulator", "jobs", id] => Some(Self::Job(id)),
            ["emulator", "jobs", id, file] => {
                let (_, action) = FILES.iter().find(|(name, _)| *name == file)?;
                Some(Self::Export(id, *action))
            }
            _ => None,
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Page | Self::Export(..) => "GET, HEAD",
            Self::Faults => "GET, HEAD, POST, DELETE",
            Self::Requests | Self::Jobs => "GET, HEAD, DELETE",
            Self::Tokens => "DELETE",
            Self::Times | Self::Job(_) => "GET, HEAD, PATCH, DELETE",
        }
    }
}

/// Returns `true` for a path that is the emulator's own.
pub(super) fn is_own_path(path: &str) -> bool {
    let path = canonical(path);
    path.is_empty() || path == "/emulator" || path.starts_with("/emulator/")
}

/// Responds to a request for one of the emulator's own paths.
pub(super) async fn respond(service: &Arc<Service>, request: Request) -> Response {
    let outcome = handle(service, request).await;
    let mut response = outcome.unwrap_or_else(|failure| failure.with_status_of_code().into_response());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn handle(service: &Arc<Service>, request: Request) -> Result<Response, Failure> {
    refuse_other_names(&request)?;
    let path = canonical(request.uri().path());
    let Some(resource) = Resource::at(&path) else {
        return Err(Failure::new(404, format!("There is nothing at {path}. GET / lists what there is.")));
    };
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    if method != Method::GET {
        refuse_other_sites(request.headers())?;
    }
    match (resource, method.as_str()) {
        (Resource::Page, "GET") => Ok(page::respond(service)),
        (Resource::Faults, "GET") => Ok(ok(&faults(service))),
        (Resource::Faults, "POST") => add_faults(service, request).await,
        (Resource::Faults, "DELETE") => {
            service.clear_faults();
            Ok(ok(&faults(service)))
        }
        (Resource::Requests, "GET") => Ok(ok(&requests(service))),
        (Resource::Requests, "DELETE") => {
            service.requests.clear();
            Ok(ok(&requests(service)))
        }
        (Resource::Tokens, "DELETE") => {
            service.accounts.expire();
            Ok(ok(&json!({ "tokens": "expired" })))
        }
        (Resource::Times, "GET") => Ok(ok(&describe_times(service.jobs.times()))),
        (Resource::Times, "PATCH") => change_times(service, request).await,
        (Resource::Times, "DELETE") => {
            service.jobs.set_times(service.settings.times);
            Ok(ok(&describe_times(service.jobs.times())))
        }
        (Resource::Jobs, "GET") => Ok(ok(&jobs(service))),
        (Resource::Jobs, "DELETE") => {
            service.jobs.delete_all();
            Ok(ok(&jobs(service)))
        }
        (Resource::Job(id), "GET") => Ok(ok(&describe_job(&service.jobs.find_any(id)?))),
        (Resource::Job(id), "PATCH") => change_job(service, id, request).await,
        (Resource::Job(id), "DELETE") => {
            service.jobs.delete_any(id)?;
            Ok(ok(&jobs(service)))
        }
        (Resource::Export(id, action), "GET") => export::file(service, service.jobs.find_any(id)?, action).await,
        (resource, method) => Ok(other_method(resource, &path, method)),
    }
}

fn ok(body: &Value) -> Response {
    json_response(StatusCode::OK, 200, body)
}

fn other_method(resource: Resource<'_>, path: &str, method: &str) -> Response {
    let methods = resource.methods();
    if method == "OPTIONS" {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, methods)]).into_response();
    }
    let failure = Failure::new(405, format!("Request method '{method}' is not supported by {path}; use {methods}."));
    ([(header::ALLOW, methods)], failure.with_status_of_code()).into_response()
}

/// Refuses requests under a name that is not that of this computer. A site whose name leads to 127.0.0.1 is of the same
/// origin for a browser, which would thus let its pages read and change everything here.
fn refuse_other_names(request: &Request) -> Result<(), Failure> {
    let in_headers = request.headers().get_all(header::HOST).iter();
    let in_headers = in_headers.map(|value| value.to_str().unwrap_or("?"));
    let mut names = in_headers.chain(request.uri().authority().map(Authority::as_str));
    let Some(other) = names.find(|name| !is_loopback(name)) else { return Ok(()) };
    Err(Failure::new(
        403,
        format!(
            "The emulator's own paths do not answer to the host '{other}', so that no other site can reach them \
             through a browser. Use localhost, 127.0.0.1 or [::1] in the URL."
        ),
    ))
}

/// Returns `true` for a name of this computer with any port, and for the empty value of a request without a host.
fn is_loopback(host: &str) -> bool {
    let is_port = |port: &str| port.bytes().all(|digit| digit.is_ascii_digit());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) => name,
        _ => host,
    };
    host.is_empty() || ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

/// Refuses changes that a page of another site makes a browser send. Programs send no such header.
fn refuse_other_sites(headers: &HeaderMap) -> Result<(), Failure> {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match (value("sec-fetch-site"), value("origin")) {
        (Some(site), _) => ["same-origin", "none"].contains(&site),
        // Older browsers say only where the page is from.
        (None, Some(origin)) => origin.strip_prefix("http://").is_some_and(|site| Some(site) == value("host")),
        (None, None) => true,
    };
    if own {
        return Ok(());
    }
    Err(Failure::new(403, "A page of another site may not change the emulator. Send the request from a program."))
}

fn faults(service: &Service) -> Value {
    let listed = service.faults.active().into_iter();
    let listed = listed.map(|active| json!({ "fault": active.fault.to_string(), "matched": active.matched }));
    json!({ "faults": listed.collect::<Value>() })
}

/// Adds all faults of a request, or none if one of them is invalid.
async fn add_faults(service: &Service, request: Request) -> Result<Response, Failure> {
    let connection = ConnectionInfo::of(request.extensions()).cloned();
    let is_json = is_json(request.headers());
    let body = body(request).await?;
    // No fault begins with a bracket, so JSON without its media type is JSON too.
    let is_json = is_json || body.trim_start().starts_with(['{', '[']);
    let texts = if is_json { faults_in_json(&body)? } else { faults_in_text(&body) };
    let parsed: Result<Vec<Fault>, _> = texts.iter().map(|text| text.parse::<Fault>()).collect();
    let parsed = parsed.map_err(|error| Failure::new(400, error.to_string()))?;
    if parsed.is_empty() {
        return Err(Failure::new(
            400,
            "The request body has no fault. Send one in a line, for example: lose-response,on=submitUserJob,times=1",
        ));
    }
    let refuses = parsed.iter().any(|fault| fault.refusal().is_some());
    for fault in parsed {
        service.inject(fault, connection.as_ref());
    }
    let mut response = json_response(StatusCode::CREATED, 201, &faults(service));
    if refuses {
        // Only this response still comes through.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// One text, or an array of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected the text of a fault, or an array of such texts")]
enum FaultTexts {
    One(String),
    Several(Vec<String>),
}

impl FaultTexts {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }
}

/// Reads `{"fault": "…"}`, `{"faults": ["…"]}` or `["…"]`. A single text may stand for an array and the reverse.
fn faults_in_json(body: &str) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sent {
        #[serde(default)]
        fault: Option<FaultTexts>,
        #[serde(default)]
        faults: Option<FaultTexts>,
    }

    let example = r#"{"fault": "502,times=1"}, {"faults": ["502,times=1", "busy"]} or ["502,times=1", "busy"]"#;
    if body.trim_start().starts_with('[') {
        return from_json(body, example);
    }
    let sent: Sent = object(body, example)?;
    Ok(sent.fault.into_iter().chain(sent.faults).flat_map(FaultTexts::into_vec).collect())
}

/// Reads one fault in each line, or the fields `fault` of a form. No fault begins with `fault=`.
fn faults_in_text(body: &str) -> Vec<String> {
    if body.starts_with("fault=") {
        let fields = form_urlencoded::parse(body.trim_end().as_bytes());
        return fields.map(|(_, value)| value.into_owned()).collect();
    }
    body.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn requests(service: &Service) -> Value {
    json!({ "requests": service.requests.snapshot().iter().map(describe_request).collect::<Value>() })
}

fn describe_request(record: &RequestRecord) -> Value {
    json!({
        "time": rfc3339(record.time),
        "method": record.method,
        "path": record.path,
        "contentType": record.content_type,
        "operation": record.operation,
        "fields": record.fields,
        "bodyBytes": record.body_bytes,
        "fault": record.fault,
        "status": record.status,
        "code": record.code,
    })
}

fn jobs(service: &Service) -> Value {
    json!({ "jobs": service.jobs.all().iter().map(describe_job).collect::<Value>() })
}

fn describe_job(job: &Job) -> Value {
    let snapshot = job.snapshot();
    let mut described = json!({
        "id": snapshot.id,
        "name": snapshot.name,
        "userId": snapshot.user_id,
        "vendor": snapshot.vendor,
        "status": snapshot.status,
        "errorMessage": snapshot.error_message,
        "fileNames": snapshot.file_names,
        "runs": snapshot.runs,
        "created": rfc3339(snapshot.created),
        "executeTimeMillis": u64::try_from(snapshot.execute_time.as_millis()).unwrap_or(u64::MAX),
    });
    if job.finished().is_ok() {
        described["exports"] = FILES.iter().map(|(name, _)| format!("/emulator/jobs/{}/{name}", job.id)).collect();
    }
    described
}

async fn change_job(service: &Service, id: &str, request: Request) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sent {
        #[serde(default)]
        created: Option<String>,
        #[serde(default)]
        execute_time: Option<String>,
    }

    service.jobs.find_any(id)?;
    let sent: Sent = object(&body(request).await?, r#"{"created": "2030-01-31T12:00:00Z", "executeTime": "2h 30m"}"#)?;
    let created = sent.created.as_deref().map(|text| time("created", text)).transpose()?;
    let elapsed = sent.execute_time.as_deref().map(|text| duration("executeTime", text)).transpose()?;
    let changed = service.jobs.change_any(id, |job| {
        if let Some(created) = created {
            job.set_created(created);
        }
        if let Some(elapsed) = elapsed {
            job.set_elapsed(elapsed);
        }
    })?;
    Ok(ok(&describe_job(&changed)))
}

fn describe_times(times: JobTimes) -> Value {
    json!({
        "inCreate": humantime::format_duration(times.in_create).to_string(),
        "inProcess": humantime::format_duration(times.in_process).to_string(),
        "created": times.created.map(rfc3339),
    })
}

/// Changes the times of the jobs to come.
async fn change_times(service: &Service, request: Request) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    struct Sent {
        #[serde(default)]
        in_create: Option<String>,
        #[serde(default)]
        in_process: Option<String>,
        #[serde(default, deserialize_with = "sent_time")]
        created: SentTime,
    }

    let example = r#"{"inCreate": "1s", "inProcess": "5s", "created": "2030-01-31T12:00:00Z"}"#;
    let sent: Sent = object(&body(request).await?, example)?;
    let mut times = service.jobs.times();
    if let Some(text) = sent.in_create {
        times.in_create = duration("inCreate", &text)?;
    }
    if let Some(text) = sent.in_process {
        times.in_process = duration("inProcess", &text)?;
    }
    match sent.created {
        SentTime::Unchanged => {}
        SentTime::OfSubmission => times.created = None,
        SentTime::At(text) => times.created = Some(time("created", &text)?),
    }
    service.jobs.set_times(times);
    Ok(ok(&describe_times(times)))
}

/// A time of creation as it was sent.
#[derive(Debug, Default)]
enum SentTime {
    /// The field is missing.
    #[default]
    Unchanged,
    /// The field is `null`.
    OfSubmission,
    At(String),
}

fn sent_time<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<SentTime, D::Error> {
    Ok(Option::deserialize(deserializer)?.map_or(SentTime::OfSubmission, SentTime::At))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| media_type(value) == "application/json")
}

async fn body(request: Request) -> Result<String, Failure> {
    let bytes = to_bytes(request.into_body(), MAX_BODY_BYTES).await.map_err(|error| {
        Failure::new(
            413,
            format!("The request body could not be read; it may have up to {MAX_BODY_BYTES} bytes ({error})."),
        )
    })?;
    String::from_utf8(bytes.into()).map_err(|_| Failure::new(400, "The request body is not UTF-8."))
}

/// Reads an object. Without the check, an array would be read as its fields in the order of their declaration.
fn object<'a, T: Deserialize<'a>>(body: &'a str, example: &str) -> Result<T, Failure> {
    if body.trim_start().starts_with('[') {
        return Err(Failure::new(400, format!("The request body is an array and not an object such as {example}.")));
    }
    from_json(body, example)
}

fn from_json<'a, T: Deserialize<'a>>(body: &'a str, example: &str) -> Result<T, Failure> {
    serde_json::from_str(body)
        .map_err(|error| Failure::new(400, format!("The request body is not JSON such as {example}: {error}.")))
}

fn duration(field: &str, text: &str) -> Result<Duration, Failure> {
    let time = humantime::parse_duration(text).map_err(|error| {
        Failure::new(400, format!("'{field}' is not a duration with a unit, such as 200ms: {error}."))
    })?;
    if time > clock::YEAR {
        return Err(Failure::new(400, format!("'{field}' is longer than a year: '{text}'. Send a year (1y) or less.")));
    }
    Ok(time)
}

fn time(field: &str, text: &str) -> Result<SystemTime, Failure> {
    humantime::parse_rfc3339(text)
        .map_err(|error| Failure::new(400, format!("'{field}' is not a time such as 2030-01-31T12:00:00Z: {error}.")))
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
