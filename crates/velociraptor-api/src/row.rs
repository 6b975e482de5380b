//! Reading fields of rows: VQL gives NULL wherever something is missing, and times in four units.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::time;

/// NULL is the default value of the type.
pub(crate) fn or_default<'de, D, T>(input: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(input)?.unwrap_or_default())
}

/// An empty text is none.
pub(crate) fn text<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(input)?.filter(|text| !text.is_empty()))
}

/// Seconds since 1970.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(time::from_seconds(or_default(input)?))
}

/// Microseconds since 1970.
pub(crate) fn micros<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(time::from_micros(or_default(input)?))
}

/// A span in nanoseconds.
pub(crate) fn nanos<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    Ok(time::span_from_nanos(or_default(input)?))
}

/// A span in seconds.
pub(crate) fn span_seconds<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    Ok(Duration::from_secs(or_default(input)?))
}
