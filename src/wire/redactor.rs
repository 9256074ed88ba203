//! Removal of secrets from the texts of servers. Servers and proxies repeat in their texts what they were sent, and
//! texts end up in logs.
//!
//! Every text that a server sent and that a person or a log may see goes through a [`Redactor`] before it is cut to an
//! excerpt: a secret of which half was cut off would not be found any more. [`spelling`](super::spelling) knows the
//! spellings in which a server may repeat a secret.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Map, Value};

use super::excerpt;
use super::spelling::{Found, Needle, Unescaped, tokens_in};
use super::{ON_PREMISE_TOKEN, Secret};
use crate::Error;
use crate::error::escape_controls_except;
use crate::sync::lock;

/// The text in place of a secret.
const REDACTED: &str = "[REDACTED]";

/// The minimum length of a secret in bytes. Replacing shorter ones would make every text unreadable, and seeing them
/// tells a reader little.
const MIN_LENGTH: usize = 4;

/// The number of secrets of requests that a client remembers. A request always knows its own.
const MAX_REMEMBERED: usize = 64;

/// The number of bytes of a body that an excerpt is made from. Excerpts are much shorter, even without the markup.
const MAX_SCANNED: usize = 16 * 1024;

/// Removes secrets from texts, in every spelling in which a server may repeat them. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<Arc<SecretSet>>);

/// Secrets, and the index by which texts are searched for them.
struct SecretSet {
    secrets: Vec<Secret>,
    index: OnceLock<SecretIndex>,
}

/// The spellings to search for. Most texts contain no secret, and most requests lead to no text at all, so this is made
/// for the first text.
struct SecretIndex {
    needles: Vec<Needle>,
    /// The numbers of the needles that may begin with a byte.
    by_first_byte: Vec<Vec<usize>>,
}

impl SecretIndex {
    fn new(secrets: &[Secret]) -> Self {
        let needles: Vec<_> = secrets.iter().flat_map(|secret| Needle::all_of(secret.expose())).collect();
        let mut by_first_byte = vec![Vec::new(); 256];
        for (number, needle) in needles.iter().enumerate() {
            for first in needle.first_bytes() {
                by_first_byte[usize::from(first)].push(number);
            }
        }
        Self { needles, by_first_byte }
    }

    /// Adds the places of the secrets in a text.
    fn find(&self, text: &Unescaped, is_cut: bool, found: &mut Vec<Range<usize>>) {
        for (start, first) in text.text().bytes().enumerate() {
            for number in &self.by_first_byte[usize::from(first)] {
                let range = match self.needles[*number].find_at(text.text(), start) {
                    Some(Found::Whole(range)) => range,
                    Some(Found::Beginning { place, matched, length }) if is_telling(matched, length, is_cut) => place,
                    _ => continue,
                };
                found.push(text.original(range));
            }
        }
    }
}

/// Returns `true` if the beginning of a secret at the end of a text is replaced, because the text may be cut there. Of a
/// text that is not known to be cut, a few letters may be the beginning of a word of their own.
fn is_telling(matched: usize, length: usize, is_cut: bool) -> bool {
    is_cut || matched >= 8 || matched >= MIN_LENGTH && matched * 4 >= length * 3
}

impl Redactor {
    pub(crate) fn new(secrets: impl IntoIterator<Item = Secret>) -> Self {
        let mut known: Vec<Secret> = secrets.into_iter().filter(is_worth_hiding).collect();
        // The longest first: one secret may contain another.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        known.dedup_by(|one, other| one.expose() == other.expose());
        if known.is_empty() { Self::default() } else { Self::of(known) }
    }

    fn of(secrets: Vec<Secret>) -> Self {
        Self(vec![Arc::new(SecretSet { secrets, index: OnceLock::new() })])
    }

