//! Connections over TLS with the authorities of the platform or with added ones, through a proxy, and with the
//! caller's own HTTP client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sqlflow_client::{Client, Credentials, ErrorKind, TlsBackend, Vendor};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Every TLS library that is compiled in.
const BACKENDS: &[TlsBackend] = &[
    TlsBackend::Rustls,
    #[cfg(feature = "native-tls")]
    TlsBackend::Native,
];

/// Starts a TLS server whose certificate was issued by a private authority. Returns its URL and that authority.
async fn server_of_a_private_authority() -> (String, String) {
    let (url, authority, _) = counting_server_of_a_private_authority(NO_JOBS).await;
    (url, authority)
}

/// Starts the same server with a given response. Also returns a counter of its connections.
async fn counting_server_of_a_private_authority(says: &str) -> (String, String, Arc<AtomicUsize>) {
    server_that_ends(says, true).await
}

/// Starts the same server, which ends its connections with the goodbye of TLS (`close_notify`) or without it.
async fn server_that_ends(says: &str, says_goodbye: bool) -> (String, String, Arc<AtomicUsize>) {
    let connections = Arc::<AtomicUsize>::default();
    let mut authority = CertificateParams::default();
    // One name for both would make the certificate look self-signed.
    authority.distinguished_name.push(DnType::CommonName, "a private authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (says, counted) = (says.to_owned(), Arc::clone(&connections));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            // A client that does not trust the certificate ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            if says_goodbye {
                let _ = answer(stream, &says).await;
            } else {
                let mut request = vec![0; 1 << 16];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(says.as_bytes()).await;
                let _ = stream.flush().await;
                // Only the end of the TCP connection is sent.
                let _ = stream.get_mut().0.shutdown().await;
            }
        }
    });
    (format!("https://localhost:{port}"), authority.pem(), connections)
}

/// The body of an empty list of jobs.
const NO_JOBS: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"code\":200,\"data\":{\"total\":0,\"jobDetails\":[]}}";

/// Responds to one request, and returns the request.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, says: &str) -> std::io::Result<String> {
    let mut request = vec![0; 1 << 16];
    let length = stream.read(&mut request).await?;
    stream.write_all(says.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(String::from_utf8_lossy(&request[..length]).into_owned())
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent() {
    for backend in BACKENDS {
        let (url, _) = server_of_a_private_authority().await;
        let client = Client::builder(&url).tls_backend(*backend).without_proxy().build().unwrap();
        let error = client.jobs().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{backend:?}: {error}");
        assert!(error.to_string().to_lowercase().contains("certificate"), "{backend:?}: {error}");
    }
}

#[tokio::test]
async fn an_untrusted_certificate_is_not_retried() {
    let (url, _, connections) = counting_server_of_a_private_authority(NO_JOBS).await;
    let client = Client::builder(&url).tls_backend(TlsBackend::Rustls).without_proxy().build().unwrap();
    let error = client.jobs().await.unwrap_err();
    assert_eq!((error.attempts(), connections.load(Ordering::SeqCst)), (1, 1), "{error}");
    let error = client.submit(Vendor::Oracle).sql("a.sql", "select 1").await.unwrap_err();
    assert_eq!((error.kind(), connections.load(Ordering::SeqCst)), (ErrorKind::Connect, 2), "{error}");
}

#[tokio::test]
async fn a_redirect_from_tls_to_plain_http_is_not_followed() {
    let (plain, asked) = plain_server().await;
    let elsewhere = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://{plain}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    for backend in BACKENDS {
        let (url, authority, _) = counting_server_of_a_private_authority(&elsewhere).await;
        let client =
            Client::builder(&url).tls_backend(*backend).root_certificate(authority).without_proxy().build().unwrap();
        let error = client.jobs().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(307)), "{backend:?}: {error}");
        assert!(error.to_string().contains(&plain), "{backend:?}: {error}");
    }
    assert!(!asked.is_finished());
}

#[tokio::test]
async fn an_added_authority_is_trusted() {
    for backend in BACKENDS {
        let (url, authority) = server_of_a_private_authority().await;
        let client =
            Client::builder(&url).tls_backend(*backend).root_certificate(authority).without_proxy().build().unwrap();
        assert!(client.jobs().await.unwrap().jobs.is_empty(), "{backend:?}");
    }
}

#[tokio::test]
async fn an_unrelated_authority_does_not_make_the_server_trusted() {
    for backend in BACKENDS {
        let (url, _) = server_of_a_private_authority().await;
        let (_, other) = server_of_a_private_authority().await;
        let client =
            Client::builder(&url).tls_backend(*backend).root_certificate(other).without_proxy().build().unwrap();
        assert_eq!(client.jobs().await.unwrap_err().kind(), ErrorKind::Connect, "{backend:?}");
    }
}

