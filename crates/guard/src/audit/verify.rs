//! Reading a whole record again, offline, and finding what was done to it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::digest::Digest;

use super::emergency;
use super::error::AuditError;
use super::head::{self, Slots};
use super::key::{Message, PublicKey};
use super::line::event::{Event, Kind};
use super::line::{Chain, Frame, NOTHING};
use super::log::{HEAD, file_name, files};
use super::torn::Marks;

mod missing;
mod near;
mod report;

use missing::Missing;
pub use near::{Near, Neighbour};
pub use report::{CopyTold, Expected, Fault, Report, Tip, Trouble};

/// Reads a record and reports what does not hold. It reads only, and may run while others write:
/// the lock is held for as long as it takes to note where the files end.
///
/// # Errors
/// The folder holds no record, or cannot be read. What is wrong *in* the record is in the report.
pub fn verify(folder: &Path, expected: &Expected) -> Result<Report, AuditError> {
    let taken = Taken::of(folder)?;
    let mut reading = Reading::new(expected);
    reading.heads(&taken);
    for (number, ordinal) in taken.files.iter().enumerate() {
        let (ordinal, length) = *ordinal;
        let wanted = if number == 0 { 1 } else { taken.files[number - 1].0 + 1 };
        for ordinal in wanted..ordinal {
            let what = Trouble::FileMissing;
            reading.report.faults.push(Fault::at(file_name(ordinal), 0, what));
        }
        let path = folder.join(file_name(ordinal));
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(length).read_to_end(&mut bytes))
            .map_err(|error| AuditError::io("reading", &path, error))?;
        reading.file(ordinal, &bytes, number + 1 == taken.files.len());
    }
    reading.emergency(folder)?;
    let (mut report, chain) = reading.finish(&taken);
    near::look(folder, &chain, &mut report);
    Ok(report)
}

/// Where the record's files ended at one moment.
struct Taken {
    files: Vec<(u64, u64)>,
    slots: Slots,
    head: PathBuf,
}

impl Taken {
    fn of(folder: &Path) -> Result<Self, AuditError> {
        let path = folder.join(HEAD);
        let file = match File::open(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(AuditError::io("opening", &path, error)),
        };
        let _lock = match &file {
            Some(file) => Some(head::lock(file, &path, Duration::from_secs(10))?),
            None => None,
        };
        let mut bytes = Vec::new();
        if let Some(mut file) = file.as_ref() {
            file.read_to_end(&mut bytes)
                .map_err(|error| AuditError::io("reading", &path, error))?;
        }
        let mut lengths = Vec::new();
        for ordinal in files(folder)? {
            let path = folder.join(file_name(ordinal));
            let metadata =
                fs::metadata(&path).map_err(|error| AuditError::io("reading", &path, error))?;
            lengths.push((ordinal, metadata.len()));
        }
        let slots = Slots::parse(&bytes);
        let apart = emergency::lines(folder)?.len();
        if lengths.is_empty() && slots.heads.is_empty() && apart == 0 {
            let none = io::Error::new(io::ErrorKind::NotFound, "there is no audit record in it");
            return Err(AuditError::io("reading", folder, none));
        }
        Ok(Self { files: lengths, slots, head: path })
    }

