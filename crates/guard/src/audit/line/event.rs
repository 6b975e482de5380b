//! What a line says: a call's beginning and end, and the record's own doings.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use velociraptor_api::ClientId;

use crate::audit::decided::Decided;
use crate::digest::Digest;
use crate::effect::Effect;
use crate::permit::Authority;
use crate::policy::Rule;

/// Most endpoints that a line names.
const NAMED: usize = 50;

/// The kinds of line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::audit) enum Kind {
    Log,
    Start,
    Intent,
    Outcome,
    Checkpoint,
    Torn,
    Rotate,
    Continue,
    Copy,
    Decided,
    Emergency,
    Stop,
}

/// A line's content, as it is written and read.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(in crate::audit) enum Event<'a> {
    /// The first line of a log.
    Log { log: Cow<'a, str>, key: Cow<'a, str> },
    /// A process began to write. `emergency` is the last line of the emergency file at that time.
    Start {
        program: Cow<'a, str>,
        pid: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        emergency: Option<EmergencyTip>,
    },
    /// A call is about to run, or was refused.
    Intent(Cow<'a, Intent>),
    /// What came of a call.
    Outcome(Cow<'a, Ended>),
    /// A signature over the line before this one.
    Checkpoint { sig: Cow<'a, str> },
    /// A process died while it wrote: these bytes of this file are no lines, and are kept.
    Torn { at: u64, bytes: u64, sha256: Digest },
    /// The last line of a file.
    Rotate { next: u64 },
    /// The first line of a file that is not the first.
    Continue { log: Cow<'a, str>, from: u64 },
    /// The second sink failed, or works again.
    Copy { to: Cow<'a, str>, state: Cow<'a, str> },
    /// What a person decided, apart from a call.
    Decided(Cow<'a, Decided>),
    /// What an emergency stop did.
    Emergency { call: Cow<'a, str>, text: Cow<'a, str> },
    /// A process ended in order.
    Stop {},
}

/// The last line of the emergency file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct EmergencyTip {
    pub(in crate::audit) lines: u64,
    pub(in crate::audit) hash: Digest,
}

/// A call that is about to run, as the caller's side knows it. Secrets in the arguments and in the
/// VQL text are masked before it is written; long ones are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The call's id, unique within the process, for example the request's id.
    pub call: String,
    /// Who calls.
    pub who: Who,
    /// The tool's name.
    pub tool: String,
    /// The arguments as they came.
    pub arguments: Value,
    /// The text that is sent, where the call is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vql: Option<String>,
    /// The server's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The org's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The identity that is to be used, where it is known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// What the call may do.
    pub effect: Effect,
    /// The digest of the request, which a person's decision about it names too. Reads have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Digest>,
    /// The endpoints that it touches, where that was found out before it ran: the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<Endpoint>,
    /// How many those are, where not all are named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_count: Option<u64>,
    /// What was decided, and by whom.
    pub decision: Decision,
}

/// An endpoint as it was resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub client: ClientId,
    /// What it calls itself; nobody checks it.
    pub name: String,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            return write!(f, "{}", self.client);
        }
        write!(f, "{} {}", self.name, self.client)
    }
}

impl Intent {
    /// A call of which no more is known.
    pub fn new(
        call: String,
        who: Who,
        tool: impl Into<String>,
        arguments: Value,
        effect: Effect,
        decision: Decision,
    ) -> Self {
        Self {
            call,
            who,
            tool: tool.into(),
            arguments,
            vql: None,
            server: None,
            org: None,
            identity: None,
            effect,
            request: None,
            hosts: Vec::new(),
            host_count: None,
            decision,
        }
    }

    /// The same at that server and org.
    #[must_use]
    pub fn at(self, server: Option<String>, org: Option<String>) -> Self {
        Self { server, org, ..self }
    }

    /// The same on these endpoints, of which the first are named.
    #[must_use]
    pub fn on(self, hosts: impl ExactSizeIterator<Item = Endpoint>) -> Self {
        let count = hosts.len();
        let hosts: Vec<_> = hosts.take(NAMED).collect();
        let host_count = (count > hosts.len()).then_some(count as u64);
        Self { hosts, host_count, ..self }
    }
}

/// Who calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// What the MCP client says it is. Nobody checks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientName>,
    /// How the call came: stdio, http, cli.
    pub transport: String,
    /// The account that runs the program, where no token says who calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Whom the token of an HTTP call was given to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// The name and version that an MCP client gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientName {
    /// Such as `claude-code`.
    pub name: String,
    /// Such as `2.1`.
    pub version: String,
}

/// What was decided about a call, and on whose word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Decision {
    /// It runs.
    Allowed {
        /// On whose word.
        on: Authority,
    },
    /// It does not run before somebody was asked.
    Asked {
        /// The setting that asks.
        rule: Rule,
    },
    /// It failed, or its caller went away, before it was decided: it does not run.
    Undecided {
        /// Why, in words.
        why: String,
    },
    /// It does not run.
    Refused {
        /// The setting that refuses, where one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rule: Option<Rule>,
        /// Why, in words.
        why: String,
    },
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, or the error's code.
    pub code: String,
    /// The SHA-256 and length in bytes of the answer as it goes out, where there is one.
    pub answer: Option<(Digest, u64)>,
    /// The identity that was used, where it was chosen during the call.
    pub identity: Option<String>,
}

impl Outcome {
    /// A call that was answered with these bytes.
    pub fn answered(code: impl Into<String>, answer: &[u8]) -> Self {
        let length = u64::try_from(answer.len()).unwrap_or(u64::MAX);
        Self { code: code.into(), answer: Some((Digest::of_bytes(answer), length)), identity: None }
    }

    /// Asked as this identity.
    #[must_use]
    pub fn by(self, identity: Option<String>) -> Self {
        Self { identity, ..self }
    }

    /// A call without an answer, such as one that was refused.
    pub fn without_answer(code: impl Into<String>) -> Self {
        Self { code: code.into(), answer: None, identity: None }
    }
}

/// The line of an [`Outcome`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::audit) struct Ended {
    pub(in crate::audit) call: String,
    pub(in crate::audit) tool: String,
    pub(in crate::audit) outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::audit) answer: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::audit) bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::audit) identity: Option<String>,
    pub(in crate::audit) took_us: u64,
}

/// What every line of the log begins with.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::audit) struct Stamp<'a> {
    pub(in crate::audit) seq: u64,
    /// By the wall clock, which may jump: the order is that of `seq`.
    pub(in crate::audit) time: jiff::Timestamp,
    /// Milliseconds since the process began to write, by a clock that does not jump.
    pub(in crate::audit) up_ms: u64,
    /// The writing process: an id made at its start.
    pub(in crate::audit) process: Cow<'a, str>,
}
