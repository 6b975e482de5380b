//! The settings of a policy, each with the place that it comes from.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use velociraptor_api::ClientId;

use super::glob::Glob;
use crate::effect::Effect;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// It runs.
    Allow,
    /// A person is asked.
    Ask,
    /// It is refused.
    Deny,
}

impl Mode {
    pub(super) const WORDS: &'static [&'static str] = &["allow", "ask", "deny"];

    /// The word in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Self::Allow, Self::Ask, Self::Deny].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// Where a setting was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Nowhere: it is built in.
    Default,
    /// In a file.
    File {
        /// Its path.
        path: String,
        /// The line, counted from 1.
        line: usize,
    },
    /// In a variable of the environment.
    Environment {
        /// Its name.
        name: String,
    },
    /// On the command line.
    Flag {
        /// The option as it was written.
        text: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Environment { name } => f.write_str(name),
            Self::Flag { text } => f.write_str(text),
        }
    }
}

/// The setting that decided, as it is told and recorded: `collect = ask, by the default`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// The setting with its value where that is short.
    pub setting: String,
    /// Where it was made.
    pub origin: Origin,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, by {}", self.setting, self.origin)
    }
}

#[cfg(test)]
impl Rule {
    pub(crate) fn example() -> Self {
        Self { setting: "collect = ask".to_owned(), origin: Origin::Default }
    }
}

/// A value with its origin.
#[derive(Clone, Debug)]
pub(super) struct Set<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<T> Set<T> {
    const fn built_in(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    pub(super) fn rule(&self, setting: impl Into<String>) -> Rule {
        Rule { setting: setting.into(), origin: self.origin.clone() }
    }
}

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Switch,
    Mode(Effect),
    Words(List),
    Number(Bound),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    VqlServer,
    VqlEndpoint,
    Servers,
    Orgs,
    Protected,
    ArtifactsAllow,
    ArtifactsDeny,
    ToolsAsk,
    ToolsDeny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Clients,
    HuntClients,
    InChatClients,
    Bytes,
    Rows,
    Seconds,
    CallsPerMinute,
}

/// One key of `[policy]`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name; those with a dot stand in `[policy.limits]`.
    pub name: &'static str,
    /// The value that it has where nobody sets it, as it would be written.
    pub default: &'static str,
    /// What it does, for documents.
    pub says: &'static str,
    pub(super) kind: Kind,
}

const fn key(name: &'static str, default: &'static str, kind: Kind, says: &'static str) -> Key {
    Key { name, default, says, kind }
}

/// Every key.
pub const KEYS: &[Key] = &[
    key(
        "read_only",
        "false",
        Kind::Switch,
        "only reading; wins over everything else, and no other place can take it back",
    ),
    key("read", "\"allow\"", Kind::Mode(Effect::Read), "what reads: allow, ask or deny"),
    key(
        "collect",
        "\"ask\"",
        Kind::Mode(Effect::Collect),
        "what makes machines work and keeps the results",
    ),
    key(
        "respond",
        "\"ask\"",
        Kind::Mode(Effect::Respond),
        "what changes an endpoint or how it is treated",
    ),
    key("deploy", "\"ask\"", Kind::Mode(Effect::Deploy), "what stands something up"),
    key("destroy", "\"ask\"", Kind::Mode(Effect::Destroy), "what takes something down for good"),
    key(
        "vql_server",
        "[]",
        Kind::Words(List::VqlServer),
        "what VQL may do on the server beyond reading",
    ),
    key(
        "vql_endpoint",
        "[]",
        Kind::Words(List::VqlEndpoint),
        "what VQL may do on an endpoint and still count as a collection",
    ),
    key("servers", "all", Kind::Words(List::Servers), "the only servers that may be used"),
    key("orgs", "all", Kind::Words(List::Orgs), "the only orgs that may be used"),
    key(
        "protected_clients",
        "[]",
        Kind::Words(List::Protected),
        "ids of clients that nothing changes and that are collected from only when approved on a terminal",
    ),
    key(
        "artifacts_allow",
        "all",
        Kind::Words(List::ArtifactsAllow),
        "patterns of the only artifacts that may run",
    ),
    key(
        "artifacts_deny",
        "[]",
        Kind::Words(List::ArtifactsDeny),
        "patterns of artifacts that may not run, called by others or not; case does not count",
    ),
    key(
        "tools_ask",
        "[]",
        Kind::Words(List::ToolsAsk),
        "tools that are asked for although their effect is allowed",
    ),
    key("tools_deny", "[]", Kind::Words(List::ToolsDeny), "tools that may not be used"),
    key(
        "limits.clients",
        "100",
        Kind::Number(Bound::Clients),
        "most clients that a call other than a hunt touches",
    ),
    key(
        "limits.hunt_clients",
        "none",
        Kind::Number(Bound::HuntClients),
        "most clients that a hunt reaches when it is made",
    ),
    key(
        "limits.in_chat_clients",
        "50",
        Kind::Number(Bound::InChatClients),
        "most clients of a collection or hunt for which the chat is enough",
    ),
    key(
        "limits.bytes",
        "none",
        Kind::Number(Bound::Bytes),
        "most bytes that a call brings in: a number, or a text such as \"500 MB\"",
    ),
    key("limits.rows", "none", Kind::Number(Bound::Rows), "most rows that a call brings in"),
    key(
        "limits.seconds",
        "none",
        Kind::Number(Bound::Seconds),
        "most seconds of work on a machine",
    ),
    key(
        "limits.calls_per_minute",
        "600",
        Kind::Number(Bound::CallsPerMinute),
        "most calls of one caller in a minute",
    ),
];

