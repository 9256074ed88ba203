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

#[tokio::test]
async fn the_builder_and_the_emulator_give_jobs_their_times() {
    let moment = std::time::UNIX_EPOCH + Duration::from_secs(86_400);
    let emulator = Emulator::builder().time_of_creation(moment).fault(Fault::busy().times(0)).start().await.unwrap();
    assert!(emulator.faults().is_empty());
    emulator.inject(Fault::page(502).on("rerunJob").times(3));
    assert_eq!(emulator.faults(), [Fault::page(502).on("rerunJob").times(3)]);

    let login: [TestPart<'_>; 5] = [
        ("userId", None, b"gudu|0123456789"),
        ("token", None, b"token"),
        ("jobName", None, b"n"),
        ("dbvendor", None, b"dbvoracle"),
        ("sqlfiles", Some("a.sql"), b"select 1"),
    ];
    let body = String::from_utf8(multipart(&login)).unwrap();
    let request = format!(
        "POST /gspLive_backend/sqlflow/job/submitUserJob HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(emulator.addr(), &request).await.unwrap();
    let job = emulator.jobs().pop().unwrap();
    assert_eq!((job.created, job.execute_time), (moment, Duration::ZERO));
    let later = moment + Duration::from_secs(60);
    assert!(emulator.set_time_of_creation(&job.id, later));
    assert!(emulator.set_execute_time(&job.id, Duration::from_secs(5)));
    let changed = emulator.jobs().pop().unwrap();
    assert_eq!((changed.created, changed.execute_time), (later, Duration::from_secs(5)));
    assert!(!emulator.set_time_of_creation("nothing", later));
    assert!(!emulator.set_execute_time("nothing", Duration::ZERO));
}
