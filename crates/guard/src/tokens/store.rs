//! Tokens are made, listed and revoked.

use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use secret::Secret;
use serde_json::json;

use super::{Digest, Scope, Token, TokenState, file, random_id, random_token};
use crate::approver::Approver;
use crate::audit::{Act, Audit, AuditError, Decided};
use crate::home::HomeError;
use crate::record::RecordError;

/// The longest name.
const NAME_LIMIT: usize = 64;

/// Tokens cannot be made, read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A name that is no name.
    #[error(
        "the name {0:?} cannot be used; expected 1 to {NAME_LIMIT} of letters, digits, '.', '-' and '_'"
    )]
    Name(String),
    /// A scope without an effect, a server or an org opens nothing.
    #[error("the list of {0} is empty; name at least one, or leave it out for the default")]
    Empty(&'static str),
    /// The end lies in the past.
    #[error("the token would expire at {0}, which is not in the future")]
    Past(Timestamp),
    /// A valid token of that name exists.
    #[error("there is a valid token {0:?} already; revoke it first, or take another name")]
    Taken(String),
    /// No token of that name can be revoked.
    #[error("there is no token {0:?} that is not revoked already")]
    Unknown(String),
    /// The file is not in the form that is written.
    #[error("{} is not a file of tokens: {why}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Others than the owner have rights on the file.
    #[error("{} has mode {mode:o}: others may use it; chmod 600 it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The file cannot be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It cannot be locked or replaced.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no state folder.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// Nothing is decided that cannot be recorded.
    #[error("nothing was decided, since it cannot be recorded: {0}")]
    Unrecorded(#[from] AuditError),
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Random(getrandom::Error),
}

impl TokenError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_path_buf(), error }
    }
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Who will speak with it.
    pub name: String,
    /// What it allows.
    pub scope: Scope,
    /// When it ends by itself; never where `None`.
    pub expires: Option<Timestamp>,
}

/// The file `tokens.json` in the state folder.
#[derive(Clone, Debug)]
pub struct TokenStore {
    folder: PathBuf,
}

impl TokenStore {
    /// The store in that folder. Nothing is made before the first token.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.folder.join("tokens.json")
    }

    /// Makes a token, in the record of calls first. The second part is the token itself, which is
    /// kept nowhere.
    ///
    /// # Errors
    ///
    /// [`TokenError`] where the name or the scope cannot be used, or nothing can be kept or recorded.
    pub fn create(
        &self,
        new: NewToken,
        now: Timestamp,
        by: Approver,
        audit: &Audit,
    ) -> Result<(Token, Secret<String>), TokenError> {
        check(&new, now)?;
        let secret = random_token().map_err(TokenError::Random)?;
        let token = Token {
            id: random_id().map_err(TokenError::Random)?,
            name: new.name,
            scope: new.scope,
            created: now,
            expires: new.expires,
            revoked: None,
            digest: Digest::of(secret.expose()),
        };
        let _lock = file::lock(&self.folder)?;
        let (_, mut tokens) = file::read(&self.path())?;
        if tokens.iter().any(|t| t.name == token.name && t.state(now) == TokenState::Valid) {
            return Err(TokenError::Taken(token.name));
        }
        let decided = on_record(Act::CreateToken, by, std::slice::from_ref(&token));
        tokens.push(token.clone());
        audit.decide(decided, || file::write(&self.path(), &tokens))?;
        Ok((token, secret))
    }

    /// All tokens that ever were, in the order in which they were made.
    ///
    /// # Errors
    ///
    /// [`TokenError`] where the file cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, TokenError> {
        Ok(file::read(&self.path())?.1)
    }

    /// Ends the tokens of that name, an expired one too, in the record of calls first.
    ///
    /// # Errors
    ///
    /// [`TokenError::Unknown`] where there is none, and others where nothing can be kept or recorded:
    /// then they stay valid.
    pub fn revoke(
        &self,
        name: &str,
        now: Timestamp,
        by: Approver,
        audit: &Audit,
    ) -> Result<Vec<Token>, TokenError> {
        let _lock = file::lock(&self.folder)?;
        let (_, mut tokens) = file::read(&self.path())?;
        let mut revoked = Vec::new();
        for token in tokens.iter_mut().filter(|t| t.name == name && t.revoked.is_none()) {
            token.revoked = Some(now);
            revoked.push(token.clone());
        }
        if revoked.is_empty() {
            return Err(TokenError::Unknown(name.to_owned()));
        }
        let decided = on_record(Act::RevokeToken, by, &revoked);
        audit.decide(decided, || file::write(&self.path(), &tokens))?;
        Ok(revoked)
    }
}

