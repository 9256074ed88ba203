//! The server as a caller sees it, asked through its router and, where the connection matters, over a socket.

use std::io::{Cursor, Write as _};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

const BOUNDARY: &str = "x-boundary-x";

/// A server without a socket.
struct Server {
    service: Arc<Service>,
    router: Router,
    _stop: watch::Sender<bool>,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn server(builder: EmulatorBuilder) -> Server {
    let (stop, stopped) = watch::channel(false);
    let service = builder.service(stopped).unwrap();
    let router = routes::router(Arc::clone(&service));
    Server { service, router, _stop: stop }
}

/// A part of a multipart body: its name, its file name if it is a file, and its content.
type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn multipart(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"").unwrap();
        if let Some(file_name) = file_name {
            write!(body, "; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream").unwrap();
        }
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    write!(body, "--{BOUNDARY}--\r\n").unwrap();
    body
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

impl Server {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    async fn request(&self, method: Method, path: &str, content_type: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let path = format!("/gspLive_backend{path}");
        self.request(Method::POST, &path, "application/x-www-form-urlencoded", body).await
    }

    async fn parts(&self, path: &str, parts: &[Part<'_>]) -> Answer {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(Method::POST, &format!("/gspLive_backend{path}"), &content_type, multipart(parts)).await
    }

    async fn token(&self, user: &str) -> String {
        let answer = self.form("/user/generateToken", &[("userId", user), ("secretKey", "s3cret")]).await;
        answer.json()["token"].as_str().unwrap().to_owned()
    }

    /// Submits files as `ann` and gives the job's id.
    async fn submit(&self, token: &str, files: &[(&str, &[u8])]) -> String {
        let mut parts: Vec<Part<'_>> = vec![
            ("userId", None, b"ann"),
            ("token", None, token.as_bytes()),
            ("jobName", None, b"nightly"),
            ("dbvendor", None, b"dbvoracle"),
        ];
        parts.extend(files.iter().map(|(name, content)| ("sqlfiles", Some(*name), *content)));
        let answer = self.parts("/sqlflow/job/submitUserJob", &parts).await.json();
        assert_eq!(answer["code"], 200, "{answer}");
        answer["data"]["jobId"].as_str().unwrap().to_owned()
    }

    /// Waits until a job has a status that is one of those given.
    async fn until(&self, id: &str, statuses: &[&str]) -> JobSnapshot {
        let mut changes = self.service.jobs.subscribe();
        loop {
            changes.mark_unchanged();
            let job = self.service.jobs.snapshot().into_iter().find(|job| job.id == id).unwrap();
            if statuses.contains(&job.status.as_str()) {
                return job;
            }
            changes.changed().await.unwrap();
        }
    }

    async fn finished(&self, id: &str) -> JobSnapshot {
        self.until(id, &["success", "partial_success", "fail"]).await
    }

    /// A finished job of `ann` on one script.
    async fn job_on(&self, sql: &str) -> (String, String) {
        let token = self.token("ann").await;
        let id = self.submit(&token, &[("a.sql", sql.as_bytes())]).await;
        self.finished(&id).await;
        (token, id)
    }

    async fn export(&self, operation: &str, token: &str, id: &str, more: &[(&str, &str)]) -> Answer {
        let fields = [&[("userId", "ann"), ("token", token), ("jobId", id)], more].concat();
        self.form(&format!("/sqlflow/job/{operation}"), &fields).await
    }
}

const INSERT: &str = "insert into t (a, b) select x, upper(y) from s where z > 1";

#[tokio::test]
async fn a_token_comes_with_a_code_that_is_a_string() {
    let server = server(Emulator::builder());
    let answer = server.form("/user/generateToken", &[("userId", "ann"), ("secretKey", "k")]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json;charset=utf-8");
    let body = answer.json();
    assert_eq!((&body["code"], &body["userId"]), (&json!("200"), &json!("ann")));
    assert!(body.get("data").is_none());

    let refused = server.form("/user/generateToken", &[("userId", "ann"), ("secretKey", "")]).await;
    assert_eq!(refused.status, StatusCode::OK);
    assert_eq!(refused.json(), json!({ "code": "401", "error": "Invalid user or token, access deny." }));
}

#[tokio::test]
async fn a_token_of_another_user_is_refused_by_every_operation_that_takes_one() {
    let server = server(Emulator::builder());
    let token = server.token("bob").await;
    for operation in
        ["job/displayUserJobsSummary", "job/exportLineageAsJson", "generation/sqlflow", "job/generate/parquet"]
    {
        let fields = [("userId", "ann"), ("token", token.as_str())];
        let answer = server.form(&format!("/sqlflow/{operation}"), &fields).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.json(),
            json!({ "code": 401, "error": "Invalid user or token, access deny." }),
            "{operation}"
        );
    }
}

#[tokio::test]
async fn an_expired_or_missing_token_is_refused() {
    let server = server(Emulator::builder().token_lifetime(Duration::from_millis(1)));
    let token = server.token("ann").await;
    for token in [token.as_str(), "", "garbage"] {
        let answer = server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", token)]).await;
        assert_eq!(answer.json()["code"], 401);
    }
    assert_eq!(server.form("/sqlflow/job/displayUserJobsSummary", &[]).await.json()["code"], 401);
}

#[tokio::test]
async fn the_on_premise_user_calls_with_the_literal_token() {
    let server = server(Emulator::builder());
    let fields = [("userId", "gudu|0123456789"), ("token", "token")];
    assert_eq!(server.form("/sqlflow/job/displayUserJobsSummary", &fields).await.json()["data"]["total"], 0);
}

#[tokio::test]
async fn a_required_account_is_the_only_one() {
    let server = server(Emulator::builder().account("ann", "right"));
    let ask = async |user, key| {
        server.form("/user/generateToken", &[("userId", user), ("secretKey", key)]).await.json()["code"].clone()
    };
    assert_eq!(ask("ann", "right").await, "200");
    assert_eq!(ask("ann", "wrong").await, "401");
    assert_eq!(ask("bob", "right").await, "401");
}

#[tokio::test(start_paused = true)]
async fn a_job_passes_through_its_states() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    assert_eq!(id.len(), 32);
    assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let begun = tokio::time::Instant::now();
    assert_eq!(server.service.jobs.snapshot()[0].status, "create");
    server.until(&id, &["running"]).await;
    assert!(begun.elapsed() >= Duration::from_millis(50));
    let job = server.finished(&id).await;
    assert!(begun.elapsed() >= Duration::from_millis(150));
    assert_eq!((job.status.as_str(), job.error_message), ("success", None));
}

