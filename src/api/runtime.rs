//! What generated code stands on: the names `progenitor_client` would give it, on our transport and our errors.

use std::fmt;
use std::ops::Deref;

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::api::Client;
pub(crate) use crate::transport::{ByteStream, Response, not_built};
use crate::transport::{Payload, Transport, retry_after};
use crate::wire::{Envelope, File, FromResponse, MultipartForm, Operation, operations, without_data};
pub(crate) use crate::{Error, ErrorKind};

/// An answer with its HTTP headers.
#[derive(Clone)]
pub struct ResponseValue<T> {
    inner: T,
    headers: HeaderMap,
    operation: &'static Operation,
}

impl<T> ResponseValue<T> {
    /// The answer itself.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// The HTTP headers it came with.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

#[allow(private_bounds, reason = "what generated code calls on the types it names")]
impl<T: FromResponse> ResponseValue<T> {
    pub(crate) async fn from_response(response: Response) -> Result<Self, Error> {
        let (headers, operation) = (response.headers.clone(), response.operation);
        Ok(Self { inner: response.json().await?, headers, operation })
    }
}

impl ResponseValue<ByteStream> {
    pub(crate) fn stream(response: Response) -> Self {
        Self { inner: response.body, headers: response.headers, operation: response.operation }
    }
}

impl<T> ResponseValue<Envelope<T>> {
    /// The data of a success, as [`Envelope::into_data`].
    ///
    /// # Errors
    /// The same, naming the operation.
    pub fn into_data(self) -> Result<T, Error> {
        self.check()?;
        let Envelope { code, data, .. } = self.inner;
        data.ok_or_else(|| without_data(code).in_operation(self.operation.id))
    }

    /// The data of a success with its warnings.
    pub(crate) fn into_data_and_warnings(self) -> Result<(T, Vec<String>), Error> {
        let warnings = self.inner.warnings().map(ToOwned::to_owned).collect();
        Ok((self.into_data()?, warnings))
    }

    /// Whether the code stands for a success, as [`Envelope::check`]. Warnings of a success are logged, and are in
    /// [`Envelope::warnings`].
    ///
    /// # Errors
    /// The same, naming the operation.
    pub fn check(&self) -> Result<(), Error> {
        for warning in self.inner.warnings() {
            tracing::warn!(operation = self.operation.id, warning, "a success with a warning");
        }
        self.inner
            .check()
            .map_err(|error| error.in_operation(self.operation.id).with_retry_after(retry_after(&self.headers)))
    }
}

impl<T> Deref for ResponseValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: fmt::Debug> fmt::Debug for ResponseValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// What an operation answers with, read from a response.
pub trait ReadResponse: Sized {
    #[doc(hidden)]
    fn read(response: Response) -> impl Future<Output = Result<ResponseValue<Self>, Error>> + Send;
}

impl<T: DeserializeOwned + Send> ReadResponse for Envelope<T> {
    async fn read(response: Response) -> Result<ResponseValue<Self>, Error> {
        ResponseValue::from_response(response).await
    }
}

impl ReadResponse for ByteStream {
    async fn read(response: Response) -> Result<ResponseValue<Self>, Error> {
        Ok(ResponseValue::stream(response))
    }
}

/// A form that takes files: the request type of an operation that can be sent as `multipart/form-data`.
///
/// Implemented by generated code; [`Client::upload`] sends it.
pub trait FileForm: MultipartForm {
    /// What the operation answers with.
    type Response: ReadResponse;
}

impl Client {
    /// Sends a form together with files.
    ///
    /// Files are read from disk while they are sent, and anew for every attempt. Operations with one file field
    /// (`sqlfile`) take one file; those that submit (`sqlfiles`) take many.
    ///
    /// Nothing here asks whether an earlier call arrived: a submit that is called again makes another job.
    /// [`Client::submit`](crate::Client::submit) is the safe way to submit.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) before anything is sent when the files are over the upload limit of the
    /// client, and as every call of the API.
    pub async fn upload<F: FileForm>(
        &self,
        form: &F,
        files: impl IntoIterator<Item = File>,
    ) -> Result<ResponseValue<F::Response>, Error> {
        let files = files.into_iter().collect();
        let mut attempts = self.inner.attempts();
        let response = self.inner.send_files(form, files, &mut attempts).await?;
        attempts.succeeded();
        F::Response::read(response).await
    }
}

/// The operation a generated method is about.
#[derive(Debug)]
pub(crate) struct OperationInfo {
    pub(crate) operation_id: &'static str,
}

/// What is known of a generated client.
#[allow(dead_code, reason = "the generator implements more than it uses")]
pub(crate) trait ClientInfo<Inner> {
    fn api_version() -> &'static str;
    fn baseurl(&self) -> &str;
    fn client(&self) -> &reqwest::Client;
    fn inner(&self) -> &Inner;
}

/// How a generated method sends its request.
pub(crate) trait ClientHooks<Inner>: ClientInfo<Inner> {
    async fn pre(&self, request: &mut reqwest::Request, info: &OperationInfo) -> Result<(), Error>;
    async fn exec(&self, request: reqwest::Request, info: &OperationInfo) -> Result<Response, Error>;
    async fn post(&self, result: &Result<Response, Error>, info: &OperationInfo) -> Result<(), Error>;
}

impl ClientHooks<Transport> for Client {
    async fn pre(&self, request: &mut reqwest::Request, _: &OperationInfo) -> Result<(), Error> {
        // The generator adds it to every call; the API knows no such header.
        request.headers_mut().remove("api-version");
        Ok(())
    }

    async fn exec(&self, request: reqwest::Request, info: &OperationInfo) -> Result<Response, Error> {
        let operation = operations::of_method(info.operation_id)
            .ok_or_else(|| Error::invalid(format!("{} is no operation of the API", info.operation_id)))?;
        self.inner().send(operation, Payload::Buffered(request)).await
    }

    async fn post(&self, _: &Result<Response, Error>, _: &OperationInfo) -> Result<(), Error> {
        Ok(())
    }
}

pub(crate) trait RequestBuilderExt: Sized {
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Error>;
}

impl RequestBuilderExt for RequestBuilder {
    fn form_urlencoded<T: Serialize + ?Sized>(self, body: &T) -> Result<Self, Error> {
        Ok(self.form(body))
    }
}

/// One query parameter; one without a value is left out.
pub(crate) struct QueryParam<'a, T> {
    name: &'a str,
    value: &'a T,
}

impl<'a, T> QueryParam<'a, T> {
    pub(crate) fn new(name: &'a str, value: &'a T) -> Self {
        Self { name, value }
    }
}

impl<T: Serialize> Serialize for QueryParam<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.name, self.value)?;
        map.end()
    }
}

/// An answer that is not the one the API promises. The transport has made an error of it before.
#[allow(clippy::needless_pass_by_value, reason = "called by generated code")]
pub(crate) fn unexpected(response: Response) -> Error {
    let status = response.status().as_u16();
    Error::new(ErrorKind::Protocol, format!("HTTP {status} was not expected")).with_status(status)
}
