//! The whole API: one method and one request type for each operation, generated from `swagger.yaml`.
//!
//! This is the escape hatch beneath [`Client`](crate::Client): complete, and as close to the wire as types allow. Its
//! calls go the same way as all others: they are authenticated, [repeated](crate::retry), traced and limited alike, and
//! fail with the same [`Error`](crate::Error). Two things are left to the caller:
//!
//! - **The envelope.** Servers answer HTTP 200 even for failures and put a code into the [`Envelope`].
//!   [`into_data`](ResponseValue::into_data) turns it into a result. (Code 401 and a busy server are errors already:
//!   the transport renews a token for the one, and tries the other again.)
//! - **The trap of an empty `jobId`**, which servers take as *the latest job of the user*.
//!
//! ```no_run
//! # async fn example(client: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! use sqlflow_client::Vendor;
//! use sqlflow_client::api::{File, types};
//!
//! let mut form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
//! form.sqltext = Some("insert into t select a from s".to_owned());
//! let lineage = client.api().generate_sqlflow(&form).await?.into_data()?;
//!
//! // The same from a file: multipart forms go through `upload`.
//! let form = types::GenerateSqlflowRequest::new(Vendor::Oracle);
//! let lineage = client.api().upload(&form, [File::open("etl.sql")?]).await?.into_data()?;
//! # Ok(())
//! # }
//! ```
//!
//! User ids and tokens are no part of the request types: the client adds them. Operations that only take multipart
//! forms have no method of their own; their request types are [`FileForm`]s.

pub(crate) mod runtime;

pub use self::generated::Client;
pub use self::runtime::{FileForm, ResponseValue};
#[doc(inline)]
pub use crate::wire::{Envelope, File, Operation, SyntaxCheck, SyntaxError, TokenEnvelope, operations, types};

use std::fmt;

#[allow(
    clippy::all,
    clippy::pedantic,
    missing_docs,
    private_interfaces,
    unreachable_pub,
    dead_code,
    unused_imports,
    rustdoc::all,
    reason = "generated"
)]
mod generated {
    use super::runtime::{
        self, ByteStream, ClientHooks, ClientInfo, Error, FileForm, OperationInfo, RequestBuilderExt, ResponseValue,
    };
    use super::{Operation, operations, types};

    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.baseurl).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATED: &str = include_str!(concat!(env!("OUT_DIR"), "/api.rs"));

    #[test]
    fn every_operation_that_is_said_to_be_generated_has_a_method_with_its_name() {
        for operation in operations::ALL {
            let method = GENERATED.contains(&format!("operation_id: \"{}\"", snake(operation.id)));
            assert_eq!(method, operation.generated, "{operation}");
            let found = operations::of_method(&snake(operation.id));
            assert_eq!(found, Some(operation));
        }
    }

    #[test]
    fn every_multipart_operation_has_a_form_that_takes_files() {
        for operation in operations::ALL {
            let constant = format!("&operations::{};", snake(operation.id).to_uppercase());
            assert_eq!(GENERATED.contains(&constant), operation.multipart, "{operation}");
        }
    }

    /// The name of the method the generator makes.
    fn snake(id: &str) -> String {
        let mut name = String::new();
        for letter in id.chars() {
            if letter.is_uppercase() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}