    fn head_name(&self) -> String {
        self.head.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// What is known while the files are read.
struct Reading<'a> {
    report: Report,
    expected: &'a Expected,
    chain: Chain,
    key: Option<PublicKey>,
    /// The line with the highest number so far.
    tip: Option<Tip>,
    /// Lines that could not be read since the last one that could.
    damaged: u64,
    missing: Missing,
    /// Hashes to compare with, by line: of the head, of what the caller expects.
    wanted: BTreeMap<u64, Vec<(Digest, &'static str)>>,
    emergency: Vec<(String, u64, u64, Digest)>,
}

impl<'a> Reading<'a> {
    fn new(expected: &'a Expected) -> Self {
        Self {
            report: Report::default(),
            expected,
            chain: Chain::log(""),
            key: None,
            tip: None,
            damaged: 0,
            missing: Missing::default(),
            wanted: BTreeMap::new(),
            emergency: Vec::new(),
        }
    }

    fn fault(&mut self, file: &str, line: u64, what: Trouble) {
        self.report.faults.push(Fault::at(file.to_owned(), line, what));
    }

    /// The signed head, the key, and what the caller knows of both.
    fn heads(&mut self, taken: &Taken) {
        let name = taken.head_name();
        let latest = taken.slots.latest().map(|(_, head)| head.clone());
        self.key = self.expected.key.or_else(|| PublicKey::parse(&latest.as_ref()?.key));
        if let Some(key) = self.key {
            for (_, head) in &taken.slots.heads {
                if !head.is_signed_by(&key) {
                    self.fault(&name, 0, Trouble::ForgedHead { seq: head.seq });
                }
            }
            self.report.key = key.to_string();
        }
        match latest {
            Some(head) => {
                self.chain = Chain::log(&head.log);
                self.report.log.clone_from(&head.log);
                self.report.signed = head.seq;
                if head.seq > 0 {
                    self.wanted.entry(head.seq).or_default().push((head.hash, "the head"));
                }
            }
            None => self.fault(&name, 0, Trouble::HeadMissing),
        }
        if let Some(tip) = self.expected.head {
            self.wanted.entry(tip.seq).or_default().push((tip.hash, "the expected head"));
        }
    }

    fn file(&mut self, ordinal: u64, bytes: &[u8], last: bool) {
        let name = file_name(ordinal);
        self.report.files += 1;
        if self.report.log.is_empty() {
            self.chain_of_first_line(bytes);
        }
        let marks = Marks::of(bytes, &self.chain);
        let (mut at, mut line) = (0, 0_u64);
        while at < bytes.len() {
            if let Some(next) = marks.at(at) {
                line += memchr::memchr_iter(b'\n', &bytes[at..next]).count() as u64;
                self.report.torn += 1;
                at = next;
                continue;
            }
            line += 1;
            let Some(feed) = memchr::memchr(b'\n', &bytes[at..]) else {
                self.unended(&name, line, bytes.len() - at, last);
                break;
            };
            let text = &bytes[at..at + feed];
            match self.chain.open(text) {
                Ok(frame) => self.line(&name, line, text, &frame),
                Err(damage) => {
                    self.damaged += 1;
                    self.fault(&name, line, Trouble::Changed { why: damage.to_string() });
                }
            }
            at += feed + 1;
        }
    }

    /// Without a head, the first line says which log this is.
    fn chain_of_first_line(&mut self, bytes: &[u8]) {
        let first = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let (log, key) = match serde_json::from_slice(first) {
            Ok(Event::Log { log, key }) => (log.into_owned(), Some(key.into_owned())),
            Ok(Event::Continue { log, .. }) => (log.into_owned(), None),
            _ => return,
        };
        self.chain = Chain::log(&log);
        self.report.log = log;
        self.key = self.key.or_else(|| PublicKey::parse(&key?));
        self.report.key = self.key.map(|key| key.to_string()).unwrap_or_default();
    }

    /// Bytes without a line feed at the end of a file: a process died while it wrote, if nothing
    /// that was signed for is missing.
    fn unended(&mut self, name: &str, line: u64, bytes: usize, last: bool) {
        if last {
            self.report.torn += 1;
        } else {
            self.damaged += 1;
            let why = format!("the file ends with {bytes} bytes that are no line");
            self.fault(name, line, Trouble::Changed { why });
        }
    }

    fn line(&mut self, name: &str, line: u64, text: &[u8], frame: &Frame) {
        self.report.lines += 1;
        let Frame { seq, hash, prev, .. } = *frame;
        let tip = self.tip.unwrap_or(Tip { seq: 0, hash: NOTHING });
        if seq > tip.seq {
            let gap = seq - tip.seq - 1;
            // Lines that could not be read stood in the gap.
            let lost = gap.saturating_sub(self.damaged);
            if lost > 0 {
                self.missing.add(tip.seq + 1, seq - 1, name, line);
            }
            if gap == 0 && prev != tip.hash {
                self.fault(name, line, Trouble::NotAfter { seq });
            }
            self.damaged = 0;
            self.tip = Some(Tip { seq, hash });
            for (expected, whose) in self.wanted.remove(&seq).unwrap_or_default() {
                if expected != hash {
                    self.fault(name, line, Trouble::NotAsSigned { seq, whose });
                }
            }
        } else if self.missing.take(seq) {
            self.fault(name, line, Trouble::Moved { seq });
            return;
        } else {
            self.fault(name, line, Trouble::Twice { seq });
            return;
        }
        self.event(name, line, text, frame);
    }

    fn event(&mut self, name: &str, line: u64, text: &[u8], frame: &Frame) {
        match frame.kind {
            Kind::Intent => self.report.calls += 1,
            Kind::Decided => self.report.decisions += 1,
            Kind::Copy => self.report.copy = serde_json::from_slice(text).ok(),
            Kind::Checkpoint | Kind::Start | Kind::Log | Kind::Continue => {}
            _ => return,
        }
        match serde_json::from_slice(text) {
            Ok(Event::Checkpoint { sig }) => {
                let (seq, hash) = (frame.seq - 1, frame.prev);
                let message = Message::Checkpoint { log: self.chain.id(), seq, hash };
                if self.key.is_some_and(|key| key.signed(&message, &sig)) {
                    self.report.checkpoints += 1;
                } else {
                    self.fault(name, line, Trouble::ForgedCheckpoint { seq: frame.seq });
                }
            }
            Ok(Event::Start { emergency: Some(tip), .. }) => {
                self.emergency.push((name.to_owned(), line, tip.lines, tip.hash));
            }
            Ok(Event::Log { key, .. })
                if self.key.is_some_and(|known| known.to_string() != key) =>
            {
                self.fault(name, line, Trouble::OtherKey);
            }
            _ => {}
        }
    }

    /// The emergency file's own chain, and what the log says of it.
    fn emergency(&mut self, folder: &Path) -> Result<(), AuditError> {
        let lines = emergency::lines(folder)?;
        let (mut prev, mut count) = (NOTHING, 0);
        let mut hashes = Vec::new();
        for (number, frame) in lines.into_iter().enumerate() {
            let line = number as u64 + 1;
            match frame {
                Ok(frame) if frame.prev == prev && frame.seq == count + 1 => {
                    prev = frame.hash;
                    count = frame.seq;
                    hashes.push(frame.hash);
                }
                Ok(frame) => {
                    self.fault(emergency::FILE, line, Trouble::NotAfter { seq: frame.seq });
                    prev = frame.hash;
                    count = frame.seq;
                    hashes.push(frame.hash);
                }
                Err(damage) => {
                    let why = damage.to_string();
                    self.fault(emergency::FILE, line, Trouble::Changed { why });
                }
            }
        }
        self.report.emergency = count;
        for (_, _, lines, hash) in std::mem::take(&mut self.emergency) {
            if !hashes.contains(&hash) {
                self.fault(emergency::FILE, lines, Trouble::EmergencyGone { lines });
                break;
            }
        }
        Ok(())
    }

    fn finish(mut self, taken: &Taken) -> (Report, Chain) {
        let last = taken.files.last().map_or_else(String::new, |(file, _)| file_name(*file));
        for (from, to, file, line) in self.missing.take_all() {
            self.fault(&file, line, Trouble::Missing { from, to });
        }
        let found = self.tip.map_or(0, |tip| tip.seq);
        let wanted = std::mem::take(&mut self.wanted);
        if let Some((seq, hashes)) = wanted.last_key_value()
            && *seq > found
        {
            let whose = hashes.first().map_or("the head", |(_, whose)| *whose);
            self.fault(&last, 0, Trouble::Cut { expected: *seq, found, whose });
        }
        self.report.tip = self.tip;
        self.report.faults.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        (self.report, self.chain)
    }
}