    /// Returns `true` if no secret is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns a redactor for the secrets of both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut sets = self.0.clone();
        for set in &other.0 {
            if !sets.iter().any(|known| Arc::ptr_eq(known, set)) {
                sets.push(Arc::clone(set));
            }
        }
        Self(sets)
    }

    /// Returns the whole text without the secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.redact_part(text, false)
    }

    /// Returns a text without the secrets. If it is the beginning of a longer one, the beginning of a secret at its end is
    /// removed too.
    fn redact_part<'a>(&self, text: &'a str, is_cut: bool) -> Cow<'a, str> {
        let mut found = tokens_in(text);
        if !self.0.is_empty() {
            for layer in Unescaped::layers(text) {
                for set in &self.0 {
                    set.index().find(&layer, is_cut, &mut found);
                }
            }
        }
        if found.is_empty() { Cow::Borrowed(text) } else { without(text, found).into() }
    }

    /// Returns the part of a server's text that an error may contain.
    pub(crate) fn excerpt(&self, text: &str) -> String {
        let (beginning, is_cut) = beginning_of(text);
        excerpt::excerpt(&self.redact_part(beginning, is_cut))
    }

    /// Returns the first words of a body, on one line and without HTML tags. `is_cut` says that `body` is the beginning
    /// of a longer one.
    pub(crate) fn snippet(&self, body: &str, is_cut: bool) -> String {
        let (beginning, is_longer) = beginning_of(body);
        excerpt::snippet(&self.redact_part(beginning, is_cut || is_longer))
    }

    /// Returns the error without the secrets. If it contained one, the source is dropped, since it is likely to contain
    /// it as well.
    pub(crate) fn redact_error(&self, error: Error) -> Error {
        let text = error.message().to_owned();
        match self.redact(&text) {
            Cow::Owned(clean) => error.with_text(clean),
            Cow::Borrowed(_) if self.is_in_sources(&error) => error.with_text(text),
            Cow::Borrowed(_) => error,
        }
    }

    /// Returns `true` if a cause of an error shows a secret. The message may have been cut before it.
    fn is_in_sources(&self, error: &Error) -> bool {
        let shows = |text: String| matches!(self.redact(&text), Cow::Owned(_));
        let mut cause = std::error::Error::source(error);
        while let Some(source) = cause {
            if shows(source.to_string()) || shows(format!("{source:?}")) {
                return true;
            }
            cause = source.source();
        }
        false
    }

    /// Removes the secrets from a message of a server, and escapes its control characters, except for line breaks and
    /// tabs.
    pub(crate) fn clean(&self, text: &mut String) {
        if let Cow::Owned(clean) = self.redact(text) {
            *text = clean;
        }
        let is_layout = |letter: char| matches!(letter, '\n' | '\t');
        if text.contains('\r') {
            *text = text.replace("\r\n", "\n");
        }
        if let Cow::Owned(escaped) = escape_controls_except(text, is_layout) {
            *text = escaped;
        }
    }

    /// Removes the secrets from the texts in a JSON value, except for the fields that identify something.
    pub(crate) fn clean_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.redact(text) {
                    *text = clean;
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.clean_value(value)),
            Value::Object(fields) => self.clean_fields(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Removes the secrets from the fields of a JSON object, like [`clean_value`](Redactor::clean_value).
    pub(crate) fn clean_fields(&self, fields: &mut Map<String, Value>) {
        /// The fields that programs send back, or that they chose themselves.
        const IDENTIFIERS: [&str; 5] = ["jobId", "jobName", "fileNames", "sessionId", "userId"];
        for (name, value) in fields.iter_mut() {
            if !IDENTIFIERS.contains(&name.as_str()) {
                self.clean_value(value);
            }
        }
    }
}

impl SecretSet {
    fn index(&self) -> &SecretIndex {
        self.index.get_or_init(|| SecretIndex::new(&self.secrets))
    }
}

fn is_worth_hiding(secret: &Secret) -> bool {
    secret.expose().len() >= MIN_LENGTH && secret.expose() != ON_PREMISE_TOKEN
}

/// Returns as much of a text as an excerpt can be made from, and `true` if that is not all.
fn beginning_of(text: &str) -> (&str, bool) {
    // A long text is not worth a search of gigabytes.
    if text.len() <= MAX_SCANNED {
        return (text, false);
    }
    let end = (0..=MAX_SCANNED).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    (&text[..end], true)
}

/// Returns a text without these ranges.
fn without(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let (mut clean, mut end) = (String::with_capacity(text.len()), 0);
    for range in ranges {
        if range.start >= end {
            clean.push_str(&text[end..range.start]);
            clean.push_str(REDACTED);
        }
        end = end.max(range.end);
    }
    clean.push_str(&text[end..]);
    clean
}

/// Two redactors are equal whatever they know, so that a value that holds one is compared by its data.
impl PartialEq for Redactor {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// `Debug` of a value without the secrets.
pub(crate) struct RedactedDebug<'a>(pub(crate) &'a dyn fmt::Debug, pub(crate) &'a Redactor);

impl fmt::Debug for RedactedDebug<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, secrets) = self;
        let shown = if f.alternate() { format!("{value:#?}") } else { format!("{value:?}") };
        f.write_str(&secrets.redact(&shown))
    }
}

/// The secrets that a client knows: those of its credentials and its proxy, and the latest that it sent or received.
#[derive(Default)]
pub(crate) struct KnownSecrets(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// The secrets of the settings.
    kept: Vec<Secret>,
    /// The secrets of requests and of token providers, the latest last.
    remembered: VecDeque<Secret>,
    redactor: Redactor,
}

impl KnownSecrets {
    /// Adds secrets that are never forgotten.
    pub(crate) fn keep(&self, secrets: impl IntoIterator<Item = Secret>) {
        let mut known = lock(&self.0);
        known.kept.extend(secrets.into_iter().filter(is_worth_hiding));
        known.renew();
    }

