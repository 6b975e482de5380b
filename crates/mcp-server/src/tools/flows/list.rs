//! `list_flows`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;
use velociraptor_api::catalogue::READ;
use velociraptor_api::flows::{self, Flow, FlowSearch, FlowState};
use velociraptor_api::{census, whole};

use super::census::{Census, outstanding};
use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::page::{self, Binding, Rows};
use crate::records;
use crate::resolve;
use crate::table;
use crate::tool::{Detail, Effect, Reads, Tool};
use crate::tool_error::ToolError;

/// `list_flows`.
pub(super) struct ListFlows;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id, host name, or server
    client: String,
    state: Option<Stage>,
    /// Default 50
    #[schemars(range(min = 1, max = 500))]
    limit: Option<u32>,
    cursor: Option<String>,
}

/// How far a flow is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Running,
    Finished,
    Error,
    Cancelled,
}

impl Stage {
    fn states(self) -> Vec<FlowState> {
        let is = |state: &FlowState| match self {
            Self::Running => !state.is_final(),
            Self::Finished => *state == FlowState::Finished,
            Self::Error => *state == FlowState::Error,
            Self::Cancelled => *state == FlowState::Cancelled,
        };
        FlowState::ALL.into_iter().filter(is).collect()
    }
}

/// The flows of a client.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    flows: Vec<Row>,
    /// With detail full, instead of those.
    #[serde(skip_serializing_if = "<[page::Row]>::is_empty")]
    records: Rows,
    /// With detail summary, instead of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    summary: Option<Census>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Row {
    flow_id: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    #[schemars(with = "String")]
    created: Option<Timestamp>,
    rows: u64,
    uploads: u64,
    artifacts: Vec<String>,
    creator: String,
    #[serde(skip)]
    age: String,
}

impl Tool for ListFlows {
    const NAME: &'static str = "list_flows";
    const TITLE: &'static str = "List flows";
    const DESCRIPTION: &'static str = "Lists the collections of one client, newest first: state, \
        artifacts, rows, who asked. get_flow_status says why one failed, get_flow_results reads \
        its rows. For many clients see list_hunts.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = READ;
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

impl Reads for ListFlows {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let session = cx.session();
        let client = resolve::for_read(&session, &input.client).await?;
        let binding = Binding::of(&cx, Self::NAME, &(&client.id, input.state))?;
        records::one_page(cx.detail, input.cursor.as_deref())?;
        let from: u64 = input.cursor.as_deref().map_or(Ok(0), |cursor| binding.open(cursor))?;
        let wanted = FlowSearch {
            states: input.state.map(Stage::states).unwrap_or_default(),
            from,
            count: input.limit.unwrap_or(50).clamp(1, 500),
        };
        let now = clock::now();
        let mut data = Output { client_id: client.id.to_string(), ..Output::default() };
        let mut warnings = Vec::new();
        let (total, next) = match cx.detail {
            Detail::Summary => {
                let found = census::flows(&session, &client.id, &wanted).await?;
                let newest = outstanding(&session, &client.id, &wanted.states).await?;
                (data.summary.insert(Census::of(&found, newest, now)).flows(), None)
            }
            Detail::Full => {
                let found = whole::flows(&session, &client.id, &wanted).await?;
                let total = found.total;
                let handed = records::hand_over(found, from)?;
                data.records = handed.records;
                warnings.extend(handed.warning);
                (total, handed.next)
            }
            Detail::Compact => {
                let found = flows::list(&session, &client.id, &wanted).await?;
                let rows = found.flows.iter().map(|flow| Row::of(flow, now)).collect();
                let kept = page::fit_whole(rows, page::BYTES)?;
                data.flows = kept.rows;
                let more = kept.more.then_some(from + data.flows.len() as u64);
                (found.total, more.or(found.next))
            }
        };
        if total == 0 && input.state.is_some() {
            warnings.push(String::from("no flow in that state; leave state out to see all"));
        }
        let returned = data.flows.len() + data.records.len();
        let cursor = next.map(|next| binding.seal(&next)).transpose()?;
        let link = cx.link(&format!("/collected/{}", client.id));
        let answer = Answer::of(&cx, &session, data).warn(warnings).link(link);
        Ok(answer.listed(cx.detail, total, returned, cursor))
    }
}

impl Row {
    /// In one line.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{}  {}  {}", self.flow_id, self.age, self.artifacts.join(", "));
        if let Some(status) = &self.status {
            line.push_str(": ");
            line.push_str(&table::line_of(status));
        }
        line
    }

    pub(super) fn of(flow: &Flow, now: Timestamp) -> Self {
        Self {
            flow_id: flow.flow_id.to_string(),
            state: flow.state.as_str(),
            status: flow.status.clone(),
            created: flow.created.map(clock::to_second),
            rows: flow.rows,
            uploads: flow.uploaded_files,
            artifacts: flow.artifacts.clone(),
            creator: flow.creator.clone(),
            age: flow.created.map_or_else(String::new, |at| clock::age(now, at)),
        }
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(summary) = &self.summary {
            out.push_str(&self.client_id);
            out.push('\n');
            summary.write(out);
            return;
        }
        if !self.records.is_empty() {
            records::write(out, &self.records);
            return;
        }
        if self.flows.is_empty() {
            out.push_str("no flows on ");
            out.push_str(&self.client_id);
            return;
        }
        out.push_str(&self.client_id);
        out.push('\n');
        let rows = self.flows.iter().map(|flow| {
            vec![
                flow.flow_id.clone(),
                flow.state.to_owned(),
                flow.created.map_or_else(String::new, |at| at.to_string()),
                flow.age.clone(),
                flow.rows.to_string(),
                flow.uploads.to_string(),
                flow.artifacts.join(", "),
                flow.creator.clone(),
                flow.status.clone().unwrap_or_default(),
            ]
        });
        let headings =
            ["flow", "state", "created", "age", "rows", "files", "artifacts", "by", "status"];
        table::write(out, &headings, rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_belongs_to_one_stage() {
        let all: Vec<FlowState> = [Stage::Running, Stage::Finished, Stage::Error, Stage::Cancelled]
            .into_iter()
            .flat_map(Stage::states)
            .collect();
        assert_eq!(all.len(), FlowState::ALL.len());
        assert!(Stage::Running.states().contains(&FlowState::Unresponsive));
    }

    #[test]
    fn the_list_is_a_table_and_nothing_is_said_to_be_nothing() {
        let row = Row {
            flow_id: String::from("F.A"),
            state: "ERROR",
            status: Some(String::from("Query timed out after 3 seconds")),
            created: Timestamp::from_second(1_767_323_045).ok(),
            rows: 3,
            uploads: 0,
            artifacts: vec![String::from("Linux.Sys.Pslist")],
            creator: String::from("ada"),
            age: String::from("12 s ago"),
        };
        let mut out = String::new();
        Output { client_id: String::from("C.1"), flows: vec![row], ..Output::default() }
            .render(&mut out);
        insta::assert_snapshot!(out, @r"
        C.1
        flow  state  created               age       rows  files  artifacts         by   status
        F.A   ERROR  2026-01-02T03:04:05Z  12 s ago  3     0      Linux.Sys.Pslist  ada  Query timed out after 3 seconds
        ");
        let mut out = String::new();
        Output { client_id: String::from("C.1"), ..Output::default() }.render(&mut out);
        assert_eq!(out, "no flows on C.1");
    }
}
