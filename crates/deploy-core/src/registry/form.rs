//! The form in which records are written: versioned, so that older ones are read for ever.

use serde::{Deserialize, Serialize};

use crate::record::Record;

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// Why bytes are no record.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormError {
    Corrupt(String),
    Newer(u32),
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

#[derive(Deserialize)]
struct One {
    record: Record,
}

#[derive(Serialize)]
struct OneRef<'a> {
    version: u32,
    record: &'a Record,
}

pub(super) fn write(record: &Record) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec_pretty(&OneRef { version: VERSION, record })
}

/// Reads a record of this version or an older one. A form that changes gets a new version, its old
/// struct stays here, and is turned into the new one.
pub(super) fn read(bytes: &[u8]) -> Result<Record, FormError> {
    let corrupt = |error: serde_json::Error| FormError::Corrupt(error.to_string());
    let record = match serde_json::from_slice(bytes).map_err(corrupt)? {
        VersionOnly { version: 1 } => serde_json::from_slice::<One>(bytes).map_err(corrupt)?.record,
        VersionOnly { version: 0 } => {
            return Err(FormError::Corrupt(String::from("there never was a version 0")));
        }
        VersionOnly { version } => return Err(FormError::Newer(version)),
    };
    record.check().map_err(FormError::Corrupt)?;
    Ok(record)
}
