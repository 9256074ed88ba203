//! The parameters of a request, from the query, a form, the parts of a multipart body or a JSON object. Handlers see
//! one list and do not know where a value came from.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use serde_json::Value;

use super::envelope::Failure;
use super::upload::{self, StoredFile, UploadSize};
use super::{Service, disposition, selection};

/// The maximum size of a form or a JSON body. They are held in memory, so the limit is lower than that of uploads.
const MAX_FORM_BYTES: usize = 32 * 1024 * 1024;

/// The parameters and files of a request.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    fields: Vec<(String, String)>,
    files: Vec<StoredFile>,
    names: Vec<String>,
}

impl Parameters {
    /// Reads the query and the body.
    pub(super) async fn read(service: &Service, request: Request) -> Result<Self, Failure> {
        let mut parameters = Self::default();
        if let Some(query) = request.uri().query() {
            parameters.add_form(query.as_bytes());
        }
        match body_kind(request.headers()) {
            BodyKind::Multipart => parameters.add_parts(service, request).await?,
            BodyKind::Json => parameters.add_json(&bytes(request.into_body()).await?)?,
            BodyKind::Form => parameters.add_form(&bytes(request.into_body()).await?),
        }
        Ok(parameters)
    }

    /// Returns the value of a parameter, if it was sent and is not blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(field, _)| field == name)?;
        (!value.trim().is_empty()).then_some(value)
    }

    /// Returns the value of a parameter, or fails if it is missing or blank.
    pub(super) fn required(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| Failure::missing(name))
    }

    /// Returns the value of a boolean parameter.
    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.get(name).map(str::trim) {
            None => Ok(default),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => {
                Err(Failure::new(400, format!("The parameter '{name}' must be true or false, not '{value}'.")))
            }
        }
    }

    /// Returns the requested relationship types, or the default.
    pub(super) fn relation_types(&self, default: &str) -> Result<String, Failure> {
        let asked = self.get("showRelationType").unwrap_or(default).trim();
        match selection::unknown_relation_type(asked) {
            Some(unknown) => Err(Failure::new(
                400,
                format!("The parameter 'showRelationType' names no known type of relationship: '{unknown}'."),
            )),
            None => Ok(asked.to_owned()),
        }
    }

    /// Returns `true` if a field or a file part with this name was sent, even a blank one.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Returns the names of all fields and file parts.
    pub(super) fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// Removes and returns the files that were sent under a name.
    pub(super) fn take_files(&mut self, name: &str) -> Vec<StoredFile> {
        let (taken, kept) = std::mem::take(&mut self.files).into_iter().partition(|file| file.field == name);
        self.files = kept;
        taken
    }

    fn add_form(&mut self, encoded: &[u8]) {
        for (name, value) in form_urlencoded::parse(encoded) {
            self.add(&name, &value);
        }
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), Failure> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::new(400, format!("The request body is not valid JSON: {error}.")))?;
        let object = value.as_object().ok_or_else(|| Failure::new(400, "The request body must be a JSON object."))?;
        for (name, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) => self.add(name, text),
                other => self.add(name, &other.to_string()),
            }
        }
        Ok(())
    }

    async fn add_parts(&mut self, service: &Service, request: Request) -> Result<(), Failure> {
        let mut parts = Multipart::from_request(request, &()).await.map_err(|error| malformed(&error.body_text()))?;
        let mut size = UploadSize::default();
        while let Some(part) = parts.next_field().await.map_err(|error| malformed(&error.body_text()))? {
            let name = part.name().unwrap_or_default().to_owned();
            let disposition = part.headers().get(header::CONTENT_DISPOSITION);
            if let Some(file_name) = disposition.and_then(|value| disposition::file_name(value.as_bytes())) {
                self.names.push(name.clone());
                let stored = upload::store(service, part, name, &file_name, &mut size).await?;
                self.files.extend(stored);
            } else {
                let value = upload::text(part, MAX_FORM_BYTES, &mut size).await?;
                self.add(&name, &value);
            }
        }
        size.check()
    }

    /// Adds a parameter. One that is sent more than once is a list, which Spring joins with commas.
    fn add(&mut self, name: &str, value: &str) {
        if let Some((_, known)) = self.fields.iter_mut().find(|(field, _)| field == name) {
            known.push(',');
            known.push_str(value);
        } else {
            self.names.push(name.to_owned());
            self.fields.push((name.to_owned(), value.to_owned()));
        }
    }
}

