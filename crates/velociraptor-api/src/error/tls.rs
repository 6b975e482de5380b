//! Why a connection was refused, on either side.

use std::fmt;

use crate::config::{Address, CertificateSummary};

/// Why the server's certificate was refused, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRefusal {
    /// Where the API should be.
    pub address: Address,
    /// What is wrong.
    pub reason: TlsReason,
    /// The certificate that was presented.
    pub presented: Option<CertificateSummary>,
    /// The CA that the API file trusts.
    pub trusted: CertificateSummary,
    /// The name that the certificate had to carry.
    pub expected_name: String,
}

/// Why no call could be made although somebody listens at the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeReason {
    /// The server does not accept our certificate.
    ClientCertificateRefused,
    /// The server finds our certificate expired.
    ClientCertificateExpired,
    /// The server wants a client certificate and got none.
    ClientCertificateWanted,
    /// No TLS version or curve in common.
    NothingInCommon,
    /// The port does not speak TLS.
    NotTls,
    /// The port speaks HTTP, but not gRPC: the GUI's or a frontend's.
    NotGrpc,
    /// Our own TLS stack does not take the configuration.
    Local,
    /// Something else.
    Other,
}

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsReason {
    /// Issued by a CA that the API file does not name.
    WrongCa,
    /// Its own issuer.
    SelfSigned,
    /// Its validity has ended.
    Expired,
    /// Its validity has not begun.
    NotYetValid,
    /// It carries another name.
    WrongName,
    /// It carries its name only as a common name (deployments before 2020).
    NoSubjectAltName,
    /// Something else.
    Other,
}

impl std::error::Error for TlsRefusal {}

impl fmt::Display for TlsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, reason, presented, trusted, expected_name } = self;
        write!(f, "the certificate of {address} was refused: ")?;
        let ca = &trusted.subject;
        match reason {
            TlsReason::WrongCa => write!(f, "it was not issued by the CA in the API file ({ca}, SHA-256 {}); is this the right server, or an API file of an older deployment? Make a new one on the server with: velociraptor config api_client", trusted.sha256)?,
            TlsReason::SelfSigned => write!(f, "it is self-signed, and the API port always presents a certificate of the deployment's own CA ({ca}); this port may be the GUI's or a proxy's: check api_connection_string")?,
            TlsReason::Expired => f.write_str("it has expired; renew it on the server with: velociraptor config reissue_certs")?,
            TlsReason::NotYetValid => f.write_str("it is not valid yet: is this computer's clock right?")?,
            TlsReason::WrongName => write!(f, "it does not carry the name {expected_name}; if the deployment pins another name, set pinned_server_name in the API file")?,
            TlsReason::NoSubjectAltName => f.write_str("it has no subject alternative name (deployments before 2020 made such); renew it on the server with: velociraptor config reissue_certs")?,
            TlsReason::Other => f.write_str("it could not be verified")?,
        }
        if let Some(shown) = presented {
            write!(
                f,
                ". Presented: subject {}, issuer {}, names {}, valid {} to {}, SHA-256 {}",
                shown.subject,
                shown.issuer,
                if shown.names.is_empty() { String::from("none") } else { shown.names.join(" ") },
                shown.not_before,
                shown.not_after,
                shown.sha256
            )?;
        }
        Ok(())
    }
}
