//! One channel to one server under one identity.
//!
//! The channel is lazy (nothing is dialled before the first call), multiplexed, and reconnects by
//! itself. TLS 1.3 only, trust in the deployment's CA only, and the pinned name is verified
//! whatever address was dialled.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};

use crate::config::ApiConfig;
use crate::error::{HandshakeReason, QueryErrorKind, TlsRefusal};
use crate::generated::api_client::ApiClient;

mod status;
mod transport;
mod unary;
mod verifier;

use verifier::{RecordingVerifier, RefusalSlot};

/// How long the TCP and TLS handshakes may take together. Measured on loopback: 3 ms; the
/// generous rest is for a server behind a slow VPN.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The server refuses HTTP/2 pings more often than every five minutes (`too_many_pings`).
const KEEPALIVE: Duration = Duration::from_secs(6 * 60);

/// A channel to a server under one identity. Cheap to clone.
#[derive(Clone)]
pub struct Connection {
    client: ApiClient<Channel>,
    config: Arc<ApiConfig>,
    refusal: RefusalSlot,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} as {})", self.config.address, self.config.user())
    }
}

impl Connection {
    /// Prepares a channel. Nothing is dialled; call it inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`QueryErrorKind::Handshake`] where the TLS stack refuses the checked configuration.
    pub fn open(config: ApiConfig) -> Result<Self, QueryErrorKind> {
        let refusal = RefusalSlot::default();
        let failed = |detail: String| QueryErrorKind::Handshake {
            address: config.address.clone(),
            reason: HandshakeReason::Local,
            detail,
        };
        let provider =
            CryptoProvider::get_default().map_or_else(|| Arc::new(tls_provider()), Arc::clone);
        let verifier =
            RecordingVerifier::new(&config, provider, Arc::clone(&refusal)).map_err(failed)?;
        let tls = ClientTlsConfig::new()
            .domain_name(&config.pinned_server_name)
            .identity(Identity::from_pem(
                config.certificates.chain_pem(),
                config.certificates.key_pem().expose(),
            ))
            .timeout(CONNECT_TIMEOUT);
        let channel = Endpoint::from_shared(config.address.url())
            .and_then(|endpoint| {
                endpoint
                    .connect_timeout(CONNECT_TIMEOUT)
                    .http2_keep_alive_interval(KEEPALIVE)
                    .keep_alive_timeout(Duration::from_secs(20))
                    .keep_alive_while_idle(false)
                    .initial_stream_window_size(4 << 20)
                    .initial_connection_window_size(16 << 20)
                    .tls_config_with_verifier(tls, Arc::new(verifier))
            })
            .map_err(|error| failed(error.to_string()))?
            .connect_lazy();
        let client = ApiClient::new(channel).max_decoding_message_size(config.max_receive);
        Ok(Self { client, config: Arc::new(config), refusal })
    }

    /// The configuration that the channel was made from.
    pub fn config(&self) -> &ApiConfig {
        &self.config
    }

    pub(crate) fn client(&self) -> ApiClient<Channel> {
        self.client.clone()
    }

    /// The certificate that was refused last, if one was.
    fn last_refusal(&self) -> Option<TlsRefusal> {
        Mutex::lock(&self.refusal).ok().and_then(|slot| slot.clone())
    }
}

/// The TLS provider that suits the server: aws-lc-rs with the NIST curves first. The server takes
/// no other curve, and offering X25519 first costs a round trip.
///
/// A program installs it once, first thing in `main`; without a process-wide provider each
/// connection uses its own copy for verification and the gRPC stack takes aws-lc-rs as it comes.
pub fn tls_provider() -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    provider.kx_groups = vec![
        aws_lc_rs::kx_group::SECP256R1,
        aws_lc_rs::kx_group::SECP384R1,
        aws_lc_rs::kx_group::X25519,
    ];
    provider
}
