//! What Megaraptor itself started, so that it can be stopped.
//!
//! One JSON line each, put onto the disk before the next step: that something is about to be
//! started, each flow and hunt that came of it, and what ended. Where the program dies between a
//! start and its line, the start is still known as one whose outcome is not.
//!
//! A line that was torn by a crash is counted and passed over; what other lines say stands.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::rand;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use velociraptor_api::{ClientId, FlowId, HuntId};

use crate::asked::Asked;
use crate::record::{self, Clock, RecordError};

/// Beyond this size, what has ended is taken out of the file.
const COMPACT_BEYOND: u64 = 1 << 20;

/// The ledger of a state folder.
#[derive(Clone, Debug)]
pub struct Ledger {
    folder: PathBuf,
    clock: Clock,
    compact_beyond: u64,
}

/// What can be stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Work {
    /// A collection on one client.
    Flow {
        /// The client.
        client: ClientId,
        /// The flow.
        flow: FlowId,
    },
    /// A hunt.
    Hunt {
        /// The hunt.
        hunt: HuntId,
    },
}

/// Something that was started and is not known to have ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// When.
    pub at: Timestamp,
    /// By which tool.
    pub tool: String,
    /// On which configured server.
    pub server: String,
    /// In which org.
    pub org: String,
    /// What.
    pub work: Work,
    /// Until when it may wait for its client; `None` where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A start of which nobody wrote down what came of it: the program died, or its answer was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// When.
    pub at: Timestamp,
    /// By which tool.
    pub tool: String,
    /// On which configured server.
    pub server: String,
    /// In which org.
    pub org: String,
    /// On which clients, at most a hundred of them.
    pub clients: Vec<ClientId>,
}

/// What stands in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// What was started and is not known to have ended, oldest first.
    pub started: Vec<Started>,
    /// Starts whose outcome is not known: to be looked for on the server by hand.
    pub unknown: Vec<Unknown>,
    /// Lines that cannot be read.
    pub torn: usize,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum Line {
    /// Something is about to be started.
    Starting { key: String, start: Unknown },
    /// This was started.
    Started(Started),
    /// All that came of a start is written down.
    Settled { key: String },
    /// This ended.
    Ended { at: Timestamp, server: String, org: String, work: Work, how: String },
}

/// Most clients that a start names.
const MOST_CLIENTS: usize = 100;

/// A start that is under way. Each flow or hunt that comes of it is written down at once; when all
/// are, it is settled. Dropped before that, it stays in the ledger as one of unknown outcome.
#[derive(Debug)]
#[must_use = "a start that is not settled stays in the ledger as one of unknown outcome"]
pub struct Starting {
    ledger: Ledger,
    key: String,
    start: Unknown,
    /// Something that came of it could not be written down.
    lost: AtomicBool,
}

impl Starting {
    /// Writes down what was started.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: then it runs and the ledger does not know it by its id; say so.
    pub fn started(&self, work: Work) -> Result<(), RecordError> {
        self.waiting(work, None)
    }

    /// The same of what may wait for its client until then.
    ///
    /// # Errors
    ///
    /// As [`Starting::started`].
    pub fn waiting(&self, work: Work, until: Option<Timestamp>) -> Result<(), RecordError> {
        let Unknown { tool, server, org, .. } = self.start.clone();
        let at = self.ledger.clock.now();
        let line = Line::Started(Started { at, tool, server, org, work, until });
        self.ledger.append(&line).inspect_err(|_| self.lost.store(true, Ordering::Relaxed))
    }

    /// Writes down that nothing else came of it. Where something did that is not in the ledger, the
    /// start stays as one of unknown outcome.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: then the start stays as one of unknown outcome.
    pub fn settled(&self) -> Result<(), RecordError> {
        if self.lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.ledger.append(&Line::Settled { key: self.key.clone() })
    }
}

impl Ledger {
    /// The ledger in the state folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where the folder cannot be made, or is open to others.
    pub fn open(home: &Path, clock: Clock) -> Result<Self, RecordError> {
        let folder = record::own_folder(home, "ledger")?;
        Ok(Self { folder, clock, compact_beyond: COMPACT_BEYOND })
    }

