//! Spans and events: the page `guide::tracing` lists all of them, and calls emit what it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use sqlflow_client::Client;
use sqlflow_client::retry::Backoff;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const PAGE: &str = include_str!("../docs/tracing.md");

fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the sources are here");
    let paths = entries.map(|entry| entry.expect("it is readable").path());
    let all = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    all.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns the arguments of a macro, whose opening parenthesis was read.
fn arguments(code: &str) -> Vec<String> {
    let (mut depth, mut is_quoted, mut all) = (0, false, vec![String::new()]);
    for letter in code.chars() {
        match letter {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        all.last_mut().expect("there is one").push(letter);
    }
    all.into_iter().map(|argument| argument.trim().to_owned()).filter(|argument| !argument.is_empty()).collect()
}

/// Returns the beginning of the row of an event or span, without its meaning.
fn row(level: &str, arguments: &[String]) -> String {
    let (mut target, mut message, mut fields) = ("no target", "no message", Vec::new());
    for argument in arguments {
        if let Some(named) = argument.strip_prefix("target: ") {
            target = named.trim_matches('"');
        } else if argument.starts_with('"') {
            message = argument.trim_matches('"');
        } else {
            let (name, _) = argument.split_once(" = ").unwrap_or((argument, ""));
            let name = name.trim_start_matches(['%', '?']);
            fields.push(format!("`{}`", name.rsplit('.').next().unwrap_or(name)));
        }
    }
    let fields = if fields.is_empty() { String::new() } else { format!(" {}", fields.join(", ")) };
    format!("| {level} | `{target}` | {message} |{fields} |")
}

/// Returns the rows of all events and spans in the sources.
fn emitted() -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).expect("it is readable");
        let code: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let code = code.join("\n");
        for (start, name) in code.match_indices("tracing::") {
            let rest = &code[start + name.len()..];
            let Some((called, rest)) = rest.split_once("!(") else { continue };
            let level = called.trim_end_matches("_span");
            if ["trace", "debug", "info", "warn", "error"].contains(&level) {
                rows.insert(row(level, &arguments(rest)));
            }
        }
    }
    rows
}

#[test]
fn the_page_lists_every_span_and_event_and_nothing_else() {
    let emitted = emitted();
    assert!(emitted.len() > 15, "the sources are not read: {emitted:#?}");
    let missing: Vec<_> = emitted.iter().filter(|row| !PAGE.lines().any(|line| line.starts_with(*row))).collect();
    assert!(missing.is_empty(), "add these rows to docs/tracing.md: {missing:#?}");
    let listed = PAGE.lines().filter(|line| line.starts_with('|') && line.contains("| `sqlflow_client::"));
    let gone: Vec<_> = listed.filter(|line| !emitted.iter().any(|row| line.starts_with(row))).collect();
    assert!(gone.is_empty(), "nothing emits these: {gone:#?}");
}

#[test]
fn every_event_has_a_target_of_this_crate() {
    for row in emitted() {
        assert!(row.contains("| `sqlflow_client::"), "set a target from docs/tracing.md: {row}");
    }
}

/// Collects the rows of the events of a test, each with the operation of its span.
#[derive(Clone, Default)]
struct Events(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Fields(Vec<String>, String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.1 = format!("{value:?}"),
            name => self.0.push(format!("`{name}`")),
        }
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        if !metadata.target().starts_with("sqlflow_client::") {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = metadata.level().as_str().to_lowercase();
        let span = context.event_span(event).map_or("none", |span| span.name());
        let row = format!("| {level} | `{}` | {} | {} |", metadata.target(), fields.1, fields.0.join(", "));
        self.0.lock().expect("no test panics in here").push(format!("{span}: {row}"));
    }
}

#[tokio::test]
async fn a_retried_call_emits_the_events_of_the_page() -> Result<(), Box<dyn std::error::Error>> {
    let events = Events::default();
    // No other test of this process calls the client. With a subscriber for one thread only, another thread may decide
    // that nobody is interested in a span.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(events.clone()))?;
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(502)).up_to_n_times(1).mount(&server).await;
    let jobs = ResponseTemplate::new(200).set_body_json(json!({"code": 200, "data": {"total": 0, "jobDetails": []}}));
    Mock::given(any()).respond_with(jobs).mount(&server).await;
    let retry = Backoff::new().base_delay(Duration::from_millis(1));
    let client = Client::builder(server.uri()).retry(retry).build()?;
    client.jobs().await?;
    let seen = events.0.lock().expect("no test panics in here").clone();
    let retries: Vec<_> = seen.iter().filter(|row| row.contains("::retry`")).collect();
    assert_eq!(retries.len(), 1, "{seen:#?}");
    for row in &seen {
        let (span, row) = row.split_once(": ").expect("it has a span");
        assert!(PAGE.lines().any(|line| line.starts_with(row)), "{row} is not on the page");
        assert_eq!(span, "sqlflow", "{row}");
    }
    assert_eq!(seen.iter().filter(|row| row.contains("the server responded")).count(), 2, "{seen:#?}");
    Ok(())
}
