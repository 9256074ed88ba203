//! The types that all modules above share: ids, secrets, dialects, operations, envelopes, jobs, files and requests.
//!
//! Nothing in this module uses the network.

mod comma_separated;
pub(crate) mod envelope;
mod excerpt;
mod file;
mod form;
mod job_id;
mod job_info;
mod job_list;
pub(crate) mod job_name;
mod job_status;
mod lenient;
mod lineage_errors;
mod operation;
mod redactor;
mod regular_file;
mod relation_types;
mod secret;
mod spelling;
mod syntax_check;
mod temporary_file;
mod time_zone;
mod token_envelope;
pub mod types;
mod vendor;

pub use self::comma_separated::CommaSeparated;
pub(crate) use self::comma_separated::check_lists;
pub use self::envelope::Envelope;
pub(crate) use self::envelope::{EnvelopeData, EnvelopeHead, FromResponse, quota_in, without_data};
pub(crate) use self::excerpt::MAX_SNIPPET_INPUT;
pub use self::file::File;
pub(crate) use self::file::{FileContent, name_on_server};
pub(crate) use self::form::MultipartForm;
pub use self::job_id::JobId;
pub use self::job_info::JobInfo;
pub(crate) use self::job_list::{Found, JobIndex, ListCount, ScheduledJobs, Submitted, read_job};
pub use self::job_list::{JobList, JobLookup};
pub use self::job_status::JobStatus;
pub(crate) use self::lineage_errors::of_lineage;
pub use self::operation::{Operation, operations};
pub(crate) use self::redactor::{KnownSecrets, RedactedDebug, Redactor};
pub(crate) use self::regular_file::{open_journal_file, open_regular_file, refused_type};
pub(crate) use self::relation_types::{RelationTypes, relation_types};
pub use self::secret::Secret;
pub(crate) use self::syntax_check::has_syntax_errors;
pub use self::syntax_check::{SyntaxCheck, SyntaxError};
pub(crate) use self::temporary_file::TemporaryFile;
pub(crate) use self::time_zone::ServerTimeZone;
pub use self::token_envelope::TokenEnvelope;
pub(crate) use self::token_envelope::issued_secrets;
pub use self::vendor::Vendor;

/// The literal that the vendor's clients send in place of a token to servers without accounts. It is not a secret.
pub(crate) const ON_PREMISE_TOKEN: &str = "token";
