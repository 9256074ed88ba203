//! The runtime of the generated code: the names that `progenitor_client` would provide, on our transport and errors.

use std::fmt;
use std::mem;
use std::ops::Deref;

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::api::Client;
pub(crate) use crate::transport::{ByteStream, Response, not_built};
use crate::transport::{Payload, Transport, retry_after};
use crate::wire::{Envelope, EnvelopeData, File, FromResponse, MultipartForm, Operation, operations, without_data};
pub(crate) use crate::{Error, ErrorKind};

/// A response of an operation: its data, and its HTTP headers.
///
/// It dereferences to the data, so that `response.code` works for an [`Envelope`].
#[derive(Clone)]
pub struct ResponseValue<T> {
    inner: T,
    headers: HeaderMap,
    operation: &'static Operation,
}

impl<T> ResponseValue<T> {
    /// Returns the data without the headers.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// Returns the HTTP headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

#[allow(private_bounds, reason = "generated code calls it on the types that it names")]
impl<T: FromResponse> ResponseValue<T> {
    pub(crate) async fn from_response(mut response: Box<Response>) -> Result<Self, Error> {
        let (headers, operation) = (mem::take(&mut response.headers), response.operation);
        Ok(Self { inner: response.json().await?, headers, operation })
    }
}

impl ResponseValue<ByteStream> {
    pub(crate) fn stream(response: Box<Response>) -> Self {
        Self { inner: response.body, headers: response.headers, operation: response.operation }
    }
}

impl<T> ResponseValue<Envelope<T>> {
    /// Returns the data of a success, like [`Envelope::into_data`].
    ///
    /// # Errors
    /// The errors of [`Envelope::into_data`]; they name the operation.
    pub fn into_data(self) -> Result<T, Error> {
        self.check()?;
        let Envelope { code, data, .. } = self.inner;
        data.ok_or_else(|| without_data(code).in_operation(self.operation.id))
    }

    /// Returns the data of a success and its warnings.
    pub(crate) fn into_data_and_warnings(self) -> Result<(T, Vec<String>), Error> {
        let warnings = self.inner.warnings().map(ToOwned::to_owned).collect();
        Ok((self.into_data()?, warnings))
    }

    /// Checks that the code stands for a success, like [`Envelope::check`]. Logs the warnings of a success, which are
    /// also in [`Envelope::warnings`].
    ///
    /// # Errors
    /// The errors of [`Envelope::check`]; they name the operation.
    pub fn check(&self) -> Result<(), Error> {
        log_warnings(self.operation, self.inner.warnings());
        self.inner
            .check()
            .map_err(|error| error.in_operation(self.operation.id).with_retry_after(retry_after(&self.headers)))
    }
}

/// Logs the warnings of a success.
pub(crate) fn log_warnings<'a>(operation: &Operation, warnings: impl Iterator<Item = &'a str>) {
    for warning in warnings {
        tracing::warn!(
            target: "sqlflow_client::api",
            operation = operation.id,
            warning,
            "the server reported success with a warning"
        );
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

/// A type that an operation returns, which can be read from a response.
pub trait ReadResponse: Sized {
    #[doc(hidden)]
    fn read(response: Box<Response>) -> impl Future<Output = Result<ResponseValue<Self>, Error>> + Send;
}

#[allow(private_bounds, reason = "implemented for the data of every operation")]
impl<T: EnvelopeData + Send> ReadResponse for Envelope<T> {
    async fn read(response: Box<Response>) -> Result<ResponseValue<Self>, Error> {
        ResponseValue::from_response(response).await
    }
}

impl ReadResponse for ByteStream {
    async fn read(response: Box<Response>) -> Result<ResponseValue<Self>, Error> {
        Ok(ResponseValue::stream(response))
    }
}

/// A form that takes files: the request type of an operation that accepts `multipart/form-data`.
///
/// Generated code implements it, and [`Client::upload`] sends it.
pub trait FileForm: MultipartForm {
    /// The type that the operation returns.
    type Response: ReadResponse;
}

impl Client {
    /// Sends a form together with files.
    ///
    /// Files are read from disk while they are sent, and again for every attempt. Operations with the file field
    /// `sqlfile` take one file; those that submit a job (`sqlfiles`) take many.
    ///
    /// This does not check whether an earlier call reached the server: a second call creates a second job.
    /// [`Client::submit`](crate::Client::submit) is the safe way to submit.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge), before anything is sent, if the files are over the [upload
    /// limit](crate::ClientBuilder::max_upload_bytes) of the client; otherwise the
    /// [errors of every API call](crate::guide::errors).
    pub async fn upload<F: FileForm>(
        &self,
        form: &F,
        files: impl IntoIterator<Item = File>,
    ) -> Result<ResponseValue<F::Response>, Error> {
        let files = files.into_iter().collect();
        let mut attempts = self.inner.attempts();
        let response = self.inner.send_files(form, files, None, &mut attempts).await?;
        attempts.succeeded();
        F::Response::read(response).await
    }
}

/// The operation that a generated method calls.
#[derive(Debug)]
pub(crate) struct OperationInfo {
    pub(crate) operation_id: &'static str,
}

/// The properties of a generated client.
#[allow(dead_code, reason = "the generator implements more than it uses")]
pub(crate) trait ClientInfo<Inner> {
    fn api_version() -> &'static str;
    fn baseurl(&self) -> &str;
    fn client(&self) -> &reqwest::Client;
    fn inner(&self) -> &Inner;
}

/// The steps in which a generated method sends its request.
pub(crate) trait ClientHooks<Inner>: ClientInfo<Inner> {
    async fn pre(&self, request: &mut reqwest::Request, info: &OperationInfo) -> Result<(), Error>;
    async fn exec(&self, request: reqwest::Request, info: &OperationInfo) -> Result<Box<Response>, Error>;
    async fn post(&self, result: &Result<Box<Response>, Error>, info: &OperationInfo) -> Result<(), Error>;
}

impl ClientHooks<Transport> for Client {
    async fn pre(&self, request: &mut reqwest::Request, _: &OperationInfo) -> Result<(), Error> {
        // The generator adds this header to every call, but the API does not know it.
        request.headers_mut().remove("api-version");
        Ok(())
    }

    async fn exec(&self, request: reqwest::Request, info: &OperationInfo) -> Result<Box<Response>, Error> {
        let operation = operations::of_method(info.operation_id)
            .ok_or_else(|| Error::invalid(format!("{} is not an operation of the API", info.operation_id)))?;
        self.inner().send(operation, Payload::Buffered(request)).await
    }

    async fn post(&self, _: &Result<Box<Response>, Error>, _: &OperationInfo) -> Result<(), Error> {
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

/// A query parameter. It is left out if it has no value.
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

/// Returns a value as one segment of a path.
pub(crate) fn encode_path(value: &str) -> String {
    let encode = |byte: u8| {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if is_plain { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    value.bytes().map(encode).collect()
}

/// Returns the error for a response with an unexpected status. It is not reached: the transport has already returned an
/// error for such a status.
#[allow(clippy::needless_pass_by_value, reason = "called by generated code")]
pub(crate) fn unexpected(response: Box<Response>) -> Error {
    let status = response.status().as_u16();
    Error::new(ErrorKind::Protocol, format!("unexpected status: HTTP {status}")).with_status(status)
}
