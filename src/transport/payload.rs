//! A request to send: one with its body in memory, or a multipart form whose files are read while they are sent.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::task::Poll;

use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::multipart;
use reqwest::{Body, Request};
use sqlflow_lineage::RelationType;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use super::unsendable;
use super::upload_progress::UploadProgress;
use crate::auth::Identity;
use crate::wire::{File, FileContent, MultipartForm, Operation, Secret, relation_types};
use crate::{Error, ErrorKind, Result};

/// The number of bytes of a file that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The names of form fields whose values no error may contain.
const SECRET_FIELDS: [&str; 3] = ["password", "secretKey", "token"];

/// A request that can be sent any number of times, without the user id and the token.
pub enum Payload {
    /// A request with its body in memory.
    Buffered(Request),
    /// A multipart form with files.
    Files { fields: Vec<(String, String)>, file_field: &'static str, files: Vec<File> },
}

/// Shows nothing of the request, which contains secrets.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

impl Payload {
    /// Creates a multipart form.
    ///
    /// # Errors
    /// `TooLarge` when the total size of the files is over the limit.
    pub(crate) async fn with_files<F: MultipartForm>(form: &F, files: Vec<File>, limit: u64) -> Result<Self> {
        let mut total = 0;
        for file in &files {
            total += file.len().await?;
        }
        if total > limit {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!(
                    "the files have {total} bytes in total, over the upload limit of {limit}: submit fewer at once, \
                     or zip them"
                ),
            ));
        }
        let fields = serde_urlencoded::to_string(form).map_err(|error| unsendable(&error.to_string()))?;
        let fields = form_urlencoded::parse(fields.as_bytes()).into_owned().collect();
        Ok(Self::Files { fields, file_field: F::FILE_FIELD, files })
    }

    /// Returns the progress of a new attempt to send it.
    pub(super) fn progress(&self) -> UploadProgress {
        let has_files = match self {
            Self::Buffered(_) => false,
            Self::Files { files, .. } => !files.is_empty(),
        };
        UploadProgress::new(has_files)
    }

    /// Returns the secrets in the request, including those in `identity`.
    pub(super) fn secrets(&self, identity: Option<&Identity>) -> Vec<Secret> {
        let is_secret = |name: &str| SECRET_FIELDS.contains(&name);
        let mut secrets: Vec<Secret> = match self {
            Self::Files { fields, .. } => {
                fields.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_str().into()).collect()
            }
            Self::Buffered(request) => {
                // A JSON body contains no secret, and has no field of such a name when it is parsed as a form.
                let fields = form_urlencoded::parse(request.body().and_then(Body::as_bytes).unwrap_or_default());
                fields.filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_ref().into()).collect()
            }
        };
        secrets.extend(identity.and_then(|identity| identity.token.clone()));
        secrets
    }

    /// Returns the relation types that the request asks for, or `None` if its operation does not take any.
    pub(super) fn relation_types(&self, operation: &Operation) -> Option<Vec<RelationType>> {
        const FIELD: &str = "showRelationType";

        if !operation.relation_types {
            return None;
        }
        let list = match self {
            Self::Files { fields, .. } => fields.iter().find(|(name, _)| name == FIELD).map(|(_, list)| list.clone()),
            Self::Buffered(request) => {
                let body = request.body().and_then(Body::as_bytes).unwrap_or_default();
                let query = request.url().query().unwrap_or_default().as_bytes();
                if body.starts_with(b"{") {
                    let fields: Option<serde_json::Value> = serde_json::from_slice(body).ok();
                    fields.and_then(|fields| fields.get(FIELD)?.as_str().map(ToOwned::to_owned))
                } else {
                    let mut fields = form_urlencoded::parse(body).chain(form_urlencoded::parse(query));
                    fields.find(|(name, _)| name == FIELD).map(|(_, list)| list.into_owned())
                }
            }
        };
        Some(relation_types(list.as_deref()))
    }

    /// Builds the request of one attempt.
    pub(super) async fn request(
        &self,
        http: &reqwest::Client,
        url: &str,
        identity: Option<&Identity>,
        progress: &UploadProgress,
    ) -> Result<Request> {
        match self {
            Self::Buffered(request) => {
                let mut request = request.try_clone().ok_or_else(|| unsendable("its body is not in memory"))?;
                if let Some(identity) = identity {
                    sign(&mut request, identity)?;
                }
                Ok(request)
            }
            Self::Files { fields, file_field, files } => {
                let mut form = multipart::Form::new().percent_encode_noop();
                for (name, value) in identity.into_iter().flat_map(identity_fields) {
                    form = form.text(name, value.to_owned());
                }
                for (name, value) in fields {
                    form = form.text(name.clone(), value.clone());
                }
                for (index, file) in files.iter().enumerate() {
                    let is_last = index + 1 == files.len();
                    form = form.part(*file_field, file_part(file, progress, is_last).await?);
                }
                http.post(url).multipart(form).build().map_err(super::not_built)
            }
        }
    }
}

