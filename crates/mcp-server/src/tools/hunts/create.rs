//! `create_hunt`.

use std::fmt::Write;

use guard::asked::Place;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::clients::Client;
use velociraptor_api::collections::{self, Target};
use velociraptor_api::hunts::{self, HuntPlan, HuntScope, HuntState};
use velociraptor_api::{Os, Permission, Session};

use super::Summary;
use super::applies::{For, applies};
use crate::answer::{Answer, Render, State};
use crate::collection::{self, Bounds, Parameters};
use crate::context::ToolCx;
use crate::gateway::{Go, Work, contains, programs};
use crate::resolve;
use crate::system::System;
use crate::tool::{Acts, Effect, Tool};
use crate::tool_error::ToolError;

/// How long a hunt schedules clients where nothing else is said: the server's own default.
const DEFAULT_HOURS: u64 = 168;

/// `create_hunt`.
pub(super) struct CreateHunt;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    artifacts: Vec<String>,
    description: String,
    /// By artifact: {"Artifact": {"Param": value}}
    #[serde(default)]
    parameters: Parameters,
    os: Option<System>,
    /// Any of these
    #[serde(default)]
    include_labels: Vec<String>,
    #[serde(default)]
    exclude_labels: Vec<String>,
    /// Exactly these clients, by id or host name
    #[serde(default)]
    clients: Vec<String>,
    /// Default 168
    #[schemars(range(min = 1, max = 8760))]
    expires_hours: Option<u64>,
    /// Run at once; default paused
    #[serde(default)]
    start: bool,
    /// Per client
    #[serde(default)]
    limits: Bounds,
}

/// The hunt as the server keeps it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    #[serde(flatten)]
    hunt: Summary,
    /// How many clients fit now.
    reaches: u64,
    online: u64,
}

impl Tool for CreateHunt {
    const NAME: &'static str = "create_hunt";
    const TITLE: &'static str = "Create a hunt";
    const DESCRIPTION: &'static str = "Makes a collection for many clients: by system, labels, or \
        an exact list. It is created paused and runs nothing until modify_hunt starts it, unless \
        start is true. Says how many clients it reaches. Clients that connect before it expires \
        join. Read on with get_hunt_results.";
    const EFFECT: Effect = Effect::Collect;
    const NEEDS: &'static [Permission] = &[
        Permission::AnyQuery,
        Permission::ReadResults,
        Permission::CollectClient,
        Permission::StartHunt,
    ];
    type Input = Input;
    type Output = Output;
}

/// The hunt as it is to be made, and whom it reaches now.
pub(super) struct Prepared {
    plan: HuntPlan,
    reaches: u64,
    online: u64,
    elsewhere: Vec<String>,
}

impl Acts for CreateHunt {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let wanted = collection::wanted(&input.artifacts, &input.parameters, input.limits, false)?;
        let scope = scope(session, &input).await?;
        let checked = collections::check(session, &wanted, Target::Clients).await?;
        let reached = hunts::reach(session, &scope).await?;
        let systems: Vec<Option<Os>> = reached.iter().map(Client::system).collect();
        let wanted = match &scope {
            HuntScope::Clients(_) => For::Listed(&systems),
            HuntScope::Rule { os: Some(os), .. } => For::System(*os),
            HuntScope::Rule { os: None, .. } => For::Anybody,
        };
        let elsewhere = applies(checked.definitions(), wanted)?;
        let life = super::hours(input.expires_hours.unwrap_or(DEFAULT_HOURS))?;
        let (reaches, online) = (reached.len() as u64, online(&reached));
        let names: Vec<&str> = checked.definitions().iter().map(|d| d.name.as_str()).collect();
        let does =
            if input.start { "collects at once" } else { "is made paused: runs nothing yet" };
        let work = Work::that(does)
            .running(programs::of_artifacts(session, &names, Place::Endpoint).await?)
            .hunting(super::rule(&scope), reached)
            .collecting(checked.in_force(), reaches)
            .expiring(life.as_secs())
            .needing(checked.permissions())
            .undone_by("modify_hunt stop; flows that it has started go on until they are cancelled")
            .because(Some(input.description.clone()).filter(|text| !text.is_empty()));
        let work = if contains(&names) {
            work.weighing(Effect::Respond, programs::CONTAINS)
        } else {
            work
        };
        let plan = HuntPlan {
            collection: checked,
            description: input.description,
            tags: Vec::new(),
            scope,
            expires: Some(Timestamp::now() + life),
            start: input.start,
        };
        Ok((work, Prepared { plan, reaches, online, elsewhere }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        Prepared { plan, reaches, online, elsewhere }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let made = hunts::create(session, &plan).await?;
        go.started_hunt(&made.hunt.hunt_id).await;
        let nobody =
            (reaches == 0).then(|| String::from("no client fits now; those that enrol later may"));
        let link = cx.link(&format!("/hunts/{}", made.hunt.hunt_id));
        let state = match made.hunt.state {
            HuntState::Running => State::Pending,
            _ => State::Complete,
        };
        let data = Output { hunt: Summary::of(&made.hunt), reaches, online };
        Ok(Answer::of(cx, session, data).state(state).warn(nobody).warn(elsewhere).link(link))
    }
}

fn online(clients: &[Client]) -> u64 {
    clients.iter().filter(|client| client.is_online()).count() as u64
}

/// Which clients are meant. A list stands alone: it is exact, and nothing narrows it.
async fn scope(session: &Session<'_>, input: &Input) -> Result<HuntScope, ToolError> {
    if input.clients.is_empty() {
        return Ok(HuntScope::Rule {
            os: input.os.map(Into::into),
            include_labels: input.include_labels.clone(),
            exclude_labels: input.exclude_labels.clone(),
        });
    }
    let rule =
        input.os.is_some() || !input.include_labels.is_empty() || !input.exclude_labels.is_empty();
    if rule {
        return Err(ToolError::invalid(
            "clients is an exact list; os, include_labels and exclude_labels do not narrow it",
        )
        .next("leave out either the list or the rule"));
    }
    let mut ids = Vec::new();
    for named in resolve::each_for_change(session, &input.clients).await? {
        ids.push(named.found?.id);
    }
    Ok(HuntScope::Clients(ids))
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        let Self { hunt, reaches, online } = self;
        out.push_str(&hunt.line());
        let _ = write!(out, "\nreaches {reaches} clients now, {online} of them online");
        if let Some(expires) = hunt.expires {
            let _ = write!(out, "; takes in others until {expires}");
        }
        if hunt.hunt_state == "PAUSED" {
            let _ = write!(
                out,
                "\nNothing ran yet. modify_hunt {} action start runs it.",
                hunt.hunt_id
            );
        }
    }
}
