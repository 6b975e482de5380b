//! The record as calls, decisions and emergencies: which were made, by whom, and what came of them.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use memchr::memmem;

use super::emergency;
use super::entry::{Call, Entry, Ruling, Stopped, What};
use super::error::AuditError;
use super::filter::Filter;
use super::line::event::{Ended, Event, Stamp};
use super::log::{file_name, files};
use super::verify::{CopyTold, Expected, Report, verify};

/// A record that was read, and whether it holds.
#[derive(Clone, Debug)]
pub struct Reading {
    /// What a filter admits of it, in the order of the record; what stands in the emergency file is
    /// placed by its time.
    pub entries: Vec<Entry>,
    /// What [`verify()`] says of all of it.
    pub report: Report,
}

/// Reads what a filter admits, and whether the whole holds: an entry with a line that does not is
/// marked. Lines that cannot be read at all are in the report only.
///
/// # Errors
/// A file cannot be read.
pub fn read(folder: &Path, filter: &Filter) -> Result<Reading, AuditError> {
    // First: what is added meanwhile is read and was not judged, and not the other way.
    let report = verify(folder, &Expected::default())?;
    let mut doubts = BTreeMap::new();
    for fault in &report.faults {
        let place = (fault.file.clone(), fault.line);
        doubts.entry(place).or_insert_with(|| fault.what.to_string());
    }
    let mut entries = entries(folder, &doubts)?;
    entries.retain(|entry| filter.admits(entry));
    Ok(Reading { entries, report })
}

/// The calls of a record that a filter admits, in the order in which they began. Whether they hold
/// is for [`read`] and [`verify()`] to say.
///
/// # Errors
/// A file cannot be read.
pub fn show(folder: &Path, filter: &Filter) -> Result<Vec<Call>, AuditError> {
    let mut entries = entries(folder, &BTreeMap::new())?;
    entries.retain(|entry| filter.admits(entry));
    let calls = entries.into_iter().filter_map(|entry| match entry.what {
        What::Call(call) => Some(call),
        What::Decided(_) | What::Emergency(_) => None,
    });
    Ok(calls.collect())
}

/// Why lines do not hold, by file and line.
type Doubts = BTreeMap<(String, u64), String>;

fn entries(folder: &Path, doubts: &Doubts) -> Result<Vec<Entry>, AuditError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut open: HashMap<(String, String), usize> = HashMap::new();
    each_line(folder, |file, number, line| {
        let Ok(Stamp { seq, time, process, .. }) = serde_json::from_slice(line) else { return };
        let process = process.into_owned();
        let doubt =
            if doubts.is_empty() { None } else { doubts.get(&(file_name(file), number)).cloned() };
        let what = match serde_json::from_slice(line) {
            Ok(Event::Intent(intent)) => {
                let intent = intent.into_owned();
                open.insert((process.clone(), intent.call.clone()), entries.len());
                What::Call(Call {
                    seq,
                    time,
                    process,
                    intent,
                    outcome: None,
                    answer: None,
                    took_us: None,
                })
            }
            Ok(Event::Outcome(ended)) => {
                let ended = ended.into_owned();
                let begun = open.remove(&(process, ended.call.clone()));
                if let Some(entry) = begun.map(|at| &mut entries[at]) {
                    close(entry, ended, doubt);
                }
                return;
            }
            Ok(Event::Decided(decided)) => {
                What::Decided(Ruling { seq, time, process, decided: decided.into_owned() })
            }
            Ok(Event::Emergency { call, text }) => {
                let (call, text) = (call.into_owned(), text.into_owned());
                What::Emergency(Stopped { seq, time, process, apart: false, call, text })
            }
            _ => return,
        };
        entries.push(Entry { what, doubt });
    })?;
    for (number, stopped) in emergency::told(folder)? {
        let doubt = doubts.get(&(emergency::FILE.to_owned(), number)).cloned();
        let at = entries.iter().rposition(|entry| entry.time() <= stopped.time);
        let entry = Entry { what: What::Emergency(stopped), doubt };
        entries.insert(at.map_or(0, |at| at + 1), entry);
    }
    Ok(entries)
}

fn close(entry: &mut Entry, ended: Ended, doubt: Option<String>) {
    entry.doubt = entry.doubt.take().or(doubt);
    let What::Call(call) = &mut entry.what else { return };
    let Ended { outcome, answer, took_us, identity, .. } = ended;
    call.outcome = Some(outcome);
    call.answer = answer;
    call.took_us = Some(took_us);
    call.intent.identity = identity.or(call.intent.identity.take());
}

/// Writes entries as JSON lines, one each.
///
/// # Errors
/// They cannot be written.
pub fn export(entries: &[Entry], to: &mut impl Write) -> Result<(), AuditError> {
    let unwritten = |error| AuditError::write("the export", error);
    for entry in entries {
        let line = serde_json::to_string(entry).map_err(|error| unwritten(error.into()))?;
        writeln!(to, "{}", super::line::ascii_hostile(line)).map_err(unwritten)?;
    }
    to.flush().map_err(unwritten)
}

/// What a record says last of its second copy.
///
/// # Errors
/// A file cannot be read.
pub fn last_copy(folder: &Path) -> Result<Option<CopyTold>, AuditError> {
    for ordinal in files(folder)?.into_iter().rev() {
        let path = folder.join(file_name(ordinal));
        let bytes =
            std::fs::read(&path).map_err(|error| AuditError::io("reading", &path, error))?;
        // Text of a call cannot hold it: a quote in a value has a backslash before it.
        for at in memmem::rfind_iter(&bytes, b",\"kind\":\"copy\",") {
            let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |feed| feed + 1);
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |feed| at + feed);
            if let Ok(told) = serde_json::from_slice(&bytes[start..end]) {
                return Ok(Some(told));
            }
        }
    }
    Ok(None)
}

fn each_line(folder: &Path, mut act: impl FnMut(u64, u64, &[u8])) -> Result<(), AuditError> {
    use std::io::BufRead as _;
    for ordinal in files(folder)? {
        let path = folder.join(file_name(ordinal));
        let failed = |error| AuditError::io("reading", &path, error);
        let mut lines = std::io::BufReader::new(std::fs::File::open(&path).map_err(failed)?);
        let (mut line, mut number) = (Vec::new(), 0);
        while lines.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            number += 1;
            act(ordinal, number, &line);
            line.clear();
        }
    }
    Ok(())
}
