//! A failure that arrives in place of the file is an error, never a file.

use serde_json::json;
use sqlflow_client::job::Job;
use sqlflow_client::{Error, ErrorKind, JobId};
use wiremock::ResponseTemplate;

use crate::TestResult;
use crate::mock::{CSV, FULL_JSON, GRAPHML, Server, body, failure, page};
use crate::raw_server::{CHUNKED, RawServer, chunk};

const TOO_MANY: &str = "The number of relationships in this task is too large to export this file, please check data \
                        lineage on SQLFlow platform.";

/// Creates a job for which every export gets this response. The server has to live as long as the job.
async fn job(answer: ResponseTemplate) -> (Server, Job) {
    let server = Server::start().await;
    server.everywhere(answer).await;
    let job = server.client().job("j1");
    (server, job)
}

/// Returns the errors of every export in every form.
async fn every_error(answer: ResponseTemplate) -> Vec<Error> {
    let (_server, job) = job(answer).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("export");
    let errors = vec![
        job.export_full_lineage_as_csv().bytes().await.expect_err("bytes of CSV"),
        job.export_full_lineage_as_csv().stream().await.expect_err("stream of CSV"),
        job.export_full_lineage_as_csv().to_file(&path).await.expect_err("file of CSV"),
        job.export_lineage_as_graphml().bytes().await.expect_err("bytes of GraphML"),
        job.export_lineage_as_graphml().stream().await.expect_err("stream of GraphML"),
        job.export_lineage_as_graphml().to_file(&path).await.expect_err("file of GraphML"),
        job.export_lineage_as_json().bytes().await.expect_err("bytes of JSON"),
        job.export_lineage_as_json().stream().await.expect_err("stream of JSON"),
        job.export_lineage_as_json().to_file(&path).await.expect_err("file of JSON"),
        job.export_full_lineage_as_json().bytes().await.expect_err("bytes of full JSON"),
        job.export_full_lineage_as_json().await.expect_err("full lineage"),
        job.export_lineage_as_json().await.expect_err("drawn lineage"),
        job.export_lineage_as_json().lineage().await.expect_err("whole drawn lineage"),
    ];
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
    errors
}

#[tokio::test]
async fn an_error_envelope_in_place_of_any_file_is_returned_as_the_error() {
    for error in every_error(failure(500, "job is broken")).await {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{error:?}");
        assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
        assert!(error.operation().is_some_and(|id| id.starts_with("export")), "{error:?}");
        assert!(error.to_string().contains("job is broken"), "{error}");
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_described_has_no_lineage_in_place_of_its_relation_types() {
    let (_server, job) = job(failure(500, "job is broken")).await;
    let error = job.lineage().await.expect_err("no job");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Server, Some("displayUserJobSummary")), "{error:?}");
    assert_eq!(error.job_id().map(JobId::as_str), Some("j1"));
}

#[tokio::test]
async fn an_authentication_envelope_in_place_of_any_file_is_an_authentication_error() {
    for error in every_error(failure(401, "Invalid user or token, access deny.")).await {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Authentication, Some(401)), "{error:?}");
    }
}

#[tokio::test]
async fn too_many_relationships_are_too_large_and_not_a_server_failure() {
    for error in every_error(failure(500, TOO_MANY)).await {
        assert_eq!((error.kind(), error.code()), (ErrorKind::TooLarge, Some(500)), "{error:?}");
        assert!(error.to_string().contains("too large to export"), "{error}");
    }
}

