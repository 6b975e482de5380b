//! What became of a collection on one client.

use guard::size::at_most;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_api::artifacts::Definition;
use velociraptor_api::clients::Client;
use velociraptor_api::collections::InForce;
use velociraptor_api::flows::{Bound, Flow, FlowState};
use velociraptor_api::{FlowId, Os};

use crate::clock;
use crate::page::Row;
use crate::tool_error::ToolError;

/// One client's part.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    pub(super) hostname: String,
    pub(super) state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flow_id: Option<String>,
    /// An equal collection that was there already; nothing was started.
    pub(super) existing: bool,
    pub(super) rows: u64,
    pub(super) uploads: u64,
    pub(super) seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tables: Vec<TableRows>,
    /// Bytes that were uploaded, where nothing more will come.
    #[serde(skip)]
    pub(super) bytes: Option<u64>,
    /// Kept so that a call about one client fails as an error and not as an outcome.
    #[serde(skip)]
    pub(super) refusal: Option<ToolError>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// It ended well.
    Finished,
    /// It ended badly. There may be rows all the same.
    Failed,
    /// Somebody ended it. There may be rows all the same.
    Cancelled,
    /// A bound of the collection ended it. There may be more than was found.
    Cut,
    /// The agent has it, or will have it in a moment.
    #[default]
    Pending,
    /// It waits until the client connects.
    Offline,
    /// It ran and did not look: it is for other systems.
    NotApplicable,
    /// It was sent, and what came of it is not what was asked for, or not known.
    Unproved,
    /// It was not started.
    Refused,
}

/// A table, and its first rows.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct TableRows {
    pub(super) table: String,
    pub(super) rows: u64,
    /// Where all of them are.
    pub(super) handle: String,
    /// Columns with cells of which only the beginning is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) cut: Vec<String>,
    #[serde(skip)]
    pub(super) columns: Vec<String>,
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub(super) first: Vec<Row>,
}

impl Word {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::Cut => "CUT",
            Self::Pending => "PENDING",
            Self::Offline => "OFFLINE",
            Self::NotApplicable => "NOT APPLICABLE",
            Self::Unproved => "UNPROVED",
            Self::Refused => "REFUSED",
        }
    }
}

impl Outcome {
    /// One that could not be started.
    pub(super) fn refused(given: &str, client: Option<&Client>, error: ToolError) -> Self {
        let hostname = client.map_or(given, |client| client.hostname.as_str());
        let reason = match &error.next_step {
            Some(next) => format!("{}; {next}", error.message),
            None => error.message.clone(),
        };
        Self {
            client_id: client.map(|client| client.client_id.to_string()),
            hostname: hostname.to_owned(),
            state: Word::Refused,
            reason: Some(reason),
            bytes: Some(0),
            refusal: Some(error),
            ..Self::default()
        }
    }

    /// One that was sent, and may run or runs otherwise than was asked for. It is an outcome and
    /// no error even where one client was named, so that nobody starts it a second time.
    pub(super) fn unproved(mut self, flow: Option<&FlowId>, what: &str) -> Self {
        let next = match flow {
            Some(flow) => format!(
                "get_flow_status with flow {flow} shows what it does, cancel_flow ends it; look \
                 before you collect again"
            ),
            None => String::from(
                "it may run all the same: list_flows shows it; look before you collect again",
            ),
        };
        self.flow_id = flow.map(ToString::to_string);
        self.state = Word::Unproved;
        self.reason = Some(format!("{what}; {next}"));
        self
    }

    /// Adds to the reason.
    pub(super) fn note(&mut self, note: String) {
        self.reason = Some(match self.reason.take() {
            Some(reason) => format!("{reason}; {note}"),
            None => note,
        });
    }

