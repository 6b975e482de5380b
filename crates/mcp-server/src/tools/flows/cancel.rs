//! `cancel_flow`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{ClientId, FlowId, Permission, Session, flows};

use crate::answer::{Answer, Render};
use crate::context::ToolCx;
use crate::gateway::{Go, Work, contains, programs};
use crate::resolve;
use crate::tool::{Acts, Effect, Tool};
use crate::tool_error::ToolError;

/// `cancel_flow`.
pub(super) struct CancelFlow;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Client id, host name, or server
    client: String,
    flow_id: String,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    client_id: String,
    flow_id: String,
    cancelled: bool,
    before: &'static str,
    after: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    rows_kept: u64,
}

impl Tool for CancelFlow {
    const NAME: &'static str = "cancel_flow";
    const TITLE: &'static str = "Cancel a flow";
    const DESCRIPTION: &'static str = "Ends a collection that is still running or waiting, and \
        reads its state back. Rows collected so far are kept. A flow that has ended is left \
        alone. modify_hunt stops a hunt.";
    const EFFECT: Effect = Effect::Collect;
    const NEEDS: &'static [Permission] =
        &[Permission::AnyQuery, Permission::ReadResults, Permission::CollectClient];
    const IDEMPOTENT: bool = true;
    type Input = Input;
    type Output = Output;
}

/// The flow that is to be ended.
pub(super) struct Prepared {
    client: ClientId,
    flow: FlowId,
}

impl Acts for CancelFlow {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let flow = FlowId::parse(input.flow_id.trim())?;
        let client = resolve::for_change(session, &input.client).await?;
        let status = flows::flow(session, &client.id, &flow).await?;
        let artifacts = status.artifacts.join(", ");
        let does = if status.state.is_final() {
            format!("leaves {flow} ({artifacts}) alone: it has ended ({})", status.state)
        } else {
            let state = status.state;
            format!("ends {flow} ({artifacts}), which is {state}; rows so far are kept")
        };
        let work = Work::that(does).on_resolved(&client).undone_by("collecting again");
        let work = if contains(&status.artifacts) {
            work.weighing(Effect::Respond, programs::CONTAINS)
        } else {
            work
        };
        Ok((work, Prepared { client: client.id, flow }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        _go: &Go,
        Prepared { client, flow }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let done = flows::cancel(session, &client, &flow).await?;
        let link = cx.link(&format!("/collected/{client}/{flow}"));
        let output = Output {
            client_id: client.to_string(),
            flow_id: flow.to_string(),
            cancelled: done.cancelled,
            before: done.before.as_str(),
            after: done.flow.state.as_str(),
            status: done.flow.status.clone(),
            rows_kept: done.flow.rows,
        };
        Ok(Answer::of(cx, session, output).link(link))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let Self { flow_id, client_id, before, after, .. } = self;
        let _ = if self.cancelled {
            write!(out, "CANCELLED {flow_id} on {client_id}: was {before}, is {after}")
        } else {
            write!(out, "LEFT ALONE {flow_id} on {client_id}: it had ended already ({after})")
        };
        if let Some(status) = &self.status {
            let _ = write!(out, "\n{status}");
        }
        let are = if self.rows_kept == 1 { "is" } else { "are" };
        let _ = write!(out, "\n{} {are} kept", crate::table::rows(self.rows_kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_that_had_ended_is_said_to_be_left_alone() {
        let mut output = Output {
            client_id: String::from("C.1"),
            flow_id: String::from("F.A"),
            cancelled: true,
            before: "RUNNING",
            after: "ERROR",
            status: Some(String::from("Cancelled by VQL query")),
            rows_kept: 4,
        };
        let mut out = String::new();
        output.render(&mut out);
        assert_eq!(
            out,
            "CANCELLED F.A on C.1: was RUNNING, is ERROR\nCancelled by VQL query\n4 rows are kept"
        );
        output = Output {
            cancelled: false,
            before: "FINISHED",
            after: "FINISHED",
            status: None,
            ..output
        };
        out.clear();
        output.render(&mut out);
        assert!(out.starts_with("LEFT ALONE F.A on C.1: it had ended already (FINISHED)"), "{out}");
    }
}
