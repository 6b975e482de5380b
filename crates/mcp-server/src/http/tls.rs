//! The certificate and key of the server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// TLS as it is served: version 1.3, with the server's own certificate.
#[derive(Clone, Debug)]
pub struct Tls(pub(super) Arc<ServerConfig>);

/// A certificate or key that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file that cannot be read, or holds something else.
    #[error("{} has no {wanted} in PEM form: {why}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
        /// Why.
        why: String,
    },
    /// Others than the owner may read the key.
    #[error("{} has mode {mode:o}: others may read the key; chmod 600 it", path.display())]
    OpenKey {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// They do not belong together, or are of a kind that is not known.
    #[error("the certificate {} and the key {} cannot be used together: {error}", certificate.display(), key.display())]
    Unfit {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        error: rustls::Error,
    },
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError`], naming the file.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let pem = |path: &Path, wanted, why: String| TlsError::Pem {
            path: path.to_path_buf(),
            wanted,
            why,
        };
        let wanted = "certificate";
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| pem(certificate, wanted, error.to_string()))?;
        if chain.is_empty() {
            return Err(pem(certificate, wanted, "there is none in it".into()));
        }
        owner_only(key)?;
        let private = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| pem(key, "private key", error.to_string()))?;
        let provider = Arc::new(velociraptor_api::tls_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| TlsError::Unfit {
                certificate: certificate.to_path_buf(),
                key: key.to_path_buf(),
                error,
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

#[cfg(unix)]
fn owner_only(key: &Path) -> Result<(), TlsError> {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(key) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(TlsError::OpenKey {
            path: key.to_path_buf(),
            mode: metadata.permissions().mode() & 0o777,
        }),
        // One that cannot be looked at cannot be read either: that tells the cause.
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn owner_only(_key: &Path) -> Result<(), TlsError> {
    Ok(())
}