    /// Says that a bound ended the flow, and what that means for its rows.
    pub(super) fn cut(&mut self, bound: Bound, bounds: &InForce) {
        self.state = Word::Cut;
        let (was, more) = match bound {
            Bound::Rows => (
                match bounds.rows {
                    Some(rows) => format!("max_rows {rows} was passed"),
                    None => String::from("its limit of rows was passed"),
                },
                "a larger max_rows",
            ),
            Bound::Time => {
                (format!("timeout {} s was reached", bounds.seconds), "a larger timeout")
            }
            Bound::Uploads => (
                match bounds.bytes {
                    Some(bytes) => format!("its limit of uploads, {}, was passed", at_most(bytes)),
                    None => String::from("its limit of uploads was passed"),
                },
                "a larger max_mb",
            ),
        };
        self.reason = Some(format!(
            "{was} and the collection was ended, so there may be more than was found; {more} or \
             narrower parameters give all"
        ));
    }

    /// Takes over how many rows are kept: of a flow that ended badly the last that were counted
    /// may never have arrived.
    pub(super) fn kept(&mut self, kept: u64) {
        if kept < self.rows {
            self.note(format!("{} rows were counted, {kept} of them arrived", self.rows));
            self.rows = kept;
        }
    }

    /// Takes over what a flow says of itself.
    pub(super) fn read(&mut self, flow: &Flow) {
        self.flow_id = Some(flow.flow_id.to_string());
        self.rows = flow.rows;
        self.uploads = flow.uploaded_files;
        // Whole milliseconds: what is below is not measured.
        self.seconds = (flow.duration.as_secs_f64() * 1000.0).round() / 1000.0;
        self.state = match flow.state {
            FlowState::Finished => Word::Finished,
            FlowState::Error => Word::Failed,
            FlowState::Cancelled => Word::Cancelled,
            _ => Word::Pending,
        };
        // Of one that ended badly more may be on its way.
        self.bytes = (self.state == Word::Finished).then_some(flow.uploaded_bytes);
        if matches!(self.state, Word::Failed | Word::Cancelled) {
            self.reason = Some(flow.status.clone().unwrap_or_else(|| {
                String::from("it ended in error without a reason; get_flow_status shows its log")
            }));
        }
    }

    /// Says that the client is away and the collection waits for it.
    pub(super) fn away(&mut self, last_seen: Option<Timestamp>, until: Option<Timestamp>) {
        self.state = Word::Offline;
        let now = clock::now();
        // The server knows no end of a wait: it is this program that takes it back.
        let until = until.map_or_else(String::new, |until| {
            let until = clock::to_second(until);
            format!(" until {until}, and is taken back when megaraptor next runs after that")
        });
        self.reason = Some(format!(
            "offline, last seen {}; it waits for the client{until}; cancel_flow takes it back",
            clock::dated(now, last_seen)
        ));
    }

    /// Says that nothing was started because this is there already.
    pub(super) fn reused(&mut self, flow: &Flow) {
        self.existing = true;
        self.bytes = Some(0);
        let now = clock::now();
        let age = flow.created.map(|at| clock::age(now, at)).unwrap_or_default();
        self.note(format!("the same was asked for {age}; again=true collects it anew"));
    }

    /// An artifact for other systems ends well with no rows: that is no finding.
    /// `filled` are the tables that have rows.
    pub(super) fn judge(&mut self, definitions: &[Definition], os: Option<Os>, filled: &[String]) {
        let Some(os) = os else { return };
        let other = |definition: &&Definition| {
            let systems = definition.systems();
            let told = definition.tables().iter().any(|table| filled.contains(table));
            !systems.is_empty() && !systems.contains(&os) && !told
        };
        let others: Vec<&str> =
            definitions.iter().filter(other).map(|definition| definition.name.as_str()).collect();
        let ended =
            matches!(self.state, Word::Finished | Word::Failed | Word::Cancelled | Word::Cut);
        if others.is_empty() || !ended {
            return;
        }
        if self.rows == 0 && self.state == Word::Finished && others.len() == definitions.len() {
            self.state = Word::NotApplicable;
        }
        self.note(format!("not for {os}, so nothing was looked at: {}", others.join(", ")));
    }

    /// Says that no query applied to the client.
    pub(super) fn applied_nowhere(&mut self) {
        self.state = Word::NotApplicable;
        self.note(String::from(
            "the preconditions do not hold on this client, so nothing was looked at",
        ));
    }

