//! The journal as a file: opened and locked, read, repaired after a crash, and appended to.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::de::IgnoredAny;

use super::event::{BEGINNING, Entries, Entry, Header, JournalEvent, JournalLine, to_json_line};
use super::writer::Writer;
use crate::job::JobService;
use crate::job::download::{parent, sync_directory_of};
use crate::wire::open_journal_file;
use crate::{Error, Result};

/// The maximum time to wait for the lock: a run of this process that was dropped releases it a moment later.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// The maximum length of the remains of a truncated header.
const MAX_TRUNCATED_HEADER: u64 = 1 << 16;

/// A journal that is open, and locked against other processes until it is dropped.
#[derive(Debug)]
pub(super) struct Journal(Writer);

impl Journal {
    /// Opens a journal, and creates it and its directory if they do not exist. Blocks.
    ///
    /// # Errors
    /// `InvalidInput` if it is damaged, is a pipe or a device, is not a journal, or belongs to another client; `Io` if it is
    /// in use, or cannot be read or written.
    pub(super) fn open(path: &Path, service: &JobService) -> Result<(Self, Entries)> {
        let failed = |error: io::Error| Error::io(format_args!("cannot open the journal {}", path.display()), &error);
        create_directory_of(path).map_err(failed)?;
        let mut file = open_journal_file(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                Error::invalid(format!("cannot use {} as a journal: {error}", path.display()))
            }
            _ => failed(error),
        })?;
        lock(&file, path)?;
        let header = Header::of(service);
        let (entries, complete) = JournalReader::of(&file, path, &header)?;
        truncate_to(&mut file, complete, path)?;
        if complete == 0 {
            write_header(&mut file, &header, path).map_err(failed)?;
        }
        let writer = Writer::start(file, format!("the journal {}", path.display()))?;
        Ok((Self(writer), entries))
    }

    /// Records an event, and returns when the record would survive a power failure.
    ///
    /// # Errors
    /// `Io` if the event cannot be written. Every later event then fails in the same way.
    pub(super) async fn record(&self, key: &str, event: JournalEvent) -> Result<()> {
        let line = to_json_line(&JournalLine::now(key, event))
            .map_err(|error| Error::io("cannot encode a line of the journal", &error.into()))?;
        self.0.append(line).await
    }
}

/// Creates the directory of a file with those above it, so that they survive a power failure too.
fn create_directory_of(path: &Path) -> io::Result<()> {
    let directory = parent(path);
    let missing: Vec<_> = directory.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists()).collect();
    fs::create_dir_all(directory)?;
    missing.into_iter().for_each(sync_directory_of);
    Ok(())
}

fn lock(file: &File, path: &Path) -> Result<()> {
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_WAIT => sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => {
                let in_use =
                    "it is in use by another process or another run; wait until it ends, or use another journal";
                let error = io::Error::new(io::ErrorKind::WouldBlock, in_use);
                return Err(Error::io(format_args!("cannot lock the journal {}", path.display()), &error));
            }
            Err(TryLockError::Error(error)) => {
                return Err(Error::io(format_args!("cannot lock the journal {}", path.display()), &error));
            }
        }
    }
}

/// Truncates the file after its last complete line, and seeks to its end.
fn truncate_to(file: &mut File, complete: u64, path: &Path) -> Result<()> {
    let cutting = |file: &mut File| {
        let length = file.metadata()?.len();
        if length > complete {
            let bytes = length - complete;
            tracing::warn!(
                target: "sqlflow_client::batch",
                journal = %path.display(),
                bytes,
                "removed the truncated last line of the journal"
            );
            file.set_len(complete)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::Start(complete))
    };
    let cut = cutting(file).map(drop);
    cut.map_err(|error| Error::io(format_args!("cannot repair the journal {}", path.display()), &error))
}

/// Writes the header, and makes sure that the file itself survives a power failure.
fn write_header(file: &mut File, header: &Header, path: &Path) -> io::Result<()> {
    file.write_all(&to_json_line(header)?)?;
    file.sync_all()?;
    sync_directory_of(&path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    Ok(())
}

/// Reads a journal line by line.
struct JournalReader<'a> {
    path: &'a Path,
    header: &'a Header,
    entries: Entries,
    /// The number of bytes that are complete lines.
    complete: u64,
    /// The number of lines that were read.
    number: u64,
}

