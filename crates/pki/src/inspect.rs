//! What a certificate says, what is wrong with it, and what to do about it.

mod fault;
mod summary;
mod verify;

use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::CertificateDer;
use secret::Secret;

use crate::key::{KeyError, LEAST_BITS, RsaKey};
use crate::name::AltName;
use crate::pem::{self, PemError};
use crate::profile::Role;

pub use fault::Fault;
pub use summary::{KeyKind, Summary};
pub(crate) use summary::{public_key, summary};
pub(crate) use verify::{prove, signed_by};

/// From so long before its end on a certificate is to be renewed, unless its whole life is short.
const ENDS_SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A short life is near its end in its last part, one of so many: what is made for thirty days is
/// not to be renewed on its first day.
const LAST_PART: i32 = 3;

/// From so long before its end on this certificate is to be renewed.
fn ends_soon(of: &Summary) -> SignedDuration {
    ENDS_SOON.min(of.not_after.duration_since(of.not_before) / LAST_PART)
}

/// Why a certificate cannot be inspected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// It is no readable PEM.
    #[error("the certificate cannot be read: {0}")]
    Pem(#[from] PemError),
    /// What is in the frame is no certificate.
    #[error("the certificate is damaged: {detail}; copy the whole file again")]
    Damaged {
        /// What the parser found.
        detail: String,
    },
}

/// What a certificate is expected to be.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// What it is for.
    pub role: Role,
    /// The CA that is to have signed it, as PEM.
    pub ca: Option<&'a str>,
    /// The name that it is to speak for, or for an API client its user.
    pub name: Option<&'a str>,
    /// The key that is to belong to it.
    pub key: Option<&'a Secret<String>>,
    /// The time.
    pub now: Timestamp,
}

/// Whether the CA was looked at, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The expected CA signed it.
    Proved,
    /// It does not hold against the expected CA: the faults say why.
    Refused,
    /// No CA was given: nothing is known.
    NotLooked,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The certificate, and after it those that came with it.
    pub chain: Vec<Summary>,
    /// Whether its CA is the expected one.
    pub trust: Trust,
    /// What is wrong, the gravest first.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether nothing is wrong that keeps it from working now. Trust that was not looked at is
    /// no fault: ask [`Report::trust`].
    pub fn is_usable(&self) -> bool {
        self.faults.iter().all(|fault| !fault.is_grave())
    }
}

/// Inspects a certificate: the first of a PEM text, with the others as its chain.
///
/// # Errors
///
/// It, its chain, or the expected CA cannot be read. Everything else is in the report.
pub fn inspect(certificate: &str, expected: &Expected<'_>) -> Result<Report, InspectError> {
    let ders = pem::certificates(certificate)?;
    let chain = ders.iter().map(summary).collect::<Result<Vec<_>, _>>()?;
    let ca = expected.ca.map(pem::certificate).transpose()?;
    let ca_summary = ca.as_ref().map(summary).transpose()?;
    let (leaf, leaf_der) = (&chain[0], &ders[0]);

    let mut faults = Vec::new();
    time(leaf, expected.role.words(), expected.now, &mut faults);
    if let Some(ca) = &ca_summary
        && expected.role != Role::Authority
    {
        time(ca, Role::Authority.words(), expected.now, &mut faults);
    }
    let trust = match (&ca, &ca_summary) {
        (Some(ca), Some(summary)) => {
            match verify::distrust(leaf_der, &ders[1..], ca, (leaf, summary), expected) {
                None => Trust::Proved,
                Some(fault) => {
                    faults.push(fault);
                    Trust::Refused
                }
            }
        }
        _ => {
            if leaf.self_signed && expected.role != Role::Authority {
                faults.push(Fault::SelfSigned { certificate: Box::new(leaf.clone()) });
            }
            Trust::NotLooked
        }
    };
    content(leaf, expected, &mut faults);
    if let Some(key) = expected.key {
        match RsaKey::parse(key) {
            Ok(key) if key.public() == public_key(leaf_der)? => {}
            Ok(_) => faults.push(Fault::OtherKey { subject: leaf.subject.clone() }),
            Err(error) => faults.push(Fault::Key { error }),
        }
    }
    // Stable: within one grade the order of the looks remains.
    faults.sort_by_key(|fault| !fault.is_grave());
    Ok(Report { chain, trust, faults })
}

