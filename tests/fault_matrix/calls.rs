//! The columns: every call of the client that sends a request.

use std::path::Path;

use bytes::Bytes;
use sqlflow_client::api::types::GenerateSqlflowRequest;
use sqlflow_client::{Client, JobId, Lineage, Result, Vendor};

use crate::faults::FaultKind;

/// A call of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Submit,
    SubmitPersist,
    WithoutSuffix,
    BatchOf,
    FindJob,
    Jobs,
    Info,
    Wait,
    Lineage,
    FullJsonFile,
    Graphml,
    Analysis,
    Token,
    CsvBytes,
    CsvFile,
    Stream,
    SetOnTop,
    Delete,
    Rerun,
}

/// The class of a call, which decides what the docs promise for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallClass {
    /// Repeating the call has the same effect as making it once.
    Read,
    /// The call polls at its own pace.
    Watch,
    /// The call changes something on the server, each time again.
    Change,
    /// The call makes a job that can be found by its name.
    Submit,
    /// The call makes a submission that cannot be found by a name.
    BlindSubmit,
}

/// The value that a call returned.
#[derive(Debug)]
pub(crate) enum CallOutput {
    Nothing,
    /// A job that the call made.
    Job(JobId),
    /// `true` if the list contained the job.
    Listed(bool),
    Bytes(Bytes),
    Lineage(Box<Lineage>),
}

/// The name of the job that exists before a call.
const NAME: &str = "nightly";
/// The content of a file before an export replaces it.
pub(crate) const OLDER: &str = "as it was";
/// The name of the file that an export writes.
pub(crate) const FILE: &str = "lineage";
const SQL: &str = "create view v as select a, b from t; insert into r select sum(a) from v";

impl Call {
    pub(crate) const ALL: [Self; 19] = [
        Self::Submit,
        Self::SubmitPersist,
        Self::WithoutSuffix,
        Self::BatchOf,
        Self::Delete,
        Self::Rerun,
        Self::SetOnTop,
        Self::FindJob,
        Self::Jobs,
        Self::Info,
        Self::Wait,
        Self::Lineage,
        Self::FullJsonFile,
        Self::Graphml,
        Self::CsvBytes,
        Self::CsvFile,
        Self::Stream,
        Self::Analysis,
        Self::Token,
    ];

