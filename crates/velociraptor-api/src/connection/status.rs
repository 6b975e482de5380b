//! gRPC statuses and transport faults, turned into causes.

use std::time::Duration;

use tonic::Status;

use super::Connection;
use crate::error::QueryErrorKind;
use crate::failure::Refusal;
use crate::ids::OrgId;

impl Connection {
    /// Names the cause of a failed RPC.
    pub(crate) fn cause(&self, status: &Status, org: &OrgId, limit: Duration) -> QueryErrorKind {
        if is_transport(status) {
            return self.transport_cause(innermost(status));
        }
        let refusal = Refusal {
            code: status.code(),
            message: status.message(),
            user: self.config().user(),
            org: org.as_str(),
            max_receive: self.config().max_receive,
            seconds: limit.as_secs(),
        };
        refusal.kind()
    }

    fn transport_cause(&self, detail: String) -> QueryErrorKind {
        let address = self.config().address.clone();
        if let Some(refusal) = self.take_refusal() {
            return QueryErrorKind::Tls(Box::new(refusal));
        }
        if detail.contains("received fatal alert") {
            return QueryErrorKind::Handshake { address, detail: explain_alert(detail) };
        }
        QueryErrorKind::Unreachable { address, detail }
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
