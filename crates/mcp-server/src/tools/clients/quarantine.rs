//! `quarantine_client`.

use std::fmt::Write;
use std::time::Duration;

use guard::asked::Place;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::quarantine::{self, Action, Options, Plan, Proof, Sent, StepState};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render, State};
use crate::clock;
use crate::context::ToolCx;
use crate::gateway::{Go, Work, programs};
use crate::resolve;
use crate::tool::{Acts, Effect, Tool};
use crate::tool_error::{Code, ToolError};

/// `quarantine_client`.
pub(super) struct QuarantineClient;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id or host name
    client: String,
    action: Wanted,
    /// Shown on the client's screen; nobody is told otherwise
    message: Option<String>,
    /// Must be unreachable afterwards, default a public web site; not on Windows
    forbidden_url: Option<String>,
    /// If offline, wait for it this long
    #[schemars(range(min = 1, max = 720))]
    queue_hours: Option<u64>,
    /// Release it although nothing says that it is isolated
    #[serde(default)]
    anyway: bool,
    /// Seconds to wait for the proof, default 60
    #[schemars(range(min = 1, max = 600))]
    wait: Option<u64>,
}

/// Cut it off, or let it back
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    Isolate,
    Release,
}

/// What was done, and what is proved of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    hostname: String,
    action: String,
    artifact: String,
    /// All steps are proved. Until then nothing may be taken for done.
    proved: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    report: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<String>,
    /// Waits for the client; stopping it takes the order back.
    #[serde(skip_serializing_if = "Option::is_none")]
    hunt_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    expires: Option<Timestamp>,
    /// It waited already; no second one was made.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    existing: bool,
    /// Hunts and flows for the opposite, stopped and read back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    taken_back: Vec<String>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Step {
    step: String,
    state: String,
    seen: String,
}

impl Tool for QuarantineClient {
    const NAME: &'static str = "quarantine_client";
    const TITLE: &'static str = "Isolate or release a client";
    const DESCRIPTION: &'static str = "Cuts an endpoint off from all network but its Velociraptor \
        server, or lets it back, and proves it: the report from the endpoint, renewed contact, the \
        label Quarantine. An offline client is refused unless queue_hours says how long to wait.";
    const EFFECT: Effect = Effect::Respond;
    const NEEDS: &'static [Permission] = &[
        Permission::AnyQuery,
        Permission::ReadResults,
        Permission::CollectClient,
        Permission::LabelClient,
        Permission::Execve,
        Permission::Network,
    ];
    type Input = Input;
    type Output = Output;
}

/// The order, checked, and how long its proof is awaited.
pub(super) struct Prepared {
    plan: Plan,
    patience: Duration,
}

