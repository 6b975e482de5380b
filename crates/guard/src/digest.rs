//! SHA-256 over values, the same for the same value and for no other.
//!
//! A value is turned into JSON and written in one canonical form: each part begins with a letter
//! for its kind and its length, so that no two values run together, and the members of an object
//! stand in the order of their names. What it is a digest *of* is named in front, so that a digest
//! made for one purpose means nothing for another.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A SHA-256. Written as 64 hexadecimal digits, compared whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a digest: expected 64 hexadecimal digits")]
pub struct NoDigest {
    /// What was given.
    pub given: String,
}

impl Digest {
    /// The digest of a value, for one purpose.
    pub fn of(purpose: &str, value: &impl Serialize) -> Self {
        // Our types have named fields and text keys; serde_json refuses nothing of that. A value
        // that it did refuse must not share a digest with any other, so the refusal is hashed.
        let value = serde_json::to_value(value)
            .unwrap_or_else(|error| Value::String(format!("not serialisable: {error}")));
        let mut hash = Sha256::new();
        part(&mut hash, b'p', "megaraptor".as_bytes());
        part(&mut hash, b'v', b"1");
        part(&mut hash, b'p', purpose.as_bytes());
        write(&mut hash, &value);
        Self(hash.finalize().into())
    }

    /// The digest of bytes as they are, as `sha256sum` prints it.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    pub(crate) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its first 8 digits, to be read by a person. Never compared.
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// [`NoDigest`] with what was given.
    pub fn parse(text: &str) -> Result<Self, NoDigest> {
        let none = || NoDigest { given: text.to_owned() };
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(none());
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(none)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| none())?;
        }
        Ok(Self(bytes))
    }
}

fn part(hash: &mut Sha256, kind: u8, bytes: &[u8]) {
    hash.update([kind]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

fn write(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Null => part(hash, b'n', b""),
        Value::Bool(set) => part(hash, b'b', &[u8::from(*set)]),
        Value::Number(number) => part(hash, b'd', number.to_string().as_bytes()),
        Value::String(text) => part(hash, b's', text.as_bytes()),
        Value::Array(items) => {
            hash.update([b'a']);
            hash.update((items.len() as u64).to_be_bytes());
            items.iter().for_each(|item| write(hash, item));
        }
        Value::Object(members) => {
            hash.update([b'o']);
            hash.update((members.len() as u64).to_be_bytes());
            let mut names: Vec<_> = members.iter().collect();
            names.sort_unstable_by_key(|(name, _)| *name);
            for (name, value) in names {
                part(hash, b'k', name.as_bytes());
                write(hash, value);
            }
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Digest {
    type Error = NoDigest;

    fn try_from(text: String) -> Result<Self, NoDigest> {
        Self::parse(&text)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::asked::{Asked, example};

    #[test]
    fn the_form_is_fixed() {
        // A change here voids every approval on disk: it needs a new version in the form.
        assert_eq!(
            Digest::of("approval", &json!({"b": [1, null], "a": "x"})),
            Digest::of("approval", &json!({"a": "x", "b": [1, null]})),
        );
        insta::assert_snapshot!(
            Digest::of("approval", &json!({"a": "x", "b": [1, null]})),
            @"3a1e29d5f299c0d6203393da491be34d67219b7e6c8957d9cc000d63874d40e1"
        );
        assert_eq!(
            Digest::of_bytes(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn values_that_look_alike_differ() {
        let values = [
            json!(["ab", "c"]),
            json!(["a", "bc"]),
            json!([["a"], "bc"]),
            json!("1"),
            json!(1),
            json!(1.0),
            json!(true),
            json!(null),
            json!([]),
            json!({}),
            json!({"a": "b"}),
            json!(["a", "b"]),
            json!({"a": null}),
        ];
        for (i, a) in values.iter().enumerate() {
            for b in &values[i + 1..] {
                assert_ne!(Digest::of("x", a), Digest::of("x", b), "{a} and {b}");
            }
            assert_ne!(Digest::of("x", a), Digest::of("y", a), "the purpose does not count");
        }
    }

    #[test]
    fn it_is_read_back_as_it_is_written() {
        let digest = Digest::of("x", &1);
        assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
        for bad in ["", "7c1e02fa", &"g".repeat(64), &"é".repeat(32)] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }

    /// Every place in a value, as the way to it.
    fn places(value: &Value, way: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    way.push(name.clone());
                    out.push(way.clone());
                    places(value, way, out);
                    way.pop();
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    way.push(index.to_string());
                    out.push(way.clone());
                    places(value, way, out);
                    way.pop();
                }
            }
            _ => {}
        }
    }

    proptest! {
        /// Whatever is changed anywhere in a request, the digest is another one.
        #[test]
        fn a_request_with_any_field_changed_has_another_digest(
            pick in any::<prop::sample::Index>(),
            other in prop_oneof![
                any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                ".*".prop_map(Value::from),
                Just(Value::Null),
            ],
            quarantine in any::<bool>(),
        ) {
            let asked = if quarantine { example::quarantine() } else { example::collection() };
            let whole = serde_json::to_value(&asked).unwrap();
            let mut all = Vec::new();
            places(&whole, &mut Vec::new(), &mut all);
            let pointer = format!("/{}", pick.get(&all).join("/"));
            let mut changed = whole.clone();
            let place = changed.pointer_mut(&pointer).unwrap();
            prop_assume!(*place != other);
            *place = other;
            prop_assert_ne!(Digest::of("approval", &whole), Digest::of("approval", &changed));
            prop_assert_eq!(asked.digest(), Digest::of("approval", &whole));
            // Where the changed text is still a request, the request's own digest differs too.
            if let Ok(request) = serde_json::from_value::<Asked>(changed) {
                prop_assert!(request == asked || request.digest() != asked.digest());
            }
        }
    }
}
