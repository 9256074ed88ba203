//! Writes the files that are exported and submitted: the same bytes for the same size.

use std::fs::File;
use std::io::{BufWriter, Write};

use super::Outcome;
use super::generator::{self, Kind, Layout};

/// The seed of the contents of zip and SQL files.
const SEED: u64 = 7;

/// Writes a file of about this many bytes, and returns what it is.
pub(crate) fn prepare(kind: &str, bytes: &str, path: &str) -> Outcome {
    let bytes: usize = bytes.parse()?;
    let out = BufWriter::new(File::create(path)?);
    match kind {
        "full" => lineage(Kind::Full, bytes, out),
        "drawn" => lineage(Kind::Drawn, bytes, out),
        "zip" => zip(bytes, out),
        "sql" => sql(bytes, out),
        other => Err(super::unknown("file of the kind", other)),
    }
}

fn lineage(kind: Kind, bytes: usize, out: impl Write) -> Outcome {
    // The size of a document grows almost as the number of its relationships, which a small one tells.
    const SAMPLE: usize = 5000;
    let (sample, _) = generator::document_of_kind(kind, Layout::Tree, SAMPLE);
    let relationships = (bytes * SAMPLE / sample.len()).max(1);
    let stats = generator::write(kind, Layout::Tree, relationships, out)?;
    let percent = |part: u64| part * 100 / stats.bytes;
    Ok(format!(
        "{relationships} relationships, {} % of its bytes coordinates, {} % the section `graph`",
        percent(stats.coordinate_bytes),
        percent(stats.graph_bytes)
    ))
}

/// Writes what cannot be compressed further after the first bytes of a zip file. Nobody opens it.
fn zip(bytes: usize, mut out: impl Write) -> Outcome {
    out.write_all(b"PK\x03\x04")?;
    let (mut random, mut left, mut chunk) = (fastrand::Rng::with_seed(SEED), bytes.saturating_sub(4), [0; 8192]);
    while left > 0 {
        let part = &mut chunk[..left.min(8192)];
        random.fill(part);
        out.write_all(part)?;
        left -= part.len();
    }
    out.flush()?;
    Ok(format!("{bytes} bytes, seed {SEED}"))
}

fn sql(bytes: usize, mut out: impl Write) -> Outcome {
    let (mut random, mut written) = (fastrand::Rng::with_seed(SEED), 0);
    while written < bytes {
        let (report, source) = (random.u32(..), random.u32(..));
        let statement = format!("insert into report_{report} (total) select amount from sales_{source};\n");
        out.write_all(statement.as_bytes())?;
        written += statement.len();
    }
    out.flush()?;
    Ok(format!("{written} bytes, seed {SEED}"))
}
