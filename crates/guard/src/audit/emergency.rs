//! Where an emergency stop is recorded when nothing else can be written.
//!
//! `emergency.jsonl` has a chain of its own and room that was taken in advance: a line is written
//! over blanks, which needs no free space on most file systems. Each process that starts a record
//! names the last line of this file in it, so that the file is bound to the log from then on.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::append::body;
use super::entry::Stopped;
use super::error::AuditError;
use super::head;
use super::line::event::{EmergencyTip, Event};
use super::line::{Chain, Damage, Frame, NOTHING};

pub(super) const FILE: &str = "emergency.jsonl";

/// Room that is taken in advance, and again whenever less than half of it is left.
const ROOM: usize = 64 * 1024;

/// A line's text is cut to this many bytes.
const TEXT: usize = 4 * 1024;

/// An emergency does not wait for another process for longer.
const WAIT: Duration = Duration::from_millis(500);

/// Records what an emergency stop does, without the log and its rules. It never stops the stop:
/// each line says what it could do.
#[derive(Clone, Debug)]
pub struct EmergencySink {
    path: PathBuf,
}

/// What became of a line of an emergency.
#[derive(Debug)]
pub struct EmergencyRecord {
    /// The line, for whoever can still be told: standard error, a system log, the answer.
    pub line: String,
    /// Whether it is on the disk.
    pub written: Result<(), AuditError>,
}

impl EmergencySink {
    /// The sink of an audit folder. It may be used where the record itself could not be opened.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// Writes a line about a call, at once and blocking.
    pub fn record(&self, call: &str, text: &str) -> EmergencyRecord {
        let event = Event::Emergency { call: call.into(), text: fit(text) };
        let body = match body(&event) {
            Ok(body) => body,
            Err(error) => {
                let written = Err(AuditError::write(&self.path, error.into()));
                return EmergencyRecord { line: String::new(), written };
            }
        };
        let written = self.write(&body);
        EmergencyRecord { line: format!("{{{body}}}"), written }
    }

    /// Takes room in advance, so that a line can be written when the disk is full.
    ///
    /// # Errors
    /// There is no room, or the file cannot be made.
    pub fn reserve(&self) -> Result<(), AuditError> {
        let io = |error| AuditError::write(&self.path, error);
        let file = open(&self.path).map_err(io)?;
        let _lock = head::lock(&file, &self.path, WAIT)?;
        let used = read(&file).map_err(io)?.used;
        take_room(&file, used).map_err(io)
    }

    fn write(&self, body: &str) -> Result<(), AuditError> {
        let io = |error| AuditError::write(&self.path, error);
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder).map_err(io)?;
        }
        let file = open(&self.path).map_err(io)?;
        let _lock = head::lock(&file, &self.path, WAIT)?;
        let end = read(&file).map_err(io)?;
        let mut line = Vec::new();
        if end.torn {
            line.push(b'\n');
        }
        let stamp = format!(
            "\"seq\":{},\"time\":\"{}\",\"process\":\"pid {}\"",
            end.tip.lines + 1,
            Timestamp::now(),
            std::process::id()
        );
        Chain::emergency().seal(&mut line, &stamp, body, end.tip.hash);
        let mut target = &file;
        target
            .seek(SeekFrom::Start(end.used as u64))
            .and_then(|_| target.write_all(&line))
            .and_then(|()| file.sync_data())
            .map_err(io)?;
        // The line is there; more room is a wish.
        if let Err(error) = take_room(&file, end.used + line.len()) {
            tracing::warn!(%error, "no room could be taken for further emergencies");
        }
        Ok(())
    }
}

/// A text as it goes into a line: cut, secrets masked.
pub(super) fn fit(text: &str) -> Cow<'_, str> {
    crate::outlet::mask_text(&text[..text.floor_char_boundary(TEXT)])
}

/// The last line of the emergency file, where there is one. Reserves its room, too.
pub(super) fn tip(folder: &Path) -> Result<Option<EmergencyTip>, AuditError> {
    EmergencySink::new(folder).reserve()?;
    let path = folder.join(FILE);
    let file = open(&path).map_err(|error| AuditError::io("opening", &path, error))?;
    let end = read(&file).map_err(|error| AuditError::io("reading", &path, error))?;
    Ok((end.tip.lines > 0).then_some(end.tip))
}

/// The lines of a folder's emergency file, with those that do not hold.
pub(super) fn lines(folder: &Path) -> Result<Vec<Result<Frame, Damage>>, AuditError> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(AuditError::io("reading", path, error)),
    };
    let chain = Chain::emergency();
    let text = bytes.split(|b| *b == b'\n').filter(|line| !line.iter().all(|b| is_blank(*b)));
    Ok(text.map(|line| chain.open(line)).collect())
}

/// What the emergency file says, with the number of each line in it. A line that cannot be read is
/// left to `verify`.
pub(super) fn told(folder: &Path) -> Result<Vec<(u64, Stopped)>, AuditError> {
    #[derive(Deserialize)]
    struct Stamp {
        seq: u64,
        time: Timestamp,
        process: String,
    }
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(AuditError::io("reading", path, error)),
    };
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.iter().all(|b| is_blank(*b)));
    let told = lines.zip(1..).filter_map(|(line, number)| {
        let Stamp { seq, time, process } = serde_json::from_slice(line).ok()?;
        let Ok(Event::Emergency { call, text }) = serde_json::from_slice(line) else { return None };
        let (call, text) = (call.into_owned(), text.into_owned());
        Some((number, Stopped { seq, time, process, apart: true, call, text }))
    });
    Ok(told.collect())
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | 0)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

struct End {
    /// Bytes before the blanks.
    used: usize,
    tip: EmergencyTip,
    /// The last bytes are no complete line.
    torn: bool,
}

fn read(mut file: &File) -> io::Result<End> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let used = bytes.iter().rposition(|b| !is_blank(*b)).map_or(0, |last| last + 1);
    let chain = Chain::emergency();
    let mut tip = EmergencyTip { lines: 0, hash: NOTHING };
    for frame in bytes[..used].split(|b| *b == b'\n').filter_map(|line| chain.open(line).ok()) {
        tip = EmergencyTip { lines: frame.seq, hash: frame.hash };
    }
    Ok(End { used, tip, torn: used > 0 && bytes[used - 1] != b'\n' })
}

fn take_room(mut file: &File, used: usize) -> io::Result<()> {
    let length = file.metadata()?.len();
    if length >= (used + ROOM / 2) as u64 {
        return Ok(());
    }
    file.seek(SeekFrom::Start(length))?;
    let wanted = (used + ROOM).saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
    file.write_all(&vec![b' '; wanted])?;
    file.sync_all()
}
