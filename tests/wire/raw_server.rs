//! A server that writes raw bytes, for responses that no HTTP library would send.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use sqlflow_client::{Client, ClientBuilder};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::mock;
use crate::sent::{SentRequest, find};

pub(crate) struct RawServer {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    accepting: JoinHandle<()>,
}

impl RawServer {
    /// Starts a server that calls `handle` for each connection.
    pub(crate) async fn start<F, H>(handle: F) -> io::Result<Self>
    where
        F: Fn(Connection) -> H + Send + 'static,
        H: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let requests = Arc::default();
        let kept = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // In some tests, the client closes the connection early, which is not an error.
                tokio::spawn(handle(Connection { stream, requests: Arc::clone(&kept) }));
            }
        });
        Ok(Self { address, requests, accepting })
    }

    /// Reads each request to its end, writes these bytes, and closes the connection.
    pub(crate) async fn writing(bytes: impl Into<Vec<u8>>) -> io::Result<Self> {
        let bytes: Arc<[u8]> = bytes.into().into();
        Self::start(move |mut connection| {
            let bytes = Arc::clone(&bytes);
            async move {
                connection.request().await?;
                connection.send(&bytes).await
            }
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn builder(&self) -> ClientBuilder {
        mock::builder(&self.url())
    }

    pub(crate) fn client(&self) -> Client {
        self.builder().build().expect("a client of a raw server")
    }

    /// Returns every request that was read to its end.
    pub(crate) fn sent(&self) -> Vec<SentRequest> {
        self.requests.lock().expect("no test panics in here").iter().map(|bytes| SentRequest::parse(bytes)).collect()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Returns a port on the loopback interface on which nothing listens.
pub(crate) async fn closed_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}

pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Connection {
    /// Reads one request to its end.
    pub(crate) async fn request(&mut self) -> io::Result<()> {
        self.next_request().await.map(drop)
    }

    /// Reads one request to its end, and returns it.
    pub(crate) async fn next_request(&mut self) -> io::Result<SentRequest> {
        let mut bytes = self.head().await?;
        let head_end = find(&bytes, b"\r\n\r\n").unwrap_or_default() + 4;
        let length =
            SentRequest::parse(&bytes).header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        while bytes.len() < head_end + length {
            self.more(&mut bytes).await?;
        }
        let request = SentRequest::parse(&bytes);
        self.requests.lock().expect("no test panics in here").push(bytes);
        Ok(request)
    }

    /// Reads at least to the end of the head, and returns everything that has arrived.
    pub(crate) async fn head(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while find(&bytes, b"\r\n\r\n").is_none() {
            self.more(&mut bytes).await?;
        }
        Ok(bytes)
    }

    async fn more(&mut self, bytes: &mut Vec<u8>) -> io::Result<()> {
        if self.stream.read_buf(bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Keeps the connection open and silent until the client closes it.
    pub(crate) async fn hold(mut self) -> io::Result<()> {
        let mut sink = vec![0; 1 << 16];
        while self.stream.read(&mut sink).await? > 0 {}
        Ok(())
    }
}

/// Returns the head of a response with a body of a known length.
pub(crate) fn head(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n")
}

/// The head of a response with a chunked body.
pub(crate) const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Returns a chunk of such a body; an empty one ends it.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
