//! PEM: blocks read out of text, and bytes put into it.
//!
//! No error quotes the text: it may be a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{self, PemObject as _, SectionKind};
use secret::Secret;

/// A file of certificates is a few kilobytes. What is greater was not meant as one.
const MAX_BYTES: usize = 256 * 1024;

/// Most certificates in one text.
const MAX_CERTIFICATES: usize = 16;

/// Why a text is not the PEM that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// There is no such block.
    #[error("there is no {expected} block in it (found: {found}); give the PEM text of the file")]
    Missing {
        /// The label that was looked for.
        expected: &'static str,
        /// The labels that are there.
        found: String,
    },
    /// A block begins and does not end.
    #[error("it is cut off: a PEM block begins and does not end; copy the whole file again")]
    CutOff,
    /// Something in it is not base64, or its frame is wrong.
    #[error("it is damaged: {detail}; copy the whole file again")]
    Damaged {
        /// What is wrong, without the text.
        detail: &'static str,
    },
    /// Too long, or too many blocks.
    #[error("it is too large for certificates or a key: more than {limit}")]
    TooLarge {
        /// What was exceeded.
        limit: &'static str,
    },
    /// There are several blocks where one is expected.
    #[error("it holds {count} {label} blocks, and exactly one is expected")]
    Several {
        /// How many.
        count: usize,
        /// Of which kind.
        label: &'static str,
    },
}

/// A block.
pub(crate) struct Block {
    pub(crate) kind: SectionKind,
    /// Certificates are no secret, but the same blocks carry keys.
    pub(crate) der: Secret<Vec<u8>>,
}

/// All blocks of a text that have a label that is known.
pub(crate) fn blocks(text: &str) -> Result<Vec<Block>, PemError> {
    if text.len() > MAX_BYTES {
        return Err(PemError::TooLarge { limit: "256 KiB" });
    }
    let mut blocks = Vec::new();
    for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
        let (kind, der) = block.map_err(|error| match error {
            pem::Error::MissingSectionEnd { .. } => PemError::CutOff,
            pem::Error::SectionTooLarge => PemError::TooLarge { limit: "one block holds" },
            pem::Error::Base64Decode(_) => {
                PemError::Damaged { detail: "a block is not base64 throughout" }
            }
            _ => PemError::Damaged { detail: "the frame of a block is wrong" },
        })?;
        blocks.push(Block { kind, der: Secret::new(der) });
    }
    Ok(blocks)
}

/// The certificates of a text in their order, at least one.
pub(crate) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let blocks = blocks(text)?;
    let certificates: Vec<_> = blocks
        .iter()
        .filter(|block| block.kind == SectionKind::Certificate)
        .map(|block| CertificateDer::from(block.der.expose().clone()))
        .collect();
    match certificates.len() {
        0 => Err(PemError::Missing { expected: "CERTIFICATE", found: labels(&blocks) }),
        n if n > MAX_CERTIFICATES => Err(PemError::TooLarge { limit: "16 certificates" }),
        _ => Ok(certificates),
    }
}

/// The one certificate of a text.
pub(crate) fn certificate(text: &str) -> Result<CertificateDer<'static>, PemError> {
    let mut all = certificates(text)?;
    match all.len() {
        1 => Ok(all.swap_remove(0)),
        count => Err(PemError::Several { count, label: "CERTIFICATE" }),
    }
}

/// The labels of blocks, for an error.
pub(crate) fn labels(blocks: &[Block]) -> String {
    if blocks.is_empty() {
        return String::from("none");
    }
    let labels: Vec<_> = blocks
        .iter()
        .map(|block| match block.kind {
            SectionKind::Certificate => "CERTIFICATE",
            SectionKind::PublicKey => "PUBLIC KEY",
            SectionKind::RsaPrivateKey => "RSA PRIVATE KEY",
            SectionKind::PrivateKey => "PRIVATE KEY",
            SectionKind::EcPrivateKey => "EC PRIVATE KEY",
            SectionKind::Csr => "CERTIFICATE REQUEST",
            _ => "another",
        })
        .collect();
    labels.join(", ")
}

/// A certificate as PEM, such as one that a server has shown.
pub fn certificate_pem(der: &[u8]) -> String {
    framed("CERTIFICATE", der).expose().clone()
}

/// The bytes in a PEM frame, with line feeds on every system.
pub(crate) fn framed(label: &str, der: &[u8]) -> Secret<String> {
    // Made at once with room for all of it: a text that grows leaves pieces of a key behind.
    let mut base64 = String::with_capacity(der.len().div_ceil(3) * 4);
    STANDARD.encode_string(der, &mut base64);
    let base64 = Secret::new(base64);
    let lines = base64.expose().len().div_ceil(64);
    let mut text =
        String::with_capacity(base64.expose().len() + lines + 2 * (label.len() + 20) + 2);
    text.extend(["-----BEGIN ", label, "-----\n"]);
    let mut rest = base64.expose().as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        text.extend([line, "\n"]);
        rest = after;
    }
    text.extend(["-----END ", label, "-----\n"]);
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_is_read_back() {
        let der: Vec<u8> = (0..200).collect();
        let text = framed("RSA PRIVATE KEY", &der);
        assert!(text.expose().lines().all(|line| line.len() <= 64), "{}", text.expose());
        let blocks = blocks(text.expose()).unwrap();
        assert_eq!(blocks.len(), 1);
        assert!(blocks[0].kind == SectionKind::RsaPrivateKey && *blocks[0].der.expose() == der);
    }

    #[test]
    fn each_kind_of_bad_text_is_told_apart() {
        let whole = framed("CERTIFICATE", &[7; 100]).expose().clone();
        let cut = &whole[..whole.len() - 30];
        assert_eq!(certificates(cut).unwrap_err(), PemError::CutOff);
        let damaged = whole.replace("BwcH", "B*cH");
        assert!(matches!(certificates(&damaged), Err(PemError::Damaged { .. })));
        let missing = certificates("nothing").unwrap_err();
        assert!(missing.to_string().contains("no CERTIFICATE block in it (found: none)"));
        let key = framed("PRIVATE KEY", &[1]).expose().clone();
        assert!(certificates(&key).unwrap_err().to_string().contains("(found: PRIVATE KEY)"));
        assert!(matches!(
            certificate(&format!("{whole}{whole}")),
            Err(PemError::Several { count: 2, .. })
        ));
        assert!(matches!(certificates(&whole.repeat(17)), Err(PemError::TooLarge { .. })));
        let long = "x".repeat(MAX_BYTES + 1);
        assert!(matches!(certificates(&long), Err(PemError::TooLarge { .. })));
    }
}
