//! A request to send: one with its body in memory, or a multipart form whose files are read while they are sent.

use std::fmt;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Body, Method, Request, Url};
use serde::Serialize;
use sqlflow_lineage::RelationType;

use super::multipart::{self, Multipart};
use super::unsendable;
use super::upload_progress::{SendProgress, UploadObserver};
use crate::Result;
use crate::auth::Identity;
use crate::wire::{File, MultipartForm, Operation, Secret, relation_types};

/// The names of form fields whose values no error may contain.
const SECRET_FIELDS: [&str; 3] = ["password", "secretKey", "token"];

/// The media type of a form without files.
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// A request that can be sent any number of times, without the user id and the token.
pub enum Payload {
    /// A POST request with a form.
    Form(String),
    /// A request with its body in memory.
    Buffered(Request),
    /// A multipart form with files.
    Files {
        fields: Vec<(String, String)>,
        file_field: &'static str,
        files: Vec<File>,
        limit: u64,
        observer: Option<UploadObserver>,
    },
}

/// Shows nothing of the request, which contains secrets.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").finish_non_exhaustive()
    }
}

impl Payload {
    /// Creates a form without files.
    pub(super) fn form(form: &impl Serialize) -> Result<Self> {
        serde_urlencoded::to_string(form).map(Self::Form).map_err(|error| unsendable(&error.to_string()))
    }

    /// Creates a multipart form.
    ///
    /// # Errors
    /// `TooLarge` when the total size of the files is over the limit.
    pub(crate) async fn with_files<F: MultipartForm>(form: &F, files: Vec<File>, limit: u64) -> Result<Self> {
        multipart::lengths(&files, limit).await?;
        let fields = serde_urlencoded::to_string(form).map_err(|error| unsendable(&error.to_string()))?;
        let fields = form_urlencoded::parse(fields.as_bytes()).into_owned().collect();
        Ok(Self::Files { fields, file_field: F::FILE_FIELD, files, limit, observer: None })
    }

    /// Sets the function that is told of the progress of sending the files.
    pub(crate) fn observed_by(mut self, told: Option<UploadObserver>) -> Self {
        if let Self::Files { observer, .. } = &mut self {
            *observer = told;
        }
        self
    }

    /// Returns the progress of a new attempt to send it.
    pub(super) fn progress(&self) -> SendProgress {
        match self {
            Self::Form(_) | Self::Buffered(_) => SendProgress::new(false),
            Self::Files { files, observer, .. } => SendProgress::observed(!files.is_empty(), observer.as_ref()),
        }
    }

    /// Returns the secrets in the request, including those in `identity`.
    pub(super) fn secrets(&self, identity: Option<&Identity<'_>>) -> Vec<Secret> {
        let is_secret = |name: &str| SECRET_FIELDS.contains(&name);
        let mut secrets: Vec<Secret> = match self {
            Self::Files { fields, .. } => {
                fields.iter().filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_str().into()).collect()
            }
            // The names in a form of this crate are spelled as they are, so that most values need no decoding.
            Self::Form(form) => {
                let is_field = |field: &&str| field.split_once('=').is_some_and(|(name, _)| is_secret(name));
                let fields = form.split('&').filter(is_field);
                fields
                    .flat_map(|field| form_urlencoded::parse(field.as_bytes()))
                    .map(|(_, value)| (&*value).into())
                    .collect()
            }
            Self::Buffered(_) => {
                // A JSON body contains no secret, and has no field of such a name when it is parsed as a form.
                let fields = form_urlencoded::parse(self.body());
                fields.filter(|(name, _)| is_secret(name)).map(|(_, value)| value.as_ref().into()).collect()
            }
        };
        secrets.extend(identity.and_then(|identity| identity.token.clone()));
        secrets
    }

    /// Returns the body, if it is in memory.
    fn body(&self) -> &[u8] {
        match self {
            Self::Form(form) => form.as_bytes(),
            Self::Buffered(request) => request.body().and_then(Body::as_bytes).unwrap_or_default(),
            Self::Files { .. } => &[],
        }
    }

    /// Returns the relation types that the request asks for, or `None` if its operation does not take any.
    pub(super) fn relation_types(&self, operation: &Operation) -> Option<Vec<RelationType>> {
        const FIELD: &str = "showRelationType";

        if !operation.relation_types {
            return None;
        }
        let list = match self {
            Self::Files { fields, .. } => fields.iter().find(|(name, _)| name == FIELD).map(|(_, list)| list.clone()),
            Self::Form(_) | Self::Buffered(_) => {
                let body = self.body();
                let query = match self {
                    Self::Buffered(request) => request.url().query().unwrap_or_default().as_bytes(),
                    _ => &[],
                };
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
        url: Url,
        identity: Option<&Identity<'_>>,
        progress: &SendProgress,
    ) -> Result<Request> {
        match self {
            Self::Form(form) => {
                let mut request = Request::new(Method::POST, url);
                request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORM_TYPE));
                *request.body_mut() = Some(signed_form(form, identity).into());
                Ok(request)
            }
            Self::Buffered(request) => {
                let mut request = request.try_clone().ok_or_else(|| unsendable("its body is not in memory"))?;
                if let Some(identity) = identity {
                    sign(&mut request, identity)?;
                }
                Ok(request)
            }
            Self::Files { fields, file_field, files, limit, observer: _ } => {
                let mut form = Multipart::new();
                for (name, value) in identity.into_iter().flat_map(identity_fields) {
                    form.add_field(name, value);
                }
                for (name, value) in fields {
                    form.add_field(name, value);
                }
                let content_type = form.content_type();
                let lengths = multipart::lengths(files, *limit).await?;
                progress.set_total(lengths.iter().sum());
                let (length, body) = form.with_files(file_field, files.iter().cloned().zip(lengths), progress);
                let request = http.post(url).header(CONTENT_TYPE, content_type).header(CONTENT_LENGTH, length);
                request.body(body).build().map_err(super::not_built)
            }
        }
    }
}

