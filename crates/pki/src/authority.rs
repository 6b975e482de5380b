//! The authority of a deployment: made, read from PEM, and signing.

use jiff::Timestamp;
use rcgen::{CertificateParams, Issuer, PublicKeyData, SerialNumber};
use rustls_pki_types::CertificateDer;
use secret::Secret;

use crate::inspect::{self, InspectError, KeyKind, Summary};
use crate::issue::{IssueError, Pair};
use crate::key::{KeyError, RsaKey};
use crate::pem::{self, PemError};
use crate::profile::{self, Profile, Role};
use crate::validity::Validity;

/// A deployment's CA with its key.
///
/// `Debug` shows what the certificate says and not the key.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    der: CertificateDer<'static>,
    summary: Summary,
    key: RsaKey,
}

/// Why an authority cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Its certificate is no readable PEM.
    #[error("the CA's certificate cannot be read: {0}")]
    Certificate(#[from] InspectError),
    /// Its key is no key that Velociraptor reads.
    #[error("the CA's private key (CA.private_key): {0}")]
    Key(#[from] KeyError),
    /// It is some other certificate.
    #[error(
        "the certificate is no CA and can sign nothing (subject {subject}, SHA-256 {sha256}); give the one in Client.ca_certificate"
    )]
    NotAuthority {
        /// Its subject.
        subject: String,
        /// Its digest.
        sha256: String,
    },
    /// Its key is not RSA.
    #[error("the CA's key is {found}, and Velociraptor takes RSA keys only")]
    NotRsa {
        /// What it is.
        found: String,
    },
    /// The key belongs to another certificate.
    #[error(
        "the private key does not belong to the CA's certificate (subject {subject}, SHA-256 {sha256}): they come from two deployments; every Velociraptor CA has the same name, so compare the SHA-256"
    )]
    OtherKey {
        /// Subject of the certificate.
        subject: String,
        /// Its digest.
        sha256: String,
    },
    /// What it signs does not hold.
    #[error("the CA cannot be used: {0}")]
    Unusable(#[from] IssueError),
}

impl Authority {
    /// Makes an authority with a key of its own.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers, or the library fails.
    pub fn make(validity: Validity) -> Result<Self, IssueError> {
        Self::with_key(generate()?, validity)
    }

    /// Makes an authority with this key.
    pub(crate) fn with_key(key: RsaKey, validity: Validity) -> Result<Self, IssueError> {
        let failed = |detail: String| IssueError::Signing { role: Role::Authority, detail };
        let mut params = profile::authority().map_err(|error| failed(error.to_string()))?;
        validity.put_into(&mut params);
        params.serial_number = Some(serial()?);
        let signed = params.self_signed(key.pair()).map_err(|error| failed(error.to_string()))?;
        let der = signed.der().clone();
        let summary = inspect::summary(&der).map_err(|error| failed(error.to_string()))?;
        let certificate = pem::certificate_pem(&der);
        let made = Self { certificate, der, summary, key };
        made.prove_itself(validity)?;
        Ok(made)
    }

    /// Reads an authority: the PEM of `Client.ca_certificate` and of `CA.private_key`.
    ///
    /// Proves by a trial that what it signs holds against its certificate.
    ///
    /// # Errors
    ///
    /// One of them cannot be read, they do not belong together, the certificate is no CA, or its
    /// time is not now.
    pub fn load(
        certificate: &str,
        key: &Secret<String>,
        now: Timestamp,
    ) -> Result<Self, LoadError> {
        let der = pem::certificate(certificate).map_err(InspectError::Pem)?;
        let summary = inspect::summary(&der)?;
        let key = RsaKey::parse(key)?;
        let (subject, sha256) = (summary.subject.clone(), summary.sha256.clone());
        if !summary.authority {
            return Err(LoadError::NotAuthority { subject, sha256 });
        }
        if !matches!(summary.key, KeyKind::Rsa { .. }) {
            return Err(LoadError::NotRsa { found: summary.key.to_string() });
        }
        if inspect::public_key(&der)? != key.public() {
            return Err(LoadError::OtherKey { subject, sha256 });
        }
        let certificate = pem::certificate_pem(&der);
        let loaded = Self { certificate, der, summary, key };
        let day = Validity::days(now, 1).map_err(|_| IssueError::AuthorityTime {
            role: Role::Authority,
            begins: loaded.summary.not_before,
            ends: loaded.summary.not_after,
            now,
        })?;
        loaded.prove_itself(day)?;
        Ok(loaded)
    }

