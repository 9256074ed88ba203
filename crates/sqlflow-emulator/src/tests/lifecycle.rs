//! Starting and stopping an emulator, over a socket.

use super::*;

#[tokio::test]
async fn no_secret_is_printed() {
    let builder = Emulator::builder().account("ann", "s3cret");
    assert!(format!("{builder:?}").contains("ann"));
    assert!(!format!("{builder:?}").contains("s3cret"));
    let emulator = builder.start().await.unwrap();
    assert!(!format!("{emulator:?}").contains("s3cret"));
}

/// Sends a request over a socket, on a new connection.
pub(super) async fn raw(address: SocketAddr, request: &str) -> std::io::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

const ASK: &str = "POST /gspLive_backend/user/generateToken?userId=ann&secretKey=k HTTP/1.1\r\n\
                   Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn an_emulator_listens_on_loopback_until_it_is_shut_down() {
    let emulator = Emulator::start().await.unwrap();
    let address = emulator.addr();
    assert!(address.ip().is_loopback());
    assert_eq!(emulator.url(), format!("http://{address}"));
    assert!(raw(address, ASK).await.unwrap().starts_with("HTTP/1.1 200 OK"));
    assert_eq!(emulator.requests().len(), 1);
    assert!(emulator.jobs().is_empty());
    emulator.shutdown().await;
    assert!(raw(address, ASK).await.is_err());
}

#[tokio::test]
async fn dropping_an_emulator_stops_it() {
    let mut emulator = Emulator::start().await.unwrap();
    let address = emulator.addr();
    let server = emulator.server.take().unwrap();
    drop(emulator);
    server.await.unwrap().unwrap();
    assert!(raw(address, ASK).await.is_err());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let first = Emulator::start().await.unwrap();
    let second = Emulator::builder().port(first.addr().port()).start().await;
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}
