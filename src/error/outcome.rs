//! The one classification of a failed request: whether the server may have executed it, and whether to retry it.

use super::{Error, ErrorKind};

/// The known facts about the execution of a failed request, returned by [`Error::request_outcome`].
///
/// Together with [`Error::is_retryable`] it decides everything that the client retries. *Read* stands for every
/// operation whose repetition does no harm ([`Operation::repeatable`](crate::api::Operation::repeatable)), *change*
/// for all others. A submission is a change that the client [settles](crate::job::Settling): it looks for the job
/// before it submits again.
///
/// | failure | outcome | retryable | read | change | submission | polling a job |
/// |---|---|---|---|---|---|---|
/// | the server was not reached: name, port, TLS | `NotExecuted` | yes | retried | retried | submitted again | goes on |
/// | the certificate of the server is not trusted¹ | `NotExecuted` | no | fails | fails | fails | ends |
/// | the server turned the request away: HTTP 429, or its queue is full | `NotExecuted` | yes | retried | retried | submitted again | goes on |
/// | the quota of calls is used up, whatever the HTTP status | `NotExecuted` | no | fails | fails | fails | ends |
/// | connection lost, timeout or gateway error before the request was sent to its end | `NotExecuted` | yes | retried | retried | submitted again | goes on |
/// | connection lost before a response; HTTP 502, 503, 520, 521, 523, 525 to 527 | `Unanswered` | yes | retried | fails | looked for, then submitted again | goes on |
/// | no response in time, or not all of it; HTTP 408, 504, 522, 524 | `Incomplete` | yes | retried | fails | looked for | goes on |
/// | the response is truncated | `Incomplete` | yes | retried | fails | looked for | goes on |
/// | the response cannot be read: it is not JSON, or too large to hold | `Unreadable` | no | fails | fails | looked for | goes on |
/// | the response is a redirect that is not followed: HTTP 301 to 303² | `Unreadable` | no | fails | fails | looked for | ends |
/// | the server reports a failure of its own | `ServerFailed` | no | fails | fails | looked for, then fails | goes on |
/// | the server refuses the request: credentials, input, not found, too large | `NotExecuted` | no | fails | fails | fails | ends |
/// | the input is invalid, a local file cannot be read | `NotExecuted` | no | fails | fails | fails | ends |
/// | the lineage in the response is incomplete | `Executed` | no | fails | – | – | – |
/// | the job failed, or the deadline of a wait passed | `Executed` | no | – | – | – | ends |
///
/// ¹ As far as rustls reports it. With the TLS library of the platform it looks like any connection that failed.
///
/// ² A server may execute a request and then redirect to its result. A redirect to a sign-in page looks the same, so
/// the outcome of a submission is unknown then.
///
/// An error of kind [`SubmitUnknown`](ErrorKind::SubmitUnknown) has the outcome of the request that was lost, and is
/// never retryable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestOutcome {
    /// The server did not execute the request.
    NotExecuted,
    /// The request was sent, and the connection broke or a gateway gave up before the server responded. The server
    /// may have executed it, and is not known to be still working on it.
    Unanswered,
    /// The request was sent, and no complete response came in time. The server may have executed it, or may still be
    /// working on it.
    Incomplete,
    /// A response came that cannot be read. The server has probably executed the request.
    Unreadable,
    /// The server reported a failure of its own. It may have executed the request in part.
    ServerFailed,
    /// The server executed the request; the error is about its result.
    Executed,
}

/// A failure that a gateway or CDN reports, by its HTTP status, for a server that it did not reach or that did not
/// respond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GatewayFailure {
    /// The server was not reached, or dropped the connection.
    NoServer,
    /// The server was reached and did not respond in time.
    Timeout,
}

impl GatewayFailure {
    fn of(status: Option<u16>) -> Option<Self> {
        match status? {
            408 | 504 | 522 | 524 => Some(Self::Timeout),
            502 | 503 | 520..=527 => Some(Self::NoServer),
            _ => None,
        }
    }
}

