//! The certificates of an API client: read out of PEM and checked against each other.

use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use secret::Secret;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

/// What a person needs to know of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// The whole subject.
    pub subject: String,
    /// The subject's common name; empty where there is none (Velociraptor's CA has only an
    /// organisation).
    pub common_name: String,
    /// The whole issuer.
    pub issuer: String,
    /// DNS names and addresses that the certificate speaks for.
    pub names: Vec<String>,
    /// First moment of validity.
    pub not_before: Timestamp,
    /// Last moment of validity.
    pub not_after: Timestamp,
    /// SHA-256 of the certificate, lower-case hexadecimal.
    pub sha256: String,
    /// Subject and issuer are the same.
    pub self_signed: bool,
}

/// Why the certificates of a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// There is no such PEM block in the value.
    #[error("{key} holds no {expected} PEM block")]
    NoPem {
        /// The configuration key.
        key: &'static str,
        /// The block that was looked for.
        expected: &'static str,
    },
    /// The block is damaged.
    #[error("{key} cannot be read: {detail}")]
    Damaged {
        /// The configuration key.
        key: &'static str,
        /// What the parser found.
        detail: String,
    },
    /// The private key is locked with a password.
    #[error(
        "client_private_key is encrypted with a password; make the file again without --password"
    )]
    EncryptedKey,
    /// The private key is of no kind that TLS can use.
    #[error("client_private_key is of a kind that cannot be used: {detail}")]
    UnusableKey {
        /// What the TLS stack said.
        detail: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "client_private_key does not belong to client_cert (subject {subject}): the file was put together from two; make it again"
    )]
    KeyMismatch {
        /// Subject of the certificate.
        subject: String,
    },
    /// The validity has ended.
    #[error(
        "{key} expired on {not_after} (subject {subject}); make a new one with: velociraptor config api_client"
    )]
    Expired {
        /// The configuration key.
        key: &'static str,
        /// Its subject.
        subject: String,
        /// When it ended.
        not_after: Timestamp,
    },
    /// The validity has not begun.
    #[error(
        "{key} is not valid before {not_before} (subject {subject}): is this computer's clock right?"
    )]
    NotYetValid {
        /// The configuration key.
        key: &'static str,
        /// Its subject.
        subject: String,
        /// When it begins.
        not_before: Timestamp,
    },
    /// The client certificate was issued by another CA.
    #[error(
        "client_cert (subject {subject}, issuer {issuer}) was not issued by ca_certificate (subject {ca}): {detail}"
    )]
    WrongCa {
        /// Subject of the client certificate.
        subject: String,
        /// Its issuer.
        issuer: String,
        /// Subject of the CA.
        ca: String,
        /// What the verifier said.
        detail: String,
    },
}

/// The certificates and the key of an API client, checked against each other.
#[derive(Clone)]
pub struct ClientCertificates {
    /// The deployment's CA: the only trust anchor.
    pub ca: CertificateSummary,
    /// The client's certificate.
    pub client: CertificateSummary,
    ca_der: CertificateDer<'static>,
    chain_pem: String,
    key_pem: Secret<String>,
}

impl std::fmt::Debug for ClientCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificates")
            .field("ca", &self.ca)
            .field("client", &self.client)
            .field("key", &self.key_pem)
            .finish_non_exhaustive()
    }
}

impl ClientCertificates {
    /// Reads and checks the three PEM values.
    ///
    /// # Errors
    ///
    /// The first fault found: PEM, key kind, key and certificate, validity, chain.
    pub fn check(ca: &str, client: &str, key: &Secret<String>) -> Result<Self, CertificateError> {
        let ca_der = certificates("ca_certificate", ca)?.swap_remove(0);
        let chain = certificates("client_cert", client)?;
        let key_der = private_key(key.expose())?;
        let ca_summary = summarise("ca_certificate", &ca_der)?;
        let summary = summarise("client_cert", &chain[0])?;
        key_fits(&chain, &key_der, &summary)?;
        let now = Timestamp::now();
        in_validity("ca_certificate", &ca_summary, now)?;
        in_validity("client_cert", &summary, now)?;
        issued_by(&chain[0], &ca_der, &summary, &ca_summary)?;
        Ok(Self {
            ca: ca_summary,
            client: summary,
            ca_der,
            chain_pem: client.to_owned(),
            key_pem: key.clone(),
        })
    }

