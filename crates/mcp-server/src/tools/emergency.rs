//! Family `emergency`: an end of what was started.

use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use velociraptor_api::Permission;

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::emergency::{self, Recording, Report};
use crate::gateway::{Halt, everywhere};
use crate::tool::{Effect, Family, Stops, Tool, ToolDef};
use crate::tool_error::{Code, ToolError};

/// Listed whatever families are named.
pub static FAMILY: Family = Family {
    id: "emergency",
    purpose: "end what was started; always listed",
    default: true,
    tools: &[ToolDef::stops::<EmergencyStop>()],
};

/// `emergency_stop`.
struct EmergencyStop;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Input {}

impl Tool for EmergencyStop {
    const NAME: &'static str = guard::policy::EMERGENCY_STOP;
    const TITLE: &'static str = "Stop everything";
    const DESCRIPTION: &'static str = "Holds every hunt and cancels every unfinished flow that \
        Megaraptor started, and says what it could not end. Undoes nothing. Only on a person's \
        word.";
    const EFFECT: Effect = Effect::Collect;
    const NEEDS: &'static [Permission] =
        &[Permission::AnyQuery, Permission::ReadResults, Permission::CollectClient];
    const IDEMPOTENT: bool = true;
    type Input = Input;
    type Output = Report;
}

impl Stops for EmergencyStop {
    async fn stop(cx: ToolCx<'_>, _input: Input, halt: Halt) -> Result<Answer<Report>, ToolError> {
        let Halt { services, guardian, unrecorded } = halt;
        let apart = unrecorded.clone();
        // A task of its own: a caller who goes away does not end it in the middle.
        let stopping = tokio::spawn(async move {
            let recording = match apart {
                None => Recording::within(guardian.audit()),
                Some(why) => Recording::apart(guardian.audit().folder(), why),
            };
            let never = CancellationToken::new();
            emergency::stop(&services, guardian.ledger(), recording, &never).await
        });
        let stopped = stopping.await.map_err(|error| {
            ToolError::new(Code::Internal, format!("the stop broke off: {error}"))
                .next("a person runs: megaraptor emergency-stop")
        })?;
        let report = stopped?;
        let state = match (report.is_whole(), report.ended.is_empty()) {
            (true, true) => State::Empty,
            (true, false) => State::Complete,
            (false, _) => State::Partial,
        };
        let count = report.ended.len();
        let (server, org) = everywhere(cx.services);
        let answer = Answer::complete(&cx, report).state(state).page(count as u64, count, None);
        let unrecorded = unrecorded.map(|why| format!("the stop is not in the record: {why}"));
        Ok(Answer { server, org, ..answer.warn(unrecorded) })
    }
}

impl Render for Report {
    fn render(&self, out: &mut String) {
        out.push_str(&self.text());
    }
}