impl Error {
    /// Returns what is known about the execution of the request. [`RequestOutcome`] has the whole table.
    #[must_use]
    pub fn request_outcome(&self) -> RequestOutcome {
        if let Some(outcome) = self.0.outcome {
            return outcome;
        }
        if self.is_request_unsent() || self.kind() == ErrorKind::QuotaExceeded {
            return RequestOutcome::NotExecuted;
        }
        // The status counts, whatever the body next to it says: it is the gateway that speaks.
        match GatewayFailure::of(self.status()) {
            Some(GatewayFailure::Timeout) => return RequestOutcome::Incomplete,
            Some(GatewayFailure::NoServer) => return RequestOutcome::Unanswered,
            None => {}
        }
        match self.kind() {
            ErrorKind::Interrupted if !self.is_within_response() => RequestOutcome::Unanswered,
            ErrorKind::SubmitUnknown => RequestOutcome::Unanswered,
            ErrorKind::Interrupted | ErrorKind::Timeout => RequestOutcome::Incomplete,
            ErrorKind::Protocol => RequestOutcome::Unreadable,
            _ if self.is_redirect_to_result() => RequestOutcome::Unreadable,
            // Our own limit on a response; the limits of servers come with a code or a status.
            ErrorKind::TooLarge if self.is_within_response() && self.code().is_none() => RequestOutcome::Unreadable,
            ErrorKind::Server => RequestOutcome::ServerFailed,
            ErrorKind::IncompleteLineage | ErrorKind::JobFailed | ErrorKind::Deadline => RequestOutcome::Executed,
            _ => RequestOutcome::NotExecuted,
        }
    }

