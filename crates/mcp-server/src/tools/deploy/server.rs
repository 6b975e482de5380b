//! `deploy_server`.

use deploy_core::preflight::{Check, Verdict};
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_api::{Permission, Session};

use super::looked::Looked;
use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{ANY, Ended, Planned, Whole, Wish, only_near};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::{Code, ToolError};

/// `deploy_server`.
pub(super) struct DeployServer;

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    /// Nothing was done: it was looked and planned only.
    planned_only: bool,
    checks: Vec<Looked>,
    deployment: Whole,
    /// Only its own host reaches it.
    #[serde(skip)]
    near: bool,
}

impl Tool for DeployServer {
    const NAME: &'static str = "deploy_server";
    const TITLE: &'static str = "Deploy a server";
    const DESCRIPTION: &'static str = "Makes a Velociraptor server on this machine, in containers or as a \
        systemd service: keys, configuration, program, API users. Ends only when each API user was \
        answered a query (and with agent, when this machine answered a collection); else all is \
        taken back. GUI and API stay on loopback unless \
        gui_on or api_on say otherwise. Secrets stay in the store; the answer has references. The \
        deployment's id is then a server for other tools. validate_only shows plan and checks.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Wish;
    type Output = Output;
}

/// What is carried out.
pub(super) struct Prepared {
    planned: Planned,
    validate_only: bool,
    keep: bool,
    /// Which version was asked for.
    version: Option<String>,
}

impl Acts for DeployServer {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        wish: Wish,
    ) -> Result<(Work, Prepared), ToolError> {
        if !cx.services.covers_new() {
            return Err(ToolError::new(
                Code::Denied,
                "this connection's token is for named servers or orgs, and a new server is none of \
                 them: whoever made it could neither see it nor take it down",
            )
            .next(
                "a person can deploy it with megaraptor deploy, or make a token for all servers",
            ));
        }
        let planned = cx.services.deployments()?.plan(&wish, cx).await?;
        let (validate_only, keep) = (wish.validate_only, wish.keep_on_failure);
        let prepared = Prepared { planned, validate_only, keep, version: wish.version };
        if validate_only {
            return Ok((Work::looking(), prepared));
        }
        prepared.planned.fits()?;
        let (plan, digest) = prepared.planned.of_any()?;
        let work = Work::that("deploys a Velociraptor server, step by step")
            .stepwise(plan.steps().iter().map(|step| step.does.clone()))
            .bound_to("plan_sha256", &digest)
            .noting(notes(&prepared.planned.checks, plan.warnings()))
            .undone_by("destroy_deployment takes all of it away, its evidence too")
            .proved_by("a query that each API user is answered");
        Ok((work, prepared))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        prepared: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let Prepared { planned, validate_only, keep, version } = prepared;
        let checks = planned.checks.iter().map(Looked::of).collect();
        let deployments = cx.services.deployments()?;
        let (record, planned_only) = if validate_only {
            (planned.of_none()?, true)
        } else {
            let record = deployments.note(planned.record).await?;
            (deployments.carry_out(cx, &record.id, Ended::Up, keep).await?, false)
        };
        let mut faults = if planned_only { Vec::new() } else { cx.services.refresh().await };
        let deployment = deployments.whole(&record, clock::now()).await?;
        if let (Some(asked), Some(found)) = (version, &deployment.version)
            && asked.trim_start_matches('v') != found
        {
            faults.push(format!("the server is version {found}, and {asked} was asked for"));
        }
        let near = only_near(&record);
        let output = Output { planned_only, checks, deployment, near };
        Ok(Answer::complete(cx, output).warn(faults))
    }
}

/// What a person should know before they say yes.
fn notes(checks: &[Check], warnings: &[String]) -> Vec<String> {
    let doubtful = checks.iter().filter(|check| check.verdict != Verdict::Fits);
    let told = doubtful
        .map(|check| format!("{}: expected {}, found {}", check.what, check.expected, check.found));
    let id = format!("the deployment gets its id when it begins; {ANY} stands for it here");
    std::iter::once(id).chain(warnings.iter().cloned()).chain(told).collect()
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if self.planned_only {
            out.push_str(match Looked::worst(&self.checks) {
                "fits" => "FITS",
                "unfit" => "UNFIT: it would be refused",
                "not_looked" => "NOT ALL WAS LOOKED AT",
                _ => "FITS, WITH DOUBTS",
            });
            out.push_str(". PLANNED ONLY: nothing was done; ");
            out.push_str(ANY);
            out.push_str(" stands for the id that it gets when it begins\n");
            Looked::write(&self.checks, out);
            out.push('\n');
        }
        self.deployment.write(out);
        if !self.planned_only {
            let id = &self.deployment.brief.id;
            out.push_str("\nNEXT make hosts agents of it: megaraptor deployments installer ");
            out.push_str(id);
            out.push_str(if self.near { " --server-host-only" } else { "" });
            out.push_str(" (generate_agent_installer); ask it by its id: server ");
            out.push_str(id);
        }
    }
}
