//! Names of deployments and of steps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits of an id: no vowels, so that no word comes out of it, and nothing that looks like another.
const DIGITS: &[u8; 20] = b"23456789bcdfghjkmnpq";

/// How many follow the letter.
const LENGTH: usize = 10;

/// A deployment, for as long as there is a record of it: `D-` and ten digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeploymentId(String);

/// A text that is no id or no name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}; expected {expected}")]
pub struct BadId {
    /// What it was to be.
    pub what: &'static str,
    /// The text.
    pub text: String,
    /// What one looks like.
    pub expected: &'static str,
}

impl DeploymentId {
    /// A new one, of which there is no other.
    ///
    /// # Errors
    ///
    /// Where the system gives no randomness.
    pub fn generate() -> std::io::Result<Self> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let mut number = u64::from_le_bytes(random);
        let base = DIGITS.len() as u64;
        let digits = std::iter::repeat_with(|| {
            let digit = DIGITS[usize::try_from(number % base).unwrap_or_default()];
            number /= base;
            char::from(digit)
        });
        Ok(Self(format!("D-{}", digits.take(LENGTH).collect::<String>())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DeploymentId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let digits = text.trim().strip_prefix("D-").unwrap_or_default();
        if digits.len() == LENGTH && digits.bytes().all(|digit| DIGITS.contains(&digit)) {
            Ok(Self(format!("D-{digits}")))
        } else {
            Err(BadId {
                what: "deployment id",
                text: text.to_owned(),
                expected: "D- and ten of 23456789bcdfghjkmnpq, as the list of deployments shows it",
            })
        }
    }
}

impl TryFrom<String> for DeploymentId {
    type Error = BadId;

    fn try_from(text: String) -> Result<Self, BadId> {
        text.parse()
    }
}

impl From<DeploymentId> for String {
    fn from(id: DeploymentId) -> Self {
        id.0
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A step of a plan, by its name in that plan: small letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// Checks a name.
    ///
    /// # Errors
    ///
    /// [`BadId`] for one that is empty, longer than 40 or has other characters.
    pub fn new(name: impl Into<String>) -> Result<Self, BadId> {
        let name = name.into();
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=40).contains(&name.len()) && name.bytes().all(fits) {
            Ok(Self(name))
        } else {
            Err(BadId {
                what: "name of a step",
                text: name,
                expected: "1 to 40 small letters, digits and hyphens",
            })
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StepName {
    type Error = BadId;

    fn try_from(name: String) -> Result<Self, BadId> {
        Self::new(name)
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_differ_and_are_read_back() {
        let made: HashSet<DeploymentId> =
            (0..1000).map(|_| DeploymentId::generate().unwrap()).collect();
        assert_eq!(made.len(), 1000);
        for id in made {
            assert_eq!(format!(" {id}\n").parse(), Ok(id));
        }
    }

    #[test]
    fn what_could_be_a_path_or_a_typing_error_is_no_id() {
        for text in ["", "D-", "D-../../etc", "d-2345678923", "D-234567892", "D-aaaaaaaaaa"] {
            assert!(text.parse::<DeploymentId>().is_err(), "{text}");
        }
        for name in ["", "A", "a b", "../x", "ä"] {
            assert!(StepName::new(name).is_err(), "{name}");
        }
    }
}
