//! `destroy_deployment`.

use deploy_core::{DeploymentId, Status};
use guard::permit::Authority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::deployments::{Ended, plan_digest};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::ToolError;

/// `destroy_deployment`.
pub(super) struct DestroyDeployment;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// Said on purpose: the evidence on it is not kept anywhere else
    discard_evidence: bool,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    status: &'static str,
    /// What was seen to be gone.
    gone: Vec<String>,
}

impl Tool for DestroyDeployment {
    const NAME: &'static str = "destroy_deployment";
    const TITLE: &'static str = "Take a deployment down";
    const DESCRIPTION: &'static str = "Removes a deployed server with all that belongs to it: \
        container, volumes with their evidence, network, image, and its keys last. Ends only when \
        each was seen to be gone; where its target does not answer, record and keys are kept. What \
        is not the deployment's own is never touched. Cannot be undone.";
    const EFFECT: Effect = Effect::Destroy;
    const NEEDS: &'static [Permission] = &[];
    const IDEMPOTENT: bool = true;
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// What is taken down.
pub(super) struct Prepared {
    id: DeploymentId,
}

impl Acts for DestroyDeployment {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let id = super::covered(cx, &input.deployment_id)?;
        let record = cx.services.deployments()?.load(&id).await?;
        if !input.discard_evidence && record.status() != Status::Gone {
            return Err(ToolError::invalid(format!(
                "{id} was not destroyed: discard_evidence is false, and its evidence is nowhere else"
            ))
            .next("export what is needed first, then say discard_evidence: true"));
        }
        let about = [record.about.case.as_deref(), Some(record.about.description.as_str())];
        let about: Vec<&str> =
            about.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let about = match about.as_slice() {
            [] => String::from("no case, no description"),
            about => about.join(", "),
        };
        let work = Work::that(format!(
            "removes {id} ({about}) with all evidence on it: takes back these steps, the last first"
        ))
        .stepwise(&record.plan)
        .bound_to("plan_sha256", &plan_digest(&record.plan)?)
        .undone_by("nothing: what was collected there is lost")
        .proved_by("looking at each step again until it is gone");
        Ok((work, Prepared { id }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        go: &Go,
        Prepared { id }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let by = word(go.authority());
        let record = deployments.carry_out(cx, &id, Ended::Gone { by }, true).await;
        let faults = cx.services.refresh().await;
        let record = record?;
        let gone = record.plan.steps().iter().rev().map(|step| step.name.to_string()).collect();
        let output =
            Output { deployment_id: id.to_string(), status: record.status().as_str(), gone };
        Ok(Answer::complete(cx, output).warn(faults))
    }
}

/// Whose word it is, for the record of the deployment.
fn word(authority: &Authority) -> String {
    match authority {
        Authority::Policy { rule } => format!("the policy ({rule})"),
        Authority::Chat { rule } => format!("the person in the chat ({rule})"),
        Authority::Grant { id, given_by } => format!("grant {id} of {given_by}"),
        Authority::Approval { id, approved_by } => format!("approval {id} of {approved_by}"),
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let _ = write!(
            out,
            "{} {}: seen to be gone: {}; its record is kept",
            self.deployment_id,
            self.status.to_uppercase(),
            self.gone.join(", ")
        );
    }
}