    /// The certificate as PEM: `Client.ca_certificate`.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The key as PKCS#1 PEM: `CA.private_key`.
    pub const fn key(&self) -> &Secret<String> {
        self.key.pem()
    }

    /// What the certificate says.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Makes a key and a certificate for it.
    ///
    /// # Errors
    ///
    /// As [`Authority::certify`], and no key was made.
    pub fn issue(&self, profile: &Profile, validity: Validity) -> Result<Pair, IssueError> {
        let key = generate()?;
        let certificate = self.certify(profile, validity, &key)?;
        Ok(Pair { certificate, key: key.pem().clone() })
    }

    /// Makes a certificate, as PEM, for a key that is there.
    ///
    /// # Errors
    ///
    /// It would outlive the authority, the authority's time is not now, or what was signed does
    /// not hold.
    pub fn certify(
        &self,
        profile: &Profile,
        validity: Validity,
        key: &RsaKey,
    ) -> Result<String, IssueError> {
        let role = profile.role();
        self.room_for(role, validity)?;
        let params = profile
            .params()
            .map_err(|error| IssueError::Signing { role, detail: error.to_string() })?;
        let der = self.sign(role, params, validity, key.pair())?;
        self.prove(profile, &der, validity)?;
        Ok(pem::certificate_pem(&der))
    }

    /// Whether the validity lies within the authority's.
    pub(crate) fn room_for(&self, role: Role, validity: Validity) -> Result<(), IssueError> {
        let now = validity.now();
        self.holds_at(role, now)?;
        let (wanted, ends) = (validity.not_after(), self.summary.not_after);
        if wanted > ends {
            return Err(IssueError::OutlivesAuthority { role, wanted, ends, now });
        }
        Ok(())
    }

    fn holds_at(&self, role: Role, now: Timestamp) -> Result<(), IssueError> {
        let (begins, ends) = (self.summary.not_before, self.summary.not_after);
        if now < begins || now > ends {
            return Err(IssueError::AuthorityTime { role, begins, ends, now });
        }
        Ok(())
    }

    /// Whether a certificate, as PEM, was signed by this authority, whatever its time.
    ///
    /// # Errors
    ///
    /// It cannot be read.
    pub fn has_signed(&self, certificate: &str) -> Result<bool, InspectError> {
        inspect::signed_by(&pem::certificate(certificate)?, &self.der)
    }

    fn sign(
        &self,
        role: Role,
        mut params: CertificateParams,
        validity: Validity,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, IssueError> {
        let failed = |error: rcgen::Error| IssueError::Signing { role, detail: error.to_string() };
        validity.put_into(&mut params);
        params.serial_number = Some(serial()?);
        // Read out of the certificate each time: one way for an authority that was made here and
        // one that was made elsewhere, and the key stays in its one place.
        let issuer = Issuer::from_ca_cert_der(&self.der, self.key.pair()).map_err(failed)?;
        Ok(params.signed_by(key, &issuer).map_err(failed)?.der().clone())
    }

    /// What was signed holds now, for each use that it is for.
    fn prove(
        &self,
        profile: &Profile,
        der: &CertificateDer<'_>,
        validity: Validity,
    ) -> Result<(), IssueError> {
        let role = profile.role();
        inspect::prove(der, &[], &self.der, role, profile.names(), validity.now())
            .map_err(|detail| IssueError::NotProved { role, detail })
    }

    /// Signs a certificate for its own key and verifies it.
    fn prove_itself(&self, validity: Validity) -> Result<(), IssueError> {
        let role = Role::Authority;
        self.holds_at(role, validity.now())?;
        let trial = Profile::frontend(&crate::Pinned::default());
        let params = trial
            .params()
            .map_err(|error| IssueError::Signing { role, detail: error.to_string() })?;
        let der = self.sign(role, params, validity, self.key.pair())?;
        self.prove(&trial, &der, validity)
    }
}

/// Makes a key.
pub(crate) fn generate() -> Result<RsaKey, IssueError> {
    RsaKey::generate().map_err(|error| IssueError::Key { detail: error.to_string() })
}

/// A random serial number of 16 bytes. Its first bit is unset and its second one set: it is
/// positive and always as long.
fn serial() -> Result<SerialNumber, IssueError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| IssueError::Random { detail: error.to_string() })?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

impl From<PemError> for LoadError {
    fn from(error: PemError) -> Self {
        Self::Certificate(InspectError::Pem(error))
    }
}
