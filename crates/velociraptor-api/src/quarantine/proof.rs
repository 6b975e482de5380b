//! Did it work?

use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Action, LABEL, Plan, relabel};
use crate::clients;
use crate::fault::Fault;
use crate::flow_results;
use crate::flows::{self, Flow, FlowState, WaitEnd};
use crate::ids::{ClientId, FlowId};
use crate::results::RowQuery;
use crate::session::Session;

/// For how long the client must be heard of after the policy is in place.
const CONTACT: Duration = Duration::from_secs(30);

/// What is known of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Seen to be so.
    Proved,
    /// Seen not to be so.
    Failed,
    /// Not seen either way yet.
    Open,
}

/// One step of the proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was to be shown.
    pub what: &'static str,
    /// What is known.
    pub state: StepState,
    /// What was seen.
    pub seen: String,
}

/// What is proved.
#[derive(Clone, Debug, Serialize)]
pub struct Proof {
    /// The flow as it was seen last.
    pub flow: Flow,
    /// What the artifact reported, line by line.
    pub report: Vec<String>,
    /// The steps, in their order. What follows a step that failed was not tried.
    pub steps: Vec<Step>,
}

impl Proof {
    /// Whether every step is proved.
    pub fn holds(&self) -> bool {
        self.steps.len() == 3 && self.steps.iter().all(|step| step.state == StepState::Proved)
    }
}

/// Waits for the flow and proves the steps: the artifact reports success; the client is heard of
/// afterwards, so the way to the server is open; the label is as it should be. The label
/// [`LABEL`] is set only after the first two, and taken off where an isolation failed, so that it
/// never stands for what is not so.
///
/// # Errors
///
/// [`Fault::Query`] and what reading flows gives. That a step fails is no error.
pub async fn prove(
    session: &Session<'_>,
    plan: &Plan,
    flow: &FlowId,
    patience: Duration,
) -> Result<Proof, Fault> {
    let client = &plan.client().client_id;
    let waited = flows::wait(session, client, flow, patience, |_| {}).await?;
    let report = report(session, client, &waited.flow).await?;
    let mut proof = Proof { flow: waited.flow, report, steps: Vec::new() };
    let reported = reported(plan.action(), &proof, waited.end);
    let state = reported.state;
    proof.steps.push(reported);
    if state != StepState::Proved {
        if state == StepState::Failed && plan.action() == Action::Isolate {
            proof.steps.extend(unlabelled(session, client).await?);
        }
        return Ok(proof);
    }
    let contact = contact(session, client, &proof.flow).await?;
    let goes_on = contact.state == StepState::Proved;
    proof.steps.push(contact);
    if goes_on || plan.action() == Action::Release {
        proof.steps.push(label(session, client, plan.action()).await?);
    }
    Ok(proof)
}

/// The lines of the artifact's report.
async fn report(
    session: &Session<'_>,
    client: &ClientId,
    flow: &Flow,
) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    for table in &flow.tables {
        let wanted = RowQuery { count: 1000, ..RowQuery::default() };
        let page = flow_results::rows(session, client, &flow.flow_id, table, &wanted).await?;
        let line = |row: &crate::stream::Row| Some(row.get("Result")?.as_str()?.trim().to_owned());
        lines.extend(page.rows.iter().filter_map(|row| line(&row.row)));
    }
    Ok(lines)
}

/// Judges the report by the words of the three artifacts.
fn reported(action: Action, proof: &Proof, end: WaitEnd) -> Step {
    let what = match action {
        Action::Isolate => "the artifact reports that the policy is in place",
        Action::Release => "the artifact reports that the policy is gone",
    };
    let says =
        |words: &str| proof.report.iter().find(|line| line.to_lowercase().contains(words)).cloned();
    let failed = ["failed", "removing", "no policy applied", "could not be flushed"]
        .iter()
        .find_map(|words| says(words));
    let done = match action {
        Action::Isolate => proof.report.iter().find(|line| {
            let line = line.to_lowercase();
            line.contains("connection test successful") && !line.contains("forbidden")
        }),
        Action::Release => proof.report.iter().find(|line| {
            let line = line.to_lowercase();
            line.contains("removed") || line.contains("flushed") || line.contains("released")
        }),
    };
    let (state, seen) = match (proof.flow.state, end, failed, done) {
        (FlowState::Error, ..) => {
            let why = proof.flow.status.as_deref().unwrap_or("it does not say why");
            (StepState::Failed, format!("the flow failed: {why}"))
        }
        (FlowState::Cancelled, ..) => {
            (StepState::Failed, String::from("somebody cancelled the flow"))
        }
        (_, _, Some(line), _) => (StepState::Failed, line),
        (FlowState::Finished, _, None, Some(line)) => (StepState::Proved, line.clone()),
        (FlowState::Finished, _, None, None) => {
            (StepState::Failed, String::from("the flow ended well and reported nothing"))
        }
        (state, WaitEnd::Offline, ..) => {
            (StepState::Open, format!("the client is offline, the flow is {state}"))
        }
        (state, ..) => (StepState::Open, format!("the flow is {state} still")),
    };
    Step { what, state, seen }
}

