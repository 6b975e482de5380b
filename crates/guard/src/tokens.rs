//! Bearer tokens of the HTTP transport: named, scoped, expiring, revocable, hashed at rest.
//!
//! A token is `mgr_` and 256 random bits. It is shown once, when it is made; kept is its SHA-256,
//! which is no help to somebody who reads the file: there is nothing to guess in 256 random bits,
//! so no slow hash is needed. The file is a [`TokenStore`]; a server looks at it through a
//! [`Gate`], which sees each change at the next request.

use std::fmt;

use jiff::Timestamp;
use secret::Secret;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::effect::Effect;

mod file;
mod gate;
mod store;

pub use gate::{Gate, Refusal};
pub use store::{NewToken, TokenError, TokenStore};

/// What every token begins with, so that scanners for leaked secrets know one.
pub const PREFIX: &str = "mgr_";

/// The SHA-256 of a token.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Compares in a time that says nothing about where they differ.
    fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    fn to_hex(self) -> String {
        hex(&self.0)
    }

    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// What a connection with this token may see and do. It narrows what is configured and never
/// widens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The effects that a call may have, from the mildest.
    pub effects: Vec<Effect>,
    /// The servers by their configured names; all of them where `None`.
    pub servers: Option<Vec<String>>,
    /// The orgs by id; all configured ones where `None`.
    pub orgs: Option<Vec<String>>,
}

impl Scope {
    /// Everything that is configured: what a person at the terminal has.
    pub fn everything() -> Self {
        Self { effects: Effect::ALL.to_vec(), servers: None, orgs: None }
    }

    /// Whether a call of this effect is within it.
    pub fn allows(&self, effect: Effect) -> bool {
        self.effects.contains(&effect)
    }

    /// Whether the server of that name is within it.
    pub fn has_server(&self, name: &str) -> bool {
        self.servers.as_ref().is_none_or(|servers| servers.iter().any(|server| server == name))
    }

    /// Whether the org of that id is within it.
    pub fn has_org(&self, id: &str) -> bool {
        self.orgs.as_ref().is_none_or(|orgs| orgs.iter().any(|org| org == id))
    }
}

/// A token as it is kept: everything but the token itself.
#[derive(Clone, Debug)]
pub struct Token {
    /// Tells it from others that had the same name before, in hexadecimal digits.
    pub id: String,
    /// Who speaks with it, as the record has it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    /// When it ends by itself; never where `None`.
    pub expires: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked: Option<Timestamp>,
    digest: Digest,
}

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It opens.
    Valid,
    /// Its time is over.
    Expired,
    /// Somebody ended it.
    Revoked,
}

impl Token {
    /// What it is worth at that time.
    pub fn state(&self, now: Timestamp) -> TokenState {
        if self.revoked.is_some() {
            TokenState::Revoked
        } else if self.expires.is_some_and(|end| end <= now) {
            TokenState::Expired
        } else {
            TokenState::Valid
        }
    }
}

impl TokenState {
    /// The word for reading.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// A new token, from the system's own randomness.
fn random_token() -> Result<Secret<String>, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(Secret::new(format!("{PREFIX}{}", hex(&bytes))))
}

fn random_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back_and_compared() {
        let digest = Digest::of("mgr_x");
        assert!(Digest::from_hex(&digest.to_hex()).unwrap().is(&digest));
        assert!(!Digest::of("mgr_y").is(&digest));
        for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(Digest::from_hex(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_scope_narrows_by_effect_server_and_org() {
        let all = Scope::everything();
        assert!(all.allows(Effect::Destroy) && all.has_server("any") && all.has_org("root"));
        let narrow = Scope {
            effects: vec![Effect::Read],
            servers: Some(vec!["acme".into()]),
            orgs: Some(vec!["O1".into()]),
        };
        assert!(narrow.allows(Effect::Read) && !narrow.allows(Effect::Collect));
        assert!(narrow.has_server("acme") && !narrow.has_server("Acme"));
        assert!(narrow.has_org("O1") && !narrow.has_org("root"));
    }
}
