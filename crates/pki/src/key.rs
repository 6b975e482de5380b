//! RSA keys in the one form that Velociraptor reads: PKCS#1.

use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls_pki_types::pem::SectionKind;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer};
use secret::Secret;
use x509_parser::der_parser::asn1_rs::{Any, FromDer as _, Sequence, Tag};
use x509_parser::public_key::RSAPublicKey;

use crate::pem::{self, PemError};

/// Less is weak: no TLS stack of today takes it.
pub(crate) const LEAST_BITS: usize = 2048;

/// How to write any RSA key as PKCS#1.
const CONVERT: &str = "openssl rsa -in OLD.pem -traditional -out NEW.pem";

/// An RSA key. It is wiped when it is dropped, and `Debug` does not show it.
#[derive(Debug)]
pub struct RsaKey {
    pair: Secret<KeyPair>,
    pem: Secret<String>,
}

/// Why a text is not a key that Velociraptor reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It is no readable PEM.
    #[error("the key cannot be read: {0}")]
    Pem(#[from] PemError),
    /// It is locked with a password.
    #[error(
        "the key is encrypted with a password, which Velociraptor cannot read from its configuration; unlock it with: {CONVERT}"
    )]
    Encrypted,
    /// It is RSA perhaps, but in another form.
    #[error(
        "the key is PKCS#8 (PRIVATE KEY) and Velociraptor reads only PKCS#1 (RSA PRIVATE KEY); convert it with: {CONVERT}"
    )]
    Pkcs8,
    /// It is not RSA.
    #[error("the key is {found}, and Velociraptor takes RSA keys only; make a new one")]
    NotRsa {
        /// What it is.
        found: &'static str,
    },
    /// What is in the frame is no key.
    #[error(
        "the key is damaged: what is in its PEM frame is no RSA key; copy the whole file again"
    )]
    Damaged,
    /// Too short.
    #[error("the key has {bits} bits and at least {LEAST_BITS} are needed; make a new one")]
    Weak {
        /// Its length.
        bits: usize,
    },
}

impl RsaKey {
    /// Makes a key of 2048 bits. This takes a core for a tenth of a second, more with bad luck.
    ///
    /// # Errors
    ///
    /// What the cryptographic library says; it has nothing to do with the input.
    pub fn generate() -> Result<Self, rcgen::Error> {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        let pkcs1 = pkcs1_of(pair.serialized_der()).ok_or(rcgen::Error::CouldNotParseKeyPair)?;
        let pem = pem::framed("RSA PRIVATE KEY", pkcs1);
        Ok(Self { pair: Secret::new(pair), pem })
    }

    /// Reads a key in PKCS#1 PEM.
    ///
    /// # Errors
    ///
    /// [`KeyError`] says which other form it has; it never quotes the text.
    pub fn parse(text: &Secret<String>) -> Result<Self, KeyError> {
        // Both kinds of encryption say so: in the label, or in a header below it.
        if text.expose().contains("ENCRYPTED") {
            return Err(KeyError::Encrypted);
        }
        let mut blocks = pem::blocks(text.expose())?;
        // `openssl` writes certificates and keys into one file gladly.
        blocks.retain(|block| block.kind != SectionKind::Certificate);
        let [block] = blocks.as_slice() else {
            return Err(KeyError::Pem(match blocks.len() {
                0 => PemError::Missing { expected: "RSA PRIVATE KEY", found: "none".to_owned() },
                count => PemError::Several { count, label: "key" },
            }));
        };
        match block.kind {
            SectionKind::RsaPrivateKey => {}
            SectionKind::PrivateKey => return Err(KeyError::Pkcs8),
            SectionKind::EcPrivateKey => return Err(KeyError::NotRsa { found: "elliptic-curve" }),
            SectionKind::PublicKey => return Err(KeyError::NotRsa { found: "a public key" }),
            _ => {
                let found = pem::labels(&blocks);
                return Err(PemError::Missing { expected: "RSA PRIVATE KEY", found }.into());
            }
        }
        let der = block.der.expose().as_slice();
        if let Some(bits) = private_bits(der)
            && bits < LEAST_BITS
        {
            return Err(KeyError::Weak { bits });
        }
        let borrowed = PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der));
        let pair = KeyPair::from_der_and_sign_algo(&borrowed, &PKCS_RSA_SHA256)
            .map_err(|_| KeyError::Damaged)?;
        Ok(Self { pem: pem::framed("RSA PRIVATE KEY", der), pair: Secret::new(pair) })
    }

    /// The key in PKCS#1 PEM.
    pub const fn pem(&self) -> &Secret<String> {
        &self.pem
    }

    /// What signs with it.
    pub(crate) const fn pair(&self) -> &KeyPair {
        self.pair.expose()
    }

    /// The public half as a certificate holds it.
    pub(crate) fn public(&self) -> &[u8] {
        self.pair().public_key_raw()
    }
}

/// The PKCS#1 key within a PKCS#8 frame: version, algorithm, and the key as a string of bytes.
fn pkcs1_of(pkcs8: &[u8]) -> Option<&[u8]> {
    let (_, frame) = Any::from_der(pkcs8).ok()?;
    frame.tag().assert_eq(Tag::Sequence).ok()?;
    let (rest, _version) = Any::from_der(frame.data).ok()?;
    let (rest, _algorithm) = Sequence::from_der(rest).ok()?;
    let (_, key) = Any::from_der(rest).ok()?;
    (key.tag() == Tag::OctetString).then_some(key.data)
}

/// The length of a private key: its first numbers are the version and the modulus.
fn private_bits(pkcs1: &[u8]) -> Option<usize> {
    let (_, frame) = Any::from_der(pkcs1).ok()?;
    let (rest, _version) = Any::from_der(frame.data).ok()?;
    let (_, modulus) = Any::from_der(rest).ok()?;
    Some(bits(modulus.data))
}

/// The length of a public key.
pub(crate) fn public_bits(key: &RSAPublicKey<'_>) -> usize {
    bits(key.modulus)
}

fn bits(number: &[u8]) -> usize {
    let zeroes = number.iter().take_while(|byte| **byte == 0).count();
    let leading = number.get(zeroes).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeroes) * 8 - leading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d23_a_made_key_is_pkcs1_and_reads_back_as_itself() {
        let key = RsaKey::generate().unwrap();
        let text = key.pem().expose();
        assert!(text.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"), "another form");
        assert!(text.ends_with("-----END RSA PRIVATE KEY-----\n"), "another end");
        let again = RsaKey::parse(key.pem()).unwrap();
        assert!(again.public() == key.public() && again.pem().expose() == text);
        let (_, public) = x509_parser::der_parser::parse_der(key.public()).unwrap();
        let modulus = public.as_sequence().unwrap()[0].content.as_slice().unwrap();
        assert_eq!(bits(modulus), 2048);
    }

    #[test]
    fn debug_does_not_show_it() {
        let key = RsaKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "RsaKey { pair: [secret], pem: [secret] }");
    }

    #[test]
    fn lengths_count_from_the_first_bit() {
        for (number, length) in [(&[0, 0x80, 0][..], 16), (&[0x01, 0xff], 9), (&[0, 0], 0)] {
            assert_eq!(bits(number), length);
        }
    }
}
