//! `destroy_deployment`.

use std::path::PathBuf;

use deploy_core::evidence::Copied;
use deploy_core::{DeploymentId, Record, Status, Step};
use guard::permit::Authority;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use super::evidence::{self, Copy};
use crate::answer::{Answer, Render};
use crate::clock;
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
    #[serde(default)]
    discard_evidence: bool,
    /// The whole path of a folder: the evidence is first copied into ID-evidence.tar.gz there
    #[serde(default)]
    export_to: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    status: &'static str,
    /// What was seen to be gone.
    gone: Vec<String>,
    /// Its evidence
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<Copy>,
}

impl Tool for DestroyDeployment {
    const NAME: &'static str = "destroy_deployment";
    const TITLE: &'static str = "Take a deployment down";
    const DESCRIPTION: &'static str = "Removes a deployed server with all that belongs to it: \
        container, volumes, network and image, or unit, user and folders, with the evidence in them, and \
        its keys last. Needs export_to, which copies the evidence first and removes nothing unless the \
        copy was read back whole, or discard_evidence. Ends only when each was seen to be gone; where its \
        target does not answer, record and keys are kept. What is not the deployment's own is never \
        touched. Cannot be undone.";
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
    copy: Option<PathBuf>,
}

impl Acts for DestroyDeployment {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let (id, record) = super::named(cx, &input.deployment_id).await?;
        let copy = input.export_to.map(|folder| folder.join(format!("{id}-evidence.tar.gz")));
        match (&copy, input.discard_evidence) {
            (Some(_), true) => {
                return Err(ToolError::invalid(
                    "export_to and discard_evidence contradict each other: is the evidence needed?",
                )
                .next("give one of them"));
            }
            (Some(file), false) => evidence::fits(&record, file)?,
            (None, false) if record.status() != Status::Gone => {
                return Err(ToolError::invalid(format!(
                    "{id} was not destroyed: nobody said what is to become of its evidence"
                ))
                .next(
                    "export_to: FOLDER copies it first; discard_evidence: true says that it is not needed",
                ));
            }
            (None, _) => {}
        }
        let about = [record.about.case.as_deref(), Some(record.about.description.as_str())];
        let about: Vec<&str> =
            about.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let about = match about.as_slice() {
            [] => String::from("no case, no description"),
            about => about.join(", "),
        };
        let (what, undo) = match &copy {
            _ if record.status() == Status::Gone => (
                format!(
                    "{id} ({about}) is gone: looks whether anything of it is there all the same, and \
                     removes that"
                ),
                "nothing",
            ),
            None => (
                format!("removes {id} ({about}) with all evidence on it"),
                "nothing: what was collected there is lost",
            ),
            Some(file) => (
                format!(
                    "copies all evidence of {id} ({about}) to {}, reads it back, and only then removes {id}",
                    file.display()
                ),
                "nothing: the copy is kept, the server is not",
            ),
        };
        let work = Work::that(what)
            .noting(copies(&record))
            .stepwise(record.plan.steps().iter().rev().map(Step::undone))
            .bound_to("plan_sha256", &plan_digest(&record.plan)?)
            .undone_by(undo)
            .proved_by("looking at each step again until it is gone");
        Ok((work, Prepared { id, copy }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        go: &Go,
        Prepared { id, copy }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let by = word(go.authority());
        let record =
            deployments.carry_out(cx, &id, Ended::Gone { by, copy: copy.clone() }, true).await;
        let faults = cx.services.refresh().await;
        let record = record?;
        let gone = record.plan.steps().iter().rev().map(|step| step.name.to_string()).collect();
        let output = Output {
            deployment_id: id.to_string(),
            status: record.status().as_str(),
            gone,
            copy: copy.map(|file| evidence::of(&record, &file)).transpose()?,
        };
        Ok(Answer::complete(cx, output).warn(faults))
    }
}

/// Copies that were made before, so that a person knows of them.
fn copies(record: &Record) -> Vec<String> {
    let told = |it: &Copied| {
        format!("its evidence as of {} is in {}", clock::to_second(it.at), it.file.display())
    };
    record.copies.iter().map(told).collect()
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
        if let Some(copy) = &self.copy {
            out.push_str("\nits evidence was first ");
            copy.write(out);
        }
    }
}
