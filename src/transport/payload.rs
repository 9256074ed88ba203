//! What is sent: a request with its body in memory, or a multipart form whose files are read as they go.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::multipart;
use reqwest::{Body, Request};
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;
use tokio_util::io::ReaderStream;

use super::unsuited;
use crate::auth::Identity;
use crate::sync::lock;
use crate::wire::{File, FileContent, MultipartForm, Secret};
use crate::{Error, ErrorKind, Result};

/// How much of a file is read at once.
const CHUNK: usize = 64 * 1024;

/// The fields whose values no error may repeat.
const SECRET_FIELDS: [&str; 3] = ["password", "secretKey", "token"];

pub(crate) enum Payload {
    Buffered(Request),
    Files { fields: Vec<(String, String)>, file_field: &'static str, files: Vec<File> },
}

impl Payload {
    /// # Errors
    /// `TooLarge` when the files are over the limit together.
    pub(crate) async fn with_files<F: MultipartForm>(form: &F, files: Vec<File>, limit: u64) -> Result<Self> {
        let mut total = 0;
        for file in &files {
            total += file.len().await?;
        }
        if total > limit {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the files are {total} bytes together, over the upload limit of {limit}: submit fewer at once, or \
                     zip them"
                ),
            ));
        }
        let fields = serde_urlencoded::to_string(form).map_err(|error| unsuited(&error.to_string()))?;
        let fields = form_urlencoded::parse(fields.as_bytes()).into_owned().collect();
        Ok(Self::Files { fields, file_field: F::FILE_FIELD, files })
    }

    /// The progress of an attempt at it.
    pub(super) fn progress(&self) -> UploadProgress {
        let is_whole = match self {
            Self::Buffered(_) => true,
            Self::Files { files, .. } => files.is_empty(),
        };
        UploadProgress::start(is_whole)
    }

    /// What it carries that is secret.
    pub(super) fn secrets(&self, identity: Option<&Identity>) -> Vec<Secret> {
        let is_secret = |name: &str| SECRET_FIELDS.contains(&name);
        let mut secrets: Vec<Secret> = match self {
            Self::Files { fields, .. } => {
                fields.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_str().into()).collect()
            }
            Self::Buffered(request) => {
                // JSON bodies carry no secret, and read as a form they have no field of such a name.
                let fields = form_urlencoded::parse(request.body().and_then(Body::as_bytes).unwrap_or_default());
                fields.filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_ref().into()).collect()
            }
        };
        secrets.extend(identity.and_then(|identity| identity.token.clone()));
        secrets
    }

    /// The request of one attempt.
    pub(super) async fn request(
        &self,
        http: &reqwest::Client,
        url: &str,
        identity: Option<&Identity>,
        progress: &UploadProgress,
    ) -> Result<Request> {
        match self {
            Self::Buffered(request) => {
                let mut request = request.try_clone().ok_or_else(|| unsuited("its body is no bytes"))?;
                if let Some(identity) = identity {
                    sign(&mut request, identity)?;
                }
                Ok(request)
            }
            Self::Files { fields, file_field, files } => {
                let mut form = multipart::Form::new().percent_encode_noop();
                for (name, value) in identity.into_iter().flat_map(pairs) {
                    form = form.text(name, value.to_owned());
                }
                for (name, value) in fields {
                    form = form.text(name.clone(), value.clone());
                }
                for (index, file) in files.iter().enumerate() {
                    let is_last = index + 1 == files.len();
                    form = form.part(*file_field, part(file, progress, is_last).await?);
                }
                http.post(url).multipart(form).build().map_err(super::not_built)
            }
        }
    }
}

fn pairs(identity: &Identity) -> impl Iterator<Item = (&'static str, &str)> {
    let token = identity.token.as_ref().map(|token| ("token", token.expose()));
    std::iter::once(("userId", identity.user_id.as_str())).chain(token)
}

