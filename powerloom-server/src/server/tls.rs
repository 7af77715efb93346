//! HTTPS: a certificate and its key from PEM files, which can be replaced while the server runs.

use crate::server::error::ServerError;
use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// A certificate and its key: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. Cheap to clone: clones change together.
#[derive(Debug, Clone)]
pub struct Tls {
    files: Arc<Files>,
    config: Arc<ServerConfig>,
}

#[derive(Debug)]
struct Files {
    certificates: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Tls {
    /// Reads the chain of certificates, the server's own first, and its key (PKCS#8, SEC1 or PKCS#1). Blocks while it reads.
    ///
    /// # Errors
    /// [`ServerError::Tls`] for a file that cannot be read or holds something else, and for a key of another certificate.
    pub fn open(certificates: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, ServerError> {
        let (certificates, key) = (certificates.into(), key.into());
        let current = ArcSwap::from_pointee(read(&certificates, &key)?);
        let files = Arc::new(Files { certificates, key, current });
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|source| files.refused("certificate", source))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(&files) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { files, config: Arc::new(config) })
    }

    /// Reads the files again: connections from now on get what is there. Blocks while it reads.
    ///
    /// # Errors
    /// As [`open`](Self::open). What was used before is used on.
    pub fn reload(&self) -> Result<(), ServerError> {
        let files = &self.files;
        files.current.store(Arc::new(read(&files.certificates, &files.key)?));
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }
}

impl Files {
    fn refused(&self, what: &'static str, source: rustls::Error) -> ServerError {
        refused(what, &self.certificates, source)
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

fn read(certificates: &Path, key: &Path) -> Result<CertifiedKey, ServerError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|source| refused("certificate", certificates, source))?;
    if chain.is_empty() {
        return Err(refused("certificate", certificates, "no certificate in PEM is there"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| refused("key", key, source))?;
    CertifiedKey::from_der(chain, secret, &default_provider()).map_err(|source| refused("key", key, source))
}

fn refused(
    what: &'static str,
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> ServerError {
    ServerError::Tls { what, path: path.to_owned(), source: source.into() }
}
