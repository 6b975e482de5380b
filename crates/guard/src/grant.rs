//! Case grants: a person says beforehand what may be collected, so that they are not asked for each
//! collection of a case.
//!
//! A grant names artifacts, hosts, bytes, collections and hours. It covers collections only: what
//! responds, deploys or destroys is asked for each time, and so is a collection that touches a
//! protected client or goes by a rule instead of a list. What a call may bring in at most is taken
//! off the grant before the call runs. What it did not use is given back where that is known when
//! the call ends ([`Grants::settle`]); where its flows go on it stays taken off.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use velociraptor_api::ClientId;

use crate::approval::Ended;
use crate::approver::Approver;
use crate::asked::Asked;
use crate::audit::{Act, Audit, AuditError, Decided};
use crate::effect::Effect;
use crate::permit::{Authority, Permit, Question};
use crate::policy::Glob;
use crate::record::{Clock, Held, RecordError, Shelf};
use crate::size;

/// The longest life of a grant.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// For how long a grant that is over is told to whoever is asked about what it would have covered.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);

/// Labels of clients, as the server has them now.
pub type Labels = BTreeMap<ClientId, BTreeSet<String>>;

/// What a person grants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// The case, or the reason, in the words of whoever gives it.
    pub case: String,
    /// The configured server.
    pub server: String,
    /// The org.
    pub org: String,
    /// Patterns of artifacts.
    pub artifacts: Vec<Glob>,
    /// The hosts.
    pub hosts: GrantHosts,
    /// Bytes, over all collections together.
    pub bytes: u64,
    /// Collections.
    pub collections: u64,
}

/// The hosts of a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantHosts {
    /// These.
    Ids(BTreeSet<ClientId>),
    /// Those that have this label when they are collected from.
    Label(String),
}

/// A grant with what is left of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its number, counted from 1.
    pub number: u64,
    /// What was granted.
    pub terms: Terms,
    /// Who gave it.
    pub given_by: Approver,
    /// When.
    pub given_at: Timestamp,
    /// From when on it covers nothing.
    pub void_after: Timestamp,
    /// Bytes that were taken off it.
    pub used_bytes: u64,
    /// Collections that ran on it.
    pub used_collections: u64,
    /// Why it covers nothing any more; `None` while it lives.
    pub ended: Option<GrantEnd>,
}

/// What ended a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum GrantEnd {
    /// Somebody took it back.
    Revoked {
        /// Who.
        by: Approver,
        /// When.
        at: Timestamp,
    },
    /// Its life is over.
    Expired {
        /// What ended it.
        why: Ended,
        /// When that was seen.
        at: Timestamp,
    },
}

/// Whether a grant covers a request.
#[derive(Debug)]
pub enum Cover {
    /// It does, and what the request may bring in was taken off it.
    Covered(Permit),
    /// None does, each for its reason, the newest first.
    Not(Vec<Uncovered>),
}

/// A grant that does not cover a request: one that lives, or one that did and would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Uncovered {
    /// The grant.
    pub id: String,
    /// What is beyond it.
    pub why: String,
    /// It is for the server and the org of the request.
    pub here: bool,
}

impl fmt::Display for Uncovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "grant {} does not cover it: {}", self.id, self.why)
    }
}