/// Returns a media type without its parameters, in lower case.
pub(super) fn media_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

enum BodyKind {
    Multipart,
    Json,
    Form,
}

fn body_kind(headers: &HeaderMap) -> BodyKind {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match content_type.map(media_type).as_deref() {
        Some("multipart/form-data") => BodyKind::Multipart,
        Some("application/json") => BodyKind::Json,
        _ => BodyKind::Form,
    }
}

async fn bytes(body: Body) -> Result<bytes::Bytes, Failure> {
    to_bytes(body, MAX_FORM_BYTES).await.map_err(|error| {
        Failure::new(
            413,
            format!("The request body could not be read; forms may have up to {MAX_FORM_BYTES} bytes ({error})."),
        )
    })
}

/// Creates the failure for a multipart body that cannot be parsed.
pub(super) fn malformed(reason: &str) -> Failure {
    Failure::new(400, format!("The multipart body is malformed: {reason}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(encoded: &str) -> Parameters {
        let mut parameters = Parameters::default();
        parameters.add_form(encoded.as_bytes());
        parameters
    }

    #[test]
    fn a_form_is_decoded() {
        let parameters = form("userId=auth0%7Cann&sqltext=select+1%2B1");
        assert_eq!(parameters.get("userId"), Some("auth0|ann"));
        assert_eq!(parameters.get("sqltext"), Some("select 1+1"));
    }

    #[test]
    fn a_blank_parameter_counts_as_missing() {
        let parameters = form("jobName=+&jobId=");
        assert_eq!(parameters.get("jobId"), None);
        assert_eq!(parameters.required("jobName"), Err(Failure::missing("jobName")));
        assert!(Failure::missing("jobName").message().contains("'jobName'"));
    }

    #[test]
    fn a_repeated_parameter_becomes_a_list() {
        let parameters = form("showRelationType=fdd&showRelationType=fdr");
        assert_eq!(parameters.get("showRelationType"), Some("fdd,fdr"));
        assert_eq!(parameters.names(), ["showRelationType"]);
    }

    #[test]
    fn a_flag_that_is_neither_true_nor_false_is_named() {
        let parameters = form("onTop=True&parallel=maybe");
        assert_eq!(parameters.flag("onTop", false), Ok(true));
        assert_eq!(parameters.flag("persist", true), Ok(true));
        assert!(parameters.flag("parallel", false).unwrap_err().message().contains("'parallel'"));
    }

    #[test]
    fn an_unknown_relationship_type_is_named() {
        assert_eq!(form("showRelationType=FDD, er").relation_types("fdd").as_deref(), Ok("FDD, er"));
        assert_eq!(form("").relation_types("fdr").as_deref(), Ok("fdr"));
        let refused = form("showRelationType=fdd,nope").relation_types("fdd").unwrap_err();
        assert!(refused.message().contains("'showRelationType'") && refused.message().contains("'nope'"));
    }

    #[test]
    fn the_fields_of_a_json_object_become_parameters() {
        let mut parameters = Parameters::default();
        parameters.add_json(br#"{"sqltext":"select 1","level":3,"jobid":null}"#).unwrap();
        assert_eq!(parameters.get("sqltext"), Some("select 1"));
        assert_eq!(parameters.get("level"), Some("3"));
        assert_eq!(parameters.get("jobid"), None);
        assert!(parameters.add_json(b"[1]").is_err());
        assert!(parameters.add_json(b"{").is_err());
    }
}