#[tokio::test(start_paused = true)]
async fn a_submit_answers_with_the_new_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let parts: [Part<'_>; 6] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, " nightly ".as_bytes()),
        ("dbvendor", None, b"sqlserver"),
        ("sqlfiles", Some("dir/a.sql"), b"select 1"),
        ("sqlfiles", Some("b.sql"), b"select 2"),
    ];
    let answer = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
    let job = &answer["data"];
    assert_eq!(job["status"], "create");
    assert_eq!(job["jobName"], "nightly");
    assert_eq!(job["dbVendor"], "dbvmssql");
    assert_eq!(job["fileNames"], json!(["a.sql", "b.sql"]));
    assert_eq!(job["dataSource"], json!({}));
    assert_eq!(job["createTime"].as_str().unwrap().len(), "2026-01-02 03:04:05".len());
}

#[tokio::test(start_paused = true)]
async fn a_summary_describes_a_finished_job() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let by_id = server.export("displayUserJobSummary", &token, &id, &[]).await.json()["data"].clone();
    let fields = [("userId", "ann"), ("token", token.as_str()), ("jobName", "nightly")];
    let by_name = server.form("/sqlflow/job/displayUserJobSummary", &fields).await.json()["data"].clone();
    assert_eq!(by_id, by_name);
    let expected = json!({
        "jobId": id, "jobName": "nightly", "userId": "ann", "dbVendor": "dbvoracle", "status": "success",
        "showRelationType": "fdd", "ignoreRecordSet": true, "ignoreFunction": true, "executeTime": "0min 0sec",
        "onTop": false, "schedulable": false, "subJobs": [],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&by_id[name], value, "{name}");
    }
    assert!(by_id["executeTimeMillis"].as_u64().unwrap() >= 100);
    assert!(by_id.get("errorMessage").is_none());
}

#[tokio::test(start_paused = true)]
async fn the_list_of_jobs_counts_them_by_outcome() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let good = server.submit(&token, &[("a.sql", b"select a from t")]).await;
    let partial = server.submit(&token, &[("a.sql", b"select a from t"), ("b.sql", b"selec")]).await;
    let bad = server.submit(&token, &[("b.sql", b"selec")]).await;
    for id in [&good, &partial, &bad] {
        server.finished(id).await;
    }
    let answer =
        server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", &token)]).await.json();
    let data = &answer["data"];
    assert_eq!(
        (&data["total"], &data["success"], &data["partialSuccess"], &data["fail"]),
        (&json!(3), &json!(1), &json!(1), &json!(1))
    );
    assert_eq!(data["jobIds"], json!([bad, partial, good]));
    assert_eq!(data["jobDetails"][1]["status"], "partial_success");
    assert!(data["jobDetails"][1]["errorMessage"].as_str().unwrap().starts_with("b.sql: "));
}

#[tokio::test(start_paused = true)]
async fn a_job_of_another_user_does_not_exist() {
    let server = server(Emulator::builder());
    let (_, id) = server.job_on(INSERT).await;
    let token = server.token("bob").await;
    let fields = [("userId", "bob"), ("token", token.as_str()), ("jobId", id.as_str())];
    for operation in ["displayUserJobSummary", "deleteUserJob", "rerunJob", "exportLineageAsJson"] {
        assert_eq!(server.form(&format!("/sqlflow/job/{operation}"), &fields).await.json()["code"], 404, "{operation}");
    }
    assert_eq!(server.service.jobs.snapshot().len(), 1);
}

