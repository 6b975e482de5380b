//! What a handle stands for now: whether the rows are there, and how far somebody looked for them.

use futures_util::future::try_join;
use velociraptor_api::clients::Client;
use velociraptor_api::flows::{self, Flow};
use velociraptor_api::hunt_results::{self, Coverage};
use velociraptor_api::hunts::HuntState;
use velociraptor_api::results::{Again, Place};
use velociraptor_api::{ClientId, FlowId, HuntId, Session};

use crate::answer::State;
use crate::context::ToolCx;
use crate::evidence;
use crate::handle::Handle;
use crate::resolve;
use crate::tool_error::{Code, ToolError};
use crate::tools::flows::{not_looked::not_looked, results::tables, status};
use crate::tools::hunts::results as hunted;

/// The rows behind a handle.
#[derive(Debug)]
pub(super) struct Held {
    /// The handle, with the full name of its table.
    pub(super) handle: Handle,
    /// The query, where it is one.
    pub(super) again: Option<Again>,
    /// Whether there may be rows.
    pub(super) filled: bool,
    /// How complete they are.
    pub(super) state: State,
    /// What to keep in mind.
    pub(super) warnings: Vec<String>,
    /// The same in the server's own pages.
    pub(super) link: Option<String>,
}

/// Looks up what a handle stands for.
///
/// # Errors
///
/// `not_found` for a flow, hunt or table that is not on this server and in this org.
pub(super) async fn look(
    cx: &ToolCx<'_>,
    session: &Session<'_>,
    handle: &Handle,
    again: Option<Again>,
) -> Result<Held, ToolError> {
    match handle {
        Handle::Flow { client, flow, table } => of_flow(cx, session, (client, flow), table).await,
        Handle::Hunt { hunt, table } => of_hunt(cx, session, hunt, table).await,
        Handle::Query(_) => Ok(Held {
            handle: handle.clone(),
            again,
            filled: true,
            state: State::Complete,
            warnings: vec![String::from(
                "the query was run again now: its rows can be others than before",
            )],
            link: None,
        }),
    }
}

async fn of_flow(
    cx: &ToolCx<'_>,
    session: &Session<'_>,
    (id, flow): (&ClientId, &FlowId),
    named: &str,
) -> Result<Held, ToolError> {
    let found = async { Ok(flows::flow(session, id, flow).await?) };
    let (client, flow) = try_join(resolve::for_read(session, id.as_str()), found).await?;
    let names = tables::wanted(&flow, Some(named))?;
    let table = match names.as_slice() {
        [] => named,
        [only] => only.as_str(),
        several => {
            let handles: Vec<String> = several
                .iter()
                .map(|table| Handle::of_flow(id, &flow.flow_id, table).to_string())
                .collect();
            return Err(ToolError::invalid(format!("{named} has several tables"))
                .next(format!("name one of them: {}", handles.join(", "))));
        }
    };
    let offline = client.client.as_ref().is_some_and(|client| !client.is_online());
    let mut held = Held {
        handle: Handle::of_flow(id, &flow.flow_id, table),
        again: None,
        filled: !names.is_empty(),
        state: status::state(&flow, &[], offline),
        warnings: Vec::new(),
        link: cx.link(&format!("/collected/{id}/{}/results", flow.flow_id)),
    };
    if !held.filled {
        tables::exists(session, &flow, named).await?;
        held.warnings.extend(tables::no_rows(&flow, Some(named)));
        if held.state == State::Complete {
            held.state = State::Empty;
        }
        let os = client.client.as_ref().and_then(Client::system);
        let asleep = not_looked(session, &flow, None, Some(named), os).await?;
        if !asleep.is_empty() && held.state == State::Empty {
            held.state = State::Partial;
        }
        held.warnings.extend(asleep);
    }
    held.warnings.extend(ended(&flow));
    Ok(held)
}

/// What a flow that has not ended, or ended badly, means for its rows.
fn ended(flow: &Flow) -> Option<String> {
    if !flow.state.is_final() {
        return Some(String::from("the flow has not ended: more rows may come"));
    }
    let early = |status| format!("the flow ended early: {}", evidence::said(status));
    flow.status.as_ref().map(early)
}

async fn of_hunt(
    cx: &ToolCx<'_>,
    session: &Session<'_>,
    id: &HuntId,
    named: &str,
) -> Result<Held, ToolError> {
    let hunt = velociraptor_api::hunts::status(session, id).await?.hunt;
    let table = hunt_results::choose(&hunt, Some(named))?.to_owned();
    let coverage = hunt_results::coverage(session, id, Some(&table)).await?;
    Ok(Held {
        handle: Handle::of_hunt(id, &table),
        again: None,
        // Counting rows tells no more than reading them does.
        filled: true,
        state: hunted::state(&coverage, false),
        warnings: open(&coverage),
        link: cx.link(&format!("/hunts/{id}/results")),
    })
}

/// For how many hosts the rows say nothing.
fn open(coverage: &Coverage) -> Vec<String> {
    let parts = &coverage.parts;
    let words = [
        (parts.not_known, "not known"),
        (parts.failed, "failed"),
        (parts.cancelled, "cancelled"),
        (parts.cut, "cut"),
        (parts.running, "running"),
        (parts.never_scheduled, "never asked"),
        (parts.not_applicable, "not applicable"),
    ];
    let told: Vec<String> = words
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{word} {count}"))
        .collect();
    let mut warnings = Vec::new();
    if !told.is_empty() {
        warnings.push(format!(
            "nothing is established, or not all, for {} of {} hosts ({}): get_hunt_results names \
             them",
            parts.open() + parts.not_applicable,
            coverage.scope,
            told.join(", ")
        ));
    }
    if coverage.hunt.state == HuntState::Running || parts.running > 0 {
        warnings.push(String::from("the hunt has not ended: more rows may come"));
    }
    warnings
}

impl Held {
    /// Where the rows are, for the facade.
    ///
    /// # Errors
    ///
    /// None that [`look`] can cause: a query is kept with its text.
    pub(super) fn place(&self) -> Result<Place<'_>, ToolError> {
        match (&self.handle, &self.again) {
            (Handle::Flow { client, flow, table }, _) => Ok(Place::Flow { client, flow, table }),
            (Handle::Hunt { hunt, table }, _) => Ok(Place::Hunt { hunt, table }),
            (Handle::Query(_), Some(again)) => Ok(Place::Query(again)),
            (Handle::Query(_), None) => Err(ToolError::new(Code::Internal, "a query without text")),
        }
    }
}