impl Acts for QuarantineClient {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        if let Some(hours) = input.queue_hours.filter(|hours| !(1..=720).contains(hours)) {
            return Err(ToolError::invalid(format!("queue_hours is from 1 to 720, not {hours}")));
        }
        let id = resolve::for_change(session, &input.client).await?.id;
        let action = match input.action {
            Wanted::Isolate => Action::Isolate,
            Wanted::Release => Action::Release,
        };
        let options = Options {
            message: input.message,
            forbidden_url: input.forbidden_url,
            wait_for_client: input.queue_hours.map(|hours| Duration::from_secs(hours * 3600)),
            anyway: input.anyway,
        };
        let plan = quarantine::plan(session, &id, action, &options).await.map_err(|fault| {
            let error = ToolError::from(fault);
            match (error.code, action) {
                (Code::Offline, _) => {
                    error.next("queue_hours lets the order wait for the client, and expire")
                }
                (Code::Conflict, Action::Release) if error.next_step.is_none() => {
                    error.next("if it is isolated all the same, anyway releases it")
                }
                _ => error,
            }
        })?;
        let (effect, undo) = match action {
            Action::Isolate => {
                ("blocks all but Velociraptor, DNS, DHCP", "release; nothing automatic")
            }
            Action::Release => ("lets the endpoint back on the network", "isolate again"),
        };
        let mut work = Work::that(effect)
            .on([plan.client().clone()])
            .collecting(plan.in_force(), 1)
            .running(programs::of_artifacts(session, &[plan.artifact()], Place::Endpoint).await?)
            .undone_by(undo)
            .proved_by("its report, renewed contact with the server, the label read back");
        // Said whether or not the client is there now: it may come or go before somebody agrees.
        if let Some(hours) = input.queue_hours {
            work = work.expiring(hours * 3600);
        }
        if !plan.client().is_online() {
            work = work.needing(vec![Permission::StartHunt]);
        }
        let patience = Duration::from_secs(input.wait.unwrap_or(60).min(600));
        Ok((work, Prepared { plan, patience }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        Prepared { plan, patience }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let id = plan.client().client_id.clone();
        cx.progress.report(0, Some(2), &format!("{}: sending", plan.artifact()));
        let mut data = Output::of(&plan);
        let order = quarantine::send(session, &plan).await?;
        let hunts = order.taken_back.hunts.iter().map(ToString::to_string);
        data.taken_back =
            hunts.chain(order.taken_back.flows.iter().map(ToString::to_string)).collect();
        let state = match order.sent {
            Sent::Queued { hunt, expires, existing } => {
                go.started_hunt(&hunt).await;
                data.hunt_id = Some(hunt.to_string());
                data.expires = expires.map(clock::to_second);
                data.existing = existing;
                State::Offline
            }
            Sent::Nothing => State::Offline,
            Sent::Scheduled { flow } => {
                go.started_flow(&id, &flow.flow_id).await;
                cx.progress.report(1, Some(2), "sent; waiting for the report and renewed contact");
                let proof = quarantine::prove(session, &plan, &flow.flow_id, patience).await?;
                data.prove(&proof);
                if let Some(failed) = failed(&data, &proof) {
                    return Err(failed);
                }
                if data.proved { State::Complete } else { State::Pending }
            }
        };
        let link = cx.link(&format!("/host/{id}"));
        Ok(Answer::of(cx, session, data).state(state).link(link))
    }
}

impl Output {
    fn of(plan: &Plan) -> Self {
        Self {
            client_id: plan.client().client_id.to_string(),
            hostname: plan.client().hostname.clone(),
            action: plan.action().as_str().to_owned(),
            artifact: plan.artifact().to_owned(),
            proved: false,
            steps: Vec::new(),
            report: Vec::new(),
            flow_id: None,
            hunt_id: None,
            expires: None,
            existing: false,
            taken_back: Vec::new(),
        }
    }

    fn prove(&mut self, proof: &Proof) {
        self.proved = proof.holds();
        self.flow_id = Some(proof.flow.flow_id.to_string());
        self.report.clone_from(&proof.report);
        self.steps = proof
            .steps
            .iter()
            .map(|step| Step {
                step: step.what.to_owned(),
                state: String::from(match step.state {
                    StepState::Proved => "proved",
                    StepState::Failed => "failed",
                    StepState::Open => "open",
                }),
                seen: step.seen.clone(),
            })
            .collect();
    }
}

/// A step that failed is an error: an answer of any other kind would be read as done.
fn failed(data: &Output, proof: &Proof) -> Option<ToolError> {
    let step = proof.steps.iter().find(|step| step.state == StepState::Failed)?;
    let flow = &proof.flow.flow_id;
    let mut message = format!(
        "{} ({}) is not proved to be {}d: {} - no: {}",
        data.hostname, data.client_id, data.action, step.what, step.seen
    );
    for step in proof.steps.iter().skip(1).filter(|step| step.state == StepState::Proved) {
        let _ = write!(message, "; {}: {}", step.what, step.seen);
    }
    if !data.taken_back.is_empty() {
        let _ = write!(message, "; taken back before: {}", data.taken_back.join(", "));
    }
    Some(ToolError::new(Code::ServerFailed, message).next(format!(
        "get_flow_results with client {} and flow {flow} shows the report of {}",
        data.client_id, data.artifact
    )))
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = self.write(out);
    }
}