    /// Says that it is not known whether a query applied.
    pub(super) fn may_have_looked(&mut self) {
        self.state = Word::Unproved;
        self.note(String::from(
            "its log lacks the lines that would say whether it looked at all (agents can lose them): \
             that it found nothing is not established; collect it again",
        ));
    }
}

#[cfg(test)]
pub(super) fn plain(state: Word) -> Outcome {
    Outcome { state, ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(name: &str) -> Definition {
        serde_json::from_value(json!({
            "Name": name, "Type": "client", "Description": "", "Author": "", "Reference": [],
            "Aliases": [], "BuiltIn": true, "RequiredPermissions": [], "ImpliedPermissions": [],
            "Impersonate": "", "Precondition": "", "Parameters": [], "Sources": [], "Tools": [],
            "ColumnTypes": [], "Resources": {}, "Metadata": {},
        }))
        .unwrap()
    }

    #[test]
    fn nothing_found_by_an_artifact_for_another_system_is_no_finding() {
        let windows = [definition("Windows.System.Pslist")];
        let mut outcome = plain(Word::Finished);
        outcome.judge(&windows, Some(Os::Linux), &[]);
        assert_eq!(outcome.state, Word::NotApplicable);
        assert!(outcome.reason.unwrap().contains("nothing was looked at"));

        let mut outcome = plain(Word::Finished);
        outcome.judge(&windows, Some(Os::Windows), &[]);
        assert_eq!((outcome.state, outcome.reason), (Word::Finished, None));

        let both = [definition("Windows.System.Pslist"), definition("Linux.Sys.Pslist")];
        let mut outcome = plain(Word::Finished);
        outcome.judge(&both, Some(Os::Linux), &[String::from("Linux.Sys.Pslist")]);
        assert_eq!(outcome.state, Word::Finished);
        assert!(outcome.reason.unwrap().contains("Windows.System.Pslist"));
    }

    #[test]
    fn what_was_sent_and_is_not_proved_is_no_refusal_and_keeps_its_flow() {
        let flow = FlowId::parse("F.A").unwrap();
        let outcome = plain(Word::Pending).unproved(Some(&flow), "flow F.A was started, but so");
        assert_eq!((outcome.state, outcome.flow_id.as_deref()), (Word::Unproved, Some("F.A")));
        assert!(outcome.refusal.is_none(), "one client's call is no error that invites another");
        let reason = outcome.reason.unwrap();
        assert!(reason.contains("flow F.A was started, but so"), "{reason}");
        assert!(reason.contains("cancel_flow ends it"), "{reason}");
        let outcome = plain(Word::Pending).unproved(None, "no answer");
        assert!(outcome.reason.unwrap().contains("list_flows"));
    }

    #[test]
    fn a_bound_that_ended_it_is_named_with_what_it_costs() {
        let bounds = InForce { bytes: Some(50_000_000), rows: Some(100), seconds: 60 };
        let mut outcome = Outcome { rows: 101, ..plain(Word::Failed) };
        outcome.cut(Bound::Rows, &bounds);
        outcome.kept(40);
        assert_eq!((outcome.state, outcome.rows), (Word::Cut, 40));
        insta::assert_snapshot!(outcome.reason.unwrap(), @"max_rows 100 was passed and the collection was ended, so there may be more than was found; a larger max_rows or narrower parameters give all; 101 rows were counted, 40 of them arrived");
        for (bound, told) in [
            (Bound::Time, "timeout 60 s was reached"),
            (Bound::Uploads, "its limit of uploads, 50 MB, was passed"),
        ] {
            let mut outcome = plain(Word::Failed);
            outcome.cut(bound, &bounds);
            assert!(outcome.reason.as_ref().unwrap().starts_with(told), "{outcome:?}");
        }
    }

    #[test]
    fn d74_a_refusal_names_the_cause_and_what_to_do() {
        let error = ToolError::invalid("no client is known as \"X\"").next("list_clients");
        let outcome = Outcome::refused("X", None, error);
        assert_eq!(outcome.state, Word::Refused);
        assert_eq!(outcome.reason.unwrap(), "no client is known as \"X\"; list_clients");
    }
}
