//! The OpenPGP signature of a release.
//!
//! A detached signature counts when it was made by the key of the wanted fingerprint, or by a
//! signing subkey that this key is bound to, over the bytes as they are, with a hash that nobody can
//! forge, at a time when the key was valid. Only public keys are handled here.

use std::fmt;
use std::io::Read;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use pgp::composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, VerifyingKey};

/// The key that signs Velociraptor's releases, as the vendor's documentation names it ("How to get
/// the latest release", in the knowledge base).
pub const RELEASE_FINGERPRINT: &str = "0572F28B4EF19A043F4CBBE0B22A7FB19CB6CFA1";

/// How far the clocks of a signer and of this machine may differ.
const CLOCK_SKEW: Duration = Duration::from_secs(24 * 3600);

/// The fingerprint of an OpenPGP key: 20 bytes (version 4) or 32 (version 6).
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<u8>);

/// A release key that was given, and has the fingerprint that it should have.
pub struct ReleaseKey {
    key: SignedPublicKey,
    fingerprint: Fingerprint,
}

/// Why a key or a signature proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// A text is no fingerprint.
    #[error("{0:?} is no fingerprint; expected 40 hexadecimal digits, blanks allowed")]
    Fingerprint(String),
    /// The key cannot be read.
    #[error(
        "the release key cannot be read ({0}); expected an OpenPGP public key, as `gpg --export` writes it"
    )]
    Key(String),
    /// The key is not the release key.
    #[error(
        "the key that was given is {found}, the release key is {expected}; get it from a key server or from the vendor"
    )]
    KeyIsOther {
        /// The fingerprint that is pinned.
        expected: Fingerprint,
        /// The fingerprint of the key that was given.
        found: Fingerprint,
    },
    /// The key's owner declared it void.
    #[error(
        "the release key was revoked by its owner; state a SHA-256 instead, and ask the vendor"
    )]
    Revoked,
    /// The signature cannot be read.
    #[error("the signature cannot be read ({0}); expected a detached OpenPGP signature")]
    Unreadable(String),
    /// Somebody else signed.
    #[error("it was signed by {found}, and not by the release key {expected}")]
    OtherKey {
        /// The fingerprint that is pinned.
        expected: Fingerprint,
        /// Who signed, as the signature says.
        found: String,
    },
    /// The signature is of a kind that proves too little.
    #[error("the signature is of a kind that is not accepted: {0}")]
    Weak(String),
    /// The time of the signature is outside the key's or its own life.
    #[error("the signature does not count: {0}")]
    Time(&'static str),
    /// It does not fit the bytes.
    #[error("the signature does not fit the file: one of them was changed")]
    Forged,
}

impl FromStr for Fingerprint {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        let wrong = || SignatureError::Fingerprint(text.chars().take(80).collect());
        let digits: Option<Vec<u32>> =
            text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16)).collect();
        let digits = digits.filter(|it| matches!(it.len(), 40 | 64)).ok_or_else(wrong)?;
        let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).map_err(|_| wrong());
        Ok(Self(digits.chunks_exact(2).map(byte).collect::<Result<_, _>>()?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for ReleaseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReleaseKey({})", self.fingerprint)
    }
}

