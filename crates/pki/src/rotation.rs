//! Rotation under the same authority: what would change, and the new material, as data.
//!
//! Nothing that is held is changed or thrown away. A change of the authority is another matter:
//! every agent holds its certificate.

use std::fmt;

use jiff::Timestamp;

use crate::authority::Authority;
use crate::inspect::{self, InspectError, Summary};
use crate::issue::{IssueError, Pair};
use crate::key::{KeyError, RsaKey};
use crate::make::keys;
use crate::name::{AltName, NameError, Pinned, UserName};
use crate::pem;
use crate::profile::{Profile, Role};
use crate::validity::Validity;

/// A certificate that is in use, with its key.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it is for.
    pub role: Role,
    /// Certificate and key.
    pub pair: Pair,
}

/// What becomes of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// New certificates for the keys that are there.
    Keep,
    /// New keys, as after a leak.
    New,
}

/// What is to be known before a rotation is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The server has to be started again.
    Restart,
    /// Agents come back late.
    AgentsWait,
    /// The old key opens what was sealed for it.
    KeepOldKey,
    /// Implicit nonces would change with the key.
    NoncesExplicit,
    /// The old identity works on.
    NotRevoked,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Restart => {
                "the running server keeps its old certificate until it is started again"
            }
            Self::AgentsWait => {
                "agents come back after their own back-off (Client.max_poll and max_poll_std, up to minutes): wait five minutes before one is called lost"
            }
            Self::KeepOldKey => {
                "keep the old configuration: offline collections that were encrypted for the old server key open with that key only"
            }
            Self::NoncesExplicit => {
                "obfuscation_nonce and security.secrets_dek have to stand in the configuration: their defaults come from the server's key and would change with it"
            }
            Self::NotRevoked => {
                "old API certificates stay valid until their end, for there is no revocation: after a leak take the user's roles away, or delete the user and never use the name again"
            }
        })
    }
}

/// What would become of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// What it is for.
    pub role: Role,
    /// The certificate that is in use.
    pub old: Summary,
    /// The name and alternative names that the new one has: those of the old one.
    pub profile: Profile,
    /// Until when the new one holds.
    pub not_after: Timestamp,
}

/// A rotation that can be carried out: each certificate is of the authority, and each key fits.
#[derive(Debug)]
pub struct Plan<'a> {
    authority: &'a Authority,
    held: Vec<(Held, RsaKey)>,
    planned: Vec<Planned>,
    keys: Keys,
    validity: Validity,
}

/// What came of one certificate.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// What it is for.
    pub role: Role,
    /// What was in use. It is to be kept.
    pub old: Pair,
    /// What is to be used now.
    pub new: Pair,
}

/// Why there can be no rotation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RotationError {
    /// There is nothing to rotate.
    #[error("no certificate was given; give at least the server's and the gateway's")]
    Nothing,
    /// The CA's own was among them.
    #[error(
        "the CA itself is not rotated: every agent holds its certificate and would need a new configuration; leave it out"
    )]
    Authority,
    /// A certificate cannot be read.
    #[error("{}: {error}", role.words())]
    Unreadable {
        /// Which certificate.
        role: Role,
        /// Why.
        error: InspectError,
    },
    /// A key cannot be used.
    #[error("{}: {error}", role.words())]
    Key {
        /// Which certificate.
        role: Role,
        /// Why.
        error: KeyError,
    },
    /// A key belongs to another certificate.
    #[error(
        "{}: its key does not belong to it (subject {subject}); look which configuration they came from",
        role.words()
    )]
    OtherKey {
        /// Which certificate.
        role: Role,
        /// Its subject.
        subject: String,
    },
    /// Another authority signed it.
    #[error(
        "{} ({certificate}) is not of this CA (SHA-256 {ca}): with its successor agents and API clients would be cut off; give the CA.private_key and Client.ca_certificate of the very server",
        role.words()
    )]
    OtherAuthority {
        /// Which certificate.
        role: Role,
        /// What it says.
        certificate: Box<Summary>,
        /// SHA-256 of the CA that was given.
        ca: String,
    },
    /// The names of a certificate cannot be in a new one.
    #[error("{}: {error}", role.words())]
    Name {
        /// Which certificate.
        role: Role,
        /// Why.
        error: NameError,
    },
    /// It is not what it was given as.
    #[error(
        "{} has the common name {found:?} and {expected:?} was expected; give the deployment's pinned names, and each certificate as what it is",
        role.words()
    )]
    OtherName {
        /// Which certificate.
        role: Role,
        /// The name that is expected.
        expected: String,
        /// The one that is there.
        found: String,
    },
    /// A certificate was not made.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