    /// To be called before anything is started: where it fails, nothing may be.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where it cannot be put onto the disk.
    pub fn starting(&self, asked: &Asked) -> Result<Starting, RecordError> {
        let mut bytes = [0_u8; 8];
        rand::fill(&mut bytes).map_err(|_| RecordError::NoRandomness)?;
        let key = format!("{:016x}", u64::from_be_bytes(bytes));
        let start = Unknown {
            at: self.clock.now(),
            tool: asked.tool.clone(),
            server: asked.server.clone(),
            org: asked.org.clone(),
            clients: asked.clients.ids.iter().take(MOST_CLIENTS).cloned().collect(),
        };
        self.append(&Line::Starting { key: key.clone(), start: start.clone() })?;
        Ok(Starting { ledger: self.clone(), key, start, lost: AtomicBool::new(false) })
    }

    /// Writes down that something ended: by itself, or because it was stopped.
    ///
    /// # Errors
    ///
    /// [`RecordError`]: then it is looked at again the next time, which does no harm.
    pub fn ended(&self, started: &Started, how: &str) -> Result<(), RecordError> {
        let Started { server, org, work, .. } = started.clone();
        let how = how.to_owned();
        self.append(&Line::Ended { at: self.clock.now(), server, org, work, how })
    }

    /// What stands in it.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where it cannot be read.
    pub fn standing(&self) -> Result<Standing, RecordError> {
        Ok(self.read()?.standing())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("ledger.jsonl")
    }

    fn read(&self) -> Result<Content, RecordError> {
        let path = self.path();
        match fs::read(&path) {
            Ok(bytes) => Ok(Content::of(&bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Content::default()),
            Err(error) => Err(RecordError::io("reading", &path)(error)),
        }
    }

    fn append(&self, line: &Line) -> Result<(), RecordError> {
        let path = self.path();
        let io = |error: std::io::Error| RecordError::io("writing", &path)(error);
        let _lock = record::lock(&self.folder)?;
        // One that is made now is empty, and its beginning is its end.
        let mut file = record::own_file(OpenOptions::new().read(true).append(true), &path)?;
        let length = file.metadata().map_err(io)?.len();
        let mut text = Vec::new();
        if length > 0 {
            file.seek(SeekFrom::End(-1)).map_err(io)?;
            let mut last = [0];
            file.read_exact(&mut last).map_err(io)?;
            if last != *b"\n" {
                // The line before was torn; this one is not to be torn with it.
                text.push(b'\n');
            }
        }
        text.extend(serde_json::to_vec(line).map_err(|error| io(error.into()))?);
        text.push(b'\n');
        file.write_all(&text).map_err(io)?;
        file.sync_data().map_err(io)?;
        if length == 0 {
            owner_only::sync_folder(&self.folder)?;
        }
        if length + text.len() as u64 > self.compact_beyond {
            let kept = self.read()?.kept();
            // Nothing is gained where all of it is still open.
            if (kept.len() as u64) < length / 2 {
                owner_only::replace(&path, &kept)?;
            }
        }
        Ok(())
    }
}

/// The lines of the file, put together.
#[derive(Default)]
struct Content {
    started: Vec<Started>,
    unknown: BTreeMap<(Timestamp, String), Unknown>,
    torn: usize,
}

impl Content {
    fn of(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        let mut keys: BTreeMap<String, Timestamp> = BTreeMap::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match serde_json::from_slice(line) {
                Ok(Line::Starting { key, start }) => {
                    keys.insert(key.clone(), start.at);
                    content.unknown.insert((start.at, key), start);
                }
                Ok(Line::Settled { key }) => {
                    if let Some(at) = keys.remove(&key) {
                        content.unknown.remove(&(at, key));
                    }
                }
                Ok(Line::Started(started)) => content.started.push(started),
                Ok(Line::Ended { server, org, work, .. }) => content
                    .started
                    .retain(|one| (&one.server, &one.org, &one.work) != (&server, &org, &work)),
                Err(_) => content.torn += 1,
            }
        }
        content
    }

    fn standing(self) -> Standing {
        let mut seen = HashSet::new();
        let mut started = self.started;
        started.retain(|one| seen.insert((one.server.clone(), one.org.clone(), one.work.clone())));
        Standing { started, unknown: self.unknown.into_values().collect(), torn: self.torn }
    }

    /// The lines of what is still open.
    fn kept(self) -> Vec<u8> {
        let starting =
            self.unknown.into_iter().map(|((_, key), start)| Line::Starting { key, start });
        let started = self.started.into_iter().map(Line::Started);
        let mut text = Vec::new();
        for line in starting.chain(started) {
            // A line that was read can be written.
            if let Ok(line) = serde_json::to_vec(&line) {
                text.extend(line);
                text.push(b'\n');
            }
        }
        text
    }
}

#[cfg(test)]
mod tests;
