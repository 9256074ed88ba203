//! Uploaded files and archives.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_zip_is_unpacked_and_other_files_are_skipped() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let archive = zip(&[
        ("ddl/one.sql", b"create table s (x int, y int);"),
        ("../../escape.sql", b"insert into t select * from s;"),
        ("logo.png", b"\x89PNG\r\n\x1a\n"),
        ("__MACOSX/._one.sql", b"\0\0"),
    ]);
    let id = server.submit(&token, &[("etl.zip", &archive), ("plain.sql", b"select a from plain")]).await;
    let job = server.finished(&id).await;
    assert_eq!((job.status.as_str(), &job.error_message), ("success", &None));
    let csv = server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body;
    assert!(csv.contains("s,x,DEFAULT,DEFAULT,t,x,fdd,insert"), "{csv}");
    assert!(csv.contains("plain,a"), "{csv}");
}

#[tokio::test(start_paused = true)]
async fn a_broken_zip_fails_its_job() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let mut archive = zip(&[("a.sql", b"select 1")]);
    archive.truncate(archive.len() / 2);
    let id = server.submit(&token, &[("cut.zip", &archive)]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "fail");
    assert!(job.error_message.unwrap().starts_with("cut.zip: broken zip archive"));

    let id = server.submit(&token, &[("text.zip", b"select 1")]).await;
    assert!(server.finished(&id).await.error_message.unwrap().contains("not a zip archive"));
}

#[tokio::test(start_paused = true)]
async fn text_in_any_encoding_is_read() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let utf16: Vec<u8> =
        "\u{feff}insert into t16 (a) select ä from s".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let id = server.submit(&token, &[("bom.sql", b"\xef\xbb\xbfselect a from t"), ("utf16.sql", &utf16)]).await;
    assert_eq!(server.finished(&id).await.error_message, None);
    assert!(server.export("exportFullLineageAsCsv", &token, &id, &[]).await.body.contains("s,ä,DEFAULT,DEFAULT,t16,a"));

    let id = server.submit(&token, &[("latin.sql", b"select a from t -- \xe4")]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "success");
    assert!(job.error_message.unwrap().starts_with("latin.sql: the file is not valid UTF-8"));
}

#[tokio::test(start_paused = true)]
async fn files_without_a_statement_fail() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let id = server.submit(&token, &[("empty.sql", b"-- nothing\n"), ("none.zip", &zip(&[]))]).await;
    let job = server.finished(&id).await;
    assert_eq!(
        (job.status.as_str(), job.error_message.as_deref()),
        ("fail", Some("The files contain no SQL statement."))
    );
}

#[tokio::test]
async fn an_upload_above_the_limit_is_refused_and_leaves_no_files() {
    use axum::body::Bytes;
    use futures_util::stream;

    let server = server(Emulator::builder());
    let head = multipart(&[("userId", None, b"ann"), ("sqlfiles", Some("big.sql"), b"")]);
    let (head, tail) = head.split_at(head.len() - BOUNDARY.len() - 8);
    let megabyte = Bytes::from(vec![b' '; 1024 * 1024]);
    let chunks = std::iter::once(Bytes::copy_from_slice(head))
        .chain(std::iter::repeat_n(megabyte, 201))
        .chain([Bytes::copy_from_slice(tail)]);
    let body = Body::from_stream(stream::iter(chunks.map(Ok::<_, std::io::Error>)));
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let response =
        server.request(Method::POST, "/gspLive_backend/sqlflow/job/submitUserJob", &content_type, body).await;
    assert_eq!(response.json()["code"], 413);
    assert_eq!(std::fs::read_dir(server.service.spool.path()).unwrap().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_error_for_a_zip_without_sql_names_its_files() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let inner = zip(&[("a.sql", b"select a from t")]);
    let archive = zip(&[("inner.zip", &inner), ("a.png", b"\x89PNG"), ("__MACOSX/._a.png", b"\0")]);
    let id = server.submit(&token, &[("outer.zip", &archive)]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "fail");
    assert_eq!(
        job.error_message.as_deref(),
        Some("outer.zip: the archive holds no SQL; skipped: inner.zip, a.png; archives in archives are not unpacked")
    );
}

#[tokio::test(start_paused = true)]
async fn an_archive_with_an_extreme_compression_ratio_is_not_read_to_its_end() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let blanks = vec![b' '; 9 * 1024 * 1024];
    let names: Vec<String> = (0..3).map(|number| format!("{number}.sql")).collect();
    let mut entries: Vec<(&str, &[u8])> = vec![("good.sql", b"select a from t")];
    entries.extend(names.iter().map(|name| (name.as_str(), blanks.as_slice())));
    let id = server.submit(&token, &[("dense.zip", &zip(&entries))]).await;
    let job = server.finished(&id).await;
    assert_eq!(job.status, "partial_success");
    assert!(job.error_message.unwrap().starts_with("dense.zip: the archive unpacks to more than 300 times its size"));
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_part_is_ignored_next_to_others() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let submit = async |files: &[TestPart<'_>]| {
        let mut parts: Vec<TestPart<'_>> = vec![
            ("userId", None, b"ann"),
            ("token", None, token.as_bytes()),
            ("jobName", None, b"n"),
            ("dbvendor", None, b"dbvoracle"),
        ];
        parts.extend(files);
        server.parts("/sqlflow/job/submitUserJob", &parts).await.json()
    };
    let (empty, real): (TestPart<'_>, TestPart<'_>) =
        (("sqlfiles", Some(""), b""), ("sqlfiles", Some("a.sql"), b"select 1"));
    assert_eq!(submit(&[empty, real]).await["data"]["fileNames"], json!(["a.sql"]));
    assert_eq!(submit(&[empty]).await["code"], 400);
    assert_eq!(submit(&[real, ("sqlfiles", Some(""), b"select 2")]).await["code"], 400);
}

#[tokio::test(start_paused = true)]
async fn a_file_name_is_read_in_any_encoding() {
    let server = server(Emulator::builder());
    let token = server.token("ann").await;
    let fields: [TestPart<'_>; 4] = [
        ("userId", None, b"ann"),
        ("token", None, token.as_bytes()),
        ("jobName", None, b"n"),
        ("dbvendor", None, b"dbvoracle"),
    ];
    for name in [
        &b"filename*=UTF-8''gr%C3%B6%C3%9Fe.sql"[..],
        b"filename=\"gr\xf6\xdfe.sql\"",
        b"filename=\"=?UTF-8?B?Z3LDtsOfZS5zcWw=?=\"",
        b"filename=\"plain.sql\"; filename*=UTF-8''gr%C3%B6%C3%9Fe.sql",
    ] {
        let mut body = multipart(&fields);
        body.truncate(body.len() - "--\r\n".len());
        let head = [b"\r\nContent-Disposition: form-data; name=\"sqlfiles\"; ", name, b"\r\n\r\nselect 1\r\n"].concat();
        body.extend_from_slice(&head);
        write!(body, "--{BOUNDARY}--\r\n").unwrap();
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let path = "/gspLive_backend/sqlflow/job/submitUserJob";
        let response = server.request(Method::POST, path, &content_type, body).await.json();
        assert_eq!(response["data"]["fileNames"], json!(["größe.sql"]), "{response}");
    }
}
