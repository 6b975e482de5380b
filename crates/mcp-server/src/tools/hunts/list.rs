//! `list_hunts`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;
use velociraptor_api::catalogue::READ;
use velociraptor_api::hunts::{self, Hunt, HuntSearch, HuntState};
use velociraptor_api::{census, whole};

use super::Summary;
use super::census::{Census, running};
use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::page::{self, Binding, Rows};
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;
use crate::{clock, records, table};

/// `list_hunts`.
pub(super) struct ListHunts;

/// What the counts do not say: the server (0.77.2) adds one to them when a flow ends, whatever came.
const COUNTS: &str = "these are the server's own counts: a host that ended counts as one with \
    results even without rows; get_hunt_results tells which have some";

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    state: Option<Wanted>,
    /// Part of a description or artifact
    #[serde(default)]
    search: String,
    /// Default 25
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The states that a hunt can be asked for.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Wanted {
    Paused,
    Running,
    Stopped,
    Archived,
}

/// The hunts, the newest first.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    hunts: Vec<Row>,
    /// With detail full, instead of those.
    #[serde(skip_serializing_if = "<[page::Row]>::is_empty")]
    records: Rows,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Census>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    #[serde(flatten)]
    hunt: Summary,
    #[schemars(with = "String")]
    created: Option<Timestamp>,
    creator: String,
    // The server's own counts, under its own names.
    scheduled: u64,
    finished: u64,
    with_results: u64,
    with_errors: u64,
    #[serde(skip)]
    age: String,
}

impl Tool for ListHunts {
    const NAME: &'static str = "list_hunts";
    const TITLE: &'static str = "List hunts";
    const DESCRIPTION: &'static str = "Lists hunts, newest first, with state, targets, expiry and \
        the server's own counts. get_hunt_results says what one found and for which hosts nothing \
        is established.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for ListHunts {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let binding = Binding::of(&cx, Self::NAME, &(input.state, &input.search))?;
        records::one_page(cx.detail, input.cursor.as_deref())?;
        let from: u64 = input.cursor.as_deref().map_or(Ok(0), |cursor| binding.open(cursor))?;
        let states = input.state.map(|state| match state {
            Wanted::Paused => HuntState::Paused,
            Wanted::Running => HuntState::Running,
            Wanted::Stopped => HuntState::Stopped,
            Wanted::Archived => HuntState::Archived,
        });
        let session = cx.session();
        let wanted = HuntSearch {
            states: states.into_iter().collect(),
            text: input.search,
            from,
            count: input.limit.unwrap_or(25),
        };
        let (mut data, mut warning) = (Output::default(), None);
        let (total, next) = match cx.detail {
            Detail::Summary => {
                let found = census::hunts(&session, &wanted).await?;
                let running = running(&session, &wanted).await?;
                (data.summary.insert(Census::of(&found, &running)).hunts(), None)
            }
            Detail::Full => {
                let found = whole::hunts(&session, &wanted).await?;
                let total = found.total;
                let handed = records::hand_over(found, from)?;
                (data.records, warning) = (handed.records, handed.warning);
                (total, handed.next)
            }
            Detail::Compact => {
                let found = hunts::list(&session, &wanted).await?;
                let rows = found.hunts.iter().map(Row::of).collect();
                let kept = page::fit_whole(rows, page::BYTES)?;
                data.hunts = kept.rows;
                let more = kept.more.then_some(from + data.hunts.len() as u64);
                (found.total, more.or(found.next))
            }
        };
        let returned = data.hunts.len() + data.records.len();
        let cursor = next.map(|next| binding.seal(&next)).transpose()?;
        let answer = Answer::of(&cx, &session, data).warn(warning).link(cx.link("/hunts"));
        Ok(answer.listed(cx.detail, total, returned, cursor))
    }
}

impl Row {
    fn of(hunt: &Hunt) -> Self {
        let now = hunt.as_of.unwrap_or_else(clock::now);
        Self {
            hunt: Summary::of(hunt),
            created: hunt.created.map(clock::to_second),
            creator: hunt.creator.clone(),
            scheduled: hunt.stats.scheduled,
            finished: hunt.stats.finished,
            with_results: hunt.stats.with_results,
            with_errors: hunt.stats.with_errors,
            age: hunt.created.map_or_else(String::new, |created| clock::age(now, created)),
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(summary) = &self.summary {
            summary.write(out);
            return;
        }
        if !self.records.is_empty() {
            records::write(out, &self.records);
            return;
        }
        if self.hunts.is_empty() {
            out.push_str("no hunt is like that");
            return;
        }
        let rows = self.hunts.iter().map(|row| {
            vec![
                row.hunt.hunt_id.clone(),
                row.hunt.hunt_state.to_owned(),
                row.age.clone(),
                row.creator.clone(),
                row.scheduled.to_string(),
                row.finished.to_string(),
                row.with_results.to_string(),
                row.with_errors.to_string(),
                row.hunt.artifacts.join(" "),
                row.hunt.targets.clone(),
                row.hunt.description.clone(),
            ]
        });
        let headings = [
            "hunt",
            "state",
            "created",
            "by",
            "scheduled",
            "finished",
            "with results",
            "with errors",
            "artifacts",
            "targets",
            "description",
        ];
        table::write(out, &headings, rows);
        if self.hunts.iter().any(|row| row.finished > 0) {
            out.push('\n');
            out.push_str(COUNTS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_scheduled_finished_and_found_are_told_apart() {
        let hunt = Summary {
            hunt_id: String::from("H.1"),
            hunt_state: "RUNNING",
            description: String::from("users"),
            artifacts: vec![String::from("Linux.Sys.Users")],
            targets: String::from("linux"),
            expires: None,
        };
        let row = Row {
            hunt,
            created: None,
            creator: String::from("ada"),
            scheduled: 20,
            finished: 7,
            with_results: 7,
            with_errors: 2,
            age: String::from("12 s ago"),
        };
        let mut out = String::new();
        Output { hunts: vec![row], ..Output::default() }.render(&mut out);
        insta::assert_snapshot!(out, @r"
        hunt  state    created   by   scheduled  finished  with results  with errors  artifacts        targets  description
        H.1   RUNNING  12 s ago  ada  20         7         7             2            Linux.Sys.Users  linux    users
        these are the server's own counts: a host that ended counts as one with results even without rows; get_hunt_results tells which have some
        ");
    }
}
