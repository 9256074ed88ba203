//! The table of all operations, generated from `swagger.yaml`.

use std::fmt;

/// The operations of the API, as constants.
#[allow(missing_docs, reason = "generated with docs from the summaries")]
pub mod operations {
    include!(concat!(env!("OUT_DIR"), "/operations.rs"));
}

/// An operation of the API, as `swagger.yaml` describes it.
///
/// ```
/// use sqlflow_client::api::operations;
///
/// assert_eq!(operations::DELETE_USER_JOB.path, "/sqlflow/job/deleteUserJob");
/// assert!(!operations::DELETE_USER_JOB.repeatable);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "a row of a table with one column per property")]
pub struct Operation {
    /// The operation id, for example `submitUserJob`.
    pub id: &'static str,
    /// The HTTP method: `GET` or `POST`.
    pub method: &'static str,
    /// The path under the base URL.
    pub path: &'static str,
    /// `true` if [`Client`](crate::api::Client) has a method for the operation.
    pub generated: bool,
    /// `true` if the request body is a multipart form, which [`Client::upload`](crate::api::Client::upload) sends.
    pub multipart: bool,
    /// `true` if the client adds the user id to the request.
    pub user_id: bool,
    /// `true` if the client adds a token to the request.
    pub token: bool,
    /// `true` if the request can name the relation types to return (`showRelationType`). A request that names none gets
    /// `fdd`.
    pub relation_types: bool,
    /// `true` if the response is a file. If there is no file, the response is an envelope instead.
    pub returns_file: bool,
    /// `true` if that file may be a JSON object itself. An envelope, which has a code, is still no file.
    pub may_be_json: bool,
    /// `true` if the response contains a secret, so that no error may show any part of it.
    pub returns_secret: bool,
    /// `true` if sending the request twice has the same effect as sending it once, so that the client may retry it
    /// even when the server may have executed it.
    pub repeatable: bool,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}
