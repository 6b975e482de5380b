//! From Rust values to query values, and the numbers inside them.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Dict, Value};

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )*};
}
integers!(i32, i64, u8, u16, u32);

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::UInt(value), Self::Int)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::from(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::str(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::str(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::str(value)
    }
}

impl From<Arc<str>> for Value {
    fn from(value: Arc<str>) -> Self {
        Self::Str(value)
    }
}

impl From<&Arc<str>> for Value {
    fn from(value: &Arc<str>) -> Self {
        Self::Str(Arc::clone(value))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Time(value)
    }
}

impl From<Dict> for Value {
    fn from(value: Dict) -> Self {
        Self::dict(value)
    }
}

impl From<Vec<Self>> for Value {
    fn from(value: Vec<Self>) -> Self {
        Self::Array(value.into())
    }
}

impl From<&[String]> for Value {
    fn from(value: &[String]) -> Self {
        Self::strings(value)
    }
}

impl From<&Vec<String>> for Value {
    fn from(value: &Vec<String>) -> Self {
        Self::strings(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// The number as an integer: whole numbers and truth values; a fraction is cut off.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i64::from(*value)),
            Self::UInt(value) => Some(i64::try_from(*value).unwrap_or(i64::MAX)),
            #[expect(clippy::cast_possible_truncation, reason = "that is what the engine does")]
            Self::Float(value) => Some(*value as i64),
            _ => None,
        }
    }

    /// The number as a fraction.
    pub(crate) fn as_float(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "that is what a mixed operation does")]
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::UInt(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, where it is a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// Its elements: those of an array, none of NULL, else the value alone.
    pub(crate) fn into_items(self) -> Vec<Self> {
        match self {
            Self::Null => Vec::new(),
            Self::Array(items) => items.to_vec(),
            other => vec![other],
        }
    }
}
