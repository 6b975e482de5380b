//! The store of secrets in the state folder, as every command and tool opens it.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use credstore::{AskPassphrase, FileStore, Options, PassphraseFile, StoreError};

use crate::tool_error::{Code, ToolError};

/// Names a file that holds the passphrase of the store, for a process that has no terminal.
pub const PASSPHRASE_FILE: &str = "MEGARAPTOR_PASSPHRASE_FILE";

/// The store of a state folder, with the keyring of this system. A passphrase comes from the file
/// that [`PASSPHRASE_FILE`] names, else from whoever is given here.
pub fn open(home: &Path, person: Option<Arc<dyn AskPassphrase>>) -> FileStore {
    let file = env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty());
    let passphrase = match file {
        Some(path) => Some(Arc::new(PassphraseFile::new(PathBuf::from(path))) as _),
        None => person,
    };
    let keyring = Some(credstore::system_keyring());
    FileStore::new(home.join("credentials"), Options { keyring, passphrase, ..Options::default() })
}

/// What a caller is told.
pub fn told(error: &StoreError) -> ToolError {
    let code = match error {
        StoreError::Unknown { .. } => Code::NotFound,
        StoreError::Locked { .. } | StoreError::WrongKey { .. } => Code::Denied,
        StoreError::Asking(_) | StoreError::TooLong { .. } => Code::InvalidInput,
        StoreError::NoRandomness | StoreError::Files(owner_only::Error::Io { .. }) => {
            Code::Internal
        }
        _ => Code::Conflict,
    };
    let told = ToolError::new(code, error.to_string());
    match error {
        StoreError::Busy { .. } => told.retryable(),
        StoreError::Locked { .. } => told.next(format!(
            "a person opens it in a terminal; {PASSPHRASE_FILE} names a file with the passphrase"
        )),
        StoreError::Unknown { .. } => told.next("megaraptor credential list shows what there is"),
        _ => told,
    }
}