/// Adds who is asking: to the form or the JSON of a POST, to the URL of a GET, which has no other place.
fn sign(request: &mut Request, identity: &Identity) -> Result<()> {
    if request.method() == reqwest::Method::GET {
        request.url_mut().query_pairs_mut().extend_pairs(pairs(identity));
        return Ok(());
    }
    let is_json =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let body = request.body().and_then(Body::as_bytes).ok_or_else(|| unsuited("it has no body to sign"))?;
    let signed = if is_json { sign_json(body, identity)? } else { sign_form(body, identity)? };
    request.headers_mut().remove(CONTENT_LENGTH);
    *request.body_mut() = Some(signed.into());
    Ok(())
}

fn sign_form(body: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let pairs: Vec<_> = pairs(identity).collect();
    let signature = serde_urlencoded::to_string(pairs).map_err(|error| unsuited(&error.to_string()))?;
    let mut signed = Vec::with_capacity(body.len() + signature.len() + 1);
    signed.extend_from_slice(body);
    if !body.is_empty() {
        signed.push(b'&');
    }
    signed.extend_from_slice(signature.as_bytes());
    Ok(signed)
}

/// The JSON operations spell the user in lower case and take no token.
fn sign_json(body: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let mut object: serde_json::Map<_, _> =
        serde_json::from_slice(body).map_err(|error| unsuited(&error.to_string()))?;
    object.insert("userid".to_owned(), identity.user_id.clone().into());
    serde_json::to_vec(&object).map_err(|error| unsuited(&error.to_string()))
}

async fn part(file: &File, progress: &UploadProgress, is_last: bool) -> Result<multipart::Part> {
    // As browsers do; a line break would end the header that the name stands in.
    let name = file.name().replace('\r', "%0D").replace('\n', "%0A");
    let path: &Path = match file.content() {
        FileContent::Memory(bytes) => {
            let length = bytes.len() as u64;
            // In pieces, each of which tells that the upload moves.
            let pieces =
                (0..bytes.len()).step_by(CHUNK).map(|start| bytes.slice(start..bytes.len().min(start + CHUNK)));
            let pieces: Vec<_> = pieces.map(Ok::<_, io::Error>).collect();
            let moving = progress.clone();
            let pieces = stream::iter(pieces).inspect(move |_| moving.touch());
            let body = Body::wrap_stream(to_its_end(pieces, progress.clone(), is_last));
            return Ok(multipart::Part::stream_with_length(body, length).file_name(name));
        }
        FileContent::Disk(path) => path,
        FileContent::Temporary(path) => path,
    };
    let unreadable = |error| Error::unreadable(path, &error);
    let open = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let length = open.metadata().await.map_err(unreadable)?.len();
    let pieces = read(open, length, path.to_owned(), progress.clone());
    let body = Body::wrap_stream(to_its_end(pieces, progress.clone(), is_last));
    Ok(multipart::Part::stream_with_length(body, length).file_name(name))
}

/// Notes when the last piece of the last file was taken: a form that was sent less far cannot be acted on. One that was
/// given up is not sent to its end.
fn to_its_end(
    pieces: impl Stream<Item = io::Result<Bytes>>,
    progress: UploadProgress,
    is_last: bool,
) -> impl Stream<Item = io::Result<Bytes>> {
    pieces.chain(stream::poll_fn(move |_| {
        let may_end = !is_last || progress.finish();
        Poll::Ready((!may_end).then(|| Err(io::Error::other("the request was given up"))))
    }))
}

/// A file in pieces, of the length that was announced: one that grows meanwhile is cut, one that shrinks is an error.
/// What goes wrong is noted, or it would look like a failure of the network.
fn read(
    open: tokio::fs::File,
    length: u64,
    path: PathBuf,
    progress: UploadProgress,
) -> impl Stream<Item = io::Result<Bytes>> {
    let pieces = ReaderStream::with_capacity(open.take(length), CHUNK);
    stream::unfold((pieces, length), move |(mut pieces, missing)| {
        let (path, progress) = (path.clone(), progress.clone());
        async move {
            let piece = match pieces.next().await {
                None if missing == 0 => return None,
                None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent")),
                Some(piece) => piece,
            };
            progress.touch();
            if let Err(error) = &piece {
                progress.fail(Error::unreadable(&path, error));
            }
            let missing = piece.as_ref().map_or(0, |piece| missing.saturating_sub(piece.len() as u64));
            Some((piece, (pieces, missing)))
        }
    })
}

