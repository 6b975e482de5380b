//! `validate_deployment`.

use deploy_core::preflight::{Check, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;

use super::looked::Looked;
use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::tool::{Effect, Place, Reads, Tool};
use crate::tool_error::ToolError;

/// `validate_deployment`.
pub(super) struct ValidateDeployment;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
}

/// How many checks came to what; together they are all of them.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Counts {
    fits: usize,
    doubtful: usize,
    unfit: usize,
    not_looked: usize,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    /// Each check was looked at, and none is unfit.
    valid: bool,
    counts: Counts,
    checks: Vec<Looked>,
}

impl Tool for ValidateDeployment {
    const NAME: &'static str = "validate_deployment";
    const TITLE: &'static str = "Check a deployment";
    const DESCRIPTION: &'static str = "Checks one deployment from all sides: record, due time, \
        secrets, certificates, and on its platform configuration against the kept one, limits, \
        confinement, ports, exposure, disk, three probes; on a systemd host user, unit, modes and \
        agent too. Each check says what was expected and \
        found. Valid where all were looked at and none is unfit; doubts are told. Changes nothing of it; on Docker a \
        container of a moment's life reads the configuration.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Reads for ValidateDeployment {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let id = super::covered(&cx, &input.deployment_id)?;
        let checks = deployments.checked(&id, &cx).await?;
        let counts = Counts::of(&checks);
        let state = if counts.not_looked == 0 { State::Complete } else { State::Partial };
        let output = Output {
            deployment_id: id.to_string(),
            valid: counts.unfit + counts.not_looked == 0,
            counts,
            checks: checks.iter().map(Looked::of).collect(),
        };
        Ok(Answer::complete(&cx, output).state(state))
    }
}

impl Counts {
    fn of(checks: &[Check]) -> Self {
        let mut counts = Self::default();
        for check in checks {
            *match check.verdict {
                Verdict::Fits => &mut counts.fits,
                Verdict::Doubtful => &mut counts.doubtful,
                Verdict::Unfit => &mut counts.unfit,
                Verdict::NotLooked => &mut counts.not_looked,
            } += 1;
        }
        counts
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let Counts { fits, doubtful, unfit, not_looked } = self.counts;
        let word = match (unfit, not_looked, doubtful) {
            (0, 0, 0) => "VALID",
            (0, 0, _) => "VALID, WITH DOUBTS",
            (0, ..) => "NOT ESTABLISHED",
            _ => "NOT VALID",
        };
        let _ = writeln!(
            out,
            "{} {word}: {fits} fit, {doubtful} doubtful, {unfit} unfit, {not_looked} not looked at",
            self.deployment_id
        );
        Looked::write(&self.checks, out);
    }
}
