//! The values that queries compute with.

mod convert;
mod json;
mod operators;
mod render;

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;

pub(crate) use json::{ParseJson, to_json, write_json};
pub(crate) use operators::{RegexCache, arithmetic, compare, contains, equal};
pub(crate) use render::{display, rfc3339};

use crate::eval::Stored;

/// A row, or any other mapping: names in order.
pub(crate) type Dict = IndexMap<Arc<str>, Value>;

/// What an expression yields. Cloning is cheap.
#[derive(Clone, Debug, Default)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    /// Only for numbers beyond `i64::MAX`, which JSON may hold.
    UInt(u64),
    Float(f64),
    Str(Arc<str>),
    /// Bytes that need not be text. They are shown lossily.
    Bytes(Arc<[u8]>),
    Time(Timestamp),
    Array(Arc<[Self]>),
    Dict(Arc<Dict>),
    /// A message of the server's own: read like a mapping, but as a row it stands under `_value`.
    Message(Arc<Dict>),
    /// A query that has not run yet.
    Query(Arc<Stored>),
}

impl Value {
    /// A string.
    pub(crate) fn str(text: impl AsRef<str>) -> Self {
        Self::Str(Arc::from(text.as_ref()))
    }

    /// An array.
    pub(crate) fn array(items: impl IntoIterator<Item = Self>) -> Self {
        Self::Array(items.into_iter().collect())
    }

    /// An array of strings.
    pub(crate) fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Self {
        Self::array(items.into_iter().map(|item| Self::str(item.as_ref())))
    }

    /// A mapping.
    pub(crate) fn dict(dict: Dict) -> Self {
        Self::Dict(Arc::new(dict))
    }

    /// Whether it is NULL.
    pub(crate) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The name of its type as the engine's messages give it.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "types.Null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int64",
            Self::UInt(_) => "uint64",
            Self::Float(_) => "float64",
            Self::Str(_) | Self::Bytes(_) => "string",
            Self::Time(_) => "time.Time",
            Self::Array(_) => "[]types.Any",
            Self::Dict(_) => "*ordereddict.Dict",
            Self::Message(_) => "*proto.Message",
            Self::Query(_) => "types.StoredQuery",
        }
    }

    /// Truth, as WHERE and `if()` see it: a string that is not empty (`"N"` included), a number
    /// above zero, a collection with something in it.
    pub(crate) fn truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value > 0,
            Self::UInt(_) | Self::Time(_) | Self::Query(_) => true,
            Self::Float(value) => *value > 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::Array(items) => !items.is_empty(),
            Self::Dict(dict) => !dict.is_empty(),
            Self::Message(_) => true,
        }
    }

    /// The member called `name`. `None` where there is none.
    pub(crate) fn member(&self, name: &str) -> Option<Self> {
        match self {
            Self::Null => Some(Self::Null),
            Self::Dict(dict) | Self::Message(dict) => dict.get(name).cloned(),
            // A column of a materialised query: the member of each row that has it.
            Self::Array(items) => {
                Some(Self::array(items.iter().filter_map(|item| item.member(name))))
            }
            Self::Time(time) if name == "Unix" => Some(Self::Int(time.as_second())),
            _ => None,
        }
    }

    /// The element at `index`, counted from the end where it is negative. In an array the count
    /// goes round: the sixth of three is the third.
    pub(crate) fn element(&self, index: i64) -> Option<Self> {
        let at = |length: usize| {
            let length = i64::try_from(length).ok()?;
            let index = if index < 0 { length + index } else { index };
            usize::try_from(index).ok().filter(|i| *i < usize::try_from(length).unwrap_or(0))
        };
        match self {
            Self::Array(items) => {
                let length = i64::try_from(items.len()).ok().filter(|length| *length > 0)?;
                items.get(usize::try_from(index.rem_euclid(length)).ok()?).cloned()
            }
            Self::Str(text) => {
                text.as_bytes().get(at(text.len())?).map(|b| Self::Int(i64::from(*b)))
            }
            Self::Bytes(bytes) => bytes.get(at(bytes.len())?).map(|b| Self::Int(i64::from(*b))),
            _ => None,
        }
    }

    /// The part from `start` up to `end`; negative ends count from the end.
    pub(crate) fn slice(&self, start: Option<i64>, end: Option<i64>) -> Self {
        let range = |length: usize| {
            let clamp = |at: i64| {
                let length = i64::try_from(length).unwrap_or(i64::MAX);
                let at = if at < 0 { length + at } else { at };
                usize::try_from(at.clamp(0, length)).unwrap_or(0)
            };
            let start = start.map_or(0, clamp);
            start..end.map_or(length, clamp).max(start)
        };
        match self {
            Self::Array(items) => Self::array(items[range(items.len())].iter().cloned()),
            Self::Str(text) => {
                Self::str(String::from_utf8_lossy(&text.as_bytes()[range(text.len())]))
            }
            Self::Bytes(bytes) => Self::Bytes(Arc::from(&bytes[range(bytes.len())])),
            _ => Self::Null,
        }
    }
}

/// Builds a row: names and values in turn.
macro_rules! row {
    ($($name:expr => $value:expr),* $(,)?) => {{
        let mut dict = $crate::value::Dict::new();
        $(dict.insert(std::sync::Arc::from($name), $crate::value::Value::from($value));)*
        dict
    }};
}
pub(crate) use row;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_true_unless_empty_and_numbers_above_zero() {
        assert!(Value::str("N").truthy());
        assert!(!Value::str("").truthy());
        assert!(!Value::Int(-1).truthy());
        assert!(Value::Float(0.5).truthy());
    }

    #[test]
    fn elements_and_slices_count_from_both_ends() {
        let list = Value::array([Value::Int(1), Value::Int(2), Value::Int(3)]);
        assert!(matches!(list.element(-1), Some(Value::Int(3))));
        assert!(matches!(list.element(5), Some(Value::Int(3))));
        assert_eq!(to_json(&list.slice(Some(1), None)), "[2,3]");
        assert_eq!(display(&Value::str("abc").slice(Some(1), Some(-1))), "b");
        assert!(matches!(Value::str("abc").element(1), Some(Value::Int(98))));
    }
}