/// What the certificates of a PEM text say, without judging them.
///
/// # Errors
///
/// One of them cannot be read.
pub fn summaries(certificates: &str) -> Result<Vec<Summary>, InspectError> {
    pem::certificates(certificates)?.iter().map(summary).collect()
}

fn time(of: &Summary, what: &'static str, now: Timestamp, faults: &mut Vec<Fault>) {
    // Certificates know whole seconds only, and nobody reads more.
    let now = now.round(jiff::Unit::Second).unwrap_or(now);
    let subject = of.subject.clone();
    if now > of.not_after {
        faults.push(Fault::Expired { what, subject, ended: of.not_after, now });
    } else if now < of.not_before {
        faults.push(Fault::NotYetValid { what, subject, begins: of.not_before, now });
    } else if of.not_after.duration_since(now) < ends_soon(of) {
        faults.push(Fault::EndsSoon { what, subject, ends: of.not_after, now });
    }
}

fn content(leaf: &Summary, expected: &Expected<'_>, faults: &mut Vec<Fault>) {
    let role = expected.role;
    match leaf.key {
        KeyKind::Rsa { bits } if bits < LEAST_BITS => faults.push(Fault::WeakKey { bits }),
        KeyKind::Rsa { .. } => {}
        // A GUI's certificate is shown to browsers only, and they take other kinds too.
        _ if role == Role::Gui => {}
        _ => faults.push(Fault::NotRsa { found: leaf.key.clone() }),
    }
    if role == Role::Authority {
        if !leaf.authority {
            faults.push(Fault::NotAuthority { subject: leaf.subject.clone() });
        }
        return;
    }
    if leaf.authority {
        faults.push(Fault::IsAuthority { role });
    }
    for (use_, is_there, is_needed) in
        [("server", leaf.server_use, true), ("client", leaf.client_use, role != Role::Gui)]
    {
        if is_needed && !is_there {
            faults.push(Fault::LacksUse { role, lacking: use_ });
        }
    }
    if role.serves() && leaf.names.is_empty() {
        faults.push(Fault::NoName { common_name: leaf.common_name.clone() });
    } else if let Some(name) = expected.name {
        named(leaf, role, name, faults);
    }
}

fn named(leaf: &Summary, role: Role, name: &str, faults: &mut Vec<Fault>) {
    let other = |found: Vec<String>| Fault::OtherName { role, expected: name.to_owned(), found };
    // The server trusts the common name of who calls its API, and looks at no other.
    if role != Role::Gui && leaf.common_name != name {
        faults.push(other(vec![leaf.common_name.clone()]));
    } else if role.serves() {
        let wanted = AltName::parse(name).map_or_else(|_| name.to_owned(), |name| name.to_string());
        if !leaf.names.iter().any(|found| found.eq_ignore_ascii_case(&wanted)) {
            faults.push(other(leaf.names.clone()));
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key { error }
    }
}

fn damaged(detail: impl ToString) -> InspectError {
    InspectError::Damaged { detail: detail.to_string() }
}

/// The certificate's bytes as the parser's type, without anything after them.
fn parsed<'a>(
    der: &'a CertificateDer<'_>,
) -> Result<x509_parser::certificate::X509Certificate<'a>, InspectError> {
    let (rest, parsed) = x509_parser::parse_x509_certificate(der).map_err(damaged)?;
    if !rest.is_empty() {
        return Err(damaged("there are bytes after its end"));
    }
    Ok(parsed)
}
