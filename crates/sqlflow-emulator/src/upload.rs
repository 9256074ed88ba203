//! Uploaded files: written to disk chunk by chunk while they arrive, and counted against the server's limit. Owns the
//! files as long as a job needs them.

use std::fs::File;
use std::path::Path;

use axum::extract::multipart::Field;
use tempfile::TempPath;
use tokio::io::{AsyncWriteExt as _, BufWriter};

use super::Service;
use super::envelope::Failure;
use super::parameters::malformed;

/// The maximum size of the uploads of one request, as documented for the real server.
const MAX_UPLOAD_BYTES: u64 = 200 * 1024 * 1024;

/// The maximum number of bytes that are read of a body that is too large. Reading on gives its sender a response
/// instead of a broken connection.
const MAX_DRAINED_BYTES: u64 = 1024 * 1024 * 1024;

const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// An uploaded file, removed from disk when dropped.
#[derive(Debug)]
pub(super) struct StoredFile {
    /// The name of the form field it was sent in.
    pub(super) field: String,
    /// The name that its sender gave it, without folders.
    pub(super) name: String,
    path: TempPath,
}

impl StoredFile {
    pub(super) fn open(&self) -> std::io::Result<File> {
        File::open(&self.path)
    }

    /// Returns `true` if the part is what a form sends when no file was chosen.
    pub(super) fn is_nothing(&self) -> bool {
        self.name.is_empty() && std::fs::metadata(&self.path).is_ok_and(|described| described.len() == 0)
    }
}

/// The number of bytes that a request has uploaded so far.
#[derive(Debug, Default)]
pub(super) struct UploadSize {
    used: u64,
}

impl UploadSize {
    fn spend(&mut self, bytes: usize) -> Result<(), Failure> {
        self.used += bytes as u64;
        if self.used > MAX_DRAINED_BYTES { Err(too_large()) } else { Ok(()) }
    }

    fn exceeded(&self) -> bool {
        self.used > MAX_UPLOAD_BYTES
    }

    /// Fails if the request was too large. Must be called after the last part.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.exceeded() { Err(too_large()) } else { Ok(()) }
    }
}

fn too_large() -> Failure {
    Failure::new(413, format!("The upload is too large: files must stay under {} MB.", MAX_UPLOAD_BYTES / 1024 / 1024))
}

/// Writes a file part to disk. Past the limit the rest is read and discarded, and there is no file.
pub(super) async fn store(
    service: &Service,
    mut part: Field<'_>,
    field: String,
    file_name: &str,
    size: &mut UploadSize,
) -> Result<Option<StoredFile>, Failure> {
    let (file, path) = create(service.spool.path())?;
    let mut writer = BufWriter::with_capacity(WRITE_BUFFER_BYTES, tokio::fs::File::from_std(file));
    while let Some(chunk) = part.chunk().await.map_err(|error| malformed(&error.body_text()))? {
        size.spend(chunk.len())?;
        if !size.exceeded() {
            writer.write_all(&chunk).await.map_err(spooling)?;
        }
    }
    writer.flush().await.map_err(spooling)?;
    Ok((!size.exceeded()).then(|| StoredFile { field, name: base_name(file_name).to_owned(), path }))
}

/// Reads a text part into memory.
pub(super) async fn text(mut part: Field<'_>, limit: usize, size: &mut UploadSize) -> Result<String, Failure> {
    let mut content = Vec::new();
    while let Some(chunk) = part.chunk().await.map_err(|error| malformed(&error.body_text()))? {
        size.spend(chunk.len())?;
        if content.len() + chunk.len() > limit {
            return Err(Failure::new(413, format!("A form field is too large: it may have up to {limit} bytes.")));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(String::from_utf8_lossy(&content).into_owned())
}

fn create(spool: &Path) -> Result<(File, TempPath), Failure> {
    tempfile::NamedTempFile::new_in(spool).map(tempfile::NamedTempFile::into_parts).map_err(spooling)
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to map_err")]
fn spooling(error: std::io::Error) -> Failure {
    Failure::internal(format_args!("an upload cannot be kept on disk: {error}"))
}

/// Returns the last component of a name that may contain folders in the notation of either kind of operating system.
pub(super) fn base_name(file_name: &str) -> &str {
    file_name.rsplit(['/', '\\']).next().unwrap_or(file_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_in_a_file_name_are_dropped() {
        assert_eq!(base_name("../../etc/passwd"), "passwd");
        assert_eq!(base_name(r"C:\sql\a.sql"), "a.sql");
        assert_eq!(base_name("a.sql"), "a.sql");
    }

    #[test]
    fn an_upload_above_the_limit_is_refused_at_its_end() {
        let mut size = UploadSize::default();
        size.spend(200 * 1024 * 1024).unwrap();
        assert_eq!(size.check(), Ok(()));
        size.spend(1).unwrap();
        assert!(size.check().unwrap_err().message().contains("200 MB"));
        assert!(size.spend(1024 * 1024 * 1024).is_err());
    }
}