    /// The CA as the TLS stack wants it.
    pub(crate) const fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca_der
    }

    /// The client's chain, as it was given.
    pub(crate) fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The client's key, for the TLS stack only.
    pub(crate) const fn key_pem(&self) -> &Secret<String> {
        &self.key_pem
    }
}

/// Describes a certificate. `key` names it in errors.
pub(crate) fn summarise(
    key: &'static str,
    der: &CertificateDer<'_>,
) -> Result<CertificateSummary, CertificateError> {
    let damaged = |detail: String| CertificateError::Damaged { key, detail };
    let (_, parsed) = X509Certificate::from_der(der).map_err(|e| damaged(e.to_string()))?;
    let stamp = |seconds: i64| {
        Timestamp::from_second(seconds).map_err(|_| damaged(String::from("validity out of range")))
    };
    let names = match parsed.subject_alternative_name() {
        Ok(Some(extension)) => extension.value.general_names.iter().map(name_text).collect(),
        Ok(None) => Vec::new(),
        Err(error) => return Err(damaged(error.to_string())),
    };
    Ok(CertificateSummary {
        subject: parsed.subject().to_string(),
        common_name: parsed
            .subject()
            .iter_common_name()
            .next()
            .and_then(|cn| cn.as_str().ok())
            .unwrap_or_default()
            .to_owned(),
        issuer: parsed.issuer().to_string(),
        names,
        not_before: stamp(parsed.validity().not_before.timestamp())?,
        not_after: stamp(parsed.validity().not_after.timestamp())?,
        sha256: Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect(),
        self_signed: parsed.subject() == parsed.issuer(),
    })
}

fn name_text(name: &x509_parser::extensions::GeneralName<'_>) -> String {
    use x509_parser::extensions::GeneralName;
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => std::net::Ipv4Addr::from(v4).to_string(),
            Err(_) => <[u8; 16]>::try_from(*bytes)
                .map_or_else(|_| String::from("?"), |v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        other => other.to_string(),
    }
}

fn certificates(
    key: &'static str,
    pem: &str,
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match read {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(CertificateError::NoPem { key, expected: "CERTIFICATE" }),
        Err(error) => Err(CertificateError::Damaged { key, detail: error.to_string() }),
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, CertificateError> {
    // Velociraptor's --password writes legacy encrypted PEM, which reads as a damaged key.
    if pem.contains("ENCRYPTED") {
        return Err(CertificateError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| match error {
        rustls_pki_types::pem::Error::NoItemsFound => {
            CertificateError::NoPem { key: "client_private_key", expected: "PRIVATE KEY" }
        }
        // The parser's text may quote the damaged line, and the line is key material.
        _ => CertificateError::Damaged {
            key: "client_private_key",
            detail: String::from("the PEM block is damaged"),
        },
    })
}

fn key_fits(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'static>,
    summary: &CertificateSummary,
) -> Result<(), CertificateError> {
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(key)
        .map_err(|error| CertificateError::UnusableKey { detail: error.to_string() })?;
    rustls::sign::CertifiedKey::new(chain.to_vec(), signing)
        .keys_match()
        .map_err(|_| CertificateError::KeyMismatch { subject: summary.subject.clone() })
}

fn in_validity(
    key: &'static str,
    summary: &CertificateSummary,
    now: Timestamp,
) -> Result<(), CertificateError> {
    let subject = summary.subject.clone();
    if now > summary.not_after {
        return Err(CertificateError::Expired { key, subject, not_after: summary.not_after });
    }
    if now < summary.not_before {
        return Err(CertificateError::NotYetValid { key, subject, not_before: summary.not_before });
    }
    Ok(())
}

fn issued_by(
    leaf: &CertificateDer<'_>,
    ca: &CertificateDer<'_>,
    summary: &CertificateSummary,
    ca_summary: &CertificateSummary,
) -> Result<(), CertificateError> {
    let wrong = |detail: String| CertificateError::WrongCa {
        subject: summary.subject.clone(),
        issuer: summary.issuer.clone(),
        ca: ca_summary.subject.clone(),
        detail,
    };
    let anchor = webpki::anchor_from_trusted_cert(ca).map_err(|e| wrong(e.to_string()))?;
    let leaf = webpki::EndEntityCert::try_from(leaf).map_err(|e| wrong(e.to_string()))?;
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[anchor],
        &[],
        UnixTime::now(),
        webpki::KeyUsage::client_auth(),
        None,
        None,
    )
    .map(|_| ())
    .map_err(|error| wrong(error.to_string()))
}
