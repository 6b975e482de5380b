//! Whether a certificate holds against an authority, by rustls-webpki: the verifier that our own
//! connections rest on.

use std::time::Duration;

use jiff::Timestamp;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::{Expected, Fault, InspectError, Summary, parsed};
use crate::name::AltName;
use crate::profile::Role;

/// Whether the certificate holds for every use of its role, and for all of its names.
///
/// The error is what the verifier said.
pub(crate) fn prove(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    ca: &CertificateDer<'_>,
    role: Role,
    names: &[AltName],
    at: Timestamp,
) -> Result<(), String> {
    let entity = EndEntityCert::try_from(leaf).map_err(|error| error.to_string())?;
    holds(&entity, others, ca, KeyUsage::server_auth(), at)
        .map_err(|error| format!("as a server's: {error}"))?;
    if role != Role::Gui {
        holds(&entity, others, ca, KeyUsage::client_auth(), at)
            .map_err(|error| format!("as a client's: {error}"))?;
    }
    for name in names {
        let wanted = match name {
            AltName::Dns(name) => {
                ServerName::try_from(name.as_str()).map_err(|error| format!("{name}: {error}"))?
            }
            AltName::Ip(address) => ServerName::from(*address),
        };
        entity
            .verify_is_valid_for_subject_name(&wanted)
            .map_err(|error| format!("for the name {name}: {error}"))?;
    }
    Ok(())
}

/// Whether the authority's key signed the certificate itself, whatever its time and use.
pub(crate) fn signed_by(
    certificate: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
) -> Result<bool, InspectError> {
    let (certificate, ca) = (parsed(certificate)?, parsed(ca)?);
    Ok(certificate.issuer().as_raw() == ca.subject().as_raw()
        && certificate.verify_signature(Some(ca.public_key())).is_ok())
}

/// Why the certificate does not hold against the expected CA, apart from times and uses, which
/// have faults of their own.
pub(super) fn distrust(
    leaf: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    ca: &CertificateDer<'_>,
    (leaf_says, ca_says): (&Summary, &Summary),
    expected: &Expected<'_>,
) -> Option<Fault> {
    let certificate = || Box::new(leaf_says.clone());
    let other =
        || Fault::OtherAuthority { certificate: certificate(), ca: Box::new(ca_says.clone()) };
    if !ca_says.authority {
        return Some(Fault::NoAuthority { ca: Box::new(ca_says.clone()) });
    }
    if leaf.as_ref() == ca.as_ref() {
        let own = Fault::SelfSigned { certificate: certificate() };
        return (expected.role != Role::Authority).then_some(own);
    }
    if leaf_says.self_signed {
        return Some(match expected.role {
            Role::Authority => other(),
            _ => Fault::SelfSigned { certificate: certificate() },
        });
    }
    // One that the CA signed itself is proved so: webpki would stop at its flags and uses first.
    if signed_by(leaf, ca).unwrap_or(false) {
        return None;
    }
    let refused = |detail: String| Fault::Refused { certificate: certificate(), detail };
    let entity = match EndEntityCert::try_from(leaf) {
        Ok(entity) => entity,
        Err(error) => return Some(refused(error.to_string())),
    };
    // A moment in which both hold, so that a time that is over does not hide who signed.
    let at = leaf_says.not_before.max(ca_says.not_before);
    let usage = match expected.role.serves() {
        true => KeyUsage::server_auth(),
        false => KeyUsage::client_auth(),
    };
    match holds(&entity, others, ca, usage, at) {
        Ok(()) => None,
        Err(webpki::Error::UnknownIssuer | webpki::Error::InvalidSignatureForPublicKey) => {
            Some(other())
        }
        Err(error) => Some(refused(error.to_string())),
    }
}

fn holds(
    entity: &EndEntityCert<'_>,
    others: &[CertificateDer<'_>],
    ca: &CertificateDer<'_>,
    usage: KeyUsage,
    at: Timestamp,
) -> Result<(), webpki::Error> {
    let anchor = webpki::anchor_from_trusted_cert(ca)?;
    let seconds = u64::try_from(at.as_second()).unwrap_or(0);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    entity
        .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], others, at, usage, None, None)
        .map(drop)
}
