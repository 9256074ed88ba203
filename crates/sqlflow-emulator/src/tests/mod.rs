//! The server as a caller sees it, through its router and, where the connection matters, over a socket.

mod control;
mod direct;
mod exports;
mod foreign;
mod jobs;
mod lifecycle;
mod operations;
mod protocol;
mod uploads;

use std::io::{Cursor, Write as _};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

const BOUNDARY: &str = "x-boundary-x";

/// A server without a socket.
struct TestServer {
    service: Arc<Service>,
    router: Router,
    _stop: watch::Sender<bool>,
}

/// A response, read to its end.
struct TestResponse {
    status: StatusCode,
    headers: HeaderMap,
    /// The body, with replacement characters where it is not text.
    body: String,
    bytes: Vec<u8>,
}

impl TestResponse {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

fn server(builder: EmulatorBuilder) -> TestServer {
    let (stop, stopped) = watch::channel(false);
    let service = builder.service(stopped, Weak::new()).unwrap();
    let router = routes::router(Arc::clone(&service));
    TestServer { service, router, _stop: stop }
}

/// A part of a multipart body: its name, its file name if it is a file, and its content.
type TestPart<'a> = (&'a str, Option<&'a str>, &'a [u8]);

fn multipart(parts: &[TestPart<'_>]) -> Vec<u8> {
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

impl TestServer {
    async fn send(&self, request: Request<Body>) -> TestResponse {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        TestResponse { status, headers, body: String::from_utf8_lossy(&body).into_owned(), bytes: body.into() }
    }

    async fn request(&self, method: Method, path: &str, content_type: &str, body: impl Into<Body>) -> TestResponse {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> TestResponse {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let path = format!("/gspLive_backend{path}");
        self.request(Method::POST, &path, "application/x-www-form-urlencoded", body).await
    }

    async fn parts(&self, path: &str, parts: &[TestPart<'_>]) -> TestResponse {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        self.request(Method::POST, &format!("/gspLive_backend{path}"), &content_type, multipart(parts)).await
    }

    async fn token(&self, user: &str) -> String {
        let response = self.form("/user/generateToken", &[("userId", user), ("secretKey", "s3cret")]).await;
        response.json()["token"].as_str().unwrap().to_owned()
    }

    /// Submits files as `ann` and returns the job's id.
    async fn submit(&self, token: &str, files: &[(&str, &[u8])]) -> String {
        let mut parts: Vec<TestPart<'_>> = vec![
            ("userId", None, b"ann"),
            ("token", None, token.as_bytes()),
            ("jobName", None, b"nightly"),
            ("dbvendor", None, b"dbvoracle"),
        ];
        parts.extend(files.iter().map(|(name, content)| ("sqlfiles", Some(*name), *content)));
        let response = self.parts("/sqlflow/job/submitUserJob", &parts).await.json();
        assert_eq!(response["code"], 200, "{response}");
        response["data"]["jobId"].as_str().unwrap().to_owned()
    }

    /// Waits until a job has one of these statuses.
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

    /// Runs a job of `ann` on one script until it has finished.
    async fn job_on(&self, sql: &str) -> (String, String) {
        let token = self.token("ann").await;
        let id = self.submit(&token, &[("a.sql", sql.as_bytes())]).await;
        self.finished(&id).await;
        (token, id)
    }

    async fn export(&self, operation: &str, token: &str, id: &str, more: &[(&str, &str)]) -> TestResponse {
        let fields = [&[("userId", "ann"), ("token", token), ("jobId", id)], more].concat();
        self.form(&format!("/sqlflow/job/{operation}"), &fields).await
    }
}

const INSERT: &str = "insert into t (a, b) select x, upper(y) from s where z > 1";