#[tokio::test]
async fn a_bad_submit_names_the_parameter_at_fault() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let good: [Part<'_>; 5] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, b"n"),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfiles", Some("a.sql"), b"select 1"),
    ];
    let replaced = |index: usize, part| {
        let mut parts = good;
        parts[index] = part;
        parts
    };
    let cases: [(&str, [Part<'_>; 5]); 4] = [
        ("'jobName'", replaced(2, ("jobName", None, b"  "))),
        ("'dbvendor'", replaced(3, ("dbvendor", None, b""))),
        ("'dbvnosuch'", replaced(3, ("dbvendor", None, b"dbvnosuch"))),
        ("'sqlfiles'", replaced(4, ("other", None, b"select 1"))),
    ];
    for (named, parts) in cases {
        let answer = server.parts("/sqlflow/job/submitUserJob", &parts).await.json();
        assert_eq!(answer["code"], 400, "{answer}");
        assert!(answer["error"].as_str().unwrap().contains(named), "{answer}");
    }
    assert!(server.service.jobs.snapshot().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_can_be_put_on_top_run_again_and_deleted() {
    let server = server(Emulator::builder());
    let (token, first) = server.job_on(INSERT).await;
    let second = server.submit(&token, &[("b.sql", b"select 1")]).await;
    server.finished(&second).await;
    let on_top = server.export("setJobOnTop", &token, &first, &[("onTop", "true")]).await.json();
    assert_eq!(on_top["data"]["onTop"], true);
    let listed =
        server.form("/sqlflow/job/displayUserJobsSummary", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(listed["data"]["jobIds"], json!([first, second]));

    // The operation has no token in the vendor's description.
    let again = server.form("/sqlflow/job/rerunJob", &[("userId", "ann"), ("jobId", &first)]).await.json();
    assert_eq!(again["data"]["status"], "create");
    let job = server.finished(&first).await;
    assert_eq!((job.status.as_str(), job.runs), ("success", 2));

    assert_eq!(server.export("deleteUserJob", &token, &first, &[]).await.json()["code"], 200);
    assert_eq!(server.export("deleteUserJob", &token, &first, &[]).await.json()["code"], 404);
    assert_eq!(server.service.jobs.snapshot().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_later_batch_is_added_to_a_persistent_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let who: [Part<'_>; 3] =
        [("userId", None, b"ann"), ("token", None, token.as_bytes()), ("dbvendor", None, b"dbvoracle")];
    let schedule: [Part<'_>; 2] = [("schedulable", None, b"true"), ("cronExpression", None, b"0 0 * * *")];
    let first = [
        &who[..],
        &schedule,
        &[("jobName", None, b"p"), ("sqlfiles", Some("a.sql"), b"create table s (x int, y int)")],
    ]
    .concat();
    let answer = server.parts("/sqlflow/job/submitPersistJob", &first).await.json();
    let id = answer["data"]["jobId"].as_str().unwrap().to_owned();
    server.finished(&id).await;
    let more: [Part<'_>; 3] = [
        ("jobId", None, id.as_bytes()),
        ("incremental", None, b"true"),
        ("sqlfiles", Some("b.sql"), b"insert into t select * from s"),
    ];
    let answer = server.parts("/sqlflow/job/submitPersistJob", &[&who[..], &more].concat()).await.json();
    assert_eq!(answer["data"]["jobId"], id.as_str());
    let job = server.finished(&id).await;
    assert_eq!(job.file_names, ["a.sql", "b.sql"]);
    let csv = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body;
    assert!(csv.contains("s,y,DEFAULT,DEFAULT,t,y,fdd,insert"), "{csv}");

    let listed = server.form("/sqlflow/job/listScheduleJobs", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(listed["data"]["jobDetails"][0]["cronExpression"], "0 0 * * *");
    let paused = server.export("pauseScheduleJob", &token, &id, &[]).await.json();
    assert_eq!(paused["data"]["cancelSchedule"], true);
    let resumed = server.export("resumeScheduleJob", &token, &id, &[]).await.json();
    assert_eq!(resumed["data"]["cancelSchedule"], false);
    let changed = server.export("updateScheduleJob", &token, &id, &[("cronExpression", "5 4 * * *")]).await.json();
    assert_eq!(changed["data"]["cronExpression"], "5 4 * * *");
}

#[tokio::test(start_paused = true)]
async fn parameters_are_read_wherever_they_are() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("userId", "ann"), ("token", token.as_str()), ("jobId", id.as_str())])
        .finish();
    for prefix in ["/gspLive_backend", "/api/gspLive_backend"] {
        let path = format!("{prefix}/sqlflow/job/displayUserJobSummary?{query}");
        let answer = server.request(Method::POST, &path, "text/plain", "").await;
        assert_eq!(answer.json()["data"]["jobId"], id.as_str());
    }
    let parts: [Part<'_>; 3] =
        [("userId", None, b"ann"), ("token", None, token.as_bytes()), ("jobId", None, id.as_bytes())];
    let answer = server.parts("/sqlflow/job/displayUserJobSummary", &parts).await;
    assert_eq!(answer.json()["data"]["jobId"], id.as_str());
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_job_has_no_exports_yet() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("a.sql", INSERT.as_bytes())]).await;
    for operation in ["exportLineageAsJson", "exportFullLineageAsCsv", "exportLineageAsGraphml"] {
        let answer = server.export(operation, &token, &id, &[]).await.json();
        assert_eq!(answer["code"], 409);
        assert!(answer["error"].as_str().unwrap().contains("has not finished"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_says_why_instead_of_exporting() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("selec 1").await;
    let answer = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.json();
    assert_eq!(answer["code"], 409);
    assert!(answer["error"].as_str().unwrap().contains("a.sql: Expected"), "{answer}");
}

/// Everything in a model that has an id: its name by id.
fn ids(value: &Value, found: &mut std::collections::HashMap<String, String>) {
    match value {
        Value::Object(fields) => {
            if let (Some(id), Some(name)) =
                (fields.get("id").and_then(Value::as_str), fields.get("name").and_then(Value::as_str))
            {
                found.insert(id.to_owned(), name.to_owned());
            }
            fields.values().for_each(|field| ids(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn the_drawn_lineage_hangs_together() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let answer = server.export("exportLineageAsJson", &token, &id, &[("showRelationType", "fdd,fdr")]).await.json();
    assert_eq!((&answer["code"], &answer["jobId"]), (&json!(200), &json!(id)));
    assert!(answer["sessionId"].as_str().unwrap().contains('_'));
    let data = &answer["data"];
    assert_eq!(data["mode"], "global");
    let mut known = std::collections::HashMap::new();
    ids(&data["sqlflow"]["dbobjs"], &mut known);
    let relationships = data["sqlflow"]["relationships"].as_array().unwrap();
    assert!(!relationships.is_empty());
    for relationship in relationships {
        let ends = relationship["sources"].as_array().unwrap().iter().chain([&relationship["target"]]);
        for end in ends {
            assert!(known.contains_key(end["id"].as_str().unwrap()), "{end}");
            assert!(known.contains_key(end["parentId"].as_str().unwrap()), "{end}");
            assert_eq!(end["coordinates"].as_array().unwrap().len(), 2);
        }
    }
    assert_eq!(data["summary"]["table"], 2);
    assert_eq!(data["summary"]["column"], 5);
    assert_eq!(data["summary"]["relationship"], relationships.len());
    let graph = &data["graph"];
    for edge in graph["elements"]["edges"].as_array().unwrap() {
        let [relation, kind] = graph["relationshipIdMap"][edge["id"].as_str().unwrap()].as_array().unwrap().as_slice()
        else {
            panic!("{graph}")
        };
        assert!(
            relationships.iter().any(|relationship| relationship["id"] == *relation && relationship["type"] == *kind)
        );
        for end in ["sourceId", "targetId"] {
            let element = &graph["listIdMap"][edge[end].as_str().unwrap()][0];
            assert!(known.contains_key(element.as_str().unwrap()));
        }
    }
}

fn pairs(answer: &Value) -> Vec<String> {
    let relationships = answer["data"]["sqlflow"]["relationships"].as_array().unwrap();
    let name = |end: &Value| {
        let table = end.get("parentName").or(end.get("sourceName")).or(end.get("targetName")).unwrap();
        end.get("column").map_or_else(
            || table.as_str().unwrap().to_owned(),
            |column| format!("{}.{}", table.as_str().unwrap(), column.as_str().unwrap()),
        )
    };
    let written = relationships.iter().map(|relationship| {
        let sources: Vec<String> = relationship["sources"].as_array().unwrap().iter().map(name).collect();
        format!(
            "{} {} -> {}",
            relationship["type"].as_str().unwrap(),
            sources.join(", "),
            name(&relationship["target"])
        )
    });
    written.collect()
}

#[tokio::test(start_paused = true)]
async fn options_decide_what_is_shown_and_what_is_walked_through() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(
        export(&[]).await,
        [
            "fdd S.X -> INSERT-SELECT-1.X",
            "fdd S.Y -> UPPER.UPPER",
            "fdd UPPER.UPPER -> INSERT-SELECT-1.UPPER(Y)",
            "fdd INSERT-SELECT-1.X -> T.A",
            "fdd INSERT-SELECT-1.UPPER(Y) -> T.B",
        ]
    );
    assert_eq!(export(&[("ignoreFunction", "true")]).await[1], "fdd S.Y -> INSERT-SELECT-1.UPPER(Y)");
    assert_eq!(export(&[("simpleOutput", "true")]).await, ["fdd S.X -> T.A", "fdd S.Y -> T.B"]);
    assert_eq!(export(&[("simpleOutput", "true"), ("showRelationType", "fdr")]).await, ["fdr S.Z -> T.RelationRows"]);
    assert_eq!(export(&[("tableToTable", "true")]).await, ["fdd S -> T"]);
    assert_eq!(export(&[("simpleOutput", "true"), ("table", "t"), ("column", "b")]).await, ["fdd S.Y -> T.B"]);
    assert_eq!(export(&[("table", "nosuch")]).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_query_on_its_own_keeps_its_result() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("select a from (select b a from t) q").await;
    let answer = server.export("exportLineageAsJson", &token, &id, &[("ignoreRecordSet", "true")]).await.json();
    assert_eq!(pairs(&answer), ["fdd T.B -> RS-1.A"]);
}

#[tokio::test(start_paused = true)]
async fn the_arguments_of_a_count_flow_if_asked_to() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (n) select count(y) from s").await;
    let simple = ("simpleOutput", "true");
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(export(&[simple]).await, Vec::<String>::new());
    assert_eq!(export(&[simple, ("treatArgumentsInCountFunctionAsDirectDataflow", "true")]).await, ["fdd S.Y -> T.N"]);
}

#[tokio::test(start_paused = true)]
async fn constants_are_shown_on_request() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (a) select 1 from s").await;
    let export = async |options: &[(&str, &str)]| {
        pairs(&server.export("exportLineageAsJson", &token, &id, options).await.json())
    };
    assert_eq!(export(&[]).await, ["fdd INSERT-SELECT-1.1 -> T.A"]);
    assert_eq!(export(&[("showConstantTable", "true")]).await[0], "fdd SQL_CONSTANTS.1 -> INSERT-SELECT-1.1");
}

#[tokio::test(start_paused = true)]
async fn past_the_relation_limit_only_an_outline_is_drawn() {
    let server = server(Emulator::builder().relation_limit(Some(1)));
    let (token, id) = server.job_on(INSERT).await;
    let data = server.export("exportLineageAsJson", &token, &id, &[]).await.json()["data"].clone();
    assert_eq!(data["mode"], "summary");
    assert_eq!(data["summary"]["relationship"], 5);
    assert!(data.get("graph").is_none() && data["sqlflow"].get("relationships").is_none());
    let tables = &data["sqlflow"]["dbobjs"]["servers"][0]["databases"][0]["schemas"][0]["tables"];
    assert_eq!(tables.as_array().unwrap().len(), 2);
    assert!(tables[0].get("columns").is_none());
    let refused = server.export("exportLineageAsGraphml", &token, &id, &[]).await.json();
    assert!(refused["error"].as_str().unwrap().starts_with("The number of relationships in this task is too large"));
    let full = server.export("exportFullLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(full["data"]["relationships"].as_array().unwrap().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn without_a_job_id_the_latest_job_is_meant() {
    let server = server(Emulator::builder());
    let (token, _) = server.job_on(INSERT).await;
    let (_, latest) = server.job_on("select 1 from u").await;
    let answer = server.export("exportLineageAsJson", &token, "", &[]).await.json();
    assert_eq!(answer["jobId"], latest.as_str());
}

#[tokio::test(start_paused = true)]
async fn a_partial_success_comes_with_its_warnings() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("select a from t; selec b; selec c").await;
    let answer = server.export("exportLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(answer["code"], 203);
    assert_eq!(answer["error"].as_str().unwrap().lines().count(), 2);
    assert_eq!(answer["data"]["sqlflow"]["errors"][0]["errorType"], "SyntaxError");
    assert_eq!(answer["data"]["mode"], "global");
}

#[tokio::test(start_paused = true)]
async fn a_csv_export_is_a_file() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let answer = server.export("exportFullLineageAsCsv", &token, &id, &[]).await;
    assert_eq!(answer.headers[header::CONTENT_TYPE], "text/csv;charset=utf-8");
    assert!(answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment; filename="));
    assert_eq!(
        answer.body,
        "source_db,source_schema,source_table,source_column,target_db,target_schema,target_table,target_column,relation_type,effect_type\n\
         DEFAULT,DEFAULT,s,x,DEFAULT,DEFAULT,t,a,fdd,insert\n\
         DEFAULT,DEFAULT,s,y,DEFAULT,DEFAULT,t,b,fdd,insert\n"
    );
    let tables =
        server.export("exportFullLineageAsCsv", &token, &id, &[("tableToTable", "true"), ("delimiter", "|")]).await;
    assert!(tables.body.ends_with("\nDEFAULT|DEFAULT|s|DEFAULT|DEFAULT|t|fdd|insert\n"), "{}", tables.body);
}

#[tokio::test(start_paused = true)]
async fn graphml_has_a_node_for_each_column_and_an_edge_for_each_flow() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select \"a<b\" from t").await;
    let answer = server.export("exportLineageAsGraphml", &token, &id, &[("simpleOutput", "true")]).await;
    assert!(answer.headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains(".graphml"));
    let xml = answer.body;
    assert!(xml.starts_with("<?xml") && xml.ends_with("</graphml>\n"));
    assert_eq!(xml.matches("<y:ShapeNode>").count(), 2, "{xml}");
    assert_eq!(xml.matches("yfiles.foldertype=\"group\"").count(), 2);
    assert_eq!(xml.matches("<edge ").count(), 1);
    assert!(xml.contains(">a&lt;b</y:NodeLabel>"));
    for tag in ["node", "graph", "edge", "data", "y:ProxyAutoBoundsNode", "y:ShapeNode"] {
        let opened = xml.matches(&format!("<{tag}>")).count() + xml.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, xml.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_left_most_sources_are_those_nothing_flows_into() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select a from t; create view w as select a b from v").await;
    let csv = server.export("leftMostSourceTableAsCsv", &token, &id, &[("tableNamePattern", "W")]).await.body;
    assert_eq!(csv.lines().nth(1), Some("DEFAULT,DEFAULT,t,a,DEFAULT,DEFAULT,w,b"));
    assert_eq!(csv.lines().count(), 2);
    let json = server.export("leftMostSourceTable", &token, &id, &[("tableColumn", "B")]).await.json();
    assert_eq!(json["data"][0]["leftMostSources"][0]["table"], "t");
    let refused = server.export("leftMostSourceTable", &token, &id, &[("tableNamePattern", "(")]).await.json();
    assert_eq!(refused["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn a_zip_is_unpacked_and_what_is_no_sql_is_left_alone() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let archive = zip(&[
        ("ddl/one.sql", b"create table s (x int, y int);"),
        ("../../escape.sql", b"insert into t select * from s;"),
        ("logo.png", b"\x89PNG\r\n\x1a\n"),
        ("__MACOSX/._one.sql", b"\0\0"),
    ]);
    let id = server.submit(&token, &[("etl.zip", &archive), ("plain.sql", b"select a from plain")]).await;
    let job = server.finished(&id).await;
    assert_eq!((job.status.as_str(), &job.error_message), ("success", &None));
    let csv = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body;
    assert!(csv.contains("s,x,DEFAULT,DEFAULT,t,x,fdd,insert"), "{csv}");
    assert!(csv.contains("plain,a"), "{csv}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_zip_fails_its_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let mut archive = zip(&[("a.sql", b"select 1")]);
    archive.truncate(archive.len() / 2);
    let id = server.submit(&token, &[("cut.zip", &archive)]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "fail");
    assert!(job.error_message.unwrap().starts_with("cut.zip: broken zip archive"));

    let id = server.submit(&token, &[("text.zip", b"select 1")]).await;
    assert!(server.finished(&id).await.error_message.unwrap().contains("not a zip archive"));
}

#[tokio::test(start_paused = true)]
async fn a_zip_bomb_is_not_unpacked() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let archive = zip(&[("bomb.sql", &vec![b' '; 11 * 1024 * 1024]), ("good.sql", b"select a from t")]);
    assert!(archive.len() < 100_000);
    let id = server.submit(&token, &[("bomb.zip", &archive)]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "partial_success");
    assert!(job.error_message.unwrap().contains("bomb.zip/bomb.sql: the script is larger than"));
}

#[tokio::test(start_paused = true)]
async fn text_in_any_encoding_is_read() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let utf16: Vec<u8> =
        "\u{feff}insert into t16 (a) select ä from s".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = server.submit(&token, &[("bom.sql", b"\xef\xbb\xbfselect a from t"), ("utf16.sql", &utf16)]).await;
    assert_eq!(server.finished(&id).await.error_message, None);
    assert!(server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body.contains("s,ä,DEFAULT,DEFAULT,t16,a"));

    let id = server.submit(&token, &[("latin.sql", b"select a from t -- \xe4")]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "success");
    assert!(job.error_message.unwrap().starts_with("latin.sql: the file is not valid UTF-8"));
}

#[tokio::test(start_paused = true)]
async fn files_without_a_statement_fail() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("empty.sql", b"-- nothing\n"), ("none.zip", &zip(&[]))]).await;
    let job = server.finished(&id).await;
    assert_eq!(
        (job.status.as_str(), job.error_message.as_deref()),
        ("fail", Some("The files contain no SQL statement."))
    );
}

#[tokio::test]
async fn sql_is_analysed_without_a_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvoracle"), ("sqltext", INSERT)];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    assert_eq!(model["data"]["relationships"].as_array().unwrap().len(), 5);
    let graph = server.form("/sqlflow/generation/sqlflow/graph", &fields).await.json();
    assert!(!graph["data"]["graph"]["elements"]["edges"].as_array().unwrap().is_empty());
    let full = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsJson", &fields).await.json();
    assert_eq!(full["data"], model["data"]);
    let csv = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsCsv", &fields).await.body;
    assert!(csv.contains("s,y,DEFAULT,DEFAULT,t,b,fdd,insert"));
    let parts: [Part<'_>; 4] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfile", Some("a.sql"), INSERT.as_bytes()),
    ];
    let from_file = server.parts("/sqlflow/generation/sqlflow", &parts).await.json();
    assert_eq!(from_file["data"]["relationships"], model["data"]["relationships"]);
    let nothing = server.form("/sqlflow/generation/sqlflow", &fields[..3]).await.json();
    assert_eq!(nothing["code"], 400);
}

#[tokio::test]
async fn a_vendor_without_schemas_keeps_tables_in_its_databases() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields =
        [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "mysql"), ("sqltext", "select a from shop.t, u")];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    let tree = &model["data"]["dbobjs"]["servers"][0];
    assert_eq!((&tree["supportsCatalogs"], &tree["supportsSchemas"]), (&json!(true), &json!(false)));
    let databases: Vec<_> = tree["databases"].as_array().unwrap().iter().collect();
    assert!(databases.iter().all(|database| database.get("schemas").is_none()));
    let shop = databases.iter().find(|database| database["name"] == "shop").unwrap();
    assert_eq!(shop["tables"][0]["displayName"], "shop.t");
    let unnamed = databases.iter().find(|database| database["name"] == "DEFAULT").unwrap();
    assert!(unnamed["tables"].as_array().unwrap().iter().any(|table| table["name"] == "u"));
    assert_eq!(unnamed["others"][0]["name"], "RS-1");
}

#[tokio::test]
async fn nothing_parsed_leaves_no_servers() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "mysql"), ("sqltext", "selec")];
    let model = server.form("/sqlflow/generation/sqlflow", &fields).await.json();
    assert_eq!(model["code"], 203);
    assert!(model["data"]["dbobjs"].get("servers").is_none());
    assert_eq!(model["data"]["errors"][0]["errorType"], "SyntaxError");
}