/// Returns the fields that name the user and authenticate them.
fn identity_fields(identity: &Identity) -> impl Iterator<Item = (&'static str, &str)> {
    let token = identity.token.as_ref().map(|token| ("token", token.expose()));
    std::iter::once(("userId", identity.user_id.as_str())).chain(token)
}

/// Adds the identity to the form or the JSON of a POST request, or to the URL of a GET request, which has no other
/// place for it.
fn sign(request: &mut Request, identity: &Identity) -> Result<()> {
    if request.method() == reqwest::Method::GET {
        request.url_mut().query_pairs_mut().extend_pairs(identity_fields(identity));
        return Ok(());
    }
    let is_json =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let body = request.body().and_then(Body::as_bytes).ok_or_else(|| unsendable("it has no body to sign"))?;
    let signed = if is_json { sign_json(body, identity)? } else { sign_form(body, identity)? };
    request.headers_mut().remove(CONTENT_LENGTH);
    *request.body_mut() = Some(signed.into());
    Ok(())
}

fn sign_form(body: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let fields: Vec<_> = identity_fields(identity).collect();
    let signature = serde_urlencoded::to_string(fields).map_err(|error| unsendable(&error.to_string()))?;
    let mut signed = Vec::with_capacity(body.len() + signature.len() + 1);
    signed.extend_from_slice(body);
    if !body.is_empty() {
        signed.push(b'&');
    }
    signed.extend_from_slice(signature.as_bytes());
    Ok(signed)
}

/// Adds the user id to a JSON body. The operations with JSON bodies spell the field in lower case and take no token.
fn sign_json(body: &[u8], identity: &Identity) -> Result<Vec<u8>> {
    let mut object: serde_json::Map<_, _> =
        serde_json::from_slice(body).map_err(|error| unsendable(&error.to_string()))?;
    object.insert("userid".to_owned(), identity.user_id.clone().into());
    serde_json::to_vec(&object).map_err(|error| unsendable(&error.to_string()))
}

/// Builds the part of a form that contains a file.
async fn file_part(file: &File, progress: &UploadProgress, is_last: bool) -> Result<multipart::Part> {
    // Browsers escape names in the same way. A line break would end the header that contains the name.
    let name = file.name().replace('\r', "%0D").replace('\n', "%0A");
    let path: &Path = match file.content() {
        FileContent::Memory(bytes) => {
            let length = bytes.len() as u64;
            // In chunks, because each chunk that is taken shows that the upload makes progress.
            let chunks = (0..bytes.len())
                .step_by(CHUNK_BYTES)
                .map(|start| bytes.slice(start..bytes.len().min(start + CHUNK_BYTES)));
            let chunks: Vec<_> = chunks.map(Ok::<_, io::Error>).collect();
            let activity = progress.clone();
            let chunks = stream::iter(chunks).inspect(move |_| activity.record_activity());
            let body = Body::wrap_stream(with_end_check(chunks, progress.clone(), is_last));
            return Ok(multipart::Part::stream_with_length(body, length).file_name(name));
        }
        FileContent::Disk(path) => path,
        FileContent::Temporary(path) => path,
    };
    let unreadable = |error| Error::unreadable(path, &error);
    let open = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let length = open.metadata().await.map_err(unreadable)?.len();
    let chunks = read_chunks(open, length, path.to_owned(), progress.clone());
    let body = Body::wrap_stream(with_end_check(chunks, progress.clone(), is_last));
    Ok(multipart::Part::stream_with_length(body, length).file_name(name))
}

/// Adds a check to the end of a file: the end of the last file marks the request as sent, because a server cannot act
/// on a form that ends earlier; and it fails if the request was abandoned, so that such a form never gets complete.
fn with_end_check(
    chunks: impl Stream<Item = io::Result<Bytes>>,
    progress: UploadProgress,
    is_last: bool,
) -> impl Stream<Item = io::Result<Bytes>> {
    chunks.chain(stream::poll_fn(move |_| {
        let may_end = !is_last || progress.finish();
        Poll::Ready((!may_end).then(|| Err(io::Error::other("the request was abandoned"))))
    }))
}