impl ReleaseKey {
    /// Reads the vendor's key, armoured or not. Any other key is refused.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] about the key.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        Self::with_fingerprint(bytes, &RELEASE_FINGERPRINT.parse()?)
    }

    /// Reads the key of somebody else who signs packages: a site that builds its own.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] about the key.
    pub fn with_fingerprint(bytes: &[u8], wanted: &Fingerprint) -> Result<Self, SignatureError> {
        let read = SignedPublicKey::from_reader_single(bytes);
        let (key, _) = read.map_err(|error| SignatureError::Key(error.to_string()))?;
        let found = Fingerprint(key.primary_key.fingerprint().as_bytes().to_vec());
        if found != *wanted {
            return Err(SignatureError::KeyIsOther { expected: wanted.clone(), found });
        }
        let revoked = |signature: &Signature| signature.verify_key(&key.primary_key).is_ok();
        if key.details.revocation_signatures.iter().any(revoked) {
            return Err(SignatureError::Revoked);
        }
        Ok(Self { fingerprint: found, key })
    }

    /// The fingerprint of the key.
    pub const fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Checks a detached signature, armoured or not, of all that is read. Blocking.
    pub(crate) fn verify(&self, signature: &[u8], data: impl Read) -> Result<(), SignatureError> {
        let read = DetachedSignature::from_reader_single(signature);
        let (signature, _) = read.map_err(|error| SignatureError::Unreadable(error.to_string()))?;
        let signature = signature.signature;
        accept_kind(&signature)?;
        let primary = &self.key.primary_key;
        if issued_by(&signature, primary) {
            in_time(&signature, primary, self.primary_life())?;
            return signature.verify(primary, data).map_err(|_| SignatureError::Forged);
        }
        for subkey in &self.key.public_subkeys {
            if issued_by(&signature, &subkey.key) {
                let life = self.subkey_life(subkey)?;
                in_time(&signature, &subkey.key, life)?;
                return signature.verify(&subkey.key, data).map_err(|_| SignatureError::Forged);
            }
        }
        Err(SignatureError::OtherKey {
            expected: self.fingerprint.clone(),
            found: issuer(&signature),
        })
    }

    /// How long the key is valid from its making, by what it says itself most recently.
    fn primary_life(&self) -> Option<Duration> {
        let primary = &self.key.primary_key;
        let of_users = self.key.details.users.iter().flat_map(|user| {
            let own = |signature: &&Signature| {
                signature.is_certification()
                    && signature.verify_certification(primary, Tag::UserId, &user.id).is_ok()
            };
            user.signatures.iter().filter(own)
        });
        let direct = self.key.details.direct_signatures.iter();
        let direct = direct.filter(|signature| signature.verify_key(primary).is_ok());
        let newest = of_users.chain(direct).max_by_key(|signature| signature.created());
        life(newest?)
    }

    /// The same of a subkey, where the key vouches for it as one that signs.
    fn subkey_life(&self, subkey: &SignedPublicSubKey) -> Result<Option<Duration>, SignatureError> {
        let primary = &self.key.primary_key;
        let holds = |it: &&Signature| it.verify_subkey_binding(primary, &subkey.key).is_ok();
        let sound = || subkey.signatures.iter().filter(holds);
        if sound().any(|it| it.typ() == Some(SignatureType::SubkeyRevocation)) {
            return Err(SignatureError::Revoked);
        }
        let signs = |it: &&Signature| {
            let back = it.embedded_signature();
            it.key_flags().sign()
                && back
                    .is_some_and(|it| it.verify_primary_key_binding(&subkey.key, primary).is_ok())
        };
        let newest = sound().filter(signs).max_by_key(|it| it.created());
        let newest = newest.ok_or_else(|| {
            SignatureError::Weak("the release key does not vouch for this subkey to sign".into())
        })?;
        Ok(life(newest))
    }
}

fn life(signature: &Signature) -> Option<Duration> {
    let seconds = signature.key_expiration_time()?.as_secs();
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

fn accept_kind(signature: &Signature) -> Result<(), SignatureError> {
    use HashAlgorithm::{Sha3_256, Sha3_512, Sha256, Sha384, Sha512};
    if signature.typ() != Some(SignatureType::Binary) {
        return Err(SignatureError::Weak("it is not one over a file's bytes".into()));
    }
    match signature.hash_alg() {
        Some(Sha256 | Sha384 | Sha512 | Sha3_256 | Sha3_512) => Ok(()),
        Some(other) => Err(SignatureError::Weak(format!("it uses {other}"))),
        None => Err(SignatureError::Weak("its version is unknown".into())),
    }
}

fn issued_by(signature: &Signature, key: &impl VerifyingKey) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        signature.issuer_key_id().into_iter().any(|id| *id == key.legacy_key_id())
    } else {
        fingerprints.into_iter().any(|it| *it == key.fingerprint())
    }
}

fn issuer(signature: &Signature) -> String {
    let fingerprint = signature.issuer_fingerprint().first().map(|it| format!("{it:X}"));
    let id = || signature.issuer_key_id().first().map(|it| format!("the key id {it}"));
    fingerprint.or_else(id).unwrap_or_else(|| "somebody who does not say".to_owned())
}

/// A key may have ended since: what it signed in its life stays signed.
fn in_time(
    signature: &Signature,
    key: &impl KeyDetails,
    life: Option<Duration>,
) -> Result<(), SignatureError> {
    let made =
        signature.created().ok_or(SignatureError::Time("it does not say when it was made"))?;
    let made = SystemTime::from(made);
    let born = SystemTime::from(key.created_at());
    let now = SystemTime::now();
    if made < born {
        return Err(SignatureError::Time("it is older than its key"));
    }
    if made > now + CLOCK_SKEW {
        return Err(SignatureError::Time(
            "it was made in the future; is this machine's clock right?",
        ));
    }
    if life.is_some_and(|life| made > born + life) {
        return Err(SignatureError::Time("it was made after its key had ended"));
    }
    let until = signature.signature_expiration_time().filter(|it| it.as_secs() > 0);
    if until.is_some_and(|it| made + Duration::from_secs(it.as_secs().into()) < now) {
        return Err(SignatureError::Time("it has ended"));
    }
    Ok(())
}