#[tokio::test]
async fn anonymous_calls_run_out() {
    let server = server(Emulator::builder().anonymous_calls_per_day(2));
    let body = json!({ "sqltext": "select a from t", "dbvendor": "dbvoracle", "showRelationType": "fdd" }).to_string();
    let call = async |path: &str| server.request(Method::POST, path, "application/json", body.clone()).await;
    assert_eq!(call("/api/anonymous/lineage").await.json()["data"]["relationships"][0]["effectType"], "select");
    assert_eq!(call("/gspLive_backend/api/anonymous/lineage").await.status, StatusCode::OK);
    let refused = call("/api/anonymous/lineage").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let refused = refused.json();
    assert_eq!((&refused["code"], &refused["error"]), (&json!(429), &json!("rate_limit_exceeded")));
    assert!(refused["upgrade"]["personal_key"]["url"].is_string());
}

#[tokio::test]
async fn syntax_is_checked() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let check = async |sql: &str| {
        let fields = [("userId", "ann"), ("token", token.as_str()), ("dbvendor", "dbvmysql"), ("sql", sql)];
        server.form("/demo/syntax/check", &fields).await.json()
    };
    let good = check("select 1").await;
    assert_eq!((&good["code"], &good["data"]["errorInfos"]), (&json!(200), &json!([])));
    assert!(good["data"]["usedTime"].is_string() && good["data"]["gsp.version"].is_string());
    let bad = check("selec 1").await;
    assert_ne!(bad["code"], 200);
    assert!(bad["data"]["errorInfos"][0]["errorMessage"].as_str().unwrap().contains("line 1"));
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let unknown = server.form("/sqlflow/job/noSuchThing", &[]).await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (StatusCode::NOT_FOUND, &json!(404)));
    let outside = server.request(Method::GET, "/", "text/plain", "").await;
    assert_eq!(outside.status, StatusCode::NOT_FOUND);
    let absent = server.form("/sqlflow/job/generate/parquet", &[("userId", "ann"), ("token", &token)]).await.json();
    assert_eq!(absent["code"], 501);
    assert!(absent["error"].as_str().unwrap().contains("'generate/parquet'"));
    let wrong_method = server.request(Method::GET, "/gspLive_backend/user/generateToken", "text/plain", "").await;
    assert_eq!(wrong_method.status, StatusCode::METHOD_NOT_ALLOWED);
    let path = format!("/gspLive_backend/sqlflow/job/download/parquet?userId=ann&token={token}");
    assert_eq!(server.request(Method::GET, &path, "text/plain", "").await.json()["code"], 501);
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    let server = server(Emulator::builder());
    let cut = multipart(&[("userId", None, b"ann"), ("sqlfiles", Some("a.sql"), b"select 1")]);
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let path = "/gspLive_backend/sqlflow/job/submitUserJob";
    let answer = server.request(Method::POST, path, &content_type, cut[..cut.len() - 20].to_vec()).await.json();
    assert_eq!(answer["code"], 400);
    let answer = server.request(Method::POST, path, "multipart/form-data", "x").await.json();
    assert_eq!(answer["code"], 400);
    let answer = server.request(Method::POST, "/api/anonymous/lineage", "application/json", "{").await.json();
    assert_eq!(answer["code"], 400);
}

