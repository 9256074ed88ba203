//! Compressed answers, honest ones and others.

use std::io::{self, Write as _};

use axum::http::{HeaderMap, header};
use flate2::write::GzEncoder;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// How many spaces are compressed together, and repeated in their compressed form.
const BLOCK: usize = 1024 * 1024;

/// The head of a gzip file without a name and without a time, made on an unknown system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Whether a caller takes compressed answers.
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

/// The content, followed by as many spaces as make it that long in all.
///
/// Blocks that end in a full flush depend on nothing before them, so that one can be made and repeated.
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
        // Room that is left means that nothing waits to be written.
        if compress.total_in() == content.len() as u64 && packed.len() < packed.capacity() {
            return Ok(packed);
        }
    }
}
