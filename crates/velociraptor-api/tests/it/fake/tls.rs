//! How the server presents itself.

use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::pki::{Ca, Leaf, SERVER, Says};

/// How the server presents itself.
pub(crate) struct Tls {
    pub(crate) leaf: Leaf,
    /// Whose client certificates it takes; `None` asks for none.
    pub(crate) clients: Option<CertificateDer<'static>>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
    pub(crate) provider: rustls::crypto::CryptoProvider,
}

impl Tls {
    /// As a good server does.
    pub(crate) fn good(ca: &Ca) -> Self {
        Self::with(ca, ca.issue(&Says::new(SERVER)))
    }

    /// With another certificate.
    pub(crate) fn with(ca: &Ca, leaf: Leaf) -> Self {
        Self {
            leaf,
            clients: Some(ca.certificate.der().clone()),
            versions: vec![&version::TLS13],
            provider: nist_only(),
        }
    }

    pub(crate) fn config(self) -> ServerConfig {
        let provider = Arc::new(self.provider);
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match self.clients {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca).unwrap();
                let roots = Arc::new(roots);
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(self.leaf.pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.leaf.key.as_bytes()).unwrap();
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }
}

/// The curves that the real server takes.
fn nist_only() -> rustls::crypto::CryptoProvider {
    use rustls::crypto::aws_lc_rs;
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![aws_lc_rs::kx_group::SECP384R1, aws_lc_rs::kx_group::SECP256R1];
    provider
}
