//! `get_deployment_status`.

use deploy_core::preflight::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;

use super::looked::Looked;
use crate::answer::{Answer, Render, State};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{Live, Whole};
use crate::tool::{Effect, Place, Reads, Tool};
use crate::tool_error::ToolError;

/// `get_deployment_status`.
pub(super) struct GetDeploymentStatus;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
}

/// How it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment: Whole,
    /// Each step as it was found just now.
    live: Vec<Live>,
    /// Whether the server has room for its data; of one that is up. Its own health does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Looked>,
}

impl Tool for GetDeploymentStatus {
    const NAME: &'static str = "get_deployment_status";
    const TITLE: &'static str = "How a deployment stands";
    const DESCRIPTION: &'static str = "Shows one deployment: what is on record, and each of its \
        steps as it is found now by looking there (container, ports, GUI, an API query, free disk). \
        Changes nothing of it; on Docker a container of a moment's life reads the configuration. \
        Secrets are named by reference only.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Reads for GetDeploymentStatus {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let id = super::covered(&cx, &input.deployment_id)?;
        let (record, live) = deployments.look(&id, &cx).await?;
        let room = deployments.room(&record).await;
        let has_room = room.as_ref().is_none_or(|room| room.verdict == Verdict::Fits);
        let whole = has_room && live.iter().all(Live::is_as_recorded);
        let state = if whole { State::Complete } else { State::Partial };
        let cramped = room.iter().filter(|_| !has_room).map(|room| {
            let next = room.next.as_deref().unwrap_or_default();
            format!("{}: expected {}, found {}; {next}", room.what, room.expected, room.found)
        });
        let warnings: Vec<String> = live
            .iter()
            .filter(|live| !live.is_as_recorded())
            .map(|live| {
                format!(
                    "step {} is {} on record, and was found {}",
                    live.name, live.recorded, live.found
                )
            })
            .chain(cramped)
            .collect();
        let room = room.as_ref().map(Looked::of);
        let deployment = deployments.whole(&record, clock::now()).await?;
        Ok(Answer::complete(&cx, Output { deployment, live, room }).state(state).warn(warnings))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let otherwise: Vec<&str> = self
            .live
            .iter()
            .filter(|live| !live.is_as_recorded())
            .map(|live| live.name.as_str())
            .collect();
        if !otherwise.is_empty() {
            let brief = &self.deployment.brief;
            let by = if brief.status == "removing" { "destroy" } else { "resume" };
            let _ = writeln!(
                out,
                "NOT AS ON RECORD: {}, see what was found below; megaraptor deployments {by} {} mends it",
                otherwise.join(", "),
                brief.id
            );
        }
        self.deployment.write(out);
        out.push_str("\nfound now:");
        for live in &self.live {
            let _ = write!(out, "\n  {:<14} {}", live.name, live.found);
        }
        if let Some(room) = &self.room {
            let _ = write!(out, "\n  {:<14} {room}", "room");
        }
    }
}
