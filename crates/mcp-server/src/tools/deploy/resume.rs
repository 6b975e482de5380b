//! `resume_deployment`.

use deploy_core::server::{Replaced, staged};
use deploy_core::{DeploymentId, Goal, Phase, Record, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{Ended, Live, Whole, plan_digest, told_step};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::{Code, ToolError};

/// `resume_deployment`.
pub(super) struct ResumeDeployment;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
}

/// How it stands then.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment: Whole,
}

impl Tool for ResumeDeployment {
    const NAME: &'static str = "resume_deployment";
    const TITLE: &'static str = "Resume a deployment";
    const DESCRIPTION: &'static str = "Carries on a deployment that was stopped, killed or left as \
        it was, from its record: each step is looked at, and done where it is not. What somebody \
        took away meanwhile is made anew. Ends when each API user was answered a query.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const IDEMPOTENT: bool = true;
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// What is carried on.
pub(super) struct Prepared {
    id: DeploymentId,
}

impl Acts for ResumeDeployment {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let (id, mut record) = super::named(cx, &input.deployment_id).await?;
        let deployments = cx.services.deployments()?;
        if record.goal == Goal::Gone {
            let status = record.status().as_str();
            let next = match record.status() {
                Status::Gone => "deploy_server makes another",
                _ => "destroy_deployment ends what was begun; deploy_server makes another",
            };
            return Err(ToolError::new(Code::Conflict, format!("{id} is {status}")).next(next));
        }
        let staged = staged(&deployments.vault(), &id).await;
        let staged = staged.map_err(|error| told_step(&error))?;
        let mut notes = record.plan.warnings().to_vec();
        notes.extend(staged.as_deref().map(ends));
        let new = staged.as_deref().unwrap_or_default().iter().map(|one| one.new.as_deref());
        let new: Vec<&str> = new.map(Option::unwrap_or_default).collect();
        let live = match deployments.look(&id, cx).await {
            Ok((seen, live)) => {
                record = seen;
                Some(live)
            }
            Err(error) if error.code == Code::Cancelled => return Err(error),
            Err(error) => {
                notes.push(format!("how it stands now was not seen: {error}"));
                None
            }
        };
        let what =
            format!("carries on {id}: looks at each step, and does it where it is not there");
        let work = Work::that(what)
            .stepwise(standing(&record, live.as_deref()))
            .bound_to("plan_sha256", &plan_digest(&record.plan)?)
            .bound_to("new_certificates", &new)
            .noting(notes)
            .undone_by("destroy_deployment takes all of it away, its evidence too")
            .proved_by("a query that each API user is answered");
        Ok((work, Prepared { id }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        Prepared { id }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let record = deployments.carry_out(cx, &id, Ended::Up, true).await;
        // It may have ended a rotation: what is known of the server is opened anew.
        let faults = cx.services.renew(id.as_str()).await;
        let record = record?;
        let deployment = deployments.whole(&record, clock::now()).await?;
        Ok(Answer::complete(cx, Output { deployment }).warn(faults))
    }
}

/// The steps, each with how it stands on record, and how it was found just now.
fn standing(record: &Record, live: Option<&[Live]>) -> Vec<String> {
    let steps = record.plan.steps().iter().zip(&record.phases).enumerate();
    let told = steps.map(|(at, (step, phase))| {
        let stands = match phase {
            Phase::Done => "done before",
            Phase::Begun => "BEGUN, NOT SEEN TO BE DONE",
            Phase::Undoing => "BEGUN TO BE TAKEN BACK",
            Phase::Waiting => "not begun",
        };
        match live.and_then(|live| live.get(at)) {
            Some(live) if !live.is_as_recorded() => {
                format!("{} ({stands}; NOW {})", step.does, live.found)
            }
            _ => format!("{} ({stands})", step.does),
        }
    });
    told.collect()
}

/// What becomes of a rotation that was begun, for whoever agrees.
fn ends(replaced: &[Replaced]) -> String {
    let what: Vec<String> = replaced
        .iter()
        .map(|one| format!("{} until {}", one.what, clock::to_second(one.ends)))
        .collect();
    let what = if what.is_empty() { String::from("none is left") } else { what.join(", ") };
    format!(
        "a rotation of certificates was begun and is ended by this: it puts the new ones in place \
         ({what}), and starts the server anew"
    )
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        self.deployment.write(out);
    }
}

#[cfg(test)]
mod tests {
    use deploy_core::{About, Plan, Step, StepName, TargetKind};

    use super::*;

    #[test]
    fn a_card_says_of_each_step_what_is_on_record_and_what_is_found() {
        let step = |name: &str| {
            let does = format!("makes {name}");
            Step::new(StepName::new(name).unwrap(), does, &()).unwrap()
        };
        let plan = Plan::new(["keys", "server", "answer"].map(step).to_vec()).unwrap();
        let id = DeploymentId::generate().unwrap();
        let kind = TargetKind(String::from("docker"));
        let mut record = Record::new(id, kind, About::default(), plan);
        record.phases = vec![Phase::Done, Phase::Done, Phase::Begun];
        let live = |name: &str, found: &str, recorded| Live {
            name: name.to_owned(),
            found: found.to_owned(),
            recorded,
        };
        let live = [
            live("keys", "done", "done"),
            live("server", "half: not running", "done"),
            live("answer", "absent", "begun"),
        ];
        assert_eq!(
            standing(&record, Some(&live)),
            [
                "makes keys (done before)",
                "makes server (done before; NOW half: not running)",
                "makes answer (BEGUN, NOT SEEN TO BE DONE; NOW absent)",
            ]
        );
        assert_eq!(standing(&record, None)[1], "makes server (done before)");
    }
}