impl Output {
    fn write(&self, out: &mut String) -> std::fmt::Result {
        let unsent = self.hunt_id.is_none() && self.flow_id.is_none();
        let done = match (self.proved, self.hunt_id.is_some(), self.action.as_str()) {
            (true, _, "isolate") => "ISOLATED, proved",
            (true, ..) => "RELEASED, proved",
            (false, true, _) => "QUEUED, not done",
            (false, false, _) if unsent => "TAKEN BACK, no release sent",
            (false, false, _) => "SENT, NOT PROVED YET",
        };
        write!(out, "{} {}  {done}  {}", self.hostname, self.client_id, self.artifact)?;
        if let Some(flow) = &self.flow_id {
            write!(out, "  {flow}")?;
        }
        if !self.taken_back.is_empty() {
            let opposite = if self.action == "isolate" { "release" } else { "isolate" };
            write!(
                out,
                "\n  stopped, read back: {}, which would {opposite} it",
                self.taken_back.join(", ")
            )?;
        }
        for step in &self.steps {
            write!(out, "\n  {:<6}  {}: {}", step.state, step.step, step.seen)?;
        }
        if let Some(hunt) = &self.hunt_id {
            let until = self.expires.map_or_else(|| String::from("its expiry"), |t| t.to_string());
            let waits = if self.existing { "already waits" } else { "waits" };
            let opposite = if self.action == "isolate" { "release" } else { "isolate" };
            write!(
                out,
                "\n  The client is offline. Hunt {hunt} {waits} for it until {until}; {opposite} \
                 takes the order back. When it has run, call this again for the proof."
            )?;
        } else if unsent {
            out.push_str(
                "\n  The client is offline. If it was isolated before, it still is: queue_hours \
                 lets a release wait for it.",
            );
        } else if !self.proved {
            out.push_str("\n  get_flow_status follows it; calling this again proves it anew.");
        }
        for line in &self.report {
            write!(out, "\n  | {line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output() -> Output {
        Output {
            client_id: String::from("C.0123456789abcdef"),
            hostname: String::from("FIN-WS07"),
            action: String::from("isolate"),
            artifact: String::from("Windows.Remediation.Quarantine"),
            proved: false,
            steps: Vec::new(),
            report: Vec::new(),
            flow_id: None,
            hunt_id: None,
            expires: None,
            existing: false,
            taken_back: Vec::new(),
        }
    }

    #[test]
    fn d07_what_is_only_queued_or_sent_does_not_read_as_done() {
        let mut queued = output();
        queued.hunt_id = Some(String::from("H.1"));
        queued.expires = Timestamp::from_second(1_767_323_045).ok();
        let mut out = String::new();
        queued.render(&mut out);
        insta::assert_snapshot!(out, @r#"
        FIN-WS07 C.0123456789abcdef  QUEUED, not done  Windows.Remediation.Quarantine
          The client is offline. Hunt H.1 waits for it until 2026-01-02T03:04:05Z; release takes the order back. When it has run, call this again for the proof.
        "#);

        let mut sent = output();
        sent.flow_id = Some(String::from("F.1"));
        let mut out = String::new();
        sent.render(&mut out);
        assert!(out.contains("NOT PROVED YET") && !out.contains("ISOLATED"), "{out}");
    }

    #[test]
    fn d07_nobody_at_the_screen_is_told_unless_asked_for() {
        let input: Input =
            serde_json::from_value(serde_json::json!({ "client": "X", "action": "isolate" }))
                .unwrap();
        assert_eq!(input.message, None);
        assert_eq!(input.queue_hours, None);
    }

    #[test]
    fn d81_the_flow_stands_under_a_name_of_its_own() {
        let mut sent = output();
        sent.flow_id = Some(String::from("F.1"));
        assert_eq!(serde_json::to_value(&sent).unwrap()["flow_id"], "F.1");
    }
}
