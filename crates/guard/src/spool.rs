//! Queries that can be run again by a handle: short, unguessable, for one caller, for a while.
//!
//! The rows stay on the server; what is kept is the text and its values, as they were judged. Whoever
//! runs it again judges it again.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::record::{Clock, Held, RecordError, Shelf};

/// How long a query is kept.
pub const LIFE: Duration = Duration::from_secs(24 * 3600);

/// Most bytes of one query with its values.
pub const BYTES: usize = 256 * 1024;

/// Most queries of one caller; the oldest goes first.
const EACH: usize = 50;

/// Most queries of all callers.
const ALL: usize = 400;

/// Bytes of chance in an id.
const CHANCE: usize = 16;

/// To whom a query belongs, and where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Who asked.
    pub subject: String,
    /// The server.
    pub server: String,
    /// The org.
    pub org: String,
}

/// A query that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Its text.
    pub text: String,
    /// Its values by name.
    pub env: Map<String, Value>,
    /// Until when.
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Record {
    /// Of the chance in the id: who reads the folder cannot make the handle.
    digest: String,
    owner: Owner,
    kept: Kept,
}

/// Why a query is not kept, or not given back.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Nothing has this id.
    #[error(
        "no query is kept under this handle: it was never given, was changed, or its time is over"
    )]
    Unknown,
    /// It is over.
    #[error("the handle was good until {until}")]
    Expired {
        /// Its end.
        until: Timestamp,
    },
    /// It is somebody else's, or of somewhere else.
    #[error("the handle was given to another {what}")]
    Elsewhere {
        /// What differs.
        what: &'static str,
    },
    /// It is too large to be kept.
    #[error("the query and its values have {bytes} bytes, and at most {BYTES} are kept")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The folder cannot be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
}

/// The kept queries of a state folder.
#[derive(Clone, Debug)]
pub struct Spool(Shelf);

impl Spool {
    /// Opens them; the folder is made where it is missing.
    ///
    /// # Errors
    ///
    /// Where it cannot be made.
    pub fn open(home: &Path, clock: Clock) -> Result<Self, RecordError> {
        Ok(Self(Shelf::open(home, "queries", clock)?))
    }

    /// Keeps a query, and gives its id.
    ///
    /// # Errors
    ///
    /// [`SpoolError::TooLarge`], [`SpoolError::Record`].
    pub fn keep(
        &self,
        owner: &Owner,
        text: &str,
        env: &Map<String, Value>,
    ) -> Result<String, SpoolError> {
        let values: usize =
            env.iter().map(|(name, value)| name.len() + value.to_string().len()).sum();
        let bytes = text.len() + values;
        if bytes > BYTES {
            return Err(SpoolError::TooLarge { bytes });
        }
        let held = self.0.hold()?;
        let mut records = current(&held)?;
        let own = |record: &Record| record.owner.subject == owner.subject;
        while let Some(at) = match records.iter().filter(|(_, record)| own(record)).count() {
            EACH.. => records.iter().position(|(_, record)| own(record)),
            _ if records.len() >= ALL => Some(0),
            _ => None,
        } {
            held.remove(records.remove(at).0)?;
        }
        let mut chance = [0; CHANCE];
        getrandom::fill(&mut chance).map_err(|_| RecordError::NoRandomness)?;
        let chance = URL_SAFE_NO_PAD.encode(chance);
        let number = held.next_number()?;
        let life = jiff::SignedDuration::try_from(LIFE).unwrap_or(jiff::SignedDuration::ZERO);
        let until = held.times().now.checked_add(life).unwrap_or(Timestamp::MAX);
        let kept = Kept { text: text.to_owned(), env: env.clone(), until };
        let record = Record { digest: digest(&chance), owner: owner.clone(), kept };
        held.write(number, &record)?;
        held.remember_time()?;
        Ok(format!("{number}.{chance}"))
    }

    /// Gives a query back.
    ///
    /// # Errors
    ///
    /// [`SpoolError`].
    pub fn find(&self, id: &str, owner: &Owner) -> Result<Kept, SpoolError> {
        let (number, chance) = id.split_once('.').ok_or(SpoolError::Unknown)?;
        let number: u64 = number.parse().map_err(|_| SpoolError::Unknown)?;
        let held = self.0.hold()?;
        if held.times().went_back {
            current(&held)?;
            held.remember_time()?;
        }
        let record: Record = held.one(number)?.ok_or(SpoolError::Unknown)?;
        if record.digest != digest(chance) {
            return Err(SpoolError::Unknown);
        }
        if held.times().now >= record.kept.until {
            return Err(SpoolError::Expired { until: record.kept.until });
        }
        for (own, given, what) in [
            (&record.owner.subject, &owner.subject, "caller"),
            (&record.owner.server, &owner.server, "server"),
            (&record.owner.org, &owner.org, "org"),
        ] {
            if own != given {
                return Err(SpoolError::Elsewhere { what });
            }
        }
        Ok(record.kept)
    }
}

/// The records that live; the others are removed. Where the clock was set back, nobody knows which
/// still would.
fn current(held: &Held<'_>) -> Result<Vec<(u64, Record)>, RecordError> {
    let times = held.times();
    let mut living = Vec::new();
    for (number, record) in held.all::<Record>()? {
        if times.went_back || times.now >= record.kept.until {
            held.remove(number)?;
        } else {
            living.push((number, record));
        }
    }
    Ok(living)
}

