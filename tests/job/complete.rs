//! The emulator knows every operation in `swagger.yaml`, even if it only reports that it does not implement it, and the
//! table of operations says which it implements.

use sqlflow_client::api::operations;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::sqlflow;

#[tokio::test]
async fn the_emulator_knows_every_operation_of_the_description() {
    let (_, emulator) = sqlflow().await;
    let table = include_str!("../../docs/operations.md");
    for operation in operations::ALL {
        let credentials = "userId=gudu%7C0123456789&token=token";
        let (query, body) = if operation.method == "GET" { (credentials, "") } else { ("", credentials) };
        let request = format!(
            "{} /gspLive_backend{}?{query} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            operation.method,
            operation.path,
            body.len()
        );
        let mut stream = TcpStream::connect(emulator.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{operation}: {answer}");
        assert!(answer.contains("\"code\""), "{operation}: {answer}");
        let row = table.lines().find(|line| line.starts_with(&format!("| `{}` |", operation.id))).unwrap();
        let last_cell = if answer.contains("does not emulate the operation") { "| no |" } else { "| yes |" };
        assert!(row.ends_with(last_cell), "docs/operations.md: {row}");
    }
    let known = emulator.requests().iter().filter(|request| request.operation.is_some()).count();
    assert_eq!(known, operations::ALL.len());
}
