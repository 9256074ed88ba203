//! Compressed response bodies, with or without a compression bomb.

use std::io::{self, Write as _};

use axum::http::{HeaderMap, header};
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// The number of spaces that are compressed together and repeated in compressed form.
const BLOCK: usize = 1024 * 1024;

/// The header of a gzip file without a name and a time, created on an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Returns `true` if the caller accepts compressed responses.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name == "*" || name.eq_ignore_ascii_case("gzip"));
        let refused = |part: &str| part.strip_prefix("q=").and_then(|q| q.parse().ok()).is_some_and(|q: f32| q <= 0.0);
        named && !parts.any(refused)
    })
}

pub(super) fn compress(content: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content)?;
    encoder.finish()
}

/// Compresses the content, followed by as many spaces as it takes to reach the total length.
///
/// A block that ends in a full flush does not depend on the bytes before it, so one block can be compressed and
/// repeated.
pub(super) fn bomb(content: &[u8], length: u64) -> io::Result<Vec<u8>> {
    let spaces = vec![b' '; BLOCK];
    let padding = length.saturating_sub(content.len() as u64);
    let blocks = padding / BLOCK as u64;
    let last = &spaces[..usize::try_from(padding % BLOCK as u64).unwrap_or_default()];
    let (mut sum, mut sum_of_block) = (Crc::new(), Crc::new());
    sum.update(content);
    sum_of_block.update(&spaces);

    let mut packed = HEAD.to_vec();
    packed.extend(deflate(content, FlushCompress::Full)?);
    let block = deflate(&spaces, FlushCompress::Full)?;
    for _ in 0..blocks {
        packed.extend_from_slice(&block);
        sum.combine(&sum_of_block);
    }
    packed.extend(deflate(last, FlushCompress::Finish)?);
    sum.update(last);
    packed.extend(sum.sum().to_le_bytes());
    packed.extend(sum.amount().to_le_bytes());
    Ok(packed)
}

fn deflate(content: &[u8], flush: FlushCompress) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let mut compress = Compress::new(Compression::best(), false);
    loop {
        packed.reserve(BLOCK / 16);
        let taken = usize::try_from(compress.total_in()).map_err(io::Error::other)?;
        compress.compress_vec(&content[taken..], &mut packed, flush).map_err(io::Error::other)?;
        // Free space in the output means that no bytes are pending.
        if compress.total_in() == content.len() as u64 && packed.len() < packed.capacity() {
            return Ok(packed);
        }
    }
}
