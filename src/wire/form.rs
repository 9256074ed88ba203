//! Request types that can be sent as a multipart form.

use serde::Serialize;

use super::Operation;

/// A request type of an operation that accepts files.
pub trait MultipartForm: Serialize + Sync {
    /// The operation that the request is sent to.
    const OPERATION: &'static Operation;
    /// The name of the form field that contains the files.
    const FILE_FIELD: &'static str;
}