    /// Adds secrets, in place of the oldest ones, and returns a redactor for all that are known.
    pub(crate) fn remember(&self, secrets: impl IntoIterator<Item = Secret>) -> Redactor {
        let mut known = lock(&self.0);
        let mut is_new = false;
        for secret in secrets.into_iter().filter(is_worth_hiding) {
            if known.kept.iter().chain(&known.remembered).any(|it| it.expose() == secret.expose()) {
                continue;
            }
            is_new = true;
            known.remembered.push_back(secret);
            if known.remembered.len() > MAX_REMEMBERED {
                known.remembered.pop_front();
            }
        }
        if is_new {
            known.renew();
        }
        known.redactor.clone()
    }

    /// Returns a redactor for all secrets that are known.
    pub(crate) fn redactor(&self) -> Redactor {
        lock(&self.0).redactor.clone()
    }
}

impl Known {
    fn renew(&mut self) {
        self.redactor = Redactor::new(self.kept.iter().chain(&self.remembered).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn of(secret: &str) -> Redactor {
        Redactor::new([Secret::from(secret)])
    }

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secrets = of(r#"p&"ss\w"#);
        let text = r#"plain p&"ss\w, form p%26%22ss%5Cw, json p&\"ss\\w."#;
        assert_eq!(secrets.redact(text), "plain [REDACTED], form [REDACTED], json [REDACTED].");
    }

    #[test]
    fn the_on_premise_token_and_single_letters_are_not_redacted() {
        let secrets = Redactor::new(["token", "a"].map(Secret::from));
        assert_eq!(secrets.redact("a bad token"), "a bad token");
    }

    #[test]
    fn an_error_that_repeats_a_secret_loses_its_source() {
        let secrets = of("tiger");
        let error = Error::new(ErrorKind::Server, "scott/tiger").caused_by(std::io::Error::other("tiger"));
        let clean = secrets.redact_error(error);
        assert_eq!(clean.to_string(), "scott/[REDACTED]");
        assert!(std::error::Error::source(&clean).is_none());
        let hidden = Error::new(ErrorKind::Server, "refused").caused_by(std::io::Error::other("tiger"));
        let clean = secrets.redact_error(hidden);
        assert_eq!(clean.to_string(), "refused");
        assert!(std::error::Error::source(&clean).is_none());
        let harmless = Error::new(ErrorKind::Server, "refused").caused_by(std::io::Error::other("lion"));
        assert!(std::error::Error::source(&secrets.redact_error(harmless)).is_some());
    }

    #[test]
    fn a_secret_at_the_limit_of_an_excerpt_leaves_no_part() {
        let secret = "hush-t0ken&and-more";
        for spelled in [secret.to_owned(), secret.replace('&', "&amp;"), secret.replace('&', "%26")] {
            for before in (0..1200).step_by(7).chain(MAX_SCANNED - 60..MAX_SCANNED + 5) {
                let text = format!("{}{spelled} tail", "x".repeat(before));
                for shown in [of(secret).excerpt(&text), of(secret).snippet(&text, false)] {
                    assert!(!shown.contains('h'), "{before}: {shown}");
                }
            }
        }
        for cut in 1..secret.len() {
            let shown = of(secret).snippet(&format!("x {}", &secret[..cut]), true);
            assert_eq!(shown, "x [REDACTED]", "{cut}");
        }
        assert_eq!(of("hush%5").snippet("x hush%253", true), "x [REDACTED]");
    }

    #[test]
    fn a_text_that_the_server_cut_within_a_secret_shows_no_long_part_of_it() {
        assert_eq!(of("hush-t0ken-of-ann").redact("bad hush-t0ken"), "bad [REDACTED]");
        assert_eq!(of("tiger").redact("scott/tige"), "scott/[REDACTED]");
        assert_eq!(of("token-of-ann").redact("a bad token"), "a bad token", "it is a word");
    }

    #[test]
    fn two_secrets_that_overlap_leave_nothing() {
        let secrets = Redactor::new(["abcdef", "defghi", "cdef"].map(Secret::from));
        assert_eq!(secrets.redact("-abcdefghi-cdef-"), "-[REDACTED]-[REDACTED]-");
    }

    #[test]
    fn a_client_forgets_the_oldest_secrets_of_its_requests_first() {
        let known = KnownSecrets::default();
        known.keep([Secret::from("kept-one")]);
        let number = |number: usize| Secret::from(format!("request-{number:03}."));
        for request in 0..=MAX_REMEMBERED {
            known.remember([number(request)]);
        }
        let secrets = known.remember([number(MAX_REMEMBERED)]);
        assert_eq!(secrets.redact("kept-one request-000. request-001."), "[REDACTED] request-000. [REDACTED]");
    }

    #[test]
    fn identifiers_in_json_are_kept() {
        let mut value = serde_json::json!({"jobId": "tiger", "errors": [{"text": "scott/tiger"}], "count": 1});
        of("tiger").clean_value(&mut value);
        let clean = serde_json::json!({"jobId": "tiger", "errors": [{"text": "scott/[REDACTED]"}], "count": 1});
        assert_eq!(value, clean);
    }
}