#[tokio::test]
async fn an_upload_past_the_limit_is_refused_and_leaves_nothing_behind() {
    use axum::body::Bytes;
    use futures_util::stream;

    let server = server(Emulator::builder());
    let head = multipart(&[("userId", None, b"ann"), ("sqlfiles", Some("big.sql"), b"")]);
    let (head, tail) = head.split_at(head.len() - BOUNDARY.len() - 8);
    let megabyte = Bytes::from(vec![b' '; 1024 * 1024]);
    let chunks = std::iter::once(Bytes::copy_from_slice(head))
        .chain(std::iter::repeat_n(megabyte, 201))
        .chain([Bytes::copy_from_slice(tail)]);
    let body = Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let answer = server.request(Method::POST, "/gspLive_backend/sqlflow/job/submitUserJob", &content_type, body).await;
    assert_eq!(answer.json()["code"], 413);
    assert_eq!(std::fs::read_dir(server.service.spool.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn requests_are_remembered_without_their_values() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    server.submit(&token, &[("a.sql", b"select 1")]).await;
    server.form("/nowhere", &[("x", "y")]).await;
    let requests = server.service.requests.snapshot();
    let operations: Vec<_> = requests.iter().map(|request| (request.operation, request.status, request.code)).collect();
    assert_eq!(
        operations,
        [
            (Some("generateToken"), Some(200), Some(200)),
            (Some("submitUserJob"), Some(200), Some(200)),
            (None, Some(404), Some(404))
        ]
    );
    assert_eq!(requests[1].fields, ["userId", "token", "jobName", "dbvendor", "sqlfiles"]);
    assert_eq!(requests[1].content_type.as_deref(), Some("multipart/form-data"));
    let printed = format!("{requests:?}");
    assert!(!printed.contains(&token) && !printed.contains("s3cret") && !printed.contains("nightly"));
}

#[tokio::test]
async fn no_secret_is_printed() {
    let builder = Emulator::builder().account("ann", "s3cret");
    assert!(format!("{builder:?}").contains("ann"));
    assert!(!format!("{builder:?}").contains("s3cret"));
    let emulator = builder.start().await.unwrap();
    assert!(!format!("{emulator:?}").contains("s3cret"));
}

/// A request over a socket, on a connection of its own.
async fn raw(address: SocketAddr, request: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

const ASK: &str = "POST /gspLive_backend/user/generateToken?userId=ann&secretKey=k HTTP/1.1\r\n\
                   Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn it_listens_on_loopback_until_it_is_shut_down() {
    let emulator = Emulator::start().await.unwrap();
    let address = emulator.addr();
    assert!(address.ip().is_loopback());
    assert_eq!(emulator.url(), format!("http://{address}"));
    assert!(raw(address, ASK).await.unwrap().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(emulator.requests().len(), 1);
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
    assert!(raw(address, ASK).await.is_err());
}

#[tokio::test]
async fn dropping_it_stops_it() {
    let mut emulator = Emulator::start().await.unwrap();
    let address = emulator.addr();
    let server = emulator.server.take().unwrap();
    drop(emulator);
    server.await.unwrap().unwrap();
    assert!(raw(address, ASK).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let first = Emulator::start().await.unwrap();
    let second = Emulator::builder().port(first.addr().port()).start().await;
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test(start_paused = true)]
async fn a_zip_without_sql_says_what_it_holds() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let inner = zip(&[("a.sql", b"select a from t")]);
    let archive = zip(&[("inner.zip", &inner), ("a.png", b"\x89PNG"), ("__MACOSX/._a.png", b"\0")]);
    let id = server.submit(&token, &[("outer.zip", &archive)]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "fail");
    assert_eq!(
        job.error_message.as_deref(),
        Some("outer.zip: the archive holds no SQL; skipped: inner.zip, a.png; archives in archives are not unpacked")
    );
}

#[tokio::test(start_paused = true)]
async fn an_archive_that_is_mostly_blanks_is_given_up_on() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let blanks = vec![b' '; 9 * 1024 * 1024];
    let names: Vec<String> = (0..3).map(|number| format!("{number}.sql")).collect();
    let mut entries: Vec<(&str, &[u8])> = vec![("good.sql", b"select a from t")];
    entries.extend(names.iter().map(|name| (name.as_str(), blanks.as_slice())));
    let id = server.submit(&token, &[("dense.zip", &zip(&entries))]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "partial_success");
    assert!(job.error_message.unwrap().starts_with("dense.zip: the archive unpacks to more than 300 times its size"));
}

#[tokio::test(start_paused = true)]
async fn a_file_part_that_nobody_chose_is_ignored_beside_others() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let submit = async |files: &[Part<'_>]| {
        let mut parts: Vec<Part<'_>> = vec![
            ("userId", None, b"ann"),
            ("token", None, token.as_bytes()),
            ("jobName", None, b"n"),
            ("dbvendor", None, b"dbvoracle"),
        ];
        parts.extend(files);
        server.parts("/sqlflow/job/submitUserJob", &parts).await.json()
    };
    let (empty, real): (Part<'_>, Part<'_>) = (("sqlfiles", Some(""), b""), ("sqlfiles", Some("a.sql"), b"select 1"));
    assert_eq!(submit(&[empty, real]).await["data"]["fileNames"], json!(["a.sql"]));
    assert_eq!(submit(&[empty]).await["code"], 400);
    assert_eq!(submit(&[real, ("sqlfiles", Some(""), b"select 2")]).await["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn a_file_name_is_taken_in_any_encoding() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields: [Part<'_>; 4] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, b"n"),
        ("dbvendor", None, b"dbvoracle"),
    ];
    for name in [
        &b"filename*=UTF-8''gr%C3%B6%C3%9Fe.sql"[..],
        b"filename=\"gr\xf6\xdfe.sql\"",
        b"filename=\"=?UTF-8?B?Z3LDtsOfZS5zcWw=?=\"",
        b"filename=\"plain.sql\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.sql",
    ] {
        let mut body = multipart(&fields);
        body.truncate(body.len() - "--\r\n".len());
        let head = [b"\r\nContent-Disposition: form-data; name=\"sqlfiles\"; ", name, b"\r\n\r\nselect 1\r\n"].concat();
        body.extend_from_slice(&head);
        write!(body, "--{BOUNDARY}--\r\n").unwrap();
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let path = "/gspLive_backend/sqlflow/job/submitUserJob";
        let answer = server.request(Method::POST, path, &content_type, body).await.json();
        assert_eq!(answer["data"]["fileNames"], json!(["größe.sql"]), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn orphans_are_no_table() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("create view v as select c from t, u").await;
    let data = server.export("exportLineageAsJson", &token, &id, &[]).await.json()["data"].clone();
    assert_eq!((&data["summary"]["table"], &data["summary"]["column"]), (&json!(2), &json!(1)));
    let shelf = &data["sqlflow"]["dbobjs"]["servers"][0]["databases"][0]["schemas"][0];
    let others: Vec<&Value> = shelf["others"].as_array().unwrap().iter().map(|object| &object["type"]).collect();
    assert!(others.contains(&&json!("pseudoTable")), "{others:?}");
    assert_eq!(shelf["tables"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_processes_of_a_selection_are_counted() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on("insert into t (a) select x from s; insert into u (a) select x from w").await;
    let answer = server.export("exportLineageAsJson", &token, &id, &[("table", "u")]).await.json();
    assert_eq!(answer["data"]["summary"]["process"], 1);
    assert_eq!(answer["data"]["sqlflow"]["processes"].as_array().unwrap().len(), 1);
    let whole = server.export("exportLineageAsJson", &token, &id, &[]).await.json();
    assert_eq!(whole["data"]["summary"]["process"], 2);
}

#[tokio::test]
async fn a_csv_of_nothing_but_errors_is_a_failure() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    for (sql, said) in [("selec a from t", "sqltext: Expected"), ("-- nothing", "no statement")] {
        let fields = [("userId", "ann"), ("token", token.as_str()), ("sqltext", sql)];
        let answer = server.form("/sqlflow/generation/sqlflow/exportFullLineageAsCsv", &fields).await.json();
        assert_eq!(answer["code"], 400);
        assert!(answer["error"].as_str().unwrap().contains(said), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn foreign_keys_are_shown_as_such_on_request_and_are_no_sources() {
    let server = server(Emulator::builder());
    let sql = "create table d (id int primary key); create table e (d_id int references d(id));";
    let (token, id) = server.job_on(sql).await;
    let export = async |types| {
        pairs(&server.export("exportLineageAsJson", &token, &id, &[("showRelationType", types)]).await.json())
    };
    assert_eq!(export("fdd").await, ["fdd D.ID -> E.D_ID"]);
    assert_eq!(export("er").await, ["er D.ID -> E.D_ID"]);
    assert_eq!(server.export("leftMostSourceTable", &token, &id, &[]).await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_path_may_be_written_in_other_ways() {
    let server = server(Emulator::builder());
    let ask = "userId=ann&secretKey=k";
    for path in [
        "/gspLive_backend//user/generateToken",
        "/gspLive_backend/user/generateToken/",
        "/api/gspLive%5Fbackend/user/generate%54oken",
    ] {
        let answer = server.request(Method::POST, &format!("{path}?{ask}"), "text/plain", "").await;
        assert_eq!(answer.json()["code"], "200", "{path}");
    }
    assert_eq!(server.service.requests.snapshot()[2].operation, Some("generateToken"));
}

#[tokio::test]
async fn the_methods_of_an_operation_are_told() {
    let server = server(Emulator::builder());
    let path = "/gspLive_backend/user/generateToken";
    let refused = server.request(Method::GET, path, "text/plain", "").await;
    assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(refused.headers[header::ALLOW], "POST, OPTIONS");
    let told = server.request(Method::OPTIONS, path, "text/plain", "").await;
    assert_eq!((told.status, &told.headers[header::ALLOW]), (StatusCode::OK, &refused.headers[header::ALLOW]));
    let both = "/gspLive_backend/sqlflow/generation/sqlflow/upstreamGraph";
    assert_eq!(
        server.request(Method::OPTIONS, both, "text/plain", "").await.headers[header::ALLOW],
        "GET, POST, OPTIONS"
    );
}

#[tokio::test(start_paused = true)]
async fn a_graph_without_sql_is_that_of_the_job() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let fields = [("userId", "ann"), ("token", token.as_str()), ("jobId", id.as_str())];
    let answer = server.form("/sqlflow/generation/sqlflow/graph", &fields).await.json();
    assert_eq!((&answer["code"], &answer["jobId"]), (&json!(200), &json!(id)));
    assert_eq!(answer["data"]["mode"], "global");
    let with_sql = [&fields[..], &[("sqltext", "select a from other")]].concat();
    let answer = server.form("/sqlflow/generation/sqlflow/graph", &with_sql).await.json();
    assert!(answer.get("jobId").is_none() && answer.to_string().contains("other"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_relation_type_is_refused() {
    let server = server(Emulator::builder());
    let (token, id) = server.job_on(INSERT).await;
    let answer = server.export("exportLineageAsJson", &token, &id, &[("showRelationType", "fdd,nope")]).await.json();
    assert_eq!(answer["code"], 400);
    assert!(answer["error"].as_str().unwrap().contains("'showRelationType'"), "{answer}");
}
