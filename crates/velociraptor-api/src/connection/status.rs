//! gRPC statuses and transport faults, turned into causes.

use tonic::{Code, Status};

use super::Connection;
use crate::error::QueryErrorKind;
use crate::ids::OrgId;

impl Connection {
    /// Names the cause of a failed RPC.
    pub(crate) fn cause(&self, status: &Status, org: &OrgId) -> QueryErrorKind {
        let message = status.message();
        let address = self.config().address.clone();
        match status.code() {
            Code::Cancelled => QueryErrorKind::Cancelled,
            Code::PermissionDenied => crate::failure::denied(message),
            Code::NotFound | Code::Unknown if message.starts_with("User not found") => {
                QueryErrorKind::UnknownUser { user: self.config().user().to_owned() }
            }
            Code::Unknown if message.contains("Org not found") => {
                QueryErrorKind::UnknownOrg { org: org.to_string() }
            }
            // The server's text holds the path of its datastore, which is nobody's business.
            Code::NotFound => {
                QueryErrorKind::NotFound { detail: String::from("the server has no such file") }
            }
            Code::OutOfRange => QueryErrorKind::TooLarge { limit: self.config().max_receive },
            Code::ResourceExhausted => QueryErrorKind::RequestTooLarge,
            Code::Unavailable | Code::Internal | Code::Unknown if is_transport(status) => {
                let detail = innermost(status);
                if let Some(refusal) = self.take_refusal() {
                    QueryErrorKind::Tls(Box::new(refusal))
                } else if detail.contains("received fatal alert") || detail.contains("h2 protocol")
                {
                    QueryErrorKind::Handshake { address, detail: explain_alert(detail) }
                } else {
                    QueryErrorKind::Unreachable { address, detail }
                }
            }
            Code::Unavailable => {
                QueryErrorKind::Unreachable { address, detail: message.to_owned() }
            }
            _ => QueryErrorKind::Failed {
                detail: format!("{}: {message}", status.code().description()),
            },
        }
    }
}

/// Whether a status was made on this side, out of a transport error.
fn is_transport(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// The innermost cause says what happened; the outer ones only say that something did.
fn innermost(status: &Status) -> String {
    let mut error: &dyn std::error::Error = status;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Adds what a TLS alert means here.
fn explain_alert(detail: String) -> String {
    let meaning = if detail.contains("CertificateRequired") {
        "the server wants a client certificate and got none"
    } else if detail.contains("UnknownCA") || detail.contains("BadCertificate") {
        "the server does not accept our certificate: it belongs to another deployment, or was made under an older CA; make a new API file with: velociraptor config api_client"
    } else if detail.contains("CertificateExpired") {
        "the server finds our certificate expired; make a new API file with: velociraptor config api_client"
    } else if detail.contains("ProtocolVersion") || detail.contains("HandshakeFailure") {
        "the two sides have no TLS version or curve in common"
    } else {
        return detail;
    };
    format!("{meaning} ({detail})")
}
