//! The key that signs the head and the checkpoints: Ed25519, made on first use.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use secret::Secret;

use crate::digest::Digest;

use super::error::AuditError;

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // A String takes all that is written.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

/// The signing key.
pub(super) struct Key {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// The half of the key that checks signatures. Shown as 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PublicKey([u8; 32]);

impl Key {
    /// Reads the key, or makes it where there is none. The caller holds the folder's lock.
    pub(super) fn load_or_make(path: &Path) -> Result<Self, AuditError> {
        if path.exists() { Self::load(path) } else { Self::make(path) }
    }

    pub(super) fn load(path: &Path) -> Result<Self, AuditError> {
        let unusable = |why: String| AuditError::Key { path: path.to_owned(), why };
        check_owner_only(path)?;
        let pem = fs::read(path)
            .map(Secret::new)
            .map_err(|error| AuditError::io("reading", path, error))?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.expose())
            .map_err(|error| unusable(format!("it is no PEM file with a PRIVATE KEY: {error}")))?;
        let pair = Ed25519KeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|error| unusable(format!("it holds no Ed25519 key: {error}")))?;
        Self::of(pair).ok_or_else(|| unusable("its public half is not of 32 bytes".into()))
    }

    fn make(path: &Path) -> Result<Self, AuditError> {
        let failed = |why: String| AuditError::Key { path: path.to_owned(), why };
        let pair = Ed25519KeyPair::generate()
            .map_err(|error| failed(format!("making it failed: {error}")))?;
        let der =
            pair.to_pkcs8v1().map_err(|error| failed(format!("making it failed: {error}")))?;
        let base64 = Secret::new(STANDARD.encode(der.as_ref()));
        let pem = Secret::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            base64.expose()
        ));
        // Under its own name only when it is complete: a crash leaves no half a key.
        let draft = path.with_extension("key.new");
        let io = |error| AuditError::io("writing", &draft, error);
        let mut file = create_owner_only(&draft).map_err(io)?;
        file.write_all(pem.expose().as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&draft, path).map_err(io)?;
        Self::of(pair).ok_or_else(|| failed("its public half is not of 32 bytes".into()))
    }

    fn of(pair: Ed25519KeyPair) -> Option<Self> {
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    pub(super) const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a message of the given kind.
    pub(super) fn sign(&self, message: &Message<'_>) -> String {
        hex(self.pair.sign(&message.bytes()).as_ref())
    }
}

impl PublicKey {
    pub(super) fn parse(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }

    /// Says whether a signature, in hexadecimal digits, is this key's over the message.
    pub(super) fn signed(&self, message: &Message<'_>, signature: &str) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        from_hex::<64>(signature).is_some_and(|sig| key.verify(&message.bytes(), &sig).is_ok())
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// What is signed. Each kind has its own prefix, so that no signature serves for another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Message<'a> {
    /// A line of the log, with all before it.
    Checkpoint { log: &'a str, seq: u64, hash: Digest },
    /// The last line on disk, and where it ends.
    Head { log: &'a str, seq: u64, hash: Digest, file: u64, length: u64 },
}

impl Message<'_> {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Checkpoint { log, seq, hash } => {
                format!("megaraptor audit checkpoint 1\0{log}\0{seq}\0{hash}").into_bytes()
            }
            Self::Head { log, seq, hash, file, length } => {
                format!("megaraptor audit head 1\0{log}\0{seq}\0{hash}\0{file}\0{length}")
                    .into_bytes()
            }
        }
    }
}

fn create_owner_only(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A key that others can read signs nothing. On Windows the folder's own rights decide.
fn check_owner_only(path: &Path) -> Result<(), AuditError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)
            .map_err(|error| AuditError::io("reading", path, error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let why = format!(
                "others can read or write it (mode {:03o}); whoever can may have copied it: \
                 move the folder away, or `chmod 600` it if that is ruled out",
                mode & 0o777
            );
            return Err(AuditError::Key { path: path.to_owned(), why });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_key_and_its_message_only() {
        let folder = tempfile::tempdir().unwrap();
        let key = Key::load_or_make(&folder.path().join("audit.key")).unwrap();
        let again = Key::load_or_make(&folder.path().join("audit.key")).unwrap();
        let other = Key::load_or_make(&folder.path().join("other.key")).unwrap();
        assert_eq!(key.public(), again.public());

        let hash = Digest::of_bytes(b"line");
        let message = Message::Checkpoint { log: "a", seq: 7, hash };
        let signature = key.sign(&message);
        assert!(key.public().signed(&message, &signature));
        assert!(!other.public().signed(&message, &signature));
        let later = Message::Checkpoint { log: "a", seq: 8, hash };
        assert!(!key.public().signed(&later, &signature));
        assert!(!key.public().signed(&message, &signature[1..]));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        Key::load_or_make(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = Key::load_or_make(&path).err().unwrap().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }
}
