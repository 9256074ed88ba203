//! `Content-Encoding` is a list of names in any case, which may be spread over several headers (RFC 9110, 8.4 and 5.3).

use async_compression::tokio::bufread::GzipEncoder;
use sqlflow_client::{Error, ErrorKind};
use tokio::io::AsyncReadExt as _;

use crate::TestResult;
use crate::raw_server::RawServer;

const ONE_JOB: &str = r#"{"code":200,"data":{"total":1,"jobDetails":[{"jobId":"j1"}]}}"#;

/// Returns a response with these headers, whose body was compressed a number of times.
async fn response(headers: &[&str], layers: usize) -> Vec<u8> {
    let mut body = ONE_JOB.as_bytes().to_vec();
    for _ in 0..layers {
        let mut packed = Vec::new();
        GzipEncoder::new(&body[..]).read_to_end(&mut packed).await.expect("memory can be read");
        body = packed;
    }
    let headers = headers.iter().fold(String::new(), |all, header| all + header + "\r\n");
    let head = format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), &body].concat()
}

async fn total(headers: &[&str], layers: usize) -> Result<Option<i64>, Error> {
    let server = RawServer::writing(response(headers, layers).await).await.expect("the loopback interface has ports");
    Ok(server.client().jobs().await?.total)
}

#[tokio::test]
async fn every_spelling_of_gzip_and_identity_is_read() -> TestResult {
    for (headers, layers) in [
        (&["Content-Encoding: gzip"][..], 1),
        (&["Content-Encoding: GZIP"], 1),
        (&["content-encoding: GZip"], 1),
        (&["Content-Encoding: x-gzip"], 1),
        (&["Content-Encoding: X-GZIP"], 1),
        (&["Content-Encoding:   gzip  "], 1),
        (&["Content-Encoding: \tgzip\t"], 1),
        (&["Content-Encoding: , gzip ,,"], 1),
        (&["Content-Encoding: identity"], 0),
        (&["Content-Encoding: Identity"], 0),
        (&["Content-Encoding: "], 0),
        (&["Content-Encoding: ,"], 0),
        (&["Content-Encoding: identity, gzip"], 1),
        (&["Content-Encoding: gzip, identity"], 1),
        (&["Content-Encoding: gzip", "Content-Encoding: identity"], 1),
        (&["Content-Encoding: gzip, gzip"], 2),
        (&["Content-Encoding: gzip ,\tX-GZip"], 2),
        (&["Content-Encoding: gzip", "Content-Encoding: gzip"], 2),
    ] {
        assert_eq!(total(headers, layers).await?, Some(1), "{headers:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_encoding_that_was_not_requested_is_named() {
    for (headers, named) in [
        (&["Content-Encoding: br"][..], "\"br\""),
        (&["Content-Encoding: gzip, br"], "\"gzip, br\""),
        (&["Content-Encoding: gzip", "Content-Encoding: deflate"], "\"gzip, deflate\""),
        (&["Content-Encoding: gzip;q=1"], "\"gzip;q=1\""),
        (&["Content-Encoding: gzip gzip"], "\"gzip gzip\""),
        (&["Content-Encoding: gzip, gzip, gzip"], "\"gzip, gzip, gzip\""),
    ] {
        let error = total(headers, 1).await.expect_err("it is not supported");
        assert_eq!(error.kind(), ErrorKind::Protocol, "{headers:?}: {error}");
        assert!(error.to_string().contains(named), "{headers:?}: {error}");
    }
}

#[tokio::test]
async fn a_body_that_was_compressed_less_often_than_announced_is_an_error() {
    for layers in [0, 1] {
        let error = total(&["Content-Encoding: gzip, gzip"], layers).await.expect_err("it cannot be decompressed");
        assert!(error.to_string().contains("decompress"), "{error}");
    }
}