/// Grants cannot be given, read or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// The records cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What would be granted is nothing, or everything.
    #[error("such a grant cannot be given: {what}")]
    Terms {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nothing is decided that cannot be recorded.
    #[error("nothing was decided, since it cannot be recorded: {0}")]
    Unrecorded(#[from] AuditError),
    /// There is none of that name.
    #[error("there is no grant {name:?}: megaraptor grants list")]
    Unknown {
        /// The id that was given.
        name: String,
    },
    /// It is over.
    #[error("grant {id} is over already")]
    Ended {
        /// Its id.
        id: String,
    },
}

/// The grants of a state folder.
#[derive(Clone, Debug)]
pub struct Grants(Shelf);

impl Grant {
    /// How it is called.
    pub fn id(&self) -> String {
        format!("G{}", self.number)
    }

    /// What the record of calls says of a decision about it.
    fn on_record(&self, act: Act, by: &Approver) -> Decided {
        let Terms { case, server, org, artifacts, hosts, bytes, collections } = &self.terms;
        Decided {
            effect: Some(Effect::Collect),
            server: Some(server.clone()),
            org: Some(org.clone()),
            until: Some(self.void_after),
            reason: Some(case.clone()),
            terms: json!({
                "artifacts": artifacts, "hosts": hosts, "bytes": bytes, "collections": collections,
                "used_bytes": self.used_bytes, "used_collections": self.used_collections,
            }),
            ..Decided::new(act, self.id(), by.clone())
        }
    }

    /// Why its terms do not cover the request.
    fn gap(&self, asked: &Asked, labels: &Labels) -> Option<String> {
        let terms = &self.terms;
        if (&terms.server, &terms.org) != (&asked.server, &asked.org) {
            return Some(format!("it is for {} / {}", terms.server, terms.org));
        }
        if asked.artifacts.is_empty() {
            return Some(String::from("the call names no artifact"));
        }
        let fits = |name: &&String| terms.artifacts.iter().any(|glob| glob.matches(name));
        if let Some(name) = asked.artifacts.keys().find(|name| !fits(name)) {
            return Some(format!("{name} is none of its artifacts"));
        }
        if asked.clients.condition.is_some() {
            return Some(String::from(
                "the clients are chosen by a rule, which others may come to fit",
            ));
        }
        if asked.clients.ids.is_empty() {
            return Some(String::from("the call names no client"));
        }
        let has = |id: &ClientId| match &terms.hosts {
            _ if id.is_server() => false,
            GrantHosts::Ids(ids) => ids.contains(id),
            GrantHosts::Label(label) => labels.get(id).is_some_and(|of| of.contains(label)),
        };
        if let Some(id) = asked.clients.ids.iter().find(|id| !has(id)) {
            return Some(format!("{id} is none of its hosts"));
        }
        None
    }

    /// Why it is used up for the request.
    fn used_up(&self, asked: &Asked) -> Option<String> {
        let left = self.left_bytes();
        match asked.bounds.bytes {
            None => return Some(String::from("the call has no bound of bytes")),
            Some(bytes) if bytes > left => {
                return Some(format!(
                    "the call may bring in {}, and of its {} only {} are left",
                    size::at_most(bytes),
                    size::at_most(self.terms.bytes),
                    size::at_least(left)
                ));
            }
            Some(_) => {}
        }
        (self.left_collections() == 0)
            .then(|| format!("all of its {} collections are used", self.terms.collections))
    }

    /// Bytes that are left of it.
    pub const fn left_bytes(&self) -> u64 {
        self.terms.bytes.saturating_sub(self.used_bytes)
    }

    /// Collections that are left of it.
    pub const fn left_collections(&self) -> u64 {
        self.terms.collections.saturating_sub(self.used_collections)
    }
}

impl Grants {
    /// The grants in the state folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the folder cannot be made, or is open to others.
    pub fn open(home: &Path, clock: Clock) -> Result<Self, RecordError> {
        Ok(Self(Shelf::open(home, "grants", clock)?))
    }

    /// Gives a grant, in the record of calls first.
    ///
    /// # Errors
    ///
    /// [`GrantError::Terms`] where it would cover nothing, or anything; [`GrantError::Unrecorded`]:
    /// then none is given.
    pub fn give(
        &self,
        terms: Terms,
        life: Duration,
        by: Approver,
        audit: &Audit,
    ) -> Result<Grant, GrantError> {
        check(&terms, life)?;
        let held = self.0.hold()?;
        current(&held)?;
        let number = held.next_number()?;
        let now = held.times().now;
        let grant = Grant {
            number,
            terms,
            given_by: by,
            given_at: now,
            void_after: now + life,
            used_bytes: 0,
            used_collections: 0,
            ended: None,
        };
        let decided = grant.on_record(Act::Grant, &grant.given_by);
        audit.decide(decided, || held.write(number, &grant).map_err(GrantError::from))?;
        Ok(grant)
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    ///
    /// [`GrantError`] where they cannot be read.
    pub fn list(&self) -> Result<Vec<Grant>, GrantError> {
        current(&self.0.hold()?)
    }

    /// Takes a grant back. Collections that run already go on.
    ///
    /// # Errors
    ///
    /// [`GrantError::Unknown`], [`GrantError::Ended`]; [`GrantError::Unrecorded`]: then it covers
    /// what it did.
    pub fn revoke(&self, name: &str, by: Approver, audit: &Audit) -> Result<Grant, GrantError> {
        let held = self.0.hold()?;
        let found = current(&held)?.into_iter().find(|grant| grant.id().eq_ignore_ascii_case(name));
        let mut grant = found.ok_or_else(|| GrantError::Unknown { name: name.to_owned() })?;
        if grant.ended.is_some() {
            return Err(GrantError::Ended { id: grant.id() });
        }
        let decided = grant.on_record(Act::RevokeGrant, &by);
        grant.ended = Some(GrantEnd::Revoked { by, at: held.times().now });
        audit.decide(decided, || held.write(grant.number, &grant).map_err(GrantError::from))?;
        Ok(grant)
    }

    /// Looks for a grant that covers a request, and takes what the request may bring in off it.
    ///
    /// `labels` are those of the request's clients as the server has them now. They matter for
    /// grants by label only.
    ///
    /// # Errors
    ///
    /// [`GrantError`] where the grants cannot be read or written: then nothing is covered.
    pub fn cover(&self, question: &Question, labels: &Labels) -> Result<Cover, GrantError> {
        let held = self.0.hold()?;
        let beyond = if question.needed() != Effect::Collect {
            Some(format!("grants cover collections, and this is a call to {}", question.needed()))
        } else if question.touches_protected() {
            Some(String::from("a protected client is among the clients"))
        } else {
            None
        };
        let asked = question.asked();
        let (mut living, ended): (Vec<_>, Vec<_>) =
            current(&held)?.into_iter().partition(|grant| grant.ended.is_none());
        let mut uncovered = Vec::new();
        let here =
            |grant: &Grant| (&grant.terms.server, &grant.terms.org) == (&asked.server, &asked.org);
        for grant in &mut living {
            let id = grant.id();
            let gap = grant.gap(asked, labels).or_else(|| grant.used_up(asked));
            if let Some(why) = beyond.clone().or(gap) {
                uncovered.push(Uncovered { id, why, here: here(grant) });
                continue;
            }
            grant.used_bytes += asked.bounds.bytes.unwrap_or(0);
            grant.used_collections += 1;
            held.write(grant.number, grant)?;
            let authority = Authority::Grant { id, given_by: grant.given_by.clone() };
            return Ok(Cover::Covered(Permit::new(question.digest(), authority)));
        }
        let recent = held.times().now - RECENT;
        for grant in &ended {
            let news = |end: &&GrantEnd| beyond.is_none() && end.at() >= recent;
            let Some(end) = grant.ended.as_ref().filter(news) else { continue };
            // One that would not have covered it either is no news.
            if grant.gap(asked, labels).is_none() {
                let why = end.in_words(grant.void_after);
                uncovered.push(Uncovered { id: grant.id(), why, here: here(grant) });
            }
        }
        uncovered.reverse();
        Ok(Cover::Not(uncovered))
    }

    /// Gives back what a call that ran on a grant did not use: of `reserved` bytes, which were taken
    /// off before it ran, it brought in `used`. A grant that is over takes it too.
    ///
    /// # Errors
    ///
    /// [`GrantError`] where the grants cannot be read or written: then nothing is given back.
    pub fn settle(&self, name: &str, reserved: u64, used: u64) -> Result<(), GrantError> {
        let Some(back @ 1..) = reserved.checked_sub(used) else { return Ok(()) };
        let held = self.0.hold()?;
        let found = current(&held)?.into_iter().find(|grant| grant.id() == name);
        let mut grant = found.ok_or_else(|| GrantError::Unknown { name: name.to_owned() })?;
        grant.used_bytes = grant.used_bytes.saturating_sub(back);
        held.write(grant.number, &grant)?;
        Ok(())
    }
}

impl GrantEnd {
    /// When that was seen.
    const fn at(&self) -> Timestamp {
        match self {
            Self::Revoked { at, .. } | Self::Expired { at, .. } => *at,
        }
    }

    /// Why it covers nothing any more.
    fn in_words(&self, void_after: Timestamp) -> String {
        match self {
            Self::Revoked { by, .. } => format!("it was revoked by {by}"),
            Self::Expired { why: Ended::TimeOver, .. } => format!("it expired at {void_after}"),
            Self::Expired { why, .. } => format!("it is over: {}", why.as_str()),
        }
    }
}

fn check(terms: &Terms, life: Duration) -> Result<(), GrantError> {
    let nobody = match &terms.hosts {
        GrantHosts::Ids(ids) => ids.is_empty(),
        GrantHosts::Label(label) => label.is_empty(),
    };
    let server =
        matches!(&terms.hosts, GrantHosts::Ids(ids) if ids.iter().any(ClientId::is_server));
    let anything = |glob: &Glob| glob.as_str().chars().all(|c| matches!(c, '*' | '?' | '.'));
    let wrong = [
        (terms.case.trim().is_empty(), "it names no case"),
        (terms.artifacts.is_empty(), "it names no artifact"),
        (terms.artifacts.iter().any(anything), "a pattern that fits every artifact"),
        (nobody, "it names no host"),
        (server, "the server itself is no host of a case"),
        (terms.bytes == 0, "it allows no bytes"),
        (terms.collections == 0, "it allows no collection"),
        (life.is_zero(), "it has no life"),
        (life > LONGEST, "it lives longer than 7 days"),
    ];
    match wrong.iter().find(|(is_so, _)| *is_so) {
        Some((_, what)) => Err(GrantError::Terms { what }),
        None => Ok(()),
    }
}

/// All grants; those whose life is over are written down as ended.
fn current(held: &Held<'_>) -> Result<Vec<Grant>, GrantError> {
    let times = held.times();
    let mut all = Vec::new();
    for (number, mut grant) in held.all::<Grant>()? {
        let why = if times.went_back {
            Some(Ended::ClockWentBack)
        } else if times.now >= grant.void_after {
            Some(Ended::TimeOver)
        } else {
            None
        };
        if let Some(why) = why
            && grant.ended.is_none()
        {
            grant.ended = Some(GrantEnd::Expired { why, at: times.now });
            held.write(number, &grant)?;
        }
        all.push(grant);
    }
    held.remember_time()?;
    Ok(all)
}

#[cfg(test)]
mod tests;
