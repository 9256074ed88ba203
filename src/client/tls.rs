//! TLS: the library and the root certificates. Verification is always on; no setting turns it off.
//!
//! With rustls, the cryptography is that of aws-lc, which is also the default of reqwest. With another provider, reqwest
//! itself would be built without one (through the union of its features), and a program that builds its own clients
//! would panic. A program that has installed a cryptography provider for its process, for example for FIPS, gets that
//! one.

use reqwest::ClientBuilder;

use crate::{Error, Result};

/// The library that does TLS, for [`ClientBuilder::tls_backend`](crate::ClientBuilder::tls_backend).
///
/// The default is rustls if the feature `rustls` is on, else the library of the platform if the feature `native-tls` is
/// on, else none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// rustls, with the root certificates of the platform.
    #[cfg(feature = "rustls")]
    Rustls,
    /// The library of the platform: OpenSSL, SChannel, Secure Transport.
    #[cfg(feature = "native-tls")]
    Native,
    /// No TLS: the client can only use plain HTTP.
    None,
}

#[allow(clippy::derivable_impls, reason = "depends on features")]
impl Default for TlsBackend {
    fn default() -> Self {
        #[cfg(feature = "rustls")]
        return Self::Rustls;
        #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
        return Self::Native;
        #[cfg(not(any(feature = "rustls", feature = "native-tls")))]
        return Self::None;
    }
}

/// The error message for a client without TLS whose base URL is HTTPS.
const HTTPS_WITHOUT_TLS: &str = if cfg!(any(feature = "rustls", feature = "native-tls")) {
    "the base URL is https, but TlsBackend::None was chosen: choose another backend, or use an http URL"
} else {
    "the base URL is https, but sqlflow-client is built without TLS: turn on its feature rustls or native-tls"
};

/// Returns `true` if a library does not report that a connection ended without the goodbye of TLS (`close_notify`), so
/// that anyone on the way can cut a response that has no length. rustls reports it.
pub(super) fn is_silent(backend: TlsBackend) -> bool {
    match backend {
        #[cfg(feature = "native-tls")]
        TlsBackend::Native => true,
        _ => false,
    }
}

/// Configures TLS. `https` is `true` if the base URL is HTTPS.
pub(super) fn configure(
    builder: ClientBuilder,
    backend: TlsBackend,
    certificates: &[Vec<u8>],
    https: bool,
) -> Result<ClientBuilder> {
    match backend {
        #[cfg(feature = "rustls")]
        TlsBackend::Rustls => Ok(builder.tls_backend_preconfigured(rustls::config(certificates, https)?)),
        #[cfg(feature = "native-tls")]
        TlsBackend::Native => native::configure(builder, certificates),
        TlsBackend::None if https => Err(Error::invalid(HTTPS_WITHOUT_TLS)),
        TlsBackend::None if !certificates.is_empty() => Err(Error::invalid(
            "a root certificate is set, but TlsBackend::None does not use it: leave it out, or choose another backend",
        )),
        TlsBackend::None => configure_plain(builder),
    }
}

/// Configures a client for plain HTTP, which still needs a TLS configuration if rustls is built in.
#[cfg(feature = "rustls")]
fn configure_plain(builder: ClientBuilder) -> Result<ClientBuilder> {
    Ok(builder.tls_backend_preconfigured(rustls::config(&[], false)?))
}

#[cfg(not(feature = "rustls"))]
#[allow(clippy::unnecessary_wraps, reason = "the variant with rustls can fail")]
fn configure_plain(builder: ClientBuilder) -> Result<ClientBuilder> {
    Ok(builder)
}

#[cfg(feature = "rustls")]
mod rustls {
    use std::sync::Arc;

    use ::rustls::crypto::CryptoProvider;
    use ::rustls::pki_types::CertificateDer;
    use ::rustls::pki_types::pem::PemObject;
    use ::rustls::{ClientConfig, RootCertStore};
    use rustls_platform_verifier::Verifier;

    use crate::{Error, Result};

    pub(super) fn config(certificates: &[Vec<u8>], https: bool) -> Result<ClientConfig> {
        let provider = CryptoProvider::get_default()
            .cloned()
            .unwrap_or_else(|| Arc::new(::rustls::crypto::aws_lc_rs::default_provider()));
        let failed = |error: ::rustls::Error| Error::invalid(format!("cannot set up TLS: {error}"));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(failed)?;
        let extra = read_certificates(certificates)?;
        let verifier = if extra.is_empty() {
            Verifier::new(provider)
        } else {
            Verifier::new_with_extra_roots(extra.clone(), provider)
        };
        match verifier {
            Ok(verifier) => {
                // Every custom verifier is set through `dangerous`; this one is that of the platform.
                Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
            }
            // A machine without root certificates, for example a small container, can still use plain HTTP.
            Err(_) if !https => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(extra);
                Ok(builder.with_root_certificates(roots).with_no_client_auth())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads certificates in PEM or DER, and checks that each can be a root.
    fn read_certificates(certificates: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>> {
        let mut read = Vec::new();
        for bytes in certificates {
            let found: Vec<_> = if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
                let pem = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>();
                pem.map_err(|error| Error::invalid(format!("cannot read a root certificate as PEM: {error}")))?
            } else {
                vec![CertificateDer::from(bytes.clone())]
            };
            for certificate in &found {
                RootCertStore::empty()
                    .add(certificate.clone())
                    .map_err(|error| Error::invalid(format!("cannot use a root certificate: {error}")))?;
            }
            if found.is_empty() {
                return Err(Error::invalid("a root certificate file contains no certificate"));
            }
            read.extend(found);
        }
        Ok(read)
    }
}

#[cfg(feature = "native-tls")]
mod native {
    use reqwest::{Certificate, ClientBuilder};

    use crate::{Error, Result};

    pub(super) fn configure(builder: ClientBuilder, certificates: &[Vec<u8>]) -> Result<ClientBuilder> {
        let mut roots = Vec::new();
        for bytes in certificates {
            let found = Certificate::from_pem_bundle(bytes).ok().filter(|found| !found.is_empty());
            match found {
                Some(found) => roots.extend(found),
                None => roots.push(Certificate::from_der(bytes).map_err(|error| {
                    Error::invalid(format!("cannot read a root certificate: {}", error.without_url()))
                })?),
            }
        }
        let builder = builder.tls_backend_native();
        Ok(if roots.is_empty() { builder } else { builder.tls_certs_merge(roots) })
    }
}
