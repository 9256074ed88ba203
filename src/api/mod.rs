//! The generated client: one method and one request type for each operation of the REST API.
//!
//! [`Client::api`](crate::Client::api) returns it. It is the escape hatch below [`Client`](crate::Client): it covers the
//! whole API, and its request types have the fields that are sent over the wire. Its calls share the transport of the
//! other calls, so they are authenticated, [retried](crate::retry), traced and limited in the same way, and they fail
//! with the same [`Error`](crate::Error). User IDs and tokens are not part of the request types, because the client adds
//! them.
//!
//! # Responses and errors
//!
//! A method returns `Err` if the request fails in transit, if the token is rejected even after it has been renewed
//! (code 401), or if the server is still busy after all attempts. Two things are left to the caller:
//!
//! - **The code in the envelope.** Servers send HTTP 200 even for failures and put a code into the [`Envelope`].
//!   [`into_data`](ResponseValue::into_data) turns the envelope into a `Result`.
//! - **The trap of an empty `jobId`.** Servers take it as *the latest job of the user*, so always set it.
//!
//! ```no_run
//! # async fn example(client: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! use sqlflow_client::Vendor;
//! use sqlflow_client::api::types;
//!
//! let mut request = types::GenerateSqlflowRequest::new(Vendor::Oracle);
//! request.sqltext = Some("insert into t select a from s".to_owned());
//! let lineage = client.api().generate_sqlflow(&request).await?.into_data()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Uploads
//!
//! [`Client::upload`] sends a request together with files, as a multipart form. It accepts every request type that
//! implements [`FileForm`]. Operations that take only multipart forms have no method of their own.
//!
//! ```no_run
//! # async fn example(client: sqlflow_client::Client) -> sqlflow_client::Result<()> {
//! use sqlflow_client::Vendor;
//! use sqlflow_client::api::{File, types};
//!
//! let request = types::GenerateSqlflowRequest::new(Vendor::Oracle);
//! let response = client.api().upload(&request, [File::open("etl.sql")?]).await?;
//! let lineage = response.into_data()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Operations
#![doc = include_str!(concat!(env!("OUT_DIR"), "/operations.md"))]

pub(crate) mod runtime;

pub use self::generated::Client;
pub use self::runtime::{FileForm, ResponseValue};
#[doc(inline)]
pub use crate::wire::{
    CommaSeparated, Envelope, File, Operation, SyntaxCheck, SyntaxError, TokenEnvelope, operations, types,
};

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
        encode_path,
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
