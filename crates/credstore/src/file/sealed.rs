//! One encrypted secret: a line that says what it is, then the value as it was given.
//!
//! The line is encrypted with the value, so what the index says of a secret is checked against what
//! was said when it was put, and the index can be made anew.

use std::io::{self, Read, Write};
use std::iter;
use std::path::Path;

use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use jiff::Timestamp;
use secret::Secret;
use serde::{Deserialize, Serialize};

use super::form::{self, VERSION};
use crate::{CredentialRef, Kind, NewCredential, StoreError};

const NEXT: &str = "put the file back from a copy, or remove the secret and make it anew";

/// What a secret says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    version: u64,
    #[serde(rename = "ref")]
    pub(super) credential: CredentialRef,
    pub(super) kind: Kind,
    pub(super) made: Timestamp,
    pub(super) expires: Option<Timestamp>,
}

impl Label {
    pub(super) fn of(new: &NewCredential, made: Timestamp) -> Self {
        let NewCredential { credential, kind, expires } = new.clone();
        Self { version: VERSION, credential, kind, made, expires }
    }
}

/// A secret that was opened, with its label.
pub(super) struct Unsealed {
    plain: Secret<Vec<u8>>,
    value_at: usize,
    pub(super) label: Label,
}

impl Unsealed {
    pub(super) fn value(&self) -> Secret<Vec<u8>> {
        Secret::new(self.plain.expose()[self.value_at..].to_vec())
    }

    pub(super) fn size(&self) -> u64 {
        (self.plain.expose().len() - self.value_at) as u64
    }
}

pub(super) fn seal(
    label: &Label,
    value: &Secret<Vec<u8>>,
    recipient: &Recipient,
) -> io::Result<Vec<u8>> {
    let encryptor = Encryptor::with_recipients(iter::once(recipient as &dyn age::Recipient))
        .map_err(io::Error::other)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed)?;
    serde_json::to_writer(&mut writer, label)?;
    writer.write_all(b"\n")?;
    writer.write_all(value.expose())?;
    writer.finish()?;
    Ok(sealed)
}

pub(super) fn unseal(
    path: &Path,
    sealed: &[u8],
    identity: &Identity,
) -> Result<Unsealed, StoreError> {
    let corrupt =
        |why: &str| StoreError::Corrupt { path: path.to_owned(), why: why.to_owned(), next: NEXT };
    let decryptor = Decryptor::new_buffered(sealed)
        .map_err(|_| corrupt("its head is none of an encrypted file"))?;
    let opened = decryptor.decrypt(iter::once(identity as &dyn age::Identity));
    let mut reader = opened.map_err(|error| match error {
        DecryptError::NoMatchingKeys => StoreError::WrongKey {
            what: format!("{} was made for another key; the key of this store", path.display()),
            next: "put the file back that belongs here",
        },
        _ => corrupt("its head was changed"),
    })?;
    // Room from the start: a buffer that grows leaves copies behind.
    let mut plain = Vec::with_capacity(sealed.len());
    let read = reader.read_to_end(&mut plain);
    let plain = Secret::new(plain);
    read.map_err(|_| corrupt("it was changed or cut"))?;
    let line = plain.expose().iter().position(|byte| *byte == b'\n');
    let line = line.ok_or_else(|| corrupt("it does not say what it is"))?;
    let label = form::parse(path, &plain.expose()[..line], NEXT)?;
    Ok(Unsealed { plain, value_at: line + 1, label })
}

/// That a file is not what the index says.
pub(super) fn damaged(path: &Path, why: &str) -> StoreError {
    StoreError::Corrupt { path: path.to_owned(), why: why.to_owned(), next: NEXT }
}
