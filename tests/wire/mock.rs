//! Mock servers and responses, and clients for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlflow_client::job::{Polling, Settling};
use sqlflow_client::{Client, ClientBuilder, Credentials};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::sent::SentRequest;

/// The path of the API on a version 6 server.
pub(crate) const BACKEND: &str = "/api/gspLive_backend";

pub(crate) const GENERATE_TOKEN: &str = "/user/generateToken";
pub(crate) const JOBS: &str = "/sqlflow/job/displayUserJobsSummary";
pub(crate) const SUMMARY: &str = "/sqlflow/job/displayUserJobSummary";
pub(crate) const SUBMIT: &str = "/sqlflow/job/submitUserJob";
pub(crate) const SUBMIT_PERSIST: &str = "/sqlflow/job/submitPersistJob";
pub(crate) const SUBMIT_TABLE_AFFECT: &str = "/sqlflow/job/submitTableAffectSQLJob";
pub(crate) const LINEAGE: &str = "/sqlflow/job/exportLineageAsJson";
pub(crate) const FULL_JSON: &str = "/sqlflow/job/exportFullLineageAsJson";
pub(crate) const CSV: &str = "/sqlflow/job/exportFullLineageAsCsv";
pub(crate) const GRAPHML: &str = "/sqlflow/job/exportLineageAsGraphml";

/// A mock server. It responds with 404 unless something else is set up.
pub(crate) struct Server(MockServer);

impl Server {
    pub(crate) async fn start() -> Self {
        Self(MockServer::start().await)
    }

    /// Starts a server that responds to one operation.
    pub(crate) async fn answering(operation: &str, answer: impl Respond + 'static) -> Self {
        let server = Self::start().await;
        server.on(operation, answer).await;
        server
    }

    /// Responds to an operation, by its path under the base URL.
    pub(crate) async fn on(&self, operation: &str, answer: impl Respond + 'static) {
        self.at(&format!("{BACKEND}{operation}"), answer).await;
    }

    /// Responds at a path.
    pub(crate) async fn at(&self, full_path: &str, answer: impl Respond + 'static) {
        Mock::given(path(full_path)).respond_with(answer).mount(&self.0).await;
    }

    /// Responds to every request.
    pub(crate) async fn everywhere(&self, answer: impl Respond + 'static) {
        Mock::given(any()).respond_with(answer).mount(&self.0).await;
    }

    /// Returns the URL of the server without a path.
    pub(crate) fn url(&self) -> String {
        self.0.uri()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address().port()
    }

    /// Creates a client without an account.
    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a client of a mock")
    }

    /// Creates a client that has to request tokens.
    pub(crate) fn client_with_secret_key(&self) -> Client {
        let credentials = Credentials::secret_key("auth0|ann", "the secret key");
        self.builder().credentials(credentials).build().expect("a client of a mock")
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        builder(&self.url())
    }

    /// Returns every request that arrived.
    pub(crate) async fn sent(&self) -> Vec<SentRequest> {
        self.0.received_requests().await.expect("requests are recorded").into_iter().map(SentRequest::from).collect()
    }

    /// Returns every request for one operation.
    pub(crate) async fn sent_to(&self, operation: &str) -> Vec<SentRequest> {
        let full_path = format!("{BACKEND}{operation}");
        self.sent().await.into_iter().filter(|sent| sent.path() == full_path).collect()
    }

    /// Returns the only request that arrived.
    pub(crate) async fn only(&self) -> SentRequest {
        let mut sent = self.sent().await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }
}

/// Returns a builder whose clients connect directly to a server on the loopback interface, poll without long pauses,
/// make each call once, and quickly resolve submissions whose response was lost.
pub(crate) fn builder(url: &str) -> ClientBuilder {
    Client::builder(url)
        .without_proxy()
        .polling(Polling::every(Duration::from_millis(1)))
        .without_retries()
        .settling(Settling::new().window(Duration::from_millis(800)).max_lookups(2))
}

/// Returns a response as real servers send it: HTTP 200 with JSON.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
pub(crate) fn answer(value: Value) -> ResponseTemplate {
    body(value.to_string())
}

/// Returns a response with HTTP 200 and any text, declared as JSON.
pub(crate) fn body(text: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.into(), "application/json;charset=utf-8")
}

/// Returns a page of a proxy.
pub(crate) fn page(status: u16, html: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(html, "text/html")
}

/// Returns a successful envelope.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
pub(crate) fn success(data: Value) -> ResponseTemplate {
    answer(json!({"code": 200, "data": data}))
}

/// Returns a failing envelope.
pub(crate) fn failure(code: i64, error: &str) -> ResponseTemplate {
    answer(json!({"code": code, "error": error}))
}

/// Returns the job object of a server, with a status.
pub(crate) fn job(status: &str) -> Value {
    json!({"jobId": "j1", "jobName": "nightly", "status": status})
}

/// Returns the response for a job with a status.
pub(crate) fn state(status: &str) -> ResponseTemplate {
    success(job(status))
}

/// Returns the response to a request for a token.
pub(crate) fn token(text: &str) -> ResponseTemplate {
    answer(json!({"code": "200", "userId": "auth0|ann", "token": text}))
}

/// Returns an empty list of jobs.
pub(crate) fn no_jobs() -> ResponseTemplate {
    success(json!({"total": 0, "jobDetails": []}))
}

/// Sends each response once, and the last one from then on.
pub(crate) fn in_turn<const N: usize>(answers: [ResponseTemplate; N]) -> impl Respond + 'static {
    ResponseSequence { answers: answers.into(), next: AtomicUsize::new(0) }
}

struct ResponseSequence {
    answers: Vec<ResponseTemplate>,
    next: AtomicUsize,
}

impl Respond for ResponseSequence {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let index = self.next.fetch_add(1, Ordering::SeqCst);
        self.answers[index.min(self.answers.len() - 1)].clone()
    }
}
