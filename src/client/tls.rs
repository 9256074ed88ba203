//! TLS: which library, which roots. Verification is always on; there is no switch for it.
//!
//! With rustls the cryptography is ring's: it builds with a C compiler alone, on every platform the crate can be
//! expected on, where aws-lc-rs (the default of rustls) compiles a far larger library and needs `CMake` on some. A
//! program that has installed a provider of its own for the process, for FIPS say, gets that one.

use reqwest::ClientBuilder;

use crate::{Error, Result};

/// Which library does TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsBackend {
    /// rustls, with the roots of the platform.
    #[cfg(feature = "rustls")]
    Rustls,
    /// The library of the platform: OpenSSL, SChannel, Secure Transport.
    #[cfg(feature = "native-tls")]
    Native,
    /// None: the client speaks plain HTTP alone.
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

/// Why a client without TLS cannot ask over HTTPS.
const WITHOUT_TLS: &str = if cfg!(any(feature = "rustls", feature = "native-tls")) {
    "the base URL is https, but TlsBackend::None was chosen: choose another, or an http URL"
} else {
    "the base URL is https, but sqlflow-client is built without TLS: turn on its feature rustls or native-tls"
};

/// Sets TLS up for a server that is, or is not, asked over HTTPS.
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
        TlsBackend::None if https => Err(Error::invalid(WITHOUT_TLS)),
        TlsBackend::None if !certificates.is_empty() => Err(Error::invalid(
            "there is a root certificate, but no TLS to use it: leave it out, or choose a TLS backend",
        )),
        TlsBackend::None => plain(builder),
    }
}

/// A client that is not asked over HTTPS still needs a configuration where rustls is built in.
#[cfg(feature = "rustls")]
fn plain(builder: ClientBuilder) -> Result<ClientBuilder> {
    Ok(builder.tls_backend_preconfigured(rustls::config(&[], false)?))
}

#[cfg(not(feature = "rustls"))]
#[allow(clippy::unnecessary_wraps, reason = "the other one can fail")]
fn plain(builder: ClientBuilder) -> Result<ClientBuilder> {
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
            .unwrap_or_else(|| Arc::new(::rustls::crypto::ring::default_provider()));
        let failed = |error: ::rustls::Error| Error::invalid(format!("TLS cannot be set up: {error}"));
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(failed)?;
        let extra = read(certificates)?;
        let verifier = if extra.is_empty() {
            Verifier::new(provider)
        } else {
            Verifier::new_with_extra_roots(extra.clone(), provider)
        };
        match verifier {
            Ok(verifier) => {
                // `dangerous` is the name of every way to set a verifier; this one is the platform's.
                Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
            }
            // A machine without any roots, a small container say, can still be a client over plain HTTP.
            Err(_) if !https => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(extra);
                Ok(builder.with_root_certificates(roots).with_no_client_auth())
            }
            Err(error) => Err(failed(error)),
        }
    }

    fn read(certificates: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>> {
        let mut read = Vec::new();
        for bytes in certificates {
            let found: Vec<_> = if bytes.windows(11).any(|window| window == b"-----BEGIN ") {
                let pem = CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>();
                pem.map_err(|error| Error::invalid(format!("a root certificate cannot be read as PEM: {error}")))?
            } else {
                vec![CertificateDer::from(bytes.clone())]
            };
            for certificate in &found {
                RootCertStore::empty()
                    .add(certificate.clone())
                    .map_err(|error| Error::invalid(format!("a root certificate cannot be used: {error}")))?;
            }
            if found.is_empty() {
                return Err(Error::invalid("a root certificate file holds no certificate"));
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
                    Error::invalid(format!("a root certificate cannot be read: {}", error.without_url()))
                })?),
            }
        }
        let builder = builder.tls_backend_native();
        Ok(if roots.is_empty() { builder } else { builder.tls_certs_merge(roots) })
    }
}