impl<'a> JournalReader<'a> {
    /// Reads a journal. Returns its entries and the number of its bytes that are complete lines.
    fn of(file: &File, path: &'a Path, header: &'a Header) -> Result<(Entries, u64)> {
        let mut reading = Self { path, header, entries: Entries::new(), complete: 0, number: 0 };
        reading.read(file)?;
        Ok((reading.entries, reading.complete))
    }

    fn read(&mut self, file: &File) -> Result<()> {
        let unreadable = |path: &Path, error: &io::Error| {
            Error::io(format_args!("cannot read the journal {}", path.display()), error)
        };
        self.check_is_journal(file)?;
        let mut input = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = input.read_until(b'\n', &mut line).map_err(|error| unreadable(self.path, &error))?;
            if length == 0 {
                return Ok(());
            }
            self.number += 1;
            let is_last = input.fill_buf().map_err(|error| unreadable(self.path, &error))?.is_empty();
            if is_last && is_truncated(&line) {
                return Ok(());
            }
            self.read_line(&line)?;
            self.complete += length as u64;
        }
    }

    /// Refuses a file that is not a journal, so that it is not repaired as if it were a truncated one.
    fn check_is_journal(&self, file: &File) -> Result<()> {
        let failed = |error| Error::io(format_args!("cannot read the journal {}", self.path.display()), &error);
        let beginning = beginning(file).map_err(failed)?;
        // In a journal whose first line is truncated, only NUL bytes follow the remains of that line.
        let is_truncated =
            beginning.len() as u64 <= MAX_TRUNCATED_HEADER && BEGINNING.starts_with(without_nul(&beginning));
        if beginning.starts_with(BEGINNING) || is_truncated {
            return Ok(());
        }
        let path = self.path.display();
        Err(Error::invalid(format!("{path} exists and is not the journal of a batch: choose another file")))
    }

    fn read_line(&mut self, line: &[u8]) -> Result<()> {
        if self.number > 1 {
            let line: JournalLine = serde_json::from_slice(line).map_err(|error| self.damaged(&error))?;
            return Entry::apply(&mut self.entries, line).map_err(|reason| self.damaged(&reason));
        }
        let header: Header = serde_json::from_slice(line).map_err(|error| self.damaged(&error))?;
        match self.header.refuses(&header) {
            None => Ok(()),
            Some(reason) => Err(Error::invalid(format!("the journal {} {reason}", self.path.display()))),
        }
    }

    fn damaged(&self, reason: &dyn std::fmt::Display) -> Error {
        let (path, number) = (self.path.display(), self.number);
        Error::invalid(format!(
            "line {number} of the journal {path} is damaged ({reason}), and nothing was submitted: correct the line, \
             or look up its jobs on the server and use another journal"
        ))
    }
}

/// Reads as much of a file as a truncated first line may have, and one byte more.
fn beginning(mut file: &File) -> io::Result<Vec<u8>> {
    let mut beginning = Vec::new();
    file.take(MAX_TRUNCATED_HEADER + 1).read_to_end(&mut beginning)?;
    file.rewind()?;
    Ok(beginning)
}

/// Returns `true` if the last line is truncated. A file system may have left NUL bytes in its place.
fn is_truncated(line: &[u8]) -> bool {
    line.last() != Some(&b'\n') || serde_json::from_slice::<IgnoredAny>(line).is_err()
}