/// Returns the fields that name the user and authenticate them.
fn identity_fields<'a>(identity: &'a Identity<'_>) -> impl Iterator<Item = (&'static str, &'a str)> {
    let token = identity.token.as_ref().map(|token| ("token", token.expose()));
    std::iter::once(("userId", identity.user_id)).chain(token)
}

/// Adds the identity to the form or the JSON of a POST request, or to the URL of a GET request, which has no other
/// place for it.
fn sign(request: &mut Request, identity: &Identity<'_>) -> Result<()> {
    if request.method() == reqwest::Method::GET {
        request.url_mut().query_pairs_mut().extend_pairs(identity_fields(identity));
        return Ok(());
    }
    let is_json =
        request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let body = request.body().and_then(Body::as_bytes).ok_or_else(|| unsendable("it has no body to sign"))?;
    let signed = if is_json { sign_json(body, identity)?.into() } else { sign_form(body, identity)?.into() };
    request.headers_mut().remove(CONTENT_LENGTH);
    *request.body_mut() = Some(signed);
    Ok(())
}

fn sign_form(form: &[u8], identity: &Identity<'_>) -> Result<String> {
    let form = std::str::from_utf8(form).map_err(|error| unsendable(&error.to_string()))?;
    Ok(signed_form(form, Some(identity)))
}

/// Returns a form with the identity at its end.
fn signed_form(form: &str, identity: Option<&Identity<'_>>) -> String {
    /// As much as the identity takes, unless the token is long.
    const SPACE: usize = 128;
    let mut signed = String::with_capacity(form.len() + SPACE);
    signed.push_str(form);
    let mut signed = form_urlencoded::Serializer::for_suffix(signed, 0);
    signed.extend_pairs(identity.into_iter().flat_map(identity_fields));
    signed.finish()
}

/// Adds the user id to a JSON body. The operations with JSON bodies spell the field in lower case and take no token.
fn sign_json(body: &[u8], identity: &Identity<'_>) -> Result<Vec<u8>> {
    let mut object: serde_json::Map<_, _> =
        serde_json::from_slice(body).map_err(|error| unsendable(&error.to_string()))?;
    object.insert("userid".to_owned(), identity.user_id.into());
    serde_json::to_vec(&object).map_err(|error| unsendable(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity<'static> {
        Identity { user_id: "auth0|a&b", token: Some(Secret::from("t=1")) }
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
    fn the_secrets_of_a_form_are_those_in_its_fields_and_that_of_the_identity() {
        let form = Payload::form(&[("password", "p&ss=1"), ("user", "token=x"), ("secretKey", "k\u{e9}y")]).unwrap();
        let secrets: Vec<_> = form.secrets(Some(&identity())).iter().map(|it| it.expose().to_owned()).collect();
        assert_eq!(secrets, ["p&ss=1", "k\u{e9}y", "t=1"]);
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
        assert_eq!(signed_form("", Some(&identity())), "userId=auth0%7Ca%26b&token=t%3D1");
    }

    #[test]
    fn json_gets_the_user_id_and_no_token() {
        let signed = sign_json(br#"{"tablename":"T"}"#, &identity()).unwrap();
        assert_eq!(String::from_utf8(signed).unwrap(), r#"{"tablename":"T","userid":"auth0|a&b"}"#);
    }
}