/// Reads a file in chunks, up to the announced length: a file that grows meanwhile is cut off there, and one that
/// shrinks is an error. The error is recorded in `progress`, because it would otherwise look like a network failure.
fn read_chunks(
    open: tokio::fs::File,
    length: u64,
    path: PathBuf,
    progress: UploadProgress,
) -> impl Stream<Item = io::Result<Bytes>> {
    let chunks = ReaderStream::with_capacity(open.take(length), CHUNK_BYTES);
    stream::unfold((chunks, length), move |(mut chunks, missing)| {
        let (path, progress) = (path.clone(), progress.clone());
        async move {
            let chunk = match chunks.next().await {
                None if missing == 0 => return None,
                None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent")),
                Some(chunk) => chunk,
            };
            progress.record_activity();
            if let Err(error) = &chunk {
                progress.set_file_error(Error::unreadable(&path, error));
            }
            let missing = chunk.as_ref().map_or(0, |chunk| missing.saturating_sub(chunk.len() as u64));
            Some((chunk, (chunks, missing)))
        }
    })
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
    fn the_identity_is_added_to_the_body_of_a_form() {
        let client = crate::Client::builder("http://h").build().unwrap();
        let mut request = client.api().client.post("http://h/p").form(&[("a", "1")]).build().unwrap();
        sign(&mut request, &identity()).unwrap();
        assert_eq!(text(&request), "a=1&userId=auth0%7Ca%26b&token=t%3D1");
        assert_eq!(request.url().as_str(), "http://h/p");
    }

    #[test]
    fn the_relation_types_of_a_request_are_those_in_its_form_its_json_or_its_query() {
        use crate::wire::operations::{DISPLAY_USER_JOB_SUMMARY, GENERATE_UPSTREAM_GRAPH};
        let http = crate::Client::builder("http://h").build().unwrap().api().client.clone();
        let types = [RelationType::Fdd, RelationType::Fdr];
        for request in [
            http.post("http://h/p").form(&[("a", "1"), ("showRelationType", "fdd,fdr")]),
            http.post("http://h/p").body(r#"{"a": 1, "showRelationType": "fdd,fdr"}"#),
            http.get("http://h/p?a=1&showRelationType=fdd%2Cfdr"),
        ] {
            let payload = Payload::Buffered(request.build().unwrap());
            assert_eq!(payload.relation_types(&GENERATE_UPSTREAM_GRAPH).unwrap(), types);
            assert_eq!(payload.relation_types(&DISPLAY_USER_JOB_SUMMARY), None, "it does not take any");
        }
        let payload = Payload::Buffered(http.post("http://h/p").form(&[("a", "1")]).build().unwrap());
        assert_eq!(payload.relation_types(&GENERATE_UPSTREAM_GRAPH).unwrap(), [RelationType::Fdd]);
    }

    #[test]
    fn the_identity_in_an_empty_form_has_no_stray_ampersand() {
        assert_eq!(sign_form(b"", &identity()).unwrap(), b"userId=auth0%7Ca%26b&token=t%3D1");
    }

    #[tokio::test]
    async fn an_error_names_the_file_that_became_shorter_while_it_was_sent() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, "select 1").unwrap();
        let progress = UploadProgress::new(true);
        let open = tokio::fs::File::open(&path).await.unwrap();
        let chunks: Vec<_> = read_chunks(open, 1000, path, progress.clone()).take(3).collect().await;
        assert!(chunks[0].is_ok() && chunks[1].is_err());
        let error = progress.take_file_error().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("etl.sql") && error.to_string().contains("shorter"), "{error}");
    }

    #[tokio::test]
    async fn a_file_that_grows_while_it_is_sent_is_cut_off_at_its_announced_length() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("etl.sql");
        std::fs::write(&path, "select 1 and more").unwrap();
        let open = tokio::fs::File::open(&path).await.unwrap();
        let chunks: Vec<_> = read_chunks(open, 8, path, UploadProgress::new(true)).collect().await;
        assert_eq!(chunks.into_iter().map(Result::unwrap).collect::<Vec<_>>().concat(), b"select 1");
    }

    #[test]
    fn json_gets_the_user_id_and_no_token() {
        let signed = sign_json(br#"{"tablename":"T"}"#, &identity()).unwrap();
        assert_eq!(String::from_utf8(signed).unwrap(), r#"{"tablename":"T","userid":"auth0|a&b"}"#);
    }
}