/// Returns the bytes without the NUL bytes at their end.
fn without_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::Client;
    use crate::job::batch::ExportFormat;
    use crate::job::batch::event::{Exported, Stage};
    use crate::{Credentials, ErrorKind};

    fn client() -> JobService {
        Client::builder("http://h")
            .credentials(Credentials::secret_key("ann", "hush"))
            .build()
            .unwrap()
            .job("1")
            .service()
            .clone()
    }

    fn events() -> Vec<(&'static str, JournalEvent)> {
        let submitting = |name: &str| JournalEvent::Submitting { name: name.into() };
        let submitted = |job: &str| JournalEvent::Submitted { job: job.into() };
        let finished = || JournalEvent::Finished { status: "success".into() };
        let exported =
            |file: &str, bytes| JournalEvent::Exported { format: ExportFormat::FullJson, file: file.into(), bytes };
        vec![
            ("a", submitting("a 1")),
            ("b \"ü\"\n", submitting("b\u{2028} 1")),
            ("a", submitted("17")),
            ("c", submitting("c 1")),
            ("b \"ü\"\n", JournalEvent::Refused { kind: "Rejected".into() }),
            ("a", finished()),
            ("a", exported("out/a.full.json", u64::MAX)),
            ("c", submitted("18")),
            ("c", JournalEvent::Failed { kind: "JobFailed".into(), text: "job 18 failed:\nno".into() }),
            ("a", exported("out/a.full.json", 12)),
            ("b \"ü\"\n", submitting("b 2")),
        ]
    }

    fn known_after(events: &[(&str, JournalEvent)]) -> Entries {
        let mut known = Entries::new();
        for (key, event) in events {
            Entry::apply(&mut known, JournalLine::now(key, event.clone())).unwrap();
        }
        known
    }

    async fn record_all(journal: &Journal, events: &[(&str, JournalEvent)]) {
        for (key, event) in events {
            journal.record(key, event.clone()).await.unwrap();
        }
    }

    /// Writes a journal with all events, and returns the position of the end of each line.
    async fn sample(path: &Path) -> Vec<usize> {
        let (journal, known) = Journal::open(path, &client()).unwrap();
        assert!(known.is_empty());
        record_all(&journal, &events()).await;
        drop(journal);
        let bytes = fs::read(path).unwrap();
        (1..=bytes.len()).filter(|end| bytes[end - 1] == b'\n').collect()
    }

    fn refusal(path: &Path) -> String {
        let error = Journal::open(path, &client()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        error.to_string()
    }

    /// The time of a line is that of its writing.
    fn without_times(mut entries: Entries) -> Entries {
        entries.values_mut().filter(|entry| entry.is_submitting()).for_each(|entry| entry.stage = Stage::Submitting(0));
        entries
    }

    #[tokio::test]
    async fn recorded_events_are_read_when_the_journal_is_opened_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        sample(&path).await;
        let (_journal, known) = Journal::open(&path, &client()).unwrap();
        assert_eq!(without_times(known.clone()), without_times(known_after(&events())));
        assert_eq!(known["a"].stage, Stage::Finished("17".into()));
        let exported = Exported { format: ExportFormat::FullJson, file: "out/a.full.json".into(), bytes: 12 };
        assert_eq!(known["a"].exported, [exported]);
        assert!(known["b \"ü\"\n"].is_submitting());
        assert_eq!(known["b \"ü\"\n"].name, "b 2");
        assert_eq!(known["c"].stage, Stage::Failed { job: "18".into(), text: "job 18 failed:\nno".into() });
    }

    #[tokio::test]
    async fn every_line_is_json() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        sample(&path).await;
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(text.as_bytes().starts_with(BEGINNING));
        let header = serde_json::json!({
            "journal": "sqlflow-client", "version": 1, "server": "http://h/api/gspLive_backend", "user": "ann"
        });
        assert_eq!(lines[0], header);
        assert_eq!(
            (&lines[1]["key"], &lines[1]["event"], &lines[1]["name"]),
            (&"a".into(), &"submitting".into(), &"a 1".into())
        );
        assert!(lines[1]["at"].as_u64().unwrap() > 1_700_000_000);
        assert_eq!(lines[7]["format"], "full_json");
    }

    #[tokio::test]
    async fn a_journal_truncated_at_any_byte_is_repaired_and_loses_no_complete_line() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        let ends = sample(&path).await;
        let bytes = fs::read(&path).unwrap();
        let header = Header::of(&client());
        for cut in 0..=bytes.len() {
            let complete = ends.iter().filter(|end| **end <= cut).count();
            let expected = without_times(known_after(&events()[..complete.saturating_sub(1)]));
            for tail in [&b"\0"[..], b"\0\0\0\0\0\0\0\0\n", b""] {
                // No journal begins with a line of NUL bytes.
                if cut >= ends[0] || !tail.ends_with(b"\n") {
                    fs::write(&path, [&bytes[..cut], tail].concat()).unwrap();
                    let (known, length) = JournalReader::of(&File::open(&path).unwrap(), &path, &header).unwrap();
                    assert_eq!(without_times(known), expected, "cut at {cut}");
                    assert_eq!(length, ends[..complete].last().map_or(0, |end| *end as u64));
                }
            }
            if cut > ends[3] {
                // Syncing is slow, and all lines have the same form.
                continue;
            }
            let (journal, known) = Journal::open(&path, &client()).unwrap();
            assert_eq!(without_times(known), expected, "cut at {cut}");
            // The next line follows the last complete one.
            journal.record("new", JournalEvent::Submitting { name: "n".into() }).await.unwrap();
            drop(journal);
            let (known, length) = JournalReader::of(&File::open(&path).unwrap(), &path, &header).unwrap();
            assert_eq!((known.len(), length), (expected.len() + 1, fs::metadata(&path).unwrap().len()));
        }
    }

    #[tokio::test]
    async fn a_damaged_line_before_the_last_is_reported_and_the_file_is_unchanged() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        sample(&path).await;
        let text = fs::read_to_string(&path).unwrap();
        for (bad, reason) in [
            ("no json", "expected"),
            ("\0\0\0\0", "expected"),
            ("", "EOF"),
            (r#"{"key":"a","event":"forgotten"}"#, "forgotten"),
            (r#"{"event":"submitting","name":"x"}"#, "key"),
            (r#"{"key":"new","event":"finished","status":"success"}"#, "never submitted"),
            (r#"{"key":"b \"ü\"\n","event":"finished","status":"success"}"#, "was not accepted"),
        ] {
            let mut lines: Vec<_> = text.lines().collect();
            lines[3] = bad;
            let broken = lines.join("\n") + "\n";
            fs::write(&path, &broken).unwrap();
            let refusal = refusal(&path);
            assert!(refusal.contains("line 4 of the journal") && refusal.contains(reason), "{refusal}");
            assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        }
    }

    #[tokio::test]
    async fn unknown_fields_of_a_line_are_ignored() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        drop(Journal::open(&path, &client()).unwrap());
        let line = r#"{"more":[1],"key":"a","event":"submitting","name":"n","at":1,"and":{"more":2}}"#;
        let text = fs::read_to_string(&path).unwrap() + line + "\n";
        fs::write(&path, text).unwrap();
        let (_journal, known) = Journal::open(&path, &client()).unwrap();
        assert_eq!(known["a"].name, "n");
    }

    #[test]
    fn a_file_that_is_not_a_journal_is_refused_and_unchanged() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        let zeros = vec![0; 1 << 17];
        for content in [
            &b"select 1"[..],
            b"{}",
            b"{\"key\":1}\n",
            b"\n",
            b"{\"journal\":\"other\"}\n",
            b"x\0",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0 mine",
            &zeros,
        ] {
            fs::write(&path, content).unwrap();
            assert!(refusal(&path).contains("is not the journal of a batch"));
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn an_empty_file_is_a_new_journal() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        fs::write(&path, "").unwrap();
        drop(Journal::open(&path, &client()).unwrap());
        assert!(fs::read(&path).unwrap().starts_with(BEGINNING));
    }

    #[test]
    fn the_refusal_of_a_journal_of_another_server_user_or_version_says_what_differs() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        let other = |url: &str, user: &str| {
            Client::builder(url)
                .credentials(Credentials::secret_key(user, "hush"))
                .build()
                .unwrap()
                .job("1")
                .service()
                .clone()
        };
        for (client, named) in
            [(other("http://elsewhere", "ann"), "server http://elsewhere/"), (other("http://h", "bob"), "user bob")]
        {
            drop(Journal::open(&path, &client).unwrap());
            let refusal = refusal(&path);
            assert!(refusal.contains(named), "{refusal}");
            fs::remove_file(&path).unwrap();
        }
        fs::write(&path, r#"{"journal":"sqlflow-client","version":2,"owner":{}}"#.to_owned() + "\n").unwrap();
        assert!(refusal(&path).contains("version 2"));
    }

    #[test]
    fn a_journal_is_locked_until_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        let (journal, _) = Journal::open(&path, &client()).unwrap();
        let error = Journal::open(&path, &client()).unwrap_err();
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains("in use"), "{error}");
        drop(journal);
        Journal::open(&path, &client()).unwrap();
    }

    #[test]
    fn a_path_that_cannot_be_a_file_is_reported() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        for path in [home.path().to_owned(), home.path().join("file/journal")] {
            let error = Journal::open(&path, &client()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        }
    }

    #[test]
    fn the_directory_of_a_new_journal_is_created() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("runs/2026/nightly.journal");
        drop(Journal::open(&path, &client()).unwrap());
        assert!(path.is_file());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_a_device_or_a_socket_is_refused_without_blocking() {
        let home = tempfile::tempdir().unwrap();
        let (pipe, socket) = (home.path().join("pipe"), home.path().join("socket"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for (path, named) in [(pipe, "a pipe"), (socket, "a socket"), ("/dev/null".into(), "a device")] {
            let refusal = refusal(&path);
            assert!(refusal.contains(named) && refusal.contains(&path.display().to_string()), "{refusal}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_use_a_new_journal_and_an_older_one_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("j");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        drop(Journal::open(&path, &client()).unwrap());
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        drop(Journal::open(&path, &client()).unwrap());
        assert_eq!(mode(), 0o640);
    }
}
