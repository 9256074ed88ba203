//! The builder of a syntax check.

use std::fmt;
use std::future::IntoFuture;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::source::is_blank;
use crate::api::runtime::ReadResponse as _;
use crate::api::types;
use crate::transport::{BodyMode, Transport};
use crate::wire::{Envelope, SyntaxCheck, operations, without_data};
use crate::{Error, Result, Vendor};

/// A check of the syntax of SQL, from [`Client::check_syntax`](crate::Client::check_syntax). Await it, or call
/// [`send`](Self::send).
#[derive(Clone)]
#[must_use = "a check is requested when it is awaited"]
pub struct CheckSyntax {
    transport: Transport,
    form: types::CheckSyntaxRequest,
}

impl CheckSyntax {
    pub(crate) fn new(transport: Transport, vendor: Vendor, sql: String) -> Self {
        Self { transport, form: types::CheckSyntaxRequest::new(vendor, sql) }
    }

    /// Sends the request and returns the result. This is the same as to await the check.
    ///
    /// Errors in the SQL are part of the result, not an `Err`, whatever the HTTP status and the code of the response.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput), before anything is sent, if the SQL is empty; otherwise the
    /// [errors of every API call](crate::guide::errors). They all mean that the check itself failed.
    pub async fn send(self) -> Result<SyntaxCheck> {
        self.check().await.map_err(|error| {
            let operation = operations::CHECK_SYNTAX.id;
            if error.operation().is_some() { error } else { error.in_operation(operation) }
        })
    }

    async fn check(self) -> Result<SyntaxCheck> {
        if is_blank(&self.form.sql) {
            return Err(Error::invalid("the SQL to check is empty: give at least one statement"));
        }
        let mut attempts = self.transport.attempts();
        let operation = &operations::CHECK_SYNTAX;
        let response = self.transport.send_form(operation, &self.form, BodyMode::Buffered, &mut attempts).await?;
        attempts.succeeded();
        let response = Envelope::<SyntaxCheck>::read(response).await?;
        // Servers report errors in the SQL with the code of a failure. One without such errors is that of the check.
        let has_errors = response.data.as_ref().is_some_and(|check| !check.is_ok());
        if !has_errors {
            response.check()?;
        }
        let envelope = response.into_inner();
        envelope.data.ok_or_else(|| without_data(envelope.code))
    }
}

impl IntoFuture for CheckSyntax {
    type Output = Result<SyntaxCheck>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        self.send().boxed()
    }
}

impl fmt::Debug for CheckSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CheckSyntax");
        debug.field("vendor", &self.form.dbvendor).field("bytes", &self.form.sql.len()).finish_non_exhaustive()
    }
}
