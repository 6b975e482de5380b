//! The first administrator of the GUI.

use secret::Secret;
use sha2::{Digest as _, Sha256};

use crate::error::ConfigError;
use crate::nonce::bytes;

/// Without letters that are mistaken for each other; 57 of them.
const LETTERS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

/// Some 140 bits.
const LENGTH: usize = 24;

/// Names that Velociraptor keeps for itself.
const RESERVED: &[&str] = &["velociraptorserver", "grpc_gw"];

/// A user whom the server makes at its first start, as an administrator. The password itself is
/// not in the server's configuration.
#[derive(Debug, Clone)]
pub struct Administrator {
    pub(crate) name: String,
    pub(crate) salt: Secret<String>,
    pub(crate) hash: Secret<String>,
}

impl Administrator {
    /// A user with a new random password, which is returned and kept nowhere else.
    ///
    /// # Errors
    ///
    /// [`ConfigError::User`], [`ConfigError::Random`].
    pub fn with_random_password(name: &str) -> Result<(Self, Secret<String>), ConfigError> {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '@' | '.' | '_' | '-');
        if !(1..=64).contains(&name.len())
            || !name.chars().all(sound)
            || RESERVED.contains(&name.to_ascii_lowercase().as_str())
        {
            return Err(ConfigError::User(name.chars().take(64).collect()));
        }
        let password = password()?;
        Ok((Self::with(name, &password, bytes()?), password))
    }

    fn with(name: &str, password: &Secret<String>, salt: [u8; 32]) -> Self {
        // As Velociraptor does it: SHA-256 over the salt and the password, both kept in hex.
        let hash = Sha256::new().chain_update(salt).chain_update(password.expose()).finalize();
        let (salt, hash) = (Secret::new(hex(&salt)), Secret::new(hex(&hash)));
        Self { name: name.to_owned(), salt, hash }
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn password() -> Result<Secret<String>, ConfigError> {
    // Bytes beyond the last whole multiple are thrown away: each letter is as likely.
    let fair = u8::try_from(256 - 256 % LETTERS.len()).unwrap_or(u8::MAX);
    let mut password = String::with_capacity(LENGTH);
    while password.len() < LENGTH {
        let drawn = bytes::<32>()?;
        let letters = drawn.iter().filter(|byte| **byte < fair);
        let letters = letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]));
        password.extend(letters.take(LENGTH - password.len()));
    }
    Ok(Secret::new(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d24_the_hash_is_velociraptors_own() {
        let user = Administrator::with("admin", &Secret::new("password".into()), [7; 32]);
        assert_eq!(user.salt.expose(), &"07".repeat(32));
        let by_hand = Sha256::digest([&[7_u8; 32][..], b"password"].concat());
        assert_eq!(user.hash.expose(), &hex(&by_hand));
        assert!(!format!("{user:?}").contains("0707"));
    }

    #[test]
    fn d70_passwords_are_long_differ_and_need_no_quoting() {
        let (_, one) = Administrator::with_random_password("admin").unwrap();
        let (_, other) = Administrator::with_random_password("admin").unwrap();
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), LENGTH);
        assert!(one.expose().bytes().all(|byte| LETTERS.contains(&byte)));
        assert!(LETTERS.iter().all(u8::is_ascii_alphanumeric), "a shell would read some of them");
    }

    #[test]
    fn names_that_cannot_be_users_are_refused() {
        for wrong in ["", "a b", "a\nb", "VelociraptorServer", "grpc_gw", "x/../y", &"a".repeat(65)]
        {
            assert!(Administrator::with_random_password(wrong).is_err(), "{wrong:?}");
        }
    }
}
