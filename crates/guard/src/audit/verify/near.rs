//! What stands around a place that does not hold: the call, the tool and the time of the lines
//! before, at and after it.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Report;
use super::report::Trouble;
use crate::audit::emergency;
use crate::audit::line::Chain;

/// Around more places it is not looked: each costs a part of a file.
const PLACES: usize = 50;

/// The lines around a place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Near {
    /// The last line before it that holds by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Neighbour>,
    /// What stands there now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub there: Option<Neighbour>,
    /// The first line after it that holds by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Neighbour>,
}

/// A line in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub time: Timestamp,
    /// What it is: `intent` before a call, `outcome` after it, or another kind.
    pub kind: String,
    /// The call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The request, grant or token that was decided about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

impl fmt::Display for Neighbour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seq, time, kind, call, tool, id } = self;
        let time = Timestamp::from_second(time.as_second()).unwrap_or(*time);
        write!(f, "entry {seq}, {time}: ")?;
        match (kind.as_str(), call, tool) {
            ("intent", Some(call), Some(tool)) => write!(f, "call {call} of {tool} begins"),
            ("outcome", Some(call), Some(tool)) => write!(f, "call {call} of {tool} ended"),
            ("decided", ..) => {
                write!(f, "a decision about {}", id.as_deref().unwrap_or("a request"))?;
                tool.as_ref().map_or(Ok(()), |tool| write!(f, ", {tool}"))
            }
            ("start", ..) => f.write_str("a process begins"),
            ("stop", ..) => f.write_str("a process ended in order"),
            _ => f.write_str(kind),
        }
    }
}

/// Looks around the first places of a report.
pub(super) fn look(folder: &Path, chain: &Chain, report: &mut Report) {
    let mut open: Option<(String, Vec<u8>)> = None;
    for fault in report.faults.iter_mut().take(PLACES) {
        if matches!(
            fault.what,
            Trouble::ForgedHead { .. } | Trouble::HeadMissing | Trouble::FileMissing
        ) {
            continue;
        }
        if open.as_ref().is_none_or(|(name, _)| *name != fault.file) {
            let path = folder.join(&fault.file);
            let mut bytes = Vec::new();
            match File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes)) {
                Ok(_) => open = Some((fault.file.clone(), bytes)),
                // It went away since: what was found stands.
                Err(_) => continue,
            }
        }
        let Some((_, bytes)) = &open else { continue };
        let emergency = Chain::emergency();
        let chain = if fault.file == emergency::FILE { &emergency } else { chain };
        let lines: Vec<&[u8]> = bytes.split(|b| *b == b'\n').collect();
        let holds = |line: &&[u8]| chain.open(line).is_ok().then(|| parse(line)).flatten();
        // Where the file ends too early, the place is its end.
        let place = match fault.line {
            0 => lines.len(),
            line => usize::try_from(line).map_or(lines.len(), |line| line - 1),
        };
        fault.near = Near {
            before: lines.iter().take(place).rev().find_map(holds),
            there: lines.get(place).and_then(|line| parse(line)),
            after: lines.iter().skip(place + 1).find_map(holds),
        };
    }
}

fn parse(line: &[u8]) -> Option<Neighbour> {
    serde_json::from_slice(line).ok()
}
