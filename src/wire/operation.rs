//! The table of all operations, generated from `swagger.yaml`.

use std::fmt;

/// The operations of the API, as constants.
#[allow(missing_docs, reason = "generated with docs from the summaries")]
pub mod operations {
    include!(concat!(env!("OUT_DIR"), "/operations.rs"));
}

/// One operation of the API, as `swagger.yaml` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "a row of a table of yes and no")]
pub struct Operation {
    /// Its name, like `submitUserJob`.
    pub id: &'static str,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Its path under the base URL.
    pub path: &'static str,
    /// Whether [`Client`] has a method for it.
    pub generated: bool,
    /// Whether it takes a multipart form, through [`Client::upload`].
    pub multipart: bool,
    /// Whether the client adds the user id.
    pub user_id: bool,
    /// Whether the client adds a token.
    pub token: bool,
    /// Whether the answer is a file, with an envelope in its place alone when there is none.
    pub answers_with_file: bool,
    /// Whether the answer holds a secret, so that no error may show any of it.
    pub answers_with_secret: bool,
    /// Whether asking twice is as good as asking once, so that it may be asked again when it is not known whether it
    /// was heard.
    pub repeatable: bool,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id)
    }
}
