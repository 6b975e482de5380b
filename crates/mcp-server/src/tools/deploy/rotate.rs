//! `rotate_certificates`.

use deploy_core::DeploymentId;
use deploy_core::server::{Rotation, Staged};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::told_step;
use crate::gateway::{Go, Work};
use crate::table;
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::ToolError;

/// `rotate_certificates`.
pub(super) struct RotateCertificates;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// Days that the new certificates hold; default as the profile says
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    validity_days: Option<u16>,
    /// New certificates for the keys that are there; default is new ones of both
    #[serde(default)]
    same_pairs: bool,
    /// Refused: every agent holds the CA's certificate
    #[serde(default)]
    rotate_ca: bool,
}

/// A certificate that was replaced.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Replaced {
    what: String,
    /// SHA-256 of the one that was in use
    old: String,
    /// SHA-256 of the one that is kept now
    new: String,
    old_ends: String,
    ends: String,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    status: &'static str,
    replaced: Vec<Replaced>,
    /// What to know now
    notes: Vec<String>,
}

impl Tool for RotateCertificates {
    const NAME: &'static str = "rotate_certificates";
    const TITLE: &'static str = "Rotate certificates";
    const DESCRIPTION: &'static str = "Replaces the certificates and keys of a deployment's server, \
        its gateway and Megaraptor's API users under the same CA: agents keep their configuration \
        and come back by themselves. The server is started anew with the new configuration; the \
        old one is kept, for offline collections that were sealed for it. Ends when the server shows \
        its new certificate and each API user was answered a query. A rotation that was interrupted is ended by resume_deployment.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// What is rotated.
pub(super) struct Prepared {
    id: DeploymentId,
    rotation: Rotation,
}

impl Acts for RotateCertificates {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        // What is not this caller's is not there, whatever else is wrong.
        super::covered(cx, &input.deployment_id)?;
        if input.rotate_ca {
            return Err(ToolError::invalid(
                "rotate_ca is true: a new CA would cut off every agent, which holds the old one",
            )
            .next("leave it out; to change the CA, deploy another server and move the agents"));
        }
        let deployments = cx.services.deployments()?;
        let (id, record) = super::named_up(cx, &input.deployment_id).await?;
        let days = super::days(cx, &record, input.validity_days)?;
        let rotation = Rotation { days, keep_keys: input.same_pairs };
        let staged = rotation.look(&deployments.vault(), &id).await;
        let staged = staged.map_err(|error| told_step(&error))?;
        let what: Vec<&str> = staged.replaced.iter().map(|one| one.what.as_str()).collect();
        let old: Vec<&str> = staged.replaced.iter().map(|one| one.old.as_str()).collect();
        let mut notes = staged.notes.clone();
        notes.insert(0, String::from("the server is started anew: agents come back by themselves"));
        notes.extend(deployments.left_by_rotation(&id).await?);
        let work = Work::that(format!("replaces in {id}, for {days} days: {}", what.join(", ")))
            .noting(notes)
            .bound_to("certificates", &old)
            .undone_by("nothing: the old configuration is kept, and is not used again")
            .proved_by(
                "the certificate that the agents' port shows, and a query that each API user is \
                 answered with its new one",
            );
        Ok((work, Prepared { id, rotation }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        Prepared { id, rotation }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let rotated = deployments.rotate(cx, &id, rotation).await;
        let faults = cx.services.renew(id.as_str()).await;
        let (record, Staged { replaced, mut notes }) = rotated?;
        // It is rotated, whatever is not known beside it.
        match deployments.left_by_rotation(&id).await {
            Ok(left) => notes.extend(left),
            Err(error) => {
                notes.push(format!("whether further API users are left is not known: {error}"))
            }
        }
        let replaced = replaced.into_iter().map(|one| Replaced {
            what: one.what,
            old: one.old,
            new: one.new.unwrap_or_default(),
            old_ends: clock::to_second(one.old_ends).to_string(),
            ends: clock::to_second(one.ends).to_string(),
        });
        let output = Output {
            deployment_id: id.to_string(),
            status: record.status().as_str(),
            replaced: replaced.collect(),
            notes,
        };
        Ok(Answer::complete(cx, output).warn(faults))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let _ = writeln!(out, "ROTATED {} is {}", self.deployment_id, self.status.to_uppercase());
        let rows = self.replaced.iter().map(|one| {
            let short = |sha256: &str| sha256.get(..16).unwrap_or(sha256).to_owned();
            vec![one.what.clone(), short(&one.new), short(&one.old), one.ends.clone()]
        });
        table::write(out, &["what", "new SHA-256", "instead of", "holds until"], rows);
        for note in &self.notes {
            let _ = write!(out, "\nNOTE {note}");
        }
    }
}
