//! Request types that can be sent as a multipart form.

use serde::Serialize;

use super::Operation;

/// A request type of an operation that takes files.
pub trait MultipartForm: Serialize + Sync {
    const OPERATION: &'static Operation;
    const FILE_FIELD: &'static str;
}
