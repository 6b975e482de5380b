//! Which entries of a record.

use jiff::Timestamp;

use crate::effect::Effect;

use super::entry::{Entry, What};

/// Which entries. What is not set does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Begun at this time or later, by the wall clock.
    pub since: Option<Timestamp>,
    /// Begun before this time.
    pub until: Option<Timestamp>,
    /// Of this tool.
    pub tool: Option<String>,
    /// By this HTTP subject, MCP client, transport or account.
    pub who: Option<String>,
    /// About this host, by name or client id.
    pub client: Option<String>,
    /// With this effect.
    pub effect: Option<Effect>,
    /// With this outcome; `open` for calls without one, and what was done for decisions.
    pub outcome: Option<String>,
}

impl Filter {
    pub(super) fn admits(&self, entry: &Entry) -> bool {
        let time = entry.time();
        self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && self.tool.as_deref().is_none_or(|wanted| entry.tool() == Some(wanted))
            && self.client.as_deref().is_none_or(|wanted| entry.is_about(wanted))
            && self.who.as_deref().is_none_or(|wanted| is_by(entry, wanted))
            && self.effect.is_none_or(|wanted| effect(entry) == Some(wanted))
            && self.outcome.as_deref().is_none_or(|wanted| outcome(entry) == wanted)
    }
}

fn is_by(entry: &Entry, wanted: &str) -> bool {
    match &entry.what {
        What::Call(call) => {
            let who = &call.intent.who;
            who.subject.as_deref() == Some(wanted)
                || who.client.as_ref().is_some_and(|client| client.name == wanted)
                || who.account.as_deref() == Some(wanted)
                || who.transport == wanted
        }
        What::Decided(ruling) => {
            let asked_by = ruling.decided.asked_by.as_ref();
            ruling.decided.by.user == wanted
                || asked_by.is_some_and(|by| by.subject == wanted || by.program == wanted)
        }
        What::Emergency(_) => false,
    }
}

fn effect(entry: &Entry) -> Option<Effect> {
    match &entry.what {
        What::Call(call) => Some(call.intent.effect),
        What::Decided(ruling) => ruling.decided.effect,
        What::Emergency(_) => None,
    }
}

fn outcome(entry: &Entry) -> &str {
    match &entry.what {
        What::Call(call) => call.outcome.as_deref().unwrap_or("open"),
        What::Decided(ruling) => ruling.decided.act.as_str(),
        What::Emergency(_) => "emergency",
    }
}