    /// Returns `true` if the same call may succeed when it is repeated soon.
    ///
    /// A repetition may still do harm, depending on [`request_outcome`](Error::request_outcome): after
    /// [`NotExecuted`](RequestOutcome::NotExecuted) it is always harmless; after any other outcome only for calls
    /// that change nothing, or that may be made twice.
    ///
    /// ```
    /// # async fn example(job: sqlflow_client::Job) -> sqlflow_client::Result<()> {
    /// use sqlflow_client::RequestOutcome;
    ///
    /// if let Err(error) = job.delete().await {
    ///     if error.is_retryable() && error.request_outcome() == RequestOutcome::NotExecuted {
    ///         job.delete().await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        if self.0.is_permanent {
            return false;
        }
        match self.kind() {
            ErrorKind::SubmitUnknown | ErrorKind::QuotaExceeded => false,
            ErrorKind::Connect | ErrorKind::Busy | ErrorKind::Interrupted | ErrorKind::Timeout => true,
            _ => GatewayFailure::of(self.status()).is_some(),
        }
    }

    /// Returns `true` if a later poll of the same job may succeed: the failure is in the connection to the server, or in
    /// the server, and not in the request.
    pub(crate) fn is_transient_for_polling(&self) -> bool {
        self.is_retryable()
            || matches!(self.kind(), ErrorKind::Protocol | ErrorKind::Server)
            || self.request_outcome() == RequestOutcome::Unreadable && !self.is_redirect_to_result()
    }

    /// Returns `true` if the response is a redirect that may come after the request was executed.
    pub(crate) fn is_redirect_to_result(&self) -> bool {
        matches!(self.status(), Some(301..=303))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind, status: Option<u16>) -> Error {
        let error = Error::new(kind, "x");
        status.into_iter().fold(error, Error::with_status)
    }

    #[test]
    fn every_row_of_the_table_holds() {
        use ErrorKind as K;
        use RequestOutcome::{Executed, Incomplete, NotExecuted, ServerFailed, Unanswered, Unreadable};
        let too_large_response = error(K::TooLarge, None).within_response();
        // The error, its outcome, whether it is retryable, whether polling goes on.
        let rows = [
            (error(K::Connect, None), NotExecuted, true, true),
            (error(K::Connect, None).permanent(), NotExecuted, false, false),
            (error(K::Busy, None), NotExecuted, true, true),
            (error(K::Busy, Some(429)), NotExecuted, true, true),
            (error(K::Rejected, Some(302)), Unreadable, false, false),
            (error(K::Rejected, Some(307)), NotExecuted, false, false),
            (error(K::QuotaExceeded, Some(429)), NotExecuted, false, false),
            (error(K::QuotaExceeded, Some(503)), NotExecuted, false, false),
            (error(K::QuotaExceeded, Some(504)), NotExecuted, false, false),
            (error(K::Interrupted, None).with_request_unsent(), NotExecuted, true, true),
            (error(K::Timeout, None).with_request_unsent(), NotExecuted, true, true),
            (error(K::Server, Some(502)).with_request_unsent(), NotExecuted, true, true),
            (error(K::Interrupted, None), Unanswered, true, true),
            (error(K::Server, Some(502)), Unanswered, true, true),
            (error(K::Busy, Some(503)), Unanswered, true, true),
            (error(K::Server, Some(520)), Unanswered, true, true),
            (error(K::Server, Some(521)), Unanswered, true, true),
            (error(K::Server, Some(523)), Unanswered, true, true),
            (error(K::Server, Some(525)), Unanswered, true, true),
            (error(K::Server, Some(527)), Unanswered, true, true),
            (error(K::Timeout, None), Incomplete, true, true),
            (error(K::Rejected, Some(408)), Incomplete, true, true),
            (error(K::Timeout, Some(504)), Incomplete, true, true),
            (error(K::Server, Some(522)), Incomplete, true, true),
            (error(K::Server, Some(524)), Incomplete, true, true),
            (error(K::Interrupted, None).within_response(), Incomplete, true, true),
            (error(K::Protocol, None), Unreadable, false, true),
            (too_large_response.clone(), Unreadable, false, true),
            (error(K::Server, None), ServerFailed, false, true),
            (error(K::Server, Some(500)), ServerFailed, false, true),
            (error(K::Authentication, None), NotExecuted, false, false),
            (error(K::Rejected, Some(404)), NotExecuted, false, false),
            (error(K::TooLarge, Some(413)), NotExecuted, false, false),
            (too_large_response.with_code(500), NotExecuted, false, false),
            (error(K::JobNotFound, None), NotExecuted, false, false),
            (error(K::InvalidInput, None), NotExecuted, false, false),
            (error(K::Io, None), NotExecuted, false, false),
            (error(K::IncompleteLineage, None), Executed, false, false),
            (error(K::JobFailed, None), Executed, false, false),
            (error(K::Deadline, None), Executed, false, false),
        ];
        for (error, outcome, retryable, polled) in rows {
            assert_eq!(error.request_outcome(), outcome, "{error:?}");
            assert_eq!(error.is_retryable(), retryable, "{error:?}");
            assert_eq!(error.is_transient_for_polling(), polled, "{error:?}");
        }
    }

    #[test]
    fn a_poll_that_was_not_sent_because_there_was_no_token_may_be_repeated() {
        let error = error(ErrorKind::Protocol, None).with_request_unsent();
        assert_eq!(error.request_outcome(), RequestOutcome::NotExecuted);
        assert!(!error.is_retryable() && error.is_transient_for_polling());
    }

    #[test]
    fn an_unknown_submission_keeps_the_outcome_of_its_request_and_is_not_retryable() {
        for (kind, outcome) in [
            (ErrorKind::Timeout, RequestOutcome::Incomplete),
            (ErrorKind::Interrupted, RequestOutcome::Unanswered),
            (ErrorKind::Protocol, RequestOutcome::Unreadable),
        ] {
            let unknown = error(kind, None).into_submit_unknown("?".to_owned());
            assert_eq!((unknown.kind(), unknown.request_outcome()), (ErrorKind::SubmitUnknown, outcome));
            assert!(!unknown.is_retryable());
        }
    }
}
