//! The record as calls: which were made, by whom, and what came of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;

use jiff::Timestamp;
use memchr::memmem;
use serde::Serialize;

use crate::effect::Effect;

use super::error::AuditError;
use super::line::event::{Ended, Event, Intent, Stamp};
use super::log::{file_name, files};
use super::verify::CopyTold;

/// Which calls. What is not set does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Begun at this time or later, by the wall clock.
    pub since: Option<Timestamp>,
    /// Of this tool.
    pub tool: Option<String>,
    /// By this HTTP subject, or by an MCP client of this name.
    pub who: Option<String>,
    /// With this effect.
    pub effect: Option<Effect>,
    /// With this outcome; `open` for calls without one.
    pub outcome: Option<String>,
}

/// A call with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// The number of its first line.
    pub seq: u64,
    /// When it began, by the wall clock.
    pub time: Timestamp,
    /// The process that made it.
    pub process: String,
    /// What was asked and decided.
    #[serde(flatten)]
    pub intent: Intent,
    /// `ok`, an error's code, `abandoned`; `None` where none is on record.
    pub outcome: Option<String>,
    /// SHA-256 of the answer.
    pub answer: Option<crate::digest::Digest>,
    /// Microseconds from the first line to the outcome.
    pub took_us: Option<u64>,
}

impl Filter {
    fn admits(&self, call: &Call) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let who = &call.intent.who;
        let by = self.who.as_ref().is_none_or(|wanted| {
            who.subject.as_ref() == Some(wanted)
                || who.client.as_ref().is_some_and(|client| &client.name == wanted)
        });
        by && self.since.is_none_or(|since| call.time >= since)
            && is(&self.tool, &call.intent.tool)
            && self.effect.is_none_or(|effect| effect == call.intent.effect)
            && is(&self.outcome, call.outcome.as_deref().unwrap_or("open"))
    }
}

/// The calls of a record that a filter admits, in the order in which they began. Lines that cannot
/// be read are passed over: `verify` is what judges them.
///
/// # Errors
/// A file cannot be read.
pub fn show(folder: &Path, filter: &Filter) -> Result<Vec<Call>, AuditError> {
    let mut calls: Vec<Call> = Vec::new();
    let mut open: HashMap<(String, String), usize> = HashMap::new();
    each_line(folder, |line| {
        let Ok(stamp) = serde_json::from_slice::<Stamp<'_>>(line) else { return };
        let process = stamp.process.into_owned();
        match serde_json::from_slice(line) {
            Ok(Event::Intent(intent)) => {
                let intent = intent.into_owned();
                open.insert((process.clone(), intent.call.clone()), calls.len());
                calls.push(Call {
                    seq: stamp.seq,
                    time: stamp.time,
                    process,
                    intent,
                    outcome: None,
                    answer: None,
                    took_us: None,
                });
            }
            Ok(Event::Outcome(ended)) => {
                let Ended { call, outcome, answer, took_us, identity, .. } = ended.into_owned();
                if let Some(call) = open.remove(&(process, call)).map(|at| &mut calls[at]) {
                    call.outcome = Some(outcome);
                    call.answer = answer;
                    call.took_us = Some(took_us);
                    call.intent.identity = identity.or(call.intent.identity.take());
                }
            }
            _ => {}
        }
    })?;
    calls.retain(|call| filter.admits(call));
    Ok(calls)
}

/// Writes calls as JSON lines, one each; gives their number.
///
/// # Errors
/// A file cannot be read, or the lines cannot be written.
pub fn export(folder: &Path, filter: &Filter, to: &mut impl Write) -> Result<usize, AuditError> {
    let calls = show(folder, filter)?;
    for call in &calls {
        let line = serde_json::to_string(call)
            .map_err(|error| AuditError::write("the export", error.into()))?;
        writeln!(to, "{}", super::line::ascii_hostile(line))
            .map_err(|error| AuditError::write("the export", error))?;
    }
    to.flush().map_err(|error| AuditError::write("the export", error))?;
    Ok(calls.len())
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

fn each_line(folder: &Path, mut act: impl FnMut(&[u8])) -> Result<(), AuditError> {
    for ordinal in files(folder)? {
        let path = folder.join(file_name(ordinal));
        let failed = |error| AuditError::io("reading", &path, error);
        let mut lines = BufReader::new(File::open(&path).map_err(failed)?);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).map_err(failed)? > 0 {
            act(&line);
            line.clear();
        }
    }
    Ok(())
}
