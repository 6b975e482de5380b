//! `list_deployments`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{OrgId, Permission};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{Brief, Listed};
use crate::page::{self, Binding};
use crate::table;
use crate::tool::{Detail, Effect, Place, Reads, Tool};
use crate::tool_error::ToolError;

/// Characters of a trouble in a list: it can have the end of a log in it.
const TOLD: usize = 240;

/// `list_deployments`.
pub(super) struct ListDeployments;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Only of this profile
    #[serde(default)]
    profile_filter: Option<String>,
    /// Only with this tag, case number, or word of the description
    #[serde(default)]
    search: Option<String>,
    /// Those that are gone, too
    #[serde(default)]
    include_destroyed: bool,
    /// Default 25
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// What there is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployments: Vec<Brief>,
}

impl Tool for ListDeployments {
    const NAME: &'static str = "list_deployments";
    const TITLE: &'static str = "List deployments";
    const DESCRIPTION: &'static str = "Lists the servers that were deployed from this machine, as \
        they are on record, the newest first; overdue ones are marked. A record that cannot be read \
        is listed as unreadable. get_deployment_status looks at the server itself.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Reads for ListDeployments {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let request = (&input.profile_filter, &input.search, input.include_destroyed);
        let binding = Binding::of(&cx, Self::NAME, &request)?;
        let from: usize = input.cursor.as_deref().map_or(Ok(0), |cursor| binding.open(cursor))?;
        let now = clock::now();
        let all = cx.services.deployments()?.list().await?;
        // Those of others do not exist for a token that is not for them.
        let root = OrgId::root();
        let seen = |listed: &&Listed| cx.services.covers(listed.id.as_str(), root.as_str());
        let mut deployments: Vec<Brief> =
            all.iter().filter(seen).map(|listed| Brief::of(listed, now)).collect();
        deployments.retain(|brief| {
            let profile = input.profile_filter.as_ref().is_none_or(|wanted| {
                brief.profile.as_ref().is_some_and(|profile| profile.eq_ignore_ascii_case(wanted))
            });
            let found = input.search.as_ref().is_none_or(|word| brief.has(word));
            profile && found && (input.include_destroyed || brief.status != "gone")
        });
        let total = deployments.len();
        let wanted = input.limit.unwrap_or(25) as usize;
        let page = deployments.into_iter().skip(from).take(wanted).collect();
        let deployments = page::fit_whole(page, page::BYTES)?.rows;
        let (returned, next) = (deployments.len(), from + deployments.len());
        let cursor = (next < total).then(|| binding.seal(&next)).transpose()?;
        let answer = Answer::complete(&cx, Output { deployments });
        Ok(answer.listed(Detail::Compact, total as u64, returned, cursor))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        if self.deployments.is_empty() {
            out.push_str("no deployment is on record that fits");
            return;
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let rows = self.deployments.iter().map(|brief| {
            let due = brief.due.map(|at| at.to_string()).unwrap_or_default();
            vec![
                brief.id.clone(),
                brief.status.to_owned(),
                text(&brief.on),
                text(&brief.profile),
                text(&brief.case),
                brief.made.map(|at| at.to_string()).unwrap_or_default(),
                if brief.overdue { format!("{due} PAST") } else { due },
                text(&brief.description),
            ]
        });
        let headings = ["id", "status", "on", "profile", "case", "made", "due", "about"];
        table::write(out, &headings, rows);
        for brief in &self.deployments {
            if let Some(trouble) = &brief.trouble {
                let id = &brief.id;
                let begin: String = trouble.replace(['\n', '\r'], " ").chars().take(TOLD).collect();
                let _ = write!(out, "\n! {id}: {begin}");
                if begin.len() < trouble.len() {
                    let _ = write!(out, "… (megaraptor deployments show {id} has the whole)");
                }
            }
        }
    }
}
