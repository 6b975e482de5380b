//! Secrets inside of files: read from them and written to them, by this crate alone.

use secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A secret that stands in a file. The type is private, so nobody else can serialise it.
#[derive(Clone, Debug)]
pub(crate) struct Sealed(pub(crate) Secret<String>);

impl Sealed {
    pub(crate) fn text(&self) -> &str {
        self.0.expose()
    }
}

impl From<&Secret<String>> for Sealed {
    fn from(secret: &Secret<String>) -> Self {
        Self(secret.clone())
    }
}

impl Default for Sealed {
    fn default() -> Self {
        Self(Secret::new(String::new()))
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}
