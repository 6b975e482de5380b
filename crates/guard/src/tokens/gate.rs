//! A running server's view of the tokens.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::file::{self, Stamp};
use super::{Digest, PREFIX, Token, TokenError, TokenState, TokenStore};

/// The longest text that is looked at; a token is much shorter.
const TEXT_LIMIT: usize = 256;

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token is like that.
    #[error("the token is unknown")]
    Unknown,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Somebody ended it.
    #[error("the token was revoked")]
    Revoked,
}

/// Lets in whoever has a valid token. The file is read again whenever it has changed.
#[derive(Debug)]
pub struct Gate {
    store: TokenStore,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<Stamp>,
    tokens: Vec<Token>,
}

impl Gate {
    /// A view of that store.
    ///
    /// # Errors
    ///
    /// [`TokenError`] where its file cannot be read. Having none is not an error.
    pub fn open(store: TokenStore) -> Result<Self, TokenError> {
        let (stamp, tokens) = file::read(&store.path())?;
        Ok(Self { store, known: Mutex::new(Known { stamp, tokens }) })
    }

    /// The token behind a text, or why it does not open. Every token that is kept is compared, in
    /// a time that does not depend on the text.
    ///
    /// # Errors
    ///
    /// [`TokenError`] where the file has changed and cannot be read: nobody is let in then.
    pub fn admit(&self, text: &str, now: Timestamp) -> Result<Result<Token, Refusal>, TokenError> {
        self.look(|tokens| {
            if !text.starts_with(PREFIX) || text.len() > TEXT_LIMIT {
                return Err(Refusal::Unknown);
            }
            let digest = Digest::of(text);
            let mut found = None;
            for token in tokens {
                if token.digest.is(&digest) {
                    found = Some(token);
                }
            }
            let token = found.ok_or(Refusal::Unknown)?;
            match token.state(now) {
                TokenState::Valid => Ok(token.clone()),
                TokenState::Expired => Err(Refusal::Expired),
                TokenState::Revoked => Err(Refusal::Revoked),
            }
        })
    }

    /// The tokens that are valid now.
    ///
    /// # Errors
    ///
    /// As [`Gate::admit`].
    pub fn valid(&self, now: Timestamp) -> Result<Vec<Token>, TokenError> {
        self.look(|tokens| {
            tokens.iter().filter(|token| token.state(now) == TokenState::Valid).cloned().collect()
        })
    }

    fn look<T>(&self, at: impl FnOnce(&[Token]) -> T) -> Result<T, TokenError> {
        let path = self.store.path();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if file::stamp(&path)? != known.stamp {
            let (stamp, tokens) = file::read(&path)?;
            *known = Known { stamp, tokens };
        }
        Ok(at(&known.tokens))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{NewToken, Scope};
    use super::*;
    use crate::approver::bob;
    use crate::audit::testing::kept;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn named(name: &str) -> NewToken {
        NewToken { name: name.into(), scope: Scope::everything(), expires: Some(at(60)) }
    }

    #[test]
    fn tokens_open_until_they_expire_or_are_revoked_and_changes_are_seen_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        let gate = Gate::open(store.clone()).unwrap();
        let (alice, secret) = store.create(named("alice"), at(0), bob(), &audit).unwrap();
        let text = secret.expose();
        let admit = |text: &str, second| {
            gate.admit(text, at(second)).unwrap().map(|token| (token.id, token.name))
        };
        assert_eq!(admit(text, 1), Ok((alice.id, alice.name)));
        for wrong in ["", "mgr_", &text[1..], &format!("{text}0"), &"mgr_".repeat(100)] {
            assert_eq!(admit(wrong, 1), Err(Refusal::Unknown), "{wrong}");
        }
        assert_eq!(admit(text, 60), Err(Refusal::Expired));
        assert_eq!(gate.valid(at(1)).unwrap().len(), 1);
        store.revoke("alice", at(2), bob(), &audit).unwrap();
        assert_eq!(admit(text, 2), Err(Refusal::Revoked));
        assert_eq!(gate.valid(at(2)).unwrap().len(), 0);
    }

    #[test]
    fn a_file_that_breaks_while_the_server_runs_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        let (_, secret) = store.create(named("alice"), at(0), bob(), &audit).unwrap();
        let gate = Gate::open(store.clone()).unwrap();
        let good = fs::read(store.path()).unwrap();
        fs::write(store.path(), "{").unwrap();
        assert!(gate.admit(secret.expose(), at(1)).is_err());
        assert!(gate.admit(secret.expose(), at(1)).is_err(), "the old tokens came back");
        fs::write(store.path(), good).unwrap();
        assert!(gate.admit(secret.expose(), at(1)).unwrap().is_ok());
        fs::remove_file(store.path()).unwrap();
        assert_eq!(gate.admit(secret.expose(), at(1)).unwrap().unwrap_err(), Refusal::Unknown);
    }
}
