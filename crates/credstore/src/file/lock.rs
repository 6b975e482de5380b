//! The lock between processes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::StoreError;

/// How often a lock that another process has is tried.
const LOOK: Duration = Duration::from_millis(5);

/// A lock that is held. It ends with this value, and with the process.
pub(super) struct Held {
    _file: File,
}

/// Waits for the lock of a folder, but not for ever.
pub(super) fn hold(folder: &Path, patience: Duration) -> Result<Held, StoreError> {
    let path = folder.join("lock");
    let file = owner_only::open_or_create(&path)?;
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Held { _file: file }),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOOK),
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Busy { path, waited: patience });
            }
            Err(TryLockError::Error(source)) => {
                return Err(owner_only::Error::Io { what: "locking", path, source }.into());
            }
        }
    }
}
