//! The record of every call: what was asked, who decided, what came of it.
//!
//! One JSON line stands before and one after each call, in files that only grow:
//!
//! ```text
//! audit/audit-00000001.jsonl   lines: each names the SHA-256 of the line before it and its own
//! audit/head                   the last line that is on disk, signed; also the lock
//! audit/audit.key              the Ed25519 key of the signatures, readable by its owner only
//! audit/emergency.jsonl        what was stopped while the record could not be written
//! ```
//!
//! All processes that share a folder write *one* chain. Whoever appends holds the lock of `head`,
//! reads what the others have added since, and checks that it continues the chain; so a file that
//! was cut, replaced or changed at its end stops the next call instead of being written over. A
//! process that dies gives its lock back, and what it wrote by half is kept and marked.
//!
//! A call runs only when its first line is written ([`Audit::begin`]), and one that may change
//! something when that line is on disk: one flush serves all calls that wait at that time. The line
//! of a read, and the line after any call, is flushed with the next such call or within a second.
//! What a person decides, apart from a call, has a line on the disk before it holds ([`Decided`]).
//!
//! # What it proves, and what not
//!
//! [`verify()`] finds a changed byte, a line that is missing, twice there or in another place, and a
//! tail that was cut off. Whoever can read the key, which is whoever runs Megaraptor, can write
//! another history and sign it; and an old copy of the whole folder is sound in itself. Against
//! both, keep a head elsewhere ([`Expected`]) or send a copy of the lines to another machine
//! ([`Copy`]).

mod append;
mod copy;
mod decided;
mod emergency;
mod entry;
mod error;
mod filter;
mod head;
mod key;
mod line;
mod log;
mod record;
mod show;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod torn;
mod verify;
mod writer;

pub use copy::{Copy, CopyState};
pub use decided::{Act, Decided};
pub use emergency::{EmergencyRecord, EmergencySink};
pub use entry::{Call, Entry, Ruling, Stopped, What};
pub use error::AuditError;
pub use filter::Filter;
pub use record::{Audit, Begun, Flush, Options};
pub use show::{Reading, export, last_copy, read, show};
pub use verify::{CopyTold, Expected, Fault, Near, Neighbour, Report, Tip, Trouble, verify};

pub use self::line::event::{ClientName, Decision, Endpoint, Intent, Outcome, Who};
