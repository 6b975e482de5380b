//! The file of tokens: its form, and how it is read and replaced.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::store::TokenError;
use super::{Digest, Scope, Token};
use crate::home;
use crate::record::{RecordError, own_file};

/// The form that is written, and the only one that is read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    version: u32,
    tokens: Vec<KeptToken>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptToken {
    id: String,
    name: String,
    sha256: String,
    scope: Scope,
    created: Timestamp,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
}

/// Tells one state of the file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { length: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

/// The state of the file; `None` where there is none.
pub(super) fn stamp(path: &Path) -> Result<Option<Stamp>, TokenError> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TokenError::io(path, error)),
    }
}

/// The tokens of the file, and the state in which it was read; none where there is no file.
pub(super) fn read(path: &Path) -> Result<(Option<Stamp>, Vec<Token>), TokenError> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((None, Vec::new())),
        Err(error) => return Err(TokenError::io(path, error)),
    };
    let metadata = file.metadata().map_err(|error| TokenError::io(path, error))?;
    check(path, &metadata)?;
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| TokenError::io(path, error))?;
    Ok((Some(Stamp::of(&metadata)), parse(path, &text)?))
}

fn parse(path: &Path, text: &str) -> Result<Vec<Token>, TokenError> {
    let broken = |why: String| TokenError::Broken { path: path.to_path_buf(), why };
    let kept: Kept = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    if kept.version != VERSION {
        return Err(broken(format!("version {}; expected {VERSION}", kept.version)));
    }
    kept.tokens
        .into_iter()
        .map(|token| {
            let digest = Digest::from_hex(&token.sha256)
                .ok_or_else(|| broken(format!("the sha256 of {:?} is no digest", token.name)))?;
            Ok(Token {
                id: token.id,
                name: token.name,
                scope: token.scope,
                created: token.created,
                expires: token.expires,
                revoked: token.revoked,
                digest,
            })
        })
        .collect()
}

/// Replaces the file as a whole: a reader sees the old tokens or the new ones, a crash too.
pub(super) fn write(path: &Path, tokens: &[Token]) -> Result<(), TokenError> {
    let kept = Kept {
        version: VERSION,
        tokens: tokens
            .iter()
            .map(|token| KeptToken {
                id: token.id.clone(),
                name: token.name.clone(),
                sha256: token.digest.to_hex(),
                scope: token.scope.clone(),
                created: token.created,
                expires: token.expires,
                revoked: token.revoked,
            })
            .collect(),
    };
    let mut text =
        serde_json::to_vec_pretty(&kept).map_err(|error| TokenError::io(path, error.into()))?;
    text.push(b'\n');
    Ok(owner_only::replace(path, &text).map_err(RecordError::from)?)
}

/// Holds other processes off until it is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, TokenError> {
    home::make(folder)?;
    let path: PathBuf = folder.join("tokens.lock");
    let file = own_file(File::options().write(true), &path)?;
    file.lock().map_err(|error| TokenError::io(&path, error))?;
    Ok(file)
}

/// Whoever may write the file may let anybody in: others than its owner have no right to it.
#[cfg(unix)]
fn check(path: &Path, metadata: &Metadata) -> Result<(), TokenError> {
    let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(TokenError::Open { path: path.to_path_buf(), mode })
}

/// The folder of a Windows account is its owner's by inheritance; nothing more is checked there.
#[cfg(not(unix))]
fn check(_path: &Path, _metadata: &Metadata) -> Result<(), TokenError> {
    Ok(())
}