fn digest(chance: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(chance.as_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;
    use crate::record::testing::Hand;

    fn owner(subject: &str, server: &str, org: &str) -> Owner {
        let [subject, server, org] = [subject, server, org].map(str::to_owned);
        Owner { subject, server, org }
    }

    fn spool() -> (TempDir, Hand, Spool) {
        let home = tempfile::tempdir().unwrap();
        let hand = Hand::default();
        let spool = Spool::open(home.path(), hand.clock()).unwrap();
        (home, hand, spool)
    }

    fn env() -> Map<String, Value> {
        Map::from_iter([(String::from("A"), json!([1, "x"]))])
    }

    #[test]
    fn a_query_comes_back_to_its_owner_in_another_process_too() {
        let (home, hand, spool) = spool();
        let ada = owner("ada", "acme", "root");
        let id = spool.keep(&ada, "SELECT 1 FROM scope()", &env()).unwrap();
        let again = Spool::open(home.path(), hand.clock()).unwrap();
        let kept = again.find(&id, &ada).unwrap();
        assert_eq!((kept.text.as_str(), kept.env), ("SELECT 1 FROM scope()", env()));
        let other = spool.keep(&ada, "SELECT 1 FROM scope()", &env()).unwrap();
        assert_ne!(id.split_once('.').unwrap().1, other.split_once('.').unwrap().1);
        let text = std::fs::read_to_string(home.path().join("queries/00000001.json")).unwrap();
        assert!(!text.contains(id.split_once('.').unwrap().1), "the id cannot be read there");
    }

    #[test]
    fn forged_altered_and_foreign_handles_are_told_apart_from_none() {
        let (_home, _hand, spool) = spool();
        let id =
            spool.keep(&owner("ada", "acme", "root"), "SELECT 1 FROM scope()", &env()).unwrap();
        for (subject, server, org, word) in [
            ("bob", "acme", "root", "caller"),
            ("ada", "b", "root", "server"),
            ("ada", "acme", "O1", "org"),
        ] {
            let error = spool.find(&id, &owner(subject, server, org)).unwrap_err();
            assert!(matches!(error, SpoolError::Elsewhere { what } if what == word), "{error}");
        }
        let ada = owner("ada", "acme", "root");
        let altered = format!("{}A", &id[..id.len() - 1]);
        let altered = if altered == id { format!("{}B", &id[..id.len() - 1]) } else { altered };
        for forged in
            [altered.as_str(), "1", "1.", "2.AAAA", "x.AAAA", "", "18446744073709551616.A"]
        {
            let error = spool.find(forged, &ada).unwrap_err();
            assert!(matches!(error, SpoolError::Unknown), "{forged}: {error}");
        }
    }

    #[test]
    fn its_life_ends_and_no_clock_that_is_set_back_brings_it_again() {
        let (home, hand, spool) = spool();
        let ada = owner("ada", "acme", "root");
        let day = i64::try_from(LIFE.as_secs()).unwrap();
        let id = spool.keep(&ada, "SELECT 1 FROM scope()", &env()).unwrap();
        hand.set(day - 1);
        assert!(spool.find(&id, &ada).is_ok());
        hand.set(day);
        assert!(matches!(spool.find(&id, &ada).unwrap_err(), SpoolError::Expired { .. }));
        spool.keep(&ada, "SELECT 2 FROM scope()", &env()).unwrap();
        assert!(matches!(spool.find(&id, &ada).unwrap_err(), SpoolError::Unknown), "swept");
        let second = spool.keep(&ada, "SELECT 3 FROM scope()", &env()).unwrap();
        hand.set(0);
        assert!(matches!(spool.find(&second, &ada).unwrap_err(), SpoolError::Unknown));
        let files = std::fs::read_dir(home.path().join("queries")).unwrap();
        let left = files.filter(|file| {
            file.as_ref().is_ok_and(|file| file.file_name().to_string_lossy().starts_with('0'))
        });
        assert_eq!(left.count(), 0);
    }

    #[test]
    fn only_so_many_and_so_large_ones_are_kept() {
        let (_home, _hand, spool) = spool();
        let (ada, bob) = (owner("ada", "acme", "root"), owner("bob", "acme", "root"));
        let of_bob = spool.keep(&bob, "SELECT 1 FROM scope()", &Map::new()).unwrap();
        let first = spool.keep(&ada, "SELECT 1 FROM scope()", &Map::new()).unwrap();
        let mut last = String::new();
        for _ in 0..EACH {
            last = spool.keep(&ada, "SELECT 1 FROM scope()", &Map::new()).unwrap();
        }
        assert!(matches!(spool.find(&first, &ada).unwrap_err(), SpoolError::Unknown));
        assert!(spool.find(&last, &ada).is_ok());
        assert!(spool.find(&of_bob, &bob).is_ok(), "one caller does not push another out");
        let large = spool.keep(&ada, &"x".repeat(BYTES + 1), &Map::new()).unwrap_err();
        assert!(matches!(large, SpoolError::TooLarge { .. }));
    }
}