/// All settings.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) read_only: Set<bool>,
    pub(super) modes: [Set<Mode>; Effect::ALL.len()],
    pub(super) vql_server: Set<Vec<String>>,
    pub(super) vql_endpoint: Set<Vec<String>>,
    pub(super) servers: Set<Option<Vec<String>>>,
    pub(super) orgs: Set<Option<Vec<String>>>,
    pub(super) protected: Set<BTreeSet<ProtectedId>>,
    pub(super) artifacts_allow: Set<Option<Vec<Glob>>>,
    pub(super) artifacts_deny: Set<Vec<Glob>>,
    pub(super) tools_ask: Set<Vec<String>>,
    pub(super) tools_deny: Set<Vec<String>>,
    pub(super) clients: Set<Option<u64>>,
    pub(super) hunt_clients: Set<Option<u64>>,
    pub(super) in_chat_clients: Set<Option<u64>>,
    pub(super) bytes: Set<Option<u64>>,
    pub(super) rows: Set<Option<u64>>,
    pub(super) seconds: Set<Option<u64>>,
    pub(super) calls_per_minute: Set<Option<u64>>,
}

/// A client id that is compared without regard to case: an id that is written differently must not
/// slip past the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProtectedId(String);

impl ProtectedId {
    pub(super) fn of(id: &ClientId) -> Self {
        Self(id.as_str().to_ascii_lowercase())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Settings {
    fn default() -> Self {
        let of = |effect| match effect {
            Effect::Read => Mode::Allow,
            _ => Mode::Ask,
        };
        Self {
            read_only: Set::built_in(false),
            modes: Effect::ALL.map(|effect| Set::built_in(of(effect))),
            vql_server: Set::built_in(Vec::new()),
            vql_endpoint: Set::built_in(Vec::new()),
            servers: Set::built_in(None),
            orgs: Set::built_in(None),
            protected: Set::built_in(BTreeSet::new()),
            artifacts_allow: Set::built_in(None),
            artifacts_deny: Set::built_in(Vec::new()),
            tools_ask: Set::built_in(Vec::new()),
            tools_deny: Set::built_in(Vec::new()),
            clients: Set::built_in(Some(100)),
            hunt_clients: Set::built_in(None),
            in_chat_clients: Set::built_in(Some(50)),
            bytes: Set::built_in(None),
            rows: Set::built_in(None),
            seconds: Set::built_in(None),
            calls_per_minute: Set::built_in(Some(600)),
        }
    }
}

impl Settings {
    pub(super) const fn mode(&self, effect: Effect) -> &Set<Mode> {
        &self.modes[effect as usize]
    }

    pub(super) const fn bound_mut(&mut self, bound: Bound) -> &mut Set<Option<u64>> {
        match bound {
            Bound::Clients => &mut self.clients,
            Bound::HuntClients => &mut self.hunt_clients,
            Bound::InChatClients => &mut self.in_chat_clients,
            Bound::Bytes => &mut self.bytes,
            Bound::Rows => &mut self.rows,
            Bound::Seconds => &mut self.seconds,
            Bound::CallsPerMinute => &mut self.calls_per_minute,
        }
    }
}
