//! What a reading of the record found.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::near::Near;
use crate::audit::key::PublicKey;
use crate::digest::Digest;

/// A line of the record, by its number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tip {
    /// Its number; the first line has 1.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

/// What the caller knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub(in crate::audit) head: Option<Tip>,
    pub(in crate::audit) key: Option<PublicKey>,
}

impl Expected {
    /// A line that was there once, as an earlier report gave it. The record must still hold it.
    #[must_use]
    pub fn with_head(self, head: Tip) -> Self {
        Self { head: Some(head), ..self }
    }

    /// The public key that has to have signed, in 64 hexadecimal digits; `None` where the text is
    /// no key. Without it the record's own word is taken for its key.
    pub fn with_key(self, key: &str) -> Option<Self> {
        Some(Self { key: Some(PublicKey::parse(key)?), ..self })
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's id.
    pub log: String,
    /// The public key of its signatures, 64 hexadecimal digits.
    pub key: String,
    /// The last line. Keep it elsewhere, to verify against later.
    pub tip: Option<Tip>,
    /// The last line that the head signs for. What follows it was written, but not flushed.
    pub signed: u64,
    /// Files that were read.
    pub files: u64,
    /// Lines that hold.
    pub lines: u64,
    /// Calls among them.
    pub calls: u64,
    /// Decisions of persons among them.
    pub decisions: u64,
    /// Checkpoints with a good signature.
    pub checkpoints: u64,
    /// Places where a process died while it wrote. They are no faults.
    pub torn: u64,
    /// Lines of the emergency file.
    pub emergency: u64,
    /// What the record says last of its second copy.
    pub copy: Option<CopyTold>,
    /// What does not hold, by place.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Entries at the end that the head does not sign for yet. They are in the chain; that one more
    /// stood after them cannot be said.
    pub fn unsigned(&self) -> u64 {
        self.tip.map_or(0, |tip| tip.seq.saturating_sub(self.signed))
    }

    /// Nothing was found that does not hold.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// What a record says of its second copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyTold {
    /// When.
    pub time: Timestamp,
    /// Where the copy goes.
    pub to: String,
    /// `begins`, `failed: …` or `works again; …`.
    pub state: String,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The file's name.
    pub file: String,
    /// The line in the file, from 1; 0 where it is about the file as a whole.
    pub line: u64,
    /// What it is.
    #[serde(flatten)]
    pub what: Trouble,
    /// What stands around it.
    pub near: Near,
    /// What was most likely done.
    pub likely: &'static str,
}

impl Fault {
    pub(in crate::audit) fn at(file: String, line: u64, what: Trouble) -> Self {
        let likely = what.likely();
        Self { file, line, what, near: Near::default(), likely }
    }
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the members say what they are: line numbers, and whose word")]
pub enum Trouble {
    /// The line's bytes are not those that were written.
    Changed { why: String },
    /// Lines are not there.
    Missing { from: u64, to: u64 },
    /// A line stands in another place.
    Moved { seq: u64 },
    /// A line stands there again.
    Twice { seq: u64 },
    /// A line does not continue the one before it.
    NotAfter { seq: u64 },
    /// A line is not the one that was signed for, or that was expected.
    NotAsSigned { seq: u64, whose: &'static str },
    /// The record ends too early.
    Cut { expected: u64, found: u64, whose: &'static str },
    /// A checkpoint's signature is not that of the key.
    ForgedCheckpoint { seq: u64 },
    /// The head's signature is not that of the key.
    ForgedHead { seq: u64 },
    /// There is no head.
    HeadMissing,
    /// A file between others is not there.
    FileMissing,
    /// The first line names another key.
    OtherKey,
    /// The log names a line of the emergency file that is not there.
    EmergencyGone { lines: u64 },
}

impl Trouble {
    /// What was most likely done, for whoever has to find out by whom.
    pub const fn likely(&self) -> &'static str {
        match self {
            Self::Changed { .. } => {
                "the line was edited where it stands, or something was written over it: what it \
                 said can be told from a copy only"
            }
            Self::Missing { .. } => "lines were taken out",
            Self::Moved { .. } => "lines were put into another order",
            Self::Twice { .. } => "a line was copied to where it does not belong",
            Self::NotAfter { .. } => {
                "the line before it was written anew, with a hash that fits its text: somebody who \
                 knows the form, without the key"
            }
            Self::NotAsSigned { .. } => {
                "the history up to there was written anew, without the key; or the folder was put \
                 back from another time"
            }
            Self::Cut { .. } => {
                "the end was cut off, or the files are from an older copy than the head"
            }
            Self::ForgedCheckpoint { .. } => {
                "the history was written anew and signed by another key, or not at all"
            }
            Self::ForgedHead { .. } => "the head was written by somebody without the key",
            Self::HeadMissing => {
                "the head was deleted or overwritten, so that a cut end would not show"
            }
            Self::FileMissing => "a whole file was deleted or moved away",
            Self::OtherKey => "the log was begun anew by another installation, and put here",
            Self::EmergencyGone { .. } => "the emergency file was deleted, cut or written anew",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { why } => write!(f, "changed: {why}"),
            Self::Missing { from, to } if from == to => {
                write!(f, "entry {from} is missing before it")
            }
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing before it"),
            Self::Moved { seq } => write!(f, "entry {seq} stands in another place"),
            Self::Twice { seq } => write!(f, "entry {seq} stands there again"),
            Self::NotAfter { seq } => write!(f, "entry {seq} does not continue the one before it"),
            Self::NotAsSigned { seq, whose } => write!(f, "entry {seq} is not the one of {whose}"),
            Self::Cut { expected, found, whose } => {
                write!(f, "cut: it ends with entry {found}, {whose} names {expected}")
            }
            Self::ForgedCheckpoint { seq } => {
                write!(f, "forged: the signature of checkpoint {seq} is not that of the key")
            }
            Self::ForgedHead { seq } => {
                write!(f, "forged: the signature of the head over {seq} is not that of the key")
            }
            Self::HeadMissing => f.write_str("the signed head is missing or unreadable"),
            Self::FileMissing => f.write_str("the file is missing"),
            Self::OtherKey => f.write_str("the log was begun with another key"),
            Self::EmergencyGone { lines } => {
                write!(f, "emergency entry {lines}, which the log names, is not there")
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}