impl<'a> Plan<'a> {
    /// Looks at what is held and says what would come of it. Nothing is made.
    ///
    /// # Errors
    ///
    /// Something that is held is not of this authority or not of this deployment, or the new
    /// certificates would outlive the authority.
    pub fn new(
        authority: &'a Authority,
        pinned: &Pinned,
        held: Vec<Held>,
        keys: Keys,
        validity: Validity,
    ) -> Result<Self, RotationError> {
        if held.is_empty() {
            return Err(RotationError::Nothing);
        }
        let mut checked = Vec::with_capacity(held.len());
        let mut planned = Vec::with_capacity(held.len());
        for one in held {
            let (plan, key) = plan(authority, pinned, &one, validity)?;
            planned.push(plan);
            checked.push((one, key));
        }
        Ok(Self { authority, held: checked, planned, keys, validity })
    }

    /// What would become of each certificate, in the order in which they were given.
    pub fn planned(&self) -> &[Planned] {
        &self.planned
    }

    /// What is to be known beforehand.
    pub fn notes(&self) -> Vec<Note> {
        let any = |role: Role| self.planned.iter().any(|planned| planned.role == role);
        let new = self.keys == Keys::New;
        let mut notes = Vec::new();
        if any(Role::Frontend) || any(Role::Gateway) || any(Role::Gui) {
            notes.push(Note::Restart);
        }
        if any(Role::Frontend) {
            notes.push(Note::AgentsWait);
        }
        if any(Role::Frontend) && new {
            notes.extend([Note::KeepOldKey, Note::NoncesExplicit]);
        }
        if any(Role::Api) {
            notes.push(Note::NotRevoked);
        }
        notes
    }

    /// Makes the new material. What is held stays as it is, and comes back beside it.
    ///
    /// With new keys it takes as long as [`crate::make_all`].
    ///
    /// # Errors
    ///
    /// A key or a certificate was not made; then nothing was changed.
    pub fn carry_out(self) -> Result<Vec<Rotated>, IssueError> {
        let mut fresh = match self.keys {
            Keys::Keep => Vec::new(),
            Keys::New => keys(self.held.len())?,
        }
        .into_iter();
        let one = |((held, old_key), planned): ((Held, RsaKey), &Planned)| {
            let key = fresh.next().unwrap_or(old_key);
            let certificate = self.authority.certify(&planned.profile, self.validity, &key)?;
            let new = Pair { certificate, key: key.pem().clone() };
            Ok(Rotated { role: held.role, old: held.pair, new })
        };
        self.held.into_iter().zip(&self.planned).map(one).collect()
    }
}

fn plan(
    authority: &Authority,
    pinned: &Pinned,
    held: &Held,
    validity: Validity,
) -> Result<(Planned, RsaKey), RotationError> {
    let role = held.role;
    let unreadable = |error| RotationError::Unreadable { role, error };
    let der = pem::certificate(&held.pair.certificate)
        .map_err(|error| unreadable(InspectError::Pem(error)))?;
    let old = inspect::summary(&der).map_err(unreadable)?;
    let key = RsaKey::parse(&held.pair.key).map_err(|error| RotationError::Key { role, error })?;
    let name = |error| RotationError::Name { role, error };
    let (expected, profile) = match role {
        Role::Authority => return Err(RotationError::Authority),
        Role::Frontend => {
            let profile = Profile::frontend(pinned).also(&names(&old).map_err(name)?);
            (Some(pinned.server()), profile.map_err(name)?)
        }
        Role::Gateway => (Some(pinned.gateway()), Profile::gateway(pinned)),
        Role::Api => {
            let user = UserName::parse(&old.common_name, pinned).map_err(name)?;
            (None, Profile::api(&user))
        }
        Role::Gui => {
            let names = names(&old).map_err(name)?;
            (None, Profile::gui(&names, pinned).map_err(name)?)
        }
    };
    if let Some(expected) = expected
        && expected != old.common_name
    {
        let (expected, found) = (expected.to_owned(), old.common_name);
        return Err(RotationError::OtherName { role, expected, found });
    }
    if !authority.has_signed(&held.pair.certificate).map_err(unreadable)? {
        let ca = authority.summary().sha256.clone();
        return Err(RotationError::OtherAuthority { role, certificate: Box::new(old), ca });
    }
    if inspect::public_key(&der).map_err(unreadable)? != key.public() {
        return Err(RotationError::OtherKey { role, subject: old.subject });
    }
    authority.room_for(role, validity)?;
    Ok((Planned { role, old, profile, not_after: validity.not_after() }, key))
}

/// The alternative names of what is held: none is lost.
fn names(old: &Summary) -> Result<Vec<AltName>, NameError> {
    old.names.iter().map(|name| AltName::parse(name)).collect()
}
