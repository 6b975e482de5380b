//! Keys under a passphrase. It opens the key, and the key opens the secrets: a passphrase costs more
//! than a second on purpose, and is asked for once in the life of a process.

use std::io::{Read, Write};
use std::iter;
use std::path::{Path, PathBuf};

use age::scrypt;
use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor};
use secret::Secret;
use zeroize::Zeroizing;

use super::{Openers, damaged};
use crate::StoreError;

/// The costliest passphrase that is tried: beyond, a damaged file could ask for hours and all of the
/// memory.
const COSTLIEST: u8 = 22;

/// Where a passphrase comes from: a person at a terminal, or a file.
pub trait AskPassphrase: Send + Sync {
    /// Asks for the passphrase of a store that is about to be made. `None` where nobody chose one.
    ///
    /// # Errors
    ///
    /// Why it cannot be read. It must not be in the text.
    fn choose(&self) -> Result<Option<Secret<String>>, String>;

    /// Asks for the passphrase of a store. `None` where nobody is there to give it.
    ///
    /// # Errors
    ///
    /// Why it cannot be read. It must not be in the text.
    fn ask(&self) -> Result<Option<Secret<String>>, String>;
}

/// A passphrase in a file of its owner only, for a process that has no terminal.
#[derive(Clone, Debug)]
pub struct PassphraseFile {
    path: PathBuf,
}

impl PassphraseFile {
    /// The first line of this file is the passphrase.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl AskPassphrase for PassphraseFile {
    fn choose(&self) -> Result<Option<Secret<String>>, String> {
        self.ask()
    }

    fn ask(&self) -> Result<Option<Secret<String>>, String> {
        let mut file = owner_only::open(&self.path).map_err(|error| error.to_string())?;
        // A fixed buffer: one that grows leaves copies behind.
        let mut buffer = Zeroizing::new([0; 4096]);
        let mut length = 0;
        while length < buffer.len() {
            let more = file
                .read(&mut buffer[length..])
                .map_err(|error| format!("reading {}: {error}", self.path.display()))?;
            if more == 0 {
                break;
            }
            length += more;
        }
        let first = buffer[..length].split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = std::str::from_utf8(first).map(|line| line.trim_end_matches('\r').to_owned());
        match line {
            Ok(line) if !line.is_empty() => Ok(Some(Secret::new(line))),
            _ => Err(format!("the first line of {} is no passphrase", self.path.display())),
        }
    }
}

pub(super) fn wrap(
    path: &Path,
    text: &Secret<String>,
    passphrase: &Secret<String>,
    work_factor: u8,
) -> Result<Vec<u8>, StoreError> {
    let failed = |error: std::io::Error| StoreError::Corrupt {
        path: path.to_owned(),
        why: format!("it cannot be encrypted: {error}"),
        next: "nothing was written",
    };
    let mut recipient = scrypt::Recipient::new(given(passphrase));
    recipient.set_work_factor(work_factor);
    let encryptor = Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient))
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let mut wrapped = Vec::new();
    let mut writer = encryptor.wrap_output(&mut wrapped).map_err(failed)?;
    writer.write_all(text.expose().as_bytes()).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(wrapped)
}

pub(super) fn unwrap(
    path: &Path,
    wrapped: &[u8],
    openers: &Openers,
) -> Result<Secret<Vec<u8>>, StoreError> {
    let decryptor = Decryptor::new_buffered(wrapped)
        .ok()
        .filter(Decryptor::is_scrypt)
        .ok_or_else(|| damaged(path.to_owned(), "it is no file under a passphrase"))?;
    let locked = |why: &str| StoreError::Locked {
        why: format!("its key is in {} under a passphrase, and {why}", path.display()),
        next: "run the command in a terminal, where it is asked for, or name a file that holds it",
    };
    let Some(source) = openers.passphrase.as_deref() else {
        return Err(locked("this process has nobody to ask"));
    };
    let passphrase = source.ask().map_err(StoreError::Asking)?;
    let passphrase = passphrase.ok_or_else(|| locked("nobody gave it"))?;
    let mut identity = scrypt::Identity::new(given(&passphrase));
    identity.set_max_work_factor(COSTLIEST);
    let mut reader = decryptor.decrypt(iter::once(&identity as &dyn age::Identity)).map_err(
        |error| match error {
            DecryptError::DecryptionFailed
            | DecryptError::KeyDecryptionFailed
            | DecryptError::NoMatchingKeys => StoreError::WrongKey {
                what: "this passphrase".to_owned(),
                next: "try again; nothing was changed",
            },
            DecryptError::ExcessiveWork { required, .. } => damaged(
                path.to_owned(),
                &format!("it asks for 2^{required} rounds of work, and 2^{COSTLIEST} is the most"),
            ),
            _ => damaged(path.to_owned(), "its head cannot be read"),
        },
    )?;
    // Room from the start: a buffer that grows leaves copies behind.
    let mut text = Vec::with_capacity(wrapped.len());
    let read = reader.read_to_end(&mut text);
    let text = Secret::new(text);
    read.map_err(|_| damaged(path.to_owned(), "it was changed or cut"))?;
    Ok(text)
}

fn given(passphrase: &Secret<String>) -> SecretString {
    SecretString::from(passphrase.expose().clone())
}