#[tokio::test]
async fn a_host_without_tls_is_distinguished_from_one_that_is_down() {
    let client = Client::builder("https://127.0.0.1").tls_backend(TlsBackend::None).build();
    assert_eq!(client.unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// Exports CSV in every form from a server that responds in this way, and returns what each form returned.
async fn csv_exports(backend: TlsBackend, says: &str, says_goodbye: bool) -> Vec<Result<Vec<u8>, ErrorKind>> {
    let (url, authority, _) = server_that_ends(says, says_goodbye).await;
    let client = Client::builder(&url).tls_backend(backend).root_certificate(authority).without_proxy();
    let job = client.without_retries().build().unwrap().job("j1");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lineage.csv");
    let bytes = job.export_full_lineage_as_csv().bytes().await;
    let to_file = job.export_full_lineage_as_csv().to_file(&path).await;
    let to_file = to_file.map(|_| std::fs::read(&path).unwrap());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), usize::from(to_file.is_ok()), "a file is left");
    let stream = async {
        let (mut stream, mut received) = (job.export_full_lineage_as_csv().stream().await?, Vec::new());
        while let Some(chunk) = stream.try_next().await? {
            received.extend_from_slice(&chunk);
        }
        Ok(received)
    };
    let forms = [bytes.map(|bytes| bytes.to_vec()), to_file, stream.await];
    forms.map(|form| form.map_err(|error: sqlflow_client::Error| error.kind())).into()
}

#[tokio::test]
async fn a_file_that_ends_with_its_connection_is_whole_only_if_tls_says_so() {
    const CSV: &str = "a,b\nc,d\n";
    let until_close = format!("HTTP/1.1 200 OK\r\ncontent-type: text/csv\r\nconnection: close\r\n\r\n{CSV}");
    let with_length = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{CSV}", CSV.len());
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
    let chunked = format!("{chunked}{:x}\r\n{CSV}\r\n0\r\n\r\n", CSV.len());
    let cut_chunk = format!("{}{:x}\r\n{CSV}", &chunked[..chunked.find("\r\n\r\n").unwrap() + 4], CSV.len() + 10);
    let (whole, cut) = (vec![Ok(CSV.as_bytes().to_vec()); 3], vec![Err(ErrorKind::Interrupted); 3]);
    for backend in BACKENDS.iter().copied() {
        assert_eq!(csv_exports(backend, &until_close, false).await, cut, "{backend:?}");
        assert_eq!(csv_exports(backend, &cut_chunk, false).await, cut, "{backend:?}");
        assert_eq!(csv_exports(backend, &cut_chunk, true).await, cut, "{backend:?}");
        for framed in [&with_length, &chunked] {
            assert_eq!(csv_exports(backend, framed, false).await, whole, "{backend:?}: {framed}");
        }
        // The library of the platform does not report the goodbye, so that its absence cannot be seen either.
        let expected = if backend == TlsBackend::Rustls { &whole } else { &cut };
        assert_eq!(csv_exports(backend, &until_close, true).await, *expected, "{backend:?}");
    }
}

#[tokio::test]
async fn json_that_ends_with_its_connection_is_whole_when_it_is_closed() {
    let json = r#"{"code":200,"data":{"dbobjs":[],"relationships":[]}}"#;
    for backend in BACKENDS {
        for (body, is_whole) in [(json, true), (&json[..json.len() - 1], false)] {
            let says = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{body}");
            let (url, authority, _) = server_that_ends(&says, true).await;
            let client = Client::builder(&url).tls_backend(*backend).root_certificate(authority).without_proxy();
            let job = client.without_retries().build().unwrap().job("j1");
            let bytes = job.export_full_lineage_as_json().bytes().await;
            assert_eq!(bytes.map_err(|error| error.kind()).is_ok(), is_whole, "{backend:?}");
        }
    }
}

/// Starts a server without TLS for one request. Returns its address and the request that it receives.
async fn plain_server() -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer(stream, NO_JOBS).await.unwrap()
    });
    (address, asked)
}

#[tokio::test]
async fn a_proxy_receives_the_requests_for_the_server() {
    let (proxy, asked) = plain_server().await;
    let client = Client::builder("http://sqlflow.invalid:8165").proxy(format!("http://{proxy}")).build().unwrap();
    client.jobs().await.unwrap();
    let asked = asked.await.unwrap();
    let expected = "POST http://sqlflow.invalid:8165/api/gspLive_backend/sqlflow/job/displayUserJobsSummary HTTP/1.1";
    assert!(asked.starts_with(expected), "{asked}");
}

#[tokio::test]
async fn a_client_of_the_callers_own_makes_the_requests() {
    let own = reqwest::Client::builder().user_agent("own/1").build().unwrap();
    let (address, asked) = plain_server().await;
    let client = Client::builder(address).http_client(own).credentials(Credentials::token("ann", "t0ken-of-ann"));
    client.build().unwrap().jobs().await.unwrap();
    assert!(asked.await.unwrap().contains("user-agent: own/1"));
}

#[test]
fn a_program_with_its_own_reqwest_needs_no_cryptography_provider() {
    // It would panic if the features of this crate took the provider out of reqwest.
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
    drop(reqwest::Client::new());
    reqwest::Client::builder().https_only(true).build().unwrap();
    Client::builder("https://localhost").build().unwrap();
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let client = Client::builder("http://no-such-host.invalid").without_proxy().without_retries().build().unwrap();
    let error = client.jobs().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("no-such-host.invalid"), "{error}");
}
