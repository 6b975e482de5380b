//! Faults below gRPC, read out of the error that the transport left.

use rustls::{AlertDescription, InvalidMessage};
use tonic::Status;

use crate::error::HandshakeReason;

/// A fault on the way to the server.
pub(super) enum Fault {
    /// We refused the server's certificate.
    Refused,
    /// Somebody listens, but no call can be made. With what the stack said.
    Handshake(HandshakeReason, String),
    /// Nobody listens, or the connection broke.
    Broken(String),
}

/// The fault behind a status; `None` where the server answered and the status is its own.
pub(super) fn fault(status: &Status) -> Option<Fault> {
    // A stream that ends without a status was cut on the way: a server always sends one.
    if status.message().contains("missing grpc-status trailer") {
        return Some(Fault::Broken(String::from("the answer broke off")));
    }
    // A server that speaks HTTP answers with a page or a redirection, not with a gRPC status.
    let page = ["grpc-status header missing", "while receiving response with status: "];
    if page.iter().any(|said| status.message().contains(said)) {
        return Some(handshake(HandshakeReason::NotGrpc, status.message()));
    }
    let mut error = std::error::Error::source(status)?;
    let mut innermost = error.to_string();
    loop {
        if let Some(tls) = as_tls(error) {
            return Some(tls_fault(tls));
        }
        let Some(source) = error.source() else { break };
        error = source;
        innermost = error.to_string();
    }
    // With TLS 1.3 the server judges our certificate after the handshake, and the HTTP/2 stack
    // keeps of the alert only its text.
    Some(match alert_in(&innermost) {
        Some(reason) => handshake(reason, &innermost),
        None => Fault::Broken(innermost),
    })
}

/// The TLS stack's error is wrapped into an I/O error, which does not name it as its source.
fn as_tls<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = match error.downcast_ref::<std::io::Error>() {
        Some(io) => io.get_ref()? as &(dyn std::error::Error + 'static),
        None => error,
    };
    inner.downcast_ref()
}

fn tls_fault(error: &rustls::Error) -> Fault {
    let reason = match error {
        rustls::Error::InvalidCertificate(_) => return Fault::Refused,
        rustls::Error::AlertReceived(alert) => alert_reason(*alert),
        rustls::Error::PeerIncompatible(_) => HandshakeReason::NothingInCommon,
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => HandshakeReason::NotTls,
        rustls::Error::NoApplicationProtocol => HandshakeReason::NotGrpc,
        _ => HandshakeReason::Other,
    };
    handshake(reason, &error.to_string())
}

const fn alert_reason(alert: AlertDescription) -> HandshakeReason {
    match alert {
        AlertDescription::CertificateRequired => HandshakeReason::ClientCertificateWanted,
        AlertDescription::CertificateExpired => HandshakeReason::ClientCertificateExpired,
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => HandshakeReason::ClientCertificateRefused,
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => HandshakeReason::NothingInCommon,
        AlertDescription::NoApplicationProtocol => HandshakeReason::NotGrpc,
        _ => HandshakeReason::Other,
    }
}

/// Finds the alert in a text such as `received fatal alert: UnknownCA`.
fn alert_in(text: &str) -> Option<HandshakeReason> {
    const NAMED: &[(&str, AlertDescription)] = &[
        ("CertificateRequired", AlertDescription::CertificateRequired),
        ("CertificateExpired", AlertDescription::CertificateExpired),
        ("BadCertificate", AlertDescription::BadCertificate),
        ("UnsupportedCertificate", AlertDescription::UnsupportedCertificate),
        ("CertificateUnknown", AlertDescription::CertificateUnknown),
        ("UnknownCA", AlertDescription::UnknownCA),
        ("DecryptError", AlertDescription::DecryptError),
        ("AccessDenied", AlertDescription::AccessDenied),
    ];
    let (_, alert) = text.split_once("received fatal alert")?;
    let named = NAMED.iter().find(|(name, _)| alert.contains(name));
    Some(named.map_or(HandshakeReason::Other, |(_, alert)| alert_reason(*alert)))
}

fn handshake(reason: HandshakeReason, said: &str) -> Fault {
    Fault::Handshake(reason, said.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_read_out_of_its_text() {
        for (text, reason) in [
            ("received fatal alert: UnknownCA", Some(HandshakeReason::ClientCertificateRefused)),
            (
                "error: received fatal alert: CertificateExpired",
                Some(HandshakeReason::ClientCertificateExpired),
            ),
            (
                "received fatal alert: CertificateRequired",
                Some(HandshakeReason::ClientCertificateWanted),
            ),
            ("received fatal alert: InternalError", Some(HandshakeReason::Other)),
            ("connection reset by peer", None),
        ] {
            assert_eq!(alert_in(text), reason, "{text}");
        }
    }
}