    /// Returns the call as callers write it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Submit => "`submit`",
            Self::WithoutSuffix => "`submit` `without_suffix`",
            Self::SubmitPersist => "`submit_persist`",
            Self::BatchOf => "`submit_persist` `batch_of`",
            Self::FindJob => "`find_job`",
            Self::Jobs => "`jobs`",
            Self::Info => "`info`",
            Self::Wait => "`wait`",
            Self::Lineage => "`lineage`",
            Self::FullJsonFile => "JSON `to_file`",
            Self::CsvBytes => "CSV `bytes`",
            Self::CsvFile => "CSV `to_file`",
            Self::Graphml => "GraphML `bytes`",
            Self::Stream => "JSON `stream`",
            Self::Delete => "`delete`",
            Self::Rerun => "`rerun`",
            Self::SetOnTop => "`set_on_top`",
            Self::Analysis => "`api().generate_sqlflow`",
            Self::Token => "the token",
        }
    }

    /// Returns the name that the emulator gives to the operation of the call.
    pub(crate) fn operation(self) -> &'static str {
        match self {
            Self::Submit | Self::WithoutSuffix => "submitUserJob",
            Self::SubmitPersist | Self::BatchOf => "submitPersistJob",
            Self::FindJob | Self::Jobs => "displayUserJobsSummary",
            Self::Info | Self::Wait => "displayUserJobSummary",
            Self::Lineage | Self::FullJsonFile | Self::Stream => "exportFullLineageAsJson",
            Self::CsvBytes | Self::CsvFile => "exportFullLineageAsCsv",
            Self::Graphml => "exportLineageAsGraphml",
            Self::Delete => "deleteUserJob",
            Self::Rerun => "rerunJob",
            Self::SetOnTop => "setJobOnTop",
            Self::Analysis => "generation/sqlflow",
            Self::Token => "generateToken",
        }
    }

    pub(crate) fn class(self) -> CallClass {
        match self {
            Self::Submit | Self::SubmitPersist => CallClass::Submit,
            Self::WithoutSuffix | Self::BatchOf => CallClass::BlindSubmit,
            Self::Delete | Self::Rerun => CallClass::Change,
            Self::Wait => CallClass::Watch,
            _ => CallClass::Read,
        }
    }

    pub(crate) fn submits(self) -> bool {
        matches!(self.class(), CallClass::Submit | CallClass::BlindSubmit)
    }

    /// Returns `true` if the call changes something on the server.
    pub(crate) fn changes(self) -> bool {
        self.submits() || matches!(self, Self::Delete | Self::Rerun | Self::SetOnTop)
    }

    pub(crate) fn makes_a_job(self) -> bool {
        self.submits() && self != Self::BatchOf
    }

    /// Returns `true` if a job has to exist before the call.
    pub(crate) fn needs_a_job(self) -> bool {
        !self.makes_a_job() && self != Self::Analysis
    }

    /// Returns `true` if that job has to have ended.
    pub(crate) fn needs_an_ended_job(self) -> bool {
        self.exports() || matches!(self, Self::BatchOf | Self::Delete | Self::Rerun)
    }

    pub(crate) fn exports(self) -> bool {
        matches!(
            self,
            Self::Lineage | Self::FullJsonFile | Self::CsvBytes | Self::CsvFile | Self::Graphml | Self::Stream
        )
    }

    /// Returns `true` if the call returns lineage, which can be compared with the expected one.
    pub(crate) fn takes_lineage(self) -> bool {
        self.exports() || self == Self::Analysis
    }

    /// Returns `true` if a fault can apply to the call and has its proper effect there.
    pub(crate) fn can_meet(self, fault_kind: FaultKind) -> bool {
        match fault_kind {
            FaultKind::ResetUpload => self.submits(),
            FaultKind::LoseAnswerLag | FaultKind::LoseAnswerCutName | FaultKind::LoseAnswerDropName => {
                self.makes_a_job()
            }
            FaultKind::UnknownStatus | FaultKind::UnreadableJob => {
                self.submits()
                    || matches!(
                        self,
                        Self::FindJob | Self::Jobs | Self::Info | Self::Wait | Self::Rerun | Self::SetOnTop
                    )
            }
            FaultKind::Vanish => self.needs_a_job() && !matches!(self, Self::BatchOf | Self::Token),
            FaultKind::ExpireToken => self != Self::Token,
            _ => true,
        }
    }

    /// Makes the call. `upload` is the input of submissions.
    pub(crate) async fn make(
        self,
        client: &Client,
        job: &JobId,
        upload: Upload,
        directory: &Path,
    ) -> Result<CallOutput> {
        let (file, job) = (directory.join(FILE), client.job(job.clone()));
        let Upload { name, bytes } = upload;
        let submit = || client.submit(Vendor::PostgreSql).name(NAME).sql(name, bytes.clone());
        let submit_persist = || client.submit_persist(Vendor::PostgreSql).name(NAME).sql(name, bytes.clone());
        Ok(match self {
            Self::Submit => CallOutput::Job(submit().await?.id().clone()),
            Self::WithoutSuffix => CallOutput::Job(submit().without_suffix().await?.id().clone()),
            Self::SubmitPersist => CallOutput::Job(submit_persist().await?.id().clone()),
            Self::BatchOf => CallOutput::Job(submit_persist().batch_of(job.id().clone()).await?.id().clone()),
            Self::FindJob => {
                CallOutput::Listed(client.find_job(NAME).await?.is_some_and(|found| found.id() == job.id()))
            }
            Self::Jobs => CallOutput::Listed(client.jobs().await?.jobs.iter().any(|one| one.id == *job.id())),
            Self::Info => CallOutput::Listed(!job.info().await?.status.is_final()),
            Self::Wait => CallOutput::Listed(job.wait().await?.info().status.has_result()),
            Self::Lineage => CallOutput::Lineage(Box::new(job.lineage().await?)),
            Self::FullJsonFile => {
                job.export_full_lineage_as_json().to_file(&file).await?;
                written(&file)
            }
            Self::CsvFile => {
                job.export_full_lineage_as_csv().to_file(&file).await?;
                written(&file)
            }
            Self::CsvBytes => CallOutput::Bytes(job.export_full_lineage_as_csv().bytes().await?),
            Self::Graphml => CallOutput::Bytes(job.export_lineage_as_graphml().bytes().await?),
            Self::Stream => {
                let (mut stream, mut whole) = (job.export_full_lineage_as_json().stream().await?, Vec::new());
                while let Some(piece) = stream.try_next().await? {
                    whole.extend_from_slice(&piece);
                }
                CallOutput::Bytes(whole.into())
            }
            Self::Delete => job.delete().await.map(|()| CallOutput::Nothing)?,
            Self::Rerun => job.rerun().await.map(|()| CallOutput::Nothing)?,
            Self::SetOnTop => job.set_on_top(true).await.map(|()| CallOutput::Nothing)?,
            Self::Analysis => {
                let mut form = GenerateSqlflowRequest::new(Vendor::PostgreSql);
                form.sqltext = Some(SQL.to_owned());
                CallOutput::Lineage(Box::new(client.api().generate_sqlflow(&form).await?.into_data()?))
            }
            // Any call that needs a token does.
            Self::Token => client.jobs().await.map(|_| CallOutput::Nothing)?,
        })
    }
}

fn written(file: &Path) -> CallOutput {
    CallOutput::Bytes(std::fs::read(file).expect("a file that was exported to is there").into())
}

/// The input of a submission.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    name: &'static str,
    bytes: Bytes,
}

impl Upload {
    pub(crate) fn small() -> Self {
        Self { name: "a.sql", bytes: Bytes::from_static(SQL.as_bytes()) }
    }

    /// Creates an input that is not SQL, which is fine because nothing waits for its job.
    pub(crate) fn long(bytes: usize) -> Self {
        Self { name: "a.zip", bytes: vec![b'x'; bytes].into() }
    }
}

/// Makes the job that exists before a call.
pub(crate) async fn prepare(client: &Client) -> Result<sqlflow_client::Job> {
    let Upload { name, bytes } = Upload::small();
    client.submit(Vendor::PostgreSql).name(NAME).without_suffix().sql(name, bytes).await
}
