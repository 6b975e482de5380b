//! A failed RPC, turned into its cause: the server's own refusal, or a fault on the way.

use std::time::Duration;

use tonic::Status;

use super::Connection;
use super::transport::{self, Fault};
use crate::error::{HandshakeReason, QueryErrorKind};
use crate::failure::Refusal;
use crate::ids::OrgId;

impl Connection {
    /// Names the cause of a failed RPC. `limit` is the time that the call had.
    pub(crate) fn cause(&self, status: &Status, org: &OrgId, limit: Duration) -> QueryErrorKind {
        let address = self.config().address.clone();
        let handshake = |reason, detail| {
            let address = address.clone();
            QueryErrorKind::Handshake { address, reason, detail }
        };
        match transport::fault(status) {
            None => {}
            Some(Fault::Refused) => {
                return match self.last_refusal() {
                    Some(refusal) => QueryErrorKind::Tls(Box::new(refusal)),
                    None => {
                        let detail = String::from("its certificate could not be verified");
                        handshake(HandshakeReason::Other, detail)
                    }
                };
            }
            Some(Fault::Handshake(reason, said)) => {
                return handshake(reason, self.advice(reason, &said));
            }
            Some(Fault::Broken(detail)) => return QueryErrorKind::Unreachable { address, detail },
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

    /// What a broken handshake means, and what to do.
    fn advice(&self, reason: HandshakeReason, said: &str) -> String {
        let client = &self.config().certificates.client;
        let ours = format!(
            "subject {}, issuer {}, SHA-256 {}",
            client.subject, client.issuer, client.sha256
        );
        let renew = "make a new API file on the server with: velociraptor config api_client";
        let meaning = match reason {
            HandshakeReason::ClientCertificateRefused => format!(
                "it does not accept our certificate ({ours}): it belongs to another deployment, or was made under an older CA; {renew}"
            ),
            HandshakeReason::ClientCertificateExpired => {
                format!("it finds our certificate expired ({ours}); {renew}")
            }
            HandshakeReason::ClientCertificateWanted => {
                String::from("it wants a client certificate and got none")
            }
            HandshakeReason::NothingInCommon => String::from(
                "it has no TLS 1.3 or no curve in common with us, and the API of Velociraptor always speaks TLS 1.3: this port may be another program's or a proxy's; check api_connection_string",
            ),
            HandshakeReason::NotTls => String::from(
                "the port does not speak TLS, so it is not the API's; check api_connection_string (the API listens on port 8001 unless API.bind_port says otherwise)",
            ),
            HandshakeReason::NotGrpc => String::from(
                "the port speaks HTTP and not gRPC: it is probably the GUI's or the agents'; check api_connection_string (the API listens on port 8001 unless API.bind_port says otherwise)",
            ),
            HandshakeReason::Local | HandshakeReason::Other => {
                String::from("the TLS handshake broke")
            }
        };
        format!("{meaning} [{said}]")
    }
}