/// Waits until the client was heard of after the flow's last word.
async fn contact(session: &Session<'_>, client: &ClientId, flow: &Flow) -> Result<Step, Fault> {
    let what = "the client still reaches the server";
    let end = Instant::now() + CONTACT;
    loop {
        let seen = clients::existing(session, client).await?.and_then(|client| client.last_seen);
        if let (Some(seen), Some(spoke)) = (seen, flow.active)
            && seen > spoke
        {
            let text = format!("seen at {seen}, after the flow's last word at {spoke}");
            return Ok(Step { what, state: StepState::Proved, seen: text });
        }
        if Instant::now() >= end {
            let last = seen.map_or_else(|| String::from("never"), |at| at.to_string());
            let text = format!("last seen {last}, not since the flow ended");
            return Ok(Step { what, state: StepState::Open, seen: text });
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Takes the label off a client that it does not stand for: the policy is not in place. None where
/// the client did not carry it.
async fn unlabelled(session: &Session<'_>, client: &ClientId) -> Result<Option<Step>, Fault> {
    let found = clients::existing(session, client).await?;
    let carries = |client: &clients::Client| {
        client.labels.iter().any(|label| label.eq_ignore_ascii_case(LABEL))
    };
    if !found.as_ref().is_some_and(carries) {
        return Ok(None);
    }
    label(session, client, Action::Release).await.map(Some)
}

async fn label(session: &Session<'_>, client: &ClientId, action: Action) -> Result<Step, Fault> {
    let (what, seen) = match action {
        Action::Isolate => ("the client carries the label", "is among its labels, read back"),
        Action::Release => {
            ("the client carries the label no more", "is not among its labels, read back")
        }
    };
    Ok(match relabel(session, client, action).await {
        Ok(()) => Step { what, state: StepState::Proved, seen: format!("{LABEL} {seen}") },
        Err(Fault::Unproved { what: seen, .. }) => Step { what, state: StepState::Failed, seen },
        Err(fault) => return Err(fault),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof(state: FlowState, report: &[&str]) -> Proof {
        let flow = Flow {
            flow_id: FlowId::parse("F.X").unwrap(),
            client_id: ClientId::parse("C.0123456789abcdef").unwrap(),
            artifacts: Vec::new(),
            creator: String::new(),
            state,
            status: None,
            created: None,
            started: None,
            active: None,
            duration: Duration::ZERO,
            rows: 0,
            uploaded_files: 0,
            uploaded_bytes: 0,
            logs: 0,
            tables: Vec::new(),
        };
        let report = report.iter().map(|line| (*line).to_owned()).collect();
        Proof { flow, report, steps: Vec::new() }
    }

    #[test]
    fn a_policy_that_took_itself_back_is_a_failure() {
        for (report, state) in [
            (&["T added.", "T connection test successful."][..], StepState::Proved),
            (&["T failed connection test. Removing quarantine table."], StepState::Failed),
            (
                &[
                    "T connection test successful.",
                    "T failed forbidden connection test. Removing quarantine policy.",
                ],
                StepState::Failed,
            ),
            (&["T forbidden connection test successful."], StepState::Failed),
            (&[], StepState::Failed),
        ] {
            let step =
                reported(Action::Isolate, &proof(FlowState::Finished, report), WaitEnd::Ended);
            assert_eq!(step.state, state, "{report:?}: {}", step.seen);
        }
    }

    #[test]
    fn what_has_not_ended_is_open_and_an_error_is_a_failure() {
        let step = reported(Action::Isolate, &proof(FlowState::Waiting, &[]), WaitEnd::Offline);
        assert_eq!(step.state, StepState::Open);
        let step = reported(Action::Release, &proof(FlowState::Error, &[]), WaitEnd::Ended);
        assert_eq!(step.state, StepState::Failed);
        let report = ["vrr_quarantine_table table removed."];
        let step = reported(Action::Release, &proof(FlowState::Finished, &report), WaitEnd::Ended);
        assert_eq!(step.state, StepState::Proved);
    }
}
