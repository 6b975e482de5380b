//! The Keychain of macOS and the Credential Manager of Windows.

use std::collections::HashMap;

use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use secret::Secret;

use super::{Keyring, KeyringError, SERVICE};

#[derive(Debug)]
pub(super) struct Native;

impl Native {
    fn entry(account: &str) -> Result<Entry, KeyringError> {
        #[cfg(windows)]
        let (store, modifiers) = (
            windows_native_keyring_store::Store::new(),
            // It does not roam to other machines with the account.
            HashMap::from([("persistence", "Local")]),
        );
        #[cfg(target_os = "macos")]
        let (store, modifiers) =
            (apple_native_keyring_store::keychain::Store::new(), HashMap::new());
        let store = store.map_err(|error| told(&error))?;
        store.build(SERVICE, account, Some(&modifiers)).map_err(|error| told(&error))
    }
}

impl Keyring for Native {
    fn name(&self) -> &'static str {
        if cfg!(windows) { "Windows Credential Manager" } else { "macOS Keychain" }
    }

    fn read(&self, account: &str) -> Result<Option<Secret<String>>, KeyringError> {
        match Self::entry(account)?.get_password() {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(told(&error)),
        }
    }

    fn write(&self, account: &str, text: &Secret<String>) -> Result<(), KeyringError> {
        Self::entry(account)?.set_password(text.expose()).map_err(|error| told(&error))
    }

    fn remove(&self, account: &str) -> Result<(), KeyringError> {
        match Self::entry(account)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(told(&error)),
        }
    }
}

/// Some errors hold what was read: their own text is not taken.
fn told(error: &Error) -> KeyringError {
    match error {
        Error::NoStorageAccess(why) => KeyringError::Locked(format!("it gives no access: {why}")),
        Error::PlatformFailure(why) => KeyringError::Failed(format!("it failed: {why}")),
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            KeyringError::Failed("it holds something else under this name".to_owned())
        }
        Error::Ambiguous(_) => KeyringError::Failed("it holds several under this name".to_owned()),
        _ => KeyringError::Failed("it cannot keep this".to_owned()),
    }
}
