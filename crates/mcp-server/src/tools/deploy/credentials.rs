//! `generate_api_credentials`.

use deploy_core::DeploymentId;
use deploy_core::server::{FurtherUser, names};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{IdentityKind, Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::told_step;
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::{Code, ToolError};

/// `generate_api_credentials`.
pub(super) struct GenerateApiCredentials;

/// What the user may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Role {
    /// Reads
    #[default]
    Reader,
    /// Collects, hunts, labels
    Investigator,
    /// Everything
    Administrator,
}

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// The user's name: letters, digits, dots, hyphens
    client_name: String,
    /// What the user may do; default reader
    #[serde(default)]
    role: Role,
    /// Days that the certificate holds; default as the profile says
    #[serde(default)]
    #[schemars(range(min = 1, max = 3650))]
    validity_days: Option<u16>,
}

/// What came of it. The file itself is for a person.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    user: String,
    role: &'static str,
    /// Reference of the API file
    reference: String,
    /// Where the API is reached
    api: String,
    ends: String,
}

impl Tool for GenerateApiCredentials {
    const NAME: &'static str = "generate_api_credentials";
    const TITLE: &'static str = "Make an API user";
    const DESCRIPTION: &'static str = "Makes a further API user on a deployed server, with a \
        certificate of its own, and proves that it is answered a query under its name. The API file \
        stays in the store: the answer has its reference, and a person gets the file with \
        megaraptor credential show. A name that is taken is refused, and nothing is overwritten.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// Who is made.
pub(super) struct Prepared {
    id: DeploymentId,
    user: FurtherUser,
}

impl Acts for GenerateApiCredentials {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        super::covered(cx, &input.deployment_id)?;
        let name = input.client_name;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let begins = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if !begins || name.len() > 48 || !name.chars().all(plain) {
            return Err(ToolError::invalid(format!(
                "client_name is {name:?}; expected 1 to 48 letters, digits, dots, hyphens or \
                 underscores, beginning with a letter or digit"
            )));
        }
        let (id, record) = super::named_up(cx, &input.deployment_id).await?;
        let deployments = cx.services.deployments()?;
        let order = deployments.order(&record)?;
        let kept = deployments.vault().has(&id, &FurtherUser::secret(&name)).await;
        let kept = kept.map_err(|error| told_step(&error))?;
        if kept
            || name == order.gui_user
            || IdentityKind::ALL.map(names::user).contains(&name.as_str())
        {
            return Err(ToolError::new(Code::Conflict, format!("{id} has a user {name} already"))
                .next("choose another name: nothing is overwritten"));
        }
        let days = super::days(cx, &record, input.validity_days)?;
        let kind = match input.role {
            Role::Reader => IdentityKind::Reader,
            Role::Investigator => IdentityKind::Investigator,
            Role::Administrator => IdentityKind::Administrator,
        };
        let work =
            Work::that(format!("makes the API user {name} ({kind}) on {id} for {days} days"))
                .undone_by("removing the user on the server; there is no other revocation")
                .proved_by("a query that is answered to it under its name");
        Ok((work, Prepared { id, user: FurtherUser { name, kind, days } }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        Prepared { id, user }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let record = deployments.load(&id).await?;
        let api = deployments.order(&record)?.api_at;
        let made = user.make(&deployments.vault(), &id, &api).await;
        let made = made.map_err(|error| told_step(&error))?;
        let output = Output {
            deployment_id: id.to_string(),
            user: user.name,
            role: user.kind.as_str(),
            reference: made.credential.to_string(),
            api: api.to_string(),
            ends: clock::to_second(made.ends).to_string(),
        };
        Ok(Answer::complete(cx, output))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let Self { user, role, deployment_id, reference, api, ends } = self;
        let _ = write!(
            out,
            "MADE {user} ({role}) on {deployment_id}, API at {api}, good until {ends}\n\
             a person gets the file with: megaraptor credential show {reference} --out FILE"
        );
    }
}
