//! The check of the server's certificate, which remembers what it refused.
//!
//! The verdict is rustls-webpki's alone. This wrapper only keeps the presented certificate and the
//! reason, because the gRPC stack reports a refusal as a bare transport error.

use std::sync::{Arc, Mutex};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, PeerIncompatible, RootCertStore,
    SignatureScheme,
};

use crate::config::{ApiConfig, CertificateSummary};
use crate::error::{TlsReason, TlsRefusal};

/// The last refusal of a connection's verifier, shared with the connection.
pub(super) type RefusalSlot = Arc<Mutex<Option<TlsRefusal>>>;

#[derive(Debug)]
pub(super) struct RecordingVerifier {
    inner: Arc<WebPkiServerVerifier>,
    template: TlsRefusal,
    slot: RefusalSlot,
}

impl RecordingVerifier {
    /// A verifier that trusts the configuration's CA and nothing else.
    pub(super) fn new(
        config: &ApiConfig,
        provider: Arc<CryptoProvider>,
        slot: RefusalSlot,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add(config.certificates.ca_der().clone()).map_err(|e| e.to_string())?;
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|e| e.to_string())?;
        let template = TlsRefusal {
            address: config.address.clone(),
            reason: TlsReason::Other,
            presented: None,
            trusted: config.certificates.ca.clone(),
            expected_name: config.pinned_server_name.clone(),
        };
        Ok(Self { inner, template, slot })
    }

    fn record(&self, certificate: &CertificateDer<'_>, error: &Error) {
        let presented = crate::config::summarise("the server's certificate", certificate).ok();
        let refusal = TlsRefusal {
            reason: reason(error, presented.as_ref()),
            presented,
            ..self.template.clone()
        };
        if let Ok(mut slot) = self.slot.lock() {
            *slot = Some(refusal);
        }
    }
}

/// Names the reason in the words of the person who has to mend it.
fn reason(error: &Error, presented: Option<&CertificateSummary>) -> TlsReason {
    let Error::InvalidCertificate(error) = error else { return TlsReason::Other };
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsReason::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsReason::NotYetValid
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            match presented {
                Some(shown) if shown.names.is_empty() => TlsReason::NoSubjectAltName,
                _ => TlsReason::WrongName,
            }
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match presented {
            Some(shown) if shown.self_signed => TlsReason::SelfSigned,
            _ => TlsReason::WrongCa,
        },
        _ => match presented {
            Some(shown) if shown.self_signed => TlsReason::SelfSigned,
            _ => TlsReason::Other,
        },
    }
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.inner
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .inspect_err(|error| self.record(end_entity, error))
    }

    /// Refused: the API speaks TLS 1.3 only, so whatever speaks less is not it. The gRPC stack
    /// offers no choice of versions, and every key exchange of TLS 1.2 that rustls knows is signed.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
