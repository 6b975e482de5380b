//! What a record says, entry by entry: calls with what came of them, decisions, emergencies.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::decided::Decided;
use super::line::event::Intent;

/// One thing that the record says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entry {
    /// What it is.
    #[serde(flatten)]
    pub what: What,
    /// Why it cannot be taken at its word: a line of it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
}

/// The kinds of entry.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A call.
    Call(Call),
    /// What a person decided, apart from a call.
    Decided(Ruling),
    /// What an emergency stop did.
    Emergency(Stopped),
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

/// A person's decision with its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ruling {
    /// The number of its line.
    pub seq: u64,
    /// When, by the wall clock.
    pub time: Timestamp,
    /// The process in which it was made.
    pub process: String,
    /// What was decided.
    #[serde(flatten)]
    pub decided: Decided,
}

/// A line of an emergency stop.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stopped {
    /// The number of its line: in the record, or in the emergency file.
    pub seq: u64,
    /// When, by the wall clock.
    pub time: Timestamp,
    /// The process that wrote it.
    pub process: String,
    /// It stands in the emergency file, since the record could not be written.
    pub apart: bool,
    /// The call.
    pub call: String,
    /// What was done.
    pub text: String,
}

impl Entry {
    /// When, by the wall clock.
    pub const fn time(&self) -> Timestamp {
        match &self.what {
            What::Call(call) => call.time,
            What::Decided(ruling) => ruling.time,
            What::Emergency(stopped) => stopped.time,
        }
    }

    /// The tool that it is about.
    pub fn tool(&self) -> Option<&str> {
        match &self.what {
            What::Call(call) => Some(&call.intent.tool),
            What::Decided(ruling) => ruling.decided.tool.as_deref(),
            What::Emergency(stopped) => Some(&stopped.call),
        }
    }

    /// The hosts that it names: by what the caller gave, and by what that was resolved to.
    pub fn hosts(&self) -> Vec<String> {
        match &self.what {
            What::Call(call) => {
                let found = call.intent.hosts.iter();
                let mut hosts: Vec<String> = found.map(ToString::to_string).collect();
                if hosts.is_empty() {
                    hosts = named(&call.intent.arguments, HOSTS);
                }
                hosts
            }
            What::Decided(ruling) => named(&ruling.decided.terms, HOSTS),
            What::Emergency(_) => Vec::new(),
        }
    }

    /// The arguments of a call, the terms of what was decided about.
    pub const fn terms(&self) -> Option<&Value> {
        match &self.what {
            What::Call(call) => Some(&call.intent.arguments),
            What::Decided(ruling) => Some(&ruling.decided.terms),
            What::Emergency(_) => None,
        }
    }

    /// The hunts that it names.
    pub fn hunts(&self) -> Vec<String> {
        self.terms().map_or_else(Vec::new, |terms| named(terms, &["hunt_id"]))
    }

    /// The flows that it names.
    pub fn flows(&self) -> Vec<String> {
        self.terms().map_or_else(Vec::new, |terms| named(terms, &["flow_id"]))
    }

    /// Whether it is about a host, by its name or its id. Names are compared without case.
    pub fn is_about(&self, host: &str) -> bool {
        let is = |one: &str| one.eq_ignore_ascii_case(host);
        match &self.what {
            What::Call(call) => {
                let found = &call.intent.hosts;
                found.iter().any(|one| is(&one.name) || is(one.client.as_str()))
                    || named(&call.intent.arguments, HOSTS).iter().any(|one| is(one))
            }
            What::Decided(_) => self.hosts().iter().any(|one| is(one)),
            What::Emergency(stopped) => stopped.text.split([' ', ':', ',']).any(is),
        }
    }
}

/// The members of arguments that name hosts.
pub(super) const HOSTS: &[&str] = &["client", "clients", "client_id"];

/// What some members of arguments hold, texts and lists of texts.
fn named(arguments: &Value, members: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for member in members {
        match arguments.get(member) {
            Some(Value::String(text)) => found.push(text.clone()),
            Some(Value::Array(several)) => {
                found.extend(several.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    // The hosts of a grant stand one deeper.
    if let Some(ids) = arguments.pointer("/hosts/ids").and_then(Value::as_array)
        && members == HOSTS
    {
        found.extend(ids.iter().filter_map(Value::as_str).map(str::to_owned));
    }
    found
}
