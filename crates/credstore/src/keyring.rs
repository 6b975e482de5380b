//! The keyring of the operating system, where there is one.

use std::sync::Arc;

use secret::Secret;

#[cfg(any(windows, target_os = "macos"))]
mod native;
#[cfg(not(any(windows, target_os = "macos")))]
mod secret_tool;

/// Under which name our keys are in a keyring.
const SERVICE: &str = "megaraptor-credentials";

/// Why a keyring does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is none in this session.
    #[error("{0}")]
    Absent(String),
    /// There is one, and it is not open.
    #[error("{0}")]
    Locked(String),
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// A keyring that keeps short texts over restarts of the machine.
pub trait Keyring: Send + Sync {
    /// What it is called, for a person.
    fn name(&self) -> &'static str;

    /// Reads what is kept under a name, if anything is.
    ///
    /// # Errors
    ///
    /// [`KeyringError`] where it cannot be said whether anything is.
    fn read(&self, account: &str) -> Result<Option<Secret<String>>, KeyringError>;

    /// Keeps a text under a name that is not in use.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    fn write(&self, account: &str, text: &Secret<String>) -> Result<(), KeyringError>;

    /// Removes what is kept under a name. Nothing there is no error.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    fn remove(&self, account: &str) -> Result<(), KeyringError>;
}

/// The keyring of this system: the Keychain, the Credential Manager, or the Secret Service. Whether
/// it answers is found out when it is used.
pub fn system() -> Arc<dyn Keyring> {
    #[cfg(any(windows, target_os = "macos"))]
    return Arc::new(native::Native);
    #[cfg(not(any(windows, target_os = "macos")))]
    return Arc::new(secret_tool::SecretTool::of_the_session());
}
