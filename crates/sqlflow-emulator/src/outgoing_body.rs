//! The body of a response under construction. An export can have hundreds of megabytes, so it is written piece by
//! piece: into memory while it is small, and beyond that into a file, from which it is sent.

use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use tempfile::{SpooledData, SpooledTempFile};
use tokio::io::AsyncReadExt as _;

/// The maximum size of a body that is held in memory.
const MAX_BYTES_IN_MEMORY: usize = 1024 * 1024;

const BUFFER_BYTES: usize = 64 * 1024;

/// A body that is being written.
pub(super) struct OutgoingBody(BufWriter<SpooledTempFile>);

impl OutgoingBody {
    pub(super) fn new() -> Self {
        Self(BufWriter::with_capacity(BUFFER_BYTES, SpooledTempFile::new(MAX_BYTES_IN_MEMORY)))
    }

    /// Ends the body and returns it with its length.
    pub(super) fn finish(self) -> io::Result<(Body, u64)> {
        let spooled = self.0.into_inner().map_err(io::IntoInnerError::into_error)?;
        match spooled.into_inner() {
            SpooledData::InMemory(content) => {
                let content = content.into_inner();
                let length = content.len() as u64;
                Ok((Body::from(content), length))
            }
            SpooledData::OnDisk(mut file) => {
                let length = file.seek(SeekFrom::End(0))?;
                file.rewind()?;
                Ok((sent_from(tokio::fs::File::from_std(file)), length))
            }
        }
    }
}

impl Write for OutgoingBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Returns a body that reads a file while it is sent.
fn sent_from(file: tokio::fs::File) -> Body {
    Body::from_stream(stream::try_unfold(file, |mut file| async move {
        let mut piece = Vec::with_capacity(BUFFER_BYTES);
        let read = file.read_buf(&mut piece).await?;
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_of_any_size_is_sent_as_it_was_written() {
        for size in [0, 1, MAX_BYTES_IN_MEMORY, MAX_BYTES_IN_MEMORY + 1, 3 * MAX_BYTES_IN_MEMORY + 7] {
            let written: Vec<u8> = (0..=250).cycle().take(size).collect();
            let mut body = OutgoingBody::new();
            for piece in written.chunks(1000) {
                body.write_all(piece).unwrap();
            }
            let (body, length) = body.finish().unwrap();
            assert_eq!(length, size as u64);
            assert!(axum::body::to_bytes(body, usize::MAX).await.unwrap() == written, "{size}");
        }
    }
}