/// What the record of calls says of a decision about tokens of one name: nothing of the tokens
/// themselves.
fn on_record(act: Act, by: Approver, tokens: &[Token]) -> Decided {
    let name = tokens.first().map(|token| token.name.clone()).unwrap_or_default();
    let terms = tokens.iter().map(|token| json!({ "id": token.id, "scope": token.scope }));
    let until = match act {
        Act::CreateToken => tokens.first().and_then(|token| token.expires),
        _ => None,
    };
    Decided { until, terms: terms.collect(), ..Decided::new(act, name, by) }
}

fn check(new: &NewToken, now: Timestamp) -> Result<(), TokenError> {
    let usable = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if new.name.is_empty() || new.name.len() > NAME_LIMIT || !new.name.chars().all(usable) {
        return Err(TokenError::Name(new.name.clone()));
    }
    let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
    for (what, is_empty) in [
        ("effects", new.scope.effects.is_empty()),
        ("servers", empty(&new.scope.servers)),
        ("orgs", empty(&new.scope.orgs)),
    ] {
        if is_empty {
            return Err(TokenError::Empty(what));
        }
    }
    match new.expires {
        Some(end) if end <= now => Err(TokenError::Past(end)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::approver::bob;
    use crate::audit::testing::{kept, lines};
    use crate::effect::Effect;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn named(name: &str) -> NewToken {
        NewToken { name: name.into(), scope: Scope::everything(), expires: Some(at(60)) }
    }

    #[test]
    fn a_token_is_kept_as_a_digest_in_a_file_of_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path().join("state"));
        let (made, secret) = store.create(named("alice"), at(0), bob(), &audit).unwrap();
        let (_, other) = store.create(named("bob"), at(0), bob(), &audit).unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        assert_eq!(secret.expose().len(), 4 + 64);
        assert_ne!(secret.expose(), other.expose());
        assert!(secret.expose().starts_with(super::super::PREFIX));
        assert!(!text.contains(&secret.expose()[4..20]), "{text}");
        assert!(text.contains("\"version\": 1"), "{text}");
        let listed = store.list().unwrap();
        assert_eq!(listed.len(), 2);
        assert_eq!((&listed[0].id, &listed[0].name), (&made.id, &made.name));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(store.path()), 0o600);
            assert_eq!(mode(folder.path().join("state")), 0o700);
            fs::set_permissions(store.path(), fs::Permissions::from_mode(0o640)).unwrap();
            let error = store.list().unwrap_err().to_string();
            assert!(error.ends_with("has mode 640: others may use it; chmod 600 it"), "{error}");
        }
    }

    #[test]
    fn a_name_is_taken_while_its_token_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        let first = store.create(named("alice"), at(0), bob(), &audit).unwrap().0;
        assert!(matches!(
            store.create(named("alice"), at(1), bob(), &audit),
            Err(TokenError::Taken(_))
        ));
        assert_eq!(store.revoke("alice", at(2), bob(), &audit).unwrap()[0].id, first.id);
        assert!(matches!(store.revoke("alice", at(3), bob(), &audit), Err(TokenError::Unknown(_))));
        let second = store.create(named("alice"), at(4), bob(), &audit).unwrap().0;
        assert_ne!(first.id, second.id);
        let states: Vec<_> = store.list().unwrap().iter().map(|t| t.state(at(61))).collect();
        assert_eq!(states, [TokenState::Revoked, TokenState::Expired]);
    }

    #[test]
    fn what_is_made_and_ended_is_on_record_or_not_done() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        let (token, secret) = store.create(named("alice"), at(0), bob(), &audit).unwrap();
        store.revoke("alice", at(2), bob(), &audit).unwrap();
        let found = lines(folder.path(), "decided");
        let acts: Vec<_> = found.iter().map(|line| line["act"].as_str().unwrap()).collect();
        assert_eq!(acts, ["create_token", "revoke_token"]);
        for line in &found {
            assert_eq!((&line["id"], &line["by"]["user"]), (&json!("alice"), &json!("bob")));
            assert_eq!(line["terms"][0]["id"], json!(token.id));
            assert_eq!(line["terms"][0]["scope"]["effects"][0], "read");
            assert!(!line.to_string().contains(&secret.expose()[4..20]), "{line}");
        }
        assert_eq!(found[0]["until"], json!(token.expires));
        store.create(named("carol"), at(3), bob(), &audit).unwrap();
        fs::remove_file(folder.path().join("audit/audit-00000001.jsonl")).unwrap();
        let refused = store.create(named("dave"), at(4), bob(), &audit).unwrap_err();
        assert!(matches!(refused, TokenError::Unrecorded(_)), "{refused}");
        let refused = store.revoke("carol", at(4), bob(), &audit).unwrap_err();
        assert!(matches!(refused, TokenError::Unrecorded(_)), "{refused}");
        let states: Vec<_> = store.list().unwrap().iter().map(|t| t.state(at(5))).collect();
        assert_eq!(states, [TokenState::Revoked, TokenState::Valid]);
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_and_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        for name in ["", "a b", "a/b", "ä", "x\n", &"x".repeat(65)] {
            assert!(
                matches!(store.create(named(name), at(0), bob(), &audit), Err(TokenError::Name(_))),
                "{name}"
            );
        }
        assert!(matches!(
            store.create(named("late"), at(60), bob(), &audit),
            Err(TokenError::Past(_))
        ));
        let nothing = Scope { effects: Vec::new(), servers: None, orgs: None };
        let nowhere = Scope { effects: vec![Effect::Read], servers: Some(Vec::new()), orgs: None };
        for scope in [nothing, nowhere] {
            let new = NewToken { scope, ..named("empty") };
            assert!(matches!(store.create(new, at(0), bob(), &audit), Err(TokenError::Empty(_))));
        }
        assert!(!store.path().exists());
    }

    #[test]
    fn a_file_of_another_form_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        store.create(named("alice"), at(0), bob(), &audit).unwrap();
        let good = fs::read_to_string(store.path()).unwrap();
        for bad in [
            String::new(),
            "{".into(),
            good.replace("\"version\": 1", "\"version\": 2"),
            good.replace("\"revoked\"", "\"removed\""),
            good.replace("\"read\"", "\"anything\""),
            good.replace("\"sha256\": \"", "\"sha256\": \"zz"),
        ] {
            assert_ne!(bad, good);
            fs::write(store.path(), &bad).unwrap();
            let error = store.create(named("bob"), at(0), bob(), &audit).unwrap_err();
            assert!(matches!(error, TokenError::Broken { .. }), "{bad}: {error}");
            assert_eq!(fs::read_to_string(store.path()).unwrap(), bad);
        }
    }

    #[test]
    fn many_at_once_lose_no_token() {
        let folder = tempfile::tempdir().unwrap();
        let audit = kept(folder.path());
        let store = TokenStore::at(folder.path());
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (store, audit) = (&store, &audit);
                scope.spawn(move || {
                    store.create(named(&format!("n{number}")), at(0), bob(), audit).unwrap()
                });
            }
        });
        assert_eq!(store.list().unwrap().len(), 8);
    }
}
