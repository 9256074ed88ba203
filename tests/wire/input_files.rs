//! The files of a submission: any number of them, links, special files, names that are not Unicode, and the temporary
//! files of directories.

use std::fs::{self, File};
use std::io::Cursor;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlflow_client::{ErrorKind, RequestOutcome, Vendor};
use zip::ZipArchive;

use crate::TestResult;
use crate::child_process::{child, is_child, show_events, success};
use crate::mock::{self, GENERATE_TOKEN, SUBMIT, Server, failure, in_turn, state, token};
use crate::raw_server::RawServer;
use crate::sent::SentRequest;

/// Returns the names of the files in the zip file that was sent.
fn members(sent: &SentRequest) -> zip::result::ZipResult<Vec<String>> {
    let files = sent.files();
    let mut zip = ZipArchive::new(Cursor::new(&files[0].content))?;
    (0..zip.len()).map(|index| Ok(zip.by_index(index)?.name()?.to_string())).collect()
}

fn make_pipe(path: &Path) -> TestResult {
    let made = Command::new("mkfifo").arg(path).status()?;
    made.success().then_some(()).ok_or_else(|| "mkfifo failed".into())
}

#[tokio::test]
async fn more_files_than_a_process_may_open_are_sent_and_sent_again() -> TestResult {
    const FILES: usize = 1_100;
    if !is_child() {
        let test = "more_files_than_a_process_may_open_are_sent_and_sent_again";
        success(&child(module_path!(), test, "ulimit -n 64;").output()?);
        return Ok(());
    }
    let server = Server::answering(SUBMIT, in_turn([failure(401, "token expired"), state("create")])).await;
    server.on(GENERATE_TOKEN, in_turn([token("one"), token("two")])).await;
    let home = tempfile::tempdir()?;
    let path = |number: usize| home.path().join(format!("{number}.sql"));
    for number in 0..FILES {
        fs::write(path(number), format!("select {number}"))?;
    }
    let submit = server.client_with_secret_key().submit(Vendor::Oracle).name("n");
    submit.paths((0..FILES).map(path)).await?;
    let sent = server.sent_to(SUBMIT).await;
    assert_eq!(sent.len(), 2);
    for sent in sent {
        let files = sent.files();
        assert_eq!(files.len(), FILES);
        for (number, file) in files.iter().enumerate() {
            assert_eq!(file.content, format!("select {number}").into_bytes());
        }
        assert_eq!(sent.header("content-length"), Some(sent.body.len().to_string().as_str()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_stack_does_not_limit_the_number_of_files() -> TestResult {
    const FILES: usize = 30_000;
    let server = Server::answering(SUBMIT, state("create")).await;
    let client = server.client();
    let files = (0..FILES).map(|number| format!("{number}.sql"));
    let submit = files.fold(client.submit(Vendor::Oracle).name("n"), |submit, name| submit.sql(name, "select 1"));
    // On a worker, whose stack is smaller than that of the main thread.
    tokio::spawn(submit.send()).await??;
    let sent = server.only().await;
    assert_eq!(sent.body.windows(10).filter(|window| window == b"filename=\"").count(), FILES);
    Ok(())
}

#[tokio::test]
async fn a_file_whose_size_changes_before_its_turn_is_named_and_no_job_is_created() -> TestResult {
    for change in ["longer than before", "", "gone"] {
        let home = tempfile::tempdir()?;
        let [large, next, late] = ["large.sql", "next.sql", "late.sql"].map(|name| home.path().join(name));
        // Larger than the buffers of a connection, so that the turn of the next file comes after the change. The one after
        // it is opened then.
        fs::write(&large, vec![b' '; 20_000_000])?;
        fs::write(&next, "select 1")?;
        fs::write(&late, "select 1")?;
        let changed = late.clone();
        let server = RawServer::start(move |mut connection| {
            let changed = changed.clone();
            async move {
                connection.head().await?;
                match change {
                    "gone" => fs::remove_file(&changed)?,
                    text => fs::write(&changed, text)?,
                }
                connection.hold().await
            }
        })
        .await?;
        let submit = server.client().submit(Vendor::Oracle).paths([&large, &next, &late]);
        let error = submit.await.expect_err("the announced length is wrong");
        assert_eq!((error.kind(), error.request_outcome()), (ErrorKind::Io, RequestOutcome::NotExecuted), "{error}");
        assert!(error.to_string().contains("late.sql"), "{error}");
        assert!(change == "gone" || error.to_string().contains("its size changed from 8 to"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_special_file_is_refused_by_what_it_is_and_never_read() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    let [pipe, link, socket] = ["pipe.sql", "link.sql", "socket.sql"].map(|name| home.path().join(name));
    make_pipe(&pipe)?;
    symlink(&pipe, &link)?;
    let _listener = UnixListener::bind(&socket)?;
    let mut refused = vec![(pipe, "a pipe"), (link, "a pipe"), (socket, "a socket"), ("/dev/zero".into(), "a device")];
    if cfg!(target_os = "linux") {
        refused.push(("/proc/self/status".into(), "a pseudo-file of size 0"));
    }
    for (path, reason) in refused {
        let submit = || server.client().submit(Vendor::Oracle);
        for submit in [submit().path(&path), submit().file(&path), submit().zip(&path)] {
            let error = submit.await.expect_err("it is no file");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            let text = error.to_string();
            assert!(text.contains(reason) && text.contains(&path.display().to_string()), "{text}");
        }
        let error = submit().directory(&path).await.expect_err("it is no directory");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert!(server.sent().await.is_empty());
    Ok(())
}

#[tokio::test]
async fn links_out_of_a_directory_are_sent_only_on_request() -> TestResult {
    let home = tempfile::tempdir()?;
    let etl = home.path().join("etl");
    fs::create_dir_all(etl.join("views"))?;
    fs::create_dir(home.path().join("secrets"))?;
    fs::write(etl.join("views/v.sql"), "select 1")?;
    fs::write(home.path().join("secrets/key.pem"), "secret")?;
    symlink("v.sql", etl.join("views/inside.sql"))?;
    symlink("../secrets/key.pem", etl.join("outside.sql"))?;
    symlink("../secrets", etl.join("directory"))?;
    symlink("..", etl.join("views/circle"))?;
    let some = ["views/inside.sql", "views/v.sql"];
    let all = ["directory/key.pem", "outside.sql", "views/inside.sql", "views/v.sql"];
    for (follows, expected) in [(None, &some[..]), (Some(false), &some), (Some(true), &all)] {
        let server = Server::answering(SUBMIT, state("create")).await;
        server.on(mock::SUBMIT_PERSIST, state("create")).await;
        let (submit, persist) =
            (server.client().submit(Vendor::Oracle), server.client().submit_persist(Vendor::Oracle));
        match follows {
            None => drop((submit.path(&etl).await?, persist.path(&etl).await?)),
            // The order of the calls does not matter.
            Some(follows) => {
                submit.follow_links(follows).path(&etl).await?;
                persist.directory(&etl).follow_links(follows).await?;
            }
        }
        for sent in server.sent().await {
            assert_eq!(members(&sent)?, expected, "{follows:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_warning_names_each_file_that_a_directory_is_sent_without() -> TestResult {
    const TEST: &str = "a_warning_names_each_file_that_a_directory_is_sent_without";
    if !is_child() {
        let said = success(&child(module_path!(), TEST, "").output()?);
        for (name, reason) in [
            ("pipe.sql", "it is a pipe"),
            ("socket.sql", "it is a socket"),
            ("outside.sql", "it is a link out of the directory"),
            ("nowhere.sql", "it is a link that cannot be followed"),
        ] {
            let is_warning = |line: &str| line.contains("WARN") && line.contains("left out of the submission");
            let named = said.lines().filter(|line| is_warning(line) && line.contains(name) && line.contains(reason));
            assert_eq!(named.count(), 1, "{name}: {said}");
        }
        return Ok(());
    }
    show_events();
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("a.sql"), "select 1")?;
    make_pipe(&home.path().join("pipe.sql"))?;
    let _listener = UnixListener::bind(home.path().join("socket.sql"))?;
    symlink("/etc/hostname", home.path().join("outside.sql"))?;
    symlink("nowhere", home.path().join("nowhere.sql"))?;
    server.client().submit(Vendor::Oracle).path(home.path()).await?;
    assert_eq!(members(&server.only().await)?, ["a.sql"]);
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn names_that_are_not_unicode_arrive_as_different_names() -> TestResult {
    let server = Server::answering(SUBMIT, state("create")).await;
    let home = tempfile::tempdir()?;
    let etl = home.path().join(std::ffi::OsStr::from_bytes(b"\xe9tl"));
    fs::create_dir(&etl)?;
    let paths = [&b"gr\xf6\xdfe.sql"[..], b"gr\xf6sse.sql"].map(|name| etl.join(std::ffi::OsStr::from_bytes(name)));
    for path in &paths {
        fs::write(path, "select 1")?;
    }
    server.client().submit(Vendor::Oracle).paths(&paths).await?;
    server.client().submit(Vendor::Oracle).path(&etl).await?;
    let sent = server.sent().await;
    let names = |sent: &SentRequest| sent.files().into_iter().filter_map(|file| file.file_name).collect::<Vec<_>>();
    let expected = ["gr%F6%DFe.sql", "gr%F6sse.sql"];
    assert_eq!(names(&sent[0]), expected);
    assert_eq!(
        (names(&sent[1]), members(&sent[1])?),
        (vec!["%E9tl.zip".to_owned()], expected.map(String::from).into())
    );
    let is_named = |(name, value): &(String, String)| name == "jobName" && value.starts_with("%E9tl-");
    assert!(sent[1].fields().iter().any(is_named));
    Ok(())
}

/// The variables for a child that submits a directory: the server and the directory.
const SUBMISSION: [&str; 2] = ["SQLFLOW_TEST_URL", "SQLFLOW_TEST_DIRECTORY"];

/// Returns the temporary directories of the client below a directory.
fn temporary_directories(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).expect("the directory is there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"sqlflow-client-"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_temporary_zip_of_a_killed_process_is_removed_by_the_next() -> TestResult {
    const TEST: &str = "the_temporary_zip_of_a_killed_process_is_removed_by_the_next";
    if is_child() {
        let [url, directory] = SUBMISSION.map(|name| std::env::var(name).expect("the parent sets it"));
        mock::builder(&url).build()?.submit(Vendor::Oracle).path(directory).await?;
        return Ok(());
    }
    let (temporary, etl) = (tempfile::tempdir()?, tempfile::tempdir()?);
    fs::write(etl.path().join("a.sql"), "select 1")?;
    let submission = |url: &str| {
        let mut command = child(module_path!(), TEST, "");
        command.env("TMPDIR", temporary.path()).env(SUBMISSION[0], url).env(SUBMISSION[1], etl.path());
        command
    };
    let arrived = Arc::new(tokio::sync::Notify::new());
    let tell = Arc::clone(&arrived);
    let silent = RawServer::start(move |mut connection| {
        let tell = Arc::clone(&tell);
        async move {
            connection.request().await?;
            tell.notify_one();
            connection.hold().await
        }
    })
    .await?;
    let server = Server::answering(SUBMIT, state("create")).await;
    let mut killed = submission(&silent.url()).spawn()?;
    arrived.notified().await;
    let left = temporary_directories(temporary.path());
    assert_eq!(left.len(), 1);
    // As long as the process lives, others leave its files alone.
    success(&submission(&server.url()).output()?);
    assert_eq!(temporary_directories(temporary.path()), left);
    killed.kill()?;
    killed.wait()?;
    assert_eq!(temporary_directories(temporary.path()), left);
    success(&submission(&server.url()).output()?);
    assert_eq!(temporary_directories(temporary.path()), Vec::<PathBuf>::new());
    Ok(())
}

#[tokio::test]
async fn dropping_a_submission_ends_its_zipping_within_100_milliseconds() -> TestResult {
    const TEST: &str = "dropping_a_submission_ends_its_zipping_within_100_milliseconds";
    if !is_child() {
        let temporary = tempfile::tempdir()?;
        success(&child(module_path!(), TEST, "").env("TMPDIR", temporary.path()).output()?);
        return Ok(());
    }
    let root = std::env::temp_dir();
    let client = mock::builder("http://127.0.0.1:9").max_upload_bytes(u64::MAX).build()?;
    let etl = tempfile::tempdir()?;
    // The file is sparse. To pack all of it would take an hour.
    File::create(etl.path().join("zeros.sql"))?.set_len(1 << 42)?;
    let wait_until = async |is_empty: bool| {
        let start = Instant::now();
        while temporary_directories(&root).is_empty() != is_empty {
            assert!(start.elapsed() < Duration::from_secs(60), "it takes too long");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        start.elapsed()
    };
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let submit = tokio::spawn(client.submit(Vendor::Oracle).path(etl.path()).send());
        wait_until(false).await;
        submit.abort();
        assert!(submit.await.expect_err("it cannot end").is_cancelled());
        fastest = fastest.min(wait_until(true).await);
    }
    // The fastest of some, because other processes may delay each.
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    Ok(())
}

#[tokio::test]
async fn a_zip_file_that_was_sent_leaves_nothing_in_the_temporary_directory() -> TestResult {
    const TEST: &str = "a_zip_file_that_was_sent_leaves_nothing_in_the_temporary_directory";
    if !is_child() {
        let temporary = tempfile::tempdir()?;
        success(&child(module_path!(), TEST, "").env("TMPDIR", temporary.path()).output()?);
        assert_eq!(temporary_directories(temporary.path()), Vec::<PathBuf>::new());
        return Ok(());
    }
    let server = Server::answering(SUBMIT, state("create")).await;
    let etl = tempfile::tempdir()?;
    fs::write(etl.path().join("a.sql"), "select 1 from dual;\n".repeat(10_000))?;
    server.client().submit(Vendor::Oracle).path(etl.path()).await?;
    server.client().submit(Vendor::Oracle).path(etl.path()).sql("", "select 1").await.expect_err("no name");
    assert_eq!(temporary_directories(&std::env::temp_dir()), Vec::<PathBuf>::new());
    Ok(())
}
