//! What a certificate says.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use super::{InspectError, damaged, parsed};
use crate::key::public_bits;
use crate::shown::shown;

/// What a certificate says. Characters that are not seen are escaped in all texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The whole subject.
    pub subject: String,
    /// The subject's common name; empty where there is none.
    pub common_name: String,
    /// The whole issuer.
    pub issuer: String,
    /// The serial number, lower-case hexadecimal.
    pub serial: String,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub sha256: String,
    /// The first moment.
    pub not_before: Timestamp,
    /// The last moment.
    pub not_after: Timestamp,
    /// DNS names and addresses that it speaks for.
    pub names: Vec<String>,
    /// It may be a server's.
    pub server_use: bool,
    /// It may be a client's.
    pub client_use: bool,
    /// It may sign others.
    pub authority: bool,
    /// The kind of its key.
    pub key: KeyKind,
    /// It was signed with its own key: proved, not taken from the names.
    pub self_signed: bool,
}

/// The kind of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA.
    Rsa {
        /// Its length.
        bits: usize,
    },
    /// An elliptic curve.
    EllipticCurve {
        /// Its length.
        bits: usize,
    },
    /// Another, by the number of its algorithm.
    Other {
        /// The object identifier.
        oid: String,
    },
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA with {bits} bits"),
            Self::EllipticCurve { bits } => write!(f, "an elliptic curve with {bits} bits"),
            Self::Other { oid } => write!(f, "of the algorithm {oid}"),
        }
    }
}

impl fmt::Display for Summary {
    /// What a person needs to tell it from another.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "subject {}, issuer {}, SHA-256 {}, valid from {} to {}",
            self.subject, self.issuer, self.sha256, self.not_before, self.not_after
        )
    }
}

pub(crate) fn summary(der: &CertificateDer<'_>) -> Result<Summary, InspectError> {
    let certificate = parsed(der)?;
    let stamp = |seconds: i64| {
        Timestamp::from_second(seconds).map_err(|_| damaged("its validity is out of range"))
    };
    let names = match certificate.subject_alternative_name().map_err(damaged)? {
        Some(extension) => extension.value.general_names.iter().map(name).collect(),
        None => Vec::new(),
    };
    // No extension bounds nothing: then it may be used for everything.
    let (server_use, client_use) = match certificate.extended_key_usage().map_err(damaged)? {
        Some(usage) => {
            (usage.value.any || usage.value.server_auth, usage.value.any || usage.value.client_auth)
        }
        None => (true, true),
    };
    let may_sign =
        certificate.key_usage().map_err(damaged)?.is_none_or(|usage| usage.value.key_cert_sign());
    let common_name = certificate.subject().iter_common_name().next();
    let key = match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => KeyKind::Rsa { bits: public_bits(&key) },
        Ok(PublicKey::EC(point)) => KeyKind::EllipticCurve { bits: point.key_size() },
        _ => KeyKind::Other { oid: certificate.public_key().algorithm.algorithm.to_id_string() },
    };
    Ok(Summary {
        subject: shown(&certificate.subject().to_string()),
        common_name: common_name.and_then(|name| name.as_str().ok()).map(shown).unwrap_or_default(),
        issuer: shown(&certificate.issuer().to_string()),
        serial: hex(certificate.raw_serial()),
        sha256: hex(&Sha256::digest(der)),
        not_before: stamp(certificate.validity().not_before.timestamp())?,
        not_after: stamp(certificate.validity().not_after.timestamp())?,
        names,
        server_use,
        client_use,
        authority: certificate.is_ca() && may_sign,
        key,
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw()
            && certificate.verify_signature(None).is_ok(),
    })
}

/// The public half of the key, as RSA keys are written.
pub(crate) fn public_key(der: &CertificateDer<'_>) -> Result<Vec<u8>, InspectError> {
    Ok(parsed(der)?.public_key().subject_public_key.data.to_vec())
}

fn name(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => shown(name),
        GeneralName::IPAddress(bytes) => address(bytes).map_or_else(
            || format!("an address of {} bytes", bytes.len()),
            |address| address.to_string(),
        ),
        other => shown(&other.to_string()),
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