#[tokio::test]
async fn an_envelope_whose_code_is_text_is_detected_in_place_of_any_file() {
    for error in every_error(body(r#"  {"error": "no", "code": "500"}"#)).await {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{error:?}");
    }
}

#[tokio::test]
async fn an_envelope_after_a_byte_order_mark_is_detected_in_place_of_any_file() {
    for error in every_error(body("\u{feff}{\"code\":500,\"error\":\"no\"}")).await {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{error:?}");
    }
}

#[tokio::test]
async fn a_page_in_place_of_any_file_is_reported_as_a_page() {
    for html in ["<!DOCTYPE html><html>Sign in</html>", "\n <HTML><body>Sign in</body></HTML>"] {
        for error in every_error(page(200, html)).await {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
            assert!(error.to_string().contains("page"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_page_with_an_xml_declaration_in_place_of_graphml_is_reported_as_a_page() {
    // This is the page of lighttpd.
    let html =
        "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\" \"x.dtd\">\n<html/>";
    let server = Server::answering(GRAPHML, page(200, html)).await;
    let outcome = server.client().job("j1").export_lineage_as_graphml().await;
    assert_eq!(outcome.expect_err("it is a page").kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_bad_gateway_in_place_of_any_file_is_a_server_failure() {
    for error in every_error(page(502, "<html>502 Bad Gateway</html>")).await {
        assert_eq!((error.kind(), error.status()), (ErrorKind::Server, Some(502)), "{error:?}");
    }
}

#[tokio::test]
async fn a_successful_envelope_in_place_of_csv_is_not_csv() -> TestResult {
    for envelope in [r#"{"code":200}"#, r#"{"code":203,"error":"w"}"#, r#"{"code":"200","data":""}"#] {
        let (_server, job) = job(body(envelope)).await;
        for error in [
            job.export_full_lineage_as_csv().await.expect_err("no CSV"),
            job.export_lineage_as_graphml().await.expect_err("no GraphML"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Protocol, "{error:?}");
            assert!(error.code().is_some());
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_envelope_without_data_is_not_a_lineage() {
    for envelope in [json!({"code": 200}), json!({"code": 200, "data": ""}), json!({"code": 200, "data": null})] {
        let server = Server::answering(FULL_JSON, body(envelope.to_string())).await;
        let error = server.client().job("j1").lineage().await.expect_err("no lineage");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{envelope}");
    }
}

#[tokio::test]
async fn json_that_is_not_a_lineage_is_an_error() {
    let server = Server::answering(FULL_JSON, body(r#"{"code":200,"data":{"jobId":"j1","status":"success"}}"#)).await;
    let error = server.client().job("j1").lineage().await.expect_err("no lineage");
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Protocol, Some("exportFullLineageAsJson")));
}

#[tokio::test]
async fn csv_in_place_of_a_lineage_is_an_error() {
    let server = Server::answering(FULL_JSON, body("source_db,source_schema\nd,s\n")).await;
    let error = server.client().job("j1").lineage().await.expect_err("no lineage");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("source_db"), "{error}");
}

#[tokio::test]
async fn an_empty_body_is_not_a_lineage() {
    let server = Server::answering(FULL_JSON, body("")).await;
    let error = server.client().job("j1").lineage().await.expect_err("no lineage");
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("empty"), "{error}");
}

#[tokio::test]
async fn a_lineage_with_incomplete_json_is_truncated() {
    let server = Server::answering(FULL_JSON, body(r#"{"code":200,"data":{"sqlflow":{"dbobjs":[{"id":"1","#)).await;
    let error = server.client().job("j1").lineage().await.expect_err("the JSON is truncated");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    assert!(error.to_string().contains("truncated"), "{error}");
}

#[tokio::test]
async fn a_failure_whose_code_follows_a_long_text_is_detected() {
    // The envelope is longer than the beginning that the client examines first.
    let long = "relationship ".repeat(20_000);
    let server = Server::answering(FULL_JSON, body(format!(r#"{{"error":"{long}","code":500}}"#))).await;
    let error = server.client().job("j1").lineage().await.expect_err("it failed");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)));
    assert!(error.to_string().len() < 3_000, "{}", error.to_string().len());
}

#[tokio::test]
async fn a_long_envelope_in_place_of_csv_is_an_error() {
    // A stack trace of a server, for example, begins with a code and is longer than 64 KiB.
    let long = "at com.gudusoft.Export.run(Export.java)\\n".repeat(2_000);
    let server = Server::answering(CSV, body(format!(r#"{{"code":500,"error":"{long}"}}"#))).await;
    let taken = server.client().job("j1").export_full_lineage_as_csv().await.map(|file| file.len());
    assert_eq!(taken.expect_err("it failed").kind(), ErrorKind::Server);
}

/// Creates a stream of an export and reads it to its end, or to its error.
async fn read_stream(stream: Result<sqlflow_client::ByteStream, Error>) -> Result<usize, Error> {
    let (mut stream, mut length) = (stream?, 0);
    while let Some(chunk) = stream.try_next().await? {
        length += chunk.len();
    }
    assert!(stream.try_next().await?.is_none());
    Ok(length)
}

/// Returns the errors of every export in every form; a stream may fail at its end.
async fn every_error_of_a_long_body(answer: ResponseTemplate) -> Vec<Error> {
    let (_server, job) = job(answer).await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("export");
    let errors = vec![
        job.export_full_lineage_as_csv().bytes().await.expect_err("bytes of CSV"),
        read_stream(job.export_full_lineage_as_csv().stream().await).await.expect_err("stream of CSV"),
        job.export_full_lineage_as_csv().to_file(&path).await.expect_err("file of CSV"),
        job.export_lineage_as_graphml().bytes().await.expect_err("bytes of GraphML"),
        job.export_lineage_as_graphml().to_file(&path).await.expect_err("file of GraphML"),
        job.export_lineage_as_json().bytes().await.expect_err("bytes of JSON"),
        read_stream(job.export_lineage_as_json().stream().await).await.expect_err("stream of JSON"),
        job.export_lineage_as_json().to_file(&path).await.expect_err("file of JSON"),
        job.export_full_lineage_as_json().bytes().await.expect_err("bytes of full JSON"),
        job.export_full_lineage_as_json().to_file(&path).await.expect_err("file of full JSON"),
        job.export_full_lineage_as_json().await.expect_err("full lineage"),
        job.export_lineage_as_json().await.expect_err("drawn lineage"),
    ];
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
    errors
}

#[tokio::test]
async fn a_failing_envelope_of_any_size_is_an_error_in_every_form() {
    let long = "at com.gudusoft.Export.run(Export.java) \\\"x\\\" {[\\n".repeat(70_000);
    let object = r#"{"id":"1","name":"T","type":"table","code":200},"#.repeat(60_000);
    let data = format!(r#"{{"mode":"global","sqlflow":{{"dbobjs":[{object}{{}}]}}}}"#);
    for envelope in [
        format!(r#"{{"code":500,"error":"at com {long}"}}"#),
        format!(r#"{{"error":"at com {long}","code":500}}"#),
        format!(r#"{{"code":"500","data":{data},"error":"at com"}}"#),
        format!(r#"{{"data":{data},"error":"at com","code":500}}"#),
        format!(
            "\u{feff} {{\n  \"data\" : {data} ,\n  \"error\" : \"at com\" ,\n  \"code\" : \"500\"\n}}\n and a text"
        ),
        format!(r#"{{"other":"{long}","data":{data},"message":"at com","code":500}}"#),
    ] {
        let begun: String = envelope.chars().take(40).collect();
        for error in every_error_of_a_long_body(body(envelope)).await {
            assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{begun}: {error:?}");
            assert!(error.operation().is_some_and(|id| id.starts_with("export")), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("at com") && text.len() < 3_000, "{begun}: {text}");
        }
    }
}

#[tokio::test]
async fn an_export_that_has_the_fields_of_a_failure_further_inside_is_an_export() -> TestResult {
    let object = r#"{"id":"1","name":"T","type":"table","code":500,"error":"{\"code\":500}"},"#.repeat(20_000);
    let whole = format!(r#"{{"code":200,"data":{{"code":500,"dbobjs":[{object}{{}}]}},"error":""}}"#);
    let (_server, job) = job(body(whole.clone())).await;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("export");
    assert_eq!(job.export_lineage_as_json().to_file(&path).await?, whole.len() as u64);
    assert_eq!(std::fs::read_to_string(&path)?, whole);
    assert_eq!(read_stream(job.export_lineage_as_json().stream().await).await?, whole.len());
    Ok(())
}

#[tokio::test]
async fn a_failing_envelope_in_many_small_chunks_is_an_error() -> TestResult {
    let envelope = format!(r#"{{"data":[{}0],"error":"no memory","code":500}}"#, "1,".repeat(200_000));
    let pieces: Vec<_> = envelope.as_bytes().chunks(777).map(chunk).collect();
    let server = RawServer::writing([CHUNKED.as_bytes(), &pieces.concat(), &chunk(b"")].concat()).await?;
    let job = server.client().job("j1");
    for error in [
        job.export_lineage_as_json().bytes().await.expect_err("it failed"),
        job.export_full_lineage_as_csv().bytes().await.expect_err("it failed"),
        read_stream(job.export_lineage_as_json().stream().await).await.expect_err("it failed"),
    ] {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Server, Some(500)), "{error:?}");
        assert!(error.to_string().contains("no memory"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_is_no_csv_however_it_begins() {
    let page_text = "<head><title>Sign in</title></head><body>a,b\nc,d\n</body></html>";
    let comment = format!("<!-- {} -->\n", "licence ".repeat(20_000));
    let blanks = " \r\n\t".repeat(50_000);
    for begun in [
        "<html>",
        "<HTML LANG='EN'>",
        "\u{feff}<html>",
        "\u{feff}\r\n\t <!DocType html>\n<html>",
        "<!-- a comment --><!doctype html><html>",
        &format!("{comment}<html>"),
        &format!("{blanks}<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML 2.0//EN'><html>"),
        "<?xml version='1.0' encoding='utf-8'?>\n<!-- x -->\n<!DOCTYPE html PUBLIC 'x'>\n<html xmlns='y'>",
        "<?xml version='1.0'?><html>",
        "<head>",
        "<body>",
        "<script>location.href='/login'</script>",
        "<p>Sign in",
        "Warning: no session in login.php on line 3\n<html>",
        "Error 0x1, see below: <!DOCTYPE html><html>",
        "one, two\r\n\r\n  <HTML>",
    ] {
        for kind in ["text/html", "text/csv", "application/octet-stream"] {
            let answer = ResponseTemplate::new(200).set_body_raw(format!("{begun}{page_text}"), kind);
            let (_server, job) = job(answer).await;
            let directory = tempfile::tempdir().expect("a directory");
            let path = directory.path().join("export");
            for error in [
                job.export_full_lineage_as_csv().bytes().await.expect_err("bytes"),
                job.export_full_lineage_as_csv().stream().await.expect_err("stream"),
                job.export_full_lineage_as_csv().to_file(&path).await.expect_err("file"),
            ] {
                let shown: String = begun.chars().take(60).collect();
                assert_eq!(error.kind(), ErrorKind::Protocol, "{shown}: {error}");
            }
            assert!(!path.exists());
        }
    }
}

#[tokio::test]
async fn csv_that_contains_tags_is_csv() -> TestResult {
    for csv in [
        "source_db,source_column\nd,'<html><body>'\n",
        "source_db,source_column\n\"d\n<html>\",x\n",
        "source_db,source_column\nd,<header>\n",
        "",
        "\n",
    ] {
        let answer = ResponseTemplate::new(200).set_body_raw(csv, "text/csv");
        let server = Server::answering(CSV, answer).await;
        assert_eq!(server.client().job("j1").export_full_lineage_as_csv().await?, csv.as_bytes());
    }
    Ok(())
}