const OPEN: u8 = 0;
const WHOLE: u8 = 1;
const ABANDONED: u8 = 2;

/// When a request last moved.
#[derive(Clone)]
pub(super) struct UploadProgress {
    start: Instant,
    millis: Arc<AtomicU64>,
    /// [`OPEN`], until either all of it was given to the connection or it was given up.
    state: Arc<AtomicU8>,
    /// Why a file could not be read on.
    failure: Arc<Mutex<Option<Error>>>,
}

impl UploadProgress {
    fn start(is_whole: bool) -> Self {
        let state = Arc::new(AtomicU8::new(if is_whole { WHOLE } else { OPEN }));
        Self { start: Instant::now(), millis: Arc::default(), state, failure: Arc::default() }
    }

    /// Whether the end of the last file may be sent, as it may unless the request was given up.
    fn finish(&self) -> bool {
        self.state.compare_exchange(OPEN, WHOLE, Ordering::AcqRel, Ordering::Acquire) != Err(ABANDONED)
    }

    /// Gives the request up, and tells whether it is certain that its end will never be sent. From then on it will not
    /// be, even if the connection is still at it.
    pub(super) fn abandon(&self) -> bool {
        self.state.compare_exchange(OPEN, ABANDONED, Ordering::AcqRel, Ordering::Acquire) != Err(WHOLE)
    }

    fn touch(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }

    fn fail(&self, error: Error) {
        *lock(&self.failure) = Some(error);
    }

    /// Why the request could not be sent, if it was for a file.
    pub(super) fn failure(&self) -> Option<Error> {
        lock(&self.failure).take()
    }

    pub(super) fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity { user_id: "auth0|a&b".to_owned(), token: Some(Secret::from("t=1")) }
    }

    fn text(request: &Request) -> String {
        String::from_utf8(request.body().unwrap().as_bytes().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_form_is_signed_in_its_body() {
        let client = crate::Client::builder("http://h").build().unwrap();
        let mut request = client.api().client.post("http://h/p").form(&[("a", "1")]).build().unwrap();
        sign(&mut request, &identity()).unwrap();
        assert_eq!(text(&request), "a=1&userId=auth0%7Ca%26b&token=t%3D1");
        assert_eq!(request.url().as_str(), "http://h/p");
    }

    #[test]
    fn an_empty_form_is_signed_without_a_stray_ampersand() {
        assert_eq!(sign_form(b"", &identity()).unwrap(), b"userId=auth0%7Ca%26b&token=t%3D1");
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_while_it_is_sent_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, "select 1").unwrap();
        let progress = UploadProgress::start(false);
        let open = tokio::fs::File::open(&path).await.unwrap();
        let pieces: Vec<_> = read(open, 1000, path, progress.clone()).take(3).collect().await;
        assert!(pieces[0].is_ok() && pieces[1].is_err());
        let error = progress.failure().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("etl.sql") && error.to_string().contains("shorter"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_grows_while_it_is_sent_is_cut_at_its_announced_length() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, "select 1 and more").unwrap();
        let open = tokio::fs::File::open(&path).await.unwrap();
        let pieces: Vec<_> = read(open, 8, path, UploadProgress::start(false)).collect().await;
        assert_eq!(pieces.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat(), b"select 1");
    }

    #[test]
    fn json_is_signed_with_the_user_alone() {
        let signed = sign_json(br#"{"tablename":"T"}"#, &identity()).unwrap();
        assert_eq!(String::from_utf8(signed).unwrap(), r#"{"tablename":"T","userid":"auth0|a&b"}"#);
    }
}
