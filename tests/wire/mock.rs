//! Building mock answers, and the clients that ask for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use sqlflow_client::job::{Polling, Settling};
use sqlflow_client::{Client, ClientBuilder, Credentials};
use wiremock::matchers::{any, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::sent::Sent;

/// The path of the API on a server of version 6.
pub(crate) const BACKEND: &str = "/api/gspLive_backend";

pub(crate) const GENERATE_TOKEN: &str = "/user/generateToken";
pub(crate) const JOBS: &str = "/sqlflow/job/displayUserJobsSummary";
pub(crate) const SUMMARY: &str = "/sqlflow/job/displayUserJobSummary";
pub(crate) const SUBMIT: &str = "/sqlflow/job/submitUserJob";
pub(crate) const SUBMIT_PERSIST: &str = "/sqlflow/job/submitPersistJob";
pub(crate) const LINEAGE: &str = "/sqlflow/job/exportLineageAsJson";
pub(crate) const FULL_JSON: &str = "/sqlflow/job/exportFullLineageAsJson";
pub(crate) const CSV: &str = "/sqlflow/job/exportFullLineageAsCsv";
pub(crate) const GRAPHML: &str = "/sqlflow/job/exportLineageAsGraphml";

/// A mock server. Where nothing is set up it answers 404.
pub(crate) struct Server(MockServer);

impl Server {
    pub(crate) async fn start() -> Self {
        Self(MockServer::start().await)
    }

    /// One that answers one operation.
    pub(crate) async fn answering(operation: &str, answer: impl Respond + 'static) -> Self {
        let server = Self::start().await;
        server.on(operation, answer).await;
        server
    }

    /// Answers an operation, by its path under the base URL.
    pub(crate) async fn on(&self, operation: &str, answer: impl Respond + 'static) {
        self.at(&format!("{BACKEND}{operation}"), answer).await;
    }

    /// Answers at a path.
    pub(crate) async fn at(&self, full_path: &str, answer: impl Respond + 'static) {
        Mock::given(path(full_path)).respond_with(answer).mount(&self.0).await;
    }

    /// Answers everything.
    pub(crate) async fn everywhere(&self, answer: impl Respond + 'static) {
        Mock::given(any()).respond_with(answer).mount(&self.0).await;
    }

    /// The URL of the server alone.
    pub(crate) fn url(&self) -> String {
        self.0.uri()
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.address().port()
    }

    /// A client of it without an account.
    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a client of a mock")
    }

    /// A client of it that has to ask for tokens.
    pub(crate) fn client_with_secret_key(&self) -> Client {
        let credentials = Credentials::secret_key("auth0|ann", "the secret key");
        self.builder().credentials(credentials).build().expect("a client of a mock")
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        builder(&self.url())
    }

    /// Every request that arrived.
    pub(crate) async fn sent(&self) -> Vec<Sent> {
        self.0.received_requests().await.expect("requests are recorded").into_iter().map(Sent::from).collect()
    }

    /// Every request to one operation.
    pub(crate) async fn sent_to(&self, operation: &str) -> Vec<Sent> {
        let full_path = format!("{BACKEND}{operation}");
        self.sent().await.into_iter().filter(|sent| sent.path() == full_path).collect()
    }

    /// The only request that arrived.
    pub(crate) async fn only(&self) -> Sent {
        let mut sent = self.sent().await;
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }
}

/// A builder whose clients go straight to a server on loopback, ask for states without long pauses, make each call
/// once, and look for a lost submit in a moment.
pub(crate) fn builder(url: &str) -> ClientBuilder {
    Client::builder(url)
        .without_proxy()
        .polling(Polling::every(Duration::from_millis(1)))
        .without_retries()
        .settling(Settling::new().window(Duration::from_millis(10)).max_lookups(2))
}

/// An answer as servers send it: HTTP 200 with JSON.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
pub(crate) fn answer(value: Value) -> ResponseTemplate {
    body(value.to_string())
}

/// HTTP 200 with any text, called JSON.
pub(crate) fn body(text: impl Into<String>) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_raw(text.into(), "application/json;charset=utf-8")
}

/// A page of a proxy.
pub(crate) fn page(status: u16, html: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_raw(html, "text/html")
}

/// A successful envelope.
#[expect(clippy::needless_pass_by_value, reason = "made where it is passed")]
pub(crate) fn success(data: Value) -> ResponseTemplate {
    answer(json!({"code": 200, "data": data}))
}

/// A failing envelope.
pub(crate) fn failure(code: i64, error: &str) -> ResponseTemplate {
    answer(json!({"code": code, "error": error}))
}

/// The job object of a server, in a state.
pub(crate) fn job(status: &str) -> Value {
    json!({"jobId": "j1", "jobName": "nightly", "status": status})
}

/// The answer about a job in a state.
pub(crate) fn state(status: &str) -> ResponseTemplate {
    success(job(status))
}

/// The answer to a request for a token.
pub(crate) fn token(text: &str) -> ResponseTemplate {
    answer(json!({"code": "200", "userId": "auth0|ann", "token": text}))
}

/// An empty list of jobs.
pub(crate) fn no_jobs() -> ResponseTemplate {
    success(json!({"total": 0, "jobDetails": []}))
}

/// Each answer once, and the last one from then on.
pub(crate) fn in_turn<const N: usize>(answers: [ResponseTemplate; N]) -> impl Respond + 'static {
    InTurn { answers: answers.into(), next: AtomicUsize::new(0) }
}

struct InTurn {
    answers: Vec<ResponseTemplate>,
    next: AtomicUsize,
}

impl Respond for InTurn {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let index = self.next.fetch_add(1, Ordering::SeqCst);
        self.answers[index.min(self.answers.len() - 1)].clone()
    }
}
