//! `collect_artifact`.

use std::time::Duration;

use guard::asked::Place;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::clients::{Client, Resolved};
use velociraptor_api::collections::{self, Checked, Target};
use velociraptor_api::{Fault, Permission, Session};

use crate::answer::{Answer, State};
use crate::clock;
use crate::collection::{Bounds, Parameters, bytes_of_each, wanted};
use crate::context::ToolCx;
use crate::gateway::{Go, Work, contains, programs};
use crate::resolve::{self, Named};
use crate::tool::{Acts, Detail, Effect, Tool};
use crate::tool_error::{Code, ToolError};

mod outcome;
mod render;
mod run;

use outcome::{Outcome, Word};
use run::Plan;

/// Most clients in one call; beyond it a hunt is the right means.
const CLIENTS: usize = 100;

/// `collect_artifact`.
pub(super) struct CollectArtifact;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// Ids or host names; or server alone, for artifacts of type server
    clients: Vec<String>,
    /// Names
    artifacts: Vec<String>,
    /// {"Artifact": {"Param": value}}
    #[serde(default)]
    parameters: Parameters,
    /// Seconds to wait for results, default 20
    #[schemars(range(max = 600))]
    wait: Option<u64>,
    /// Before other work of the client
    #[serde(default)]
    urgent: bool,
    /// Even if the same was collected within 10 minutes
    #[serde(default)]
    again: bool,
    /// If offline, wait for it this long; without it an offline client is refused
    #[schemars(range(min = 1, max = 720))]
    queue_hours: Option<u64>,
    /// Seconds of each artifact; default: its own, else 600
    #[schemars(range(min = 1, max = 86_400))]
    timeout: Option<u64>,
    /// Rows of each client; default: the artifacts' own, else any
    #[schemars(range(min = 1))]
    max_rows: Option<u64>,
    /// Uploads of each client; default: the artifacts' own, else 1074
    #[schemars(range(min = 1))]
    max_mb: Option<u64>,
    /// Percent of a processor
    #[schemars(range(min = 1, max = 100))]
    cpu_percent: Option<u8>,
}

/// What became of it, client by client.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    outcomes: Vec<Outcome>,
}

impl Tool for CollectArtifact {
    const NAME: &'static str = "collect_artifact";
    const TITLE: &'static str = "Collect from endpoints";
    const DESCRIPTION: &'static str = "Runs artifacts on named endpoints, waits, and gives the \
        first rows of each table. What has not ended goes on: get_flow_status, then \
        get_flow_results for all rows. An offline client is refused unless queue_hours says how \
        long to wait. For whole fleets use create_hunt.";
    const EFFECT: Effect = Effect::Collect;
    const NEEDS: &'static [Permission] =
        &[Permission::AnyQuery, Permission::ReadResults, Permission::CollectClient];
    const DETAIL: Option<Detail> = Some(Detail::Compact);
    type Input = Input;
    type Output = Output;
}

/// The collection, checked, and the clients.
pub(super) struct Prepared {
    checked: Checked,
    named: Vec<Named>,
    again: bool,
    wait: Duration,
    queue: Option<Duration>,
}

impl Acts for CollectArtifact {
    type Prepared = Prepared;

    async fn prepare(
        _cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let bounds = Bounds {
            timeout: input.timeout,
            max_rows: input.max_rows,
            max_mb: input.max_mb,
            cpu_percent: input.cpu_percent,
        };
        let collection = wanted(&input.artifacts, &input.parameters, bounds, input.urgent)?;
        let target = target(&input.clients)?;
        let checked = collections::check(session, &collection, target).await?;
        let queue = queue(input.queue_hours)?;
        let mut named = resolve::each_for_change(session, &input.clients).await?;
        if queue.is_none() {
            refuse_away(&mut named)?;
        }
        if let [Named { found: Err(error), .. }] = named.as_slice() {
            return Err(error.clone());
        }
        let names: Vec<&str> = checked.definitions().iter().map(|d| d.name.as_str()).collect();
        let (place, clients) = match target {
            Target::Server => (Place::Server, Vec::new()),
            Target::Clients => (Place::Endpoint, known(&named)),
        };
        let mut work = Work::that("runs the artifacts and keeps their rows on the server")
            .running(programs::of_artifacts(session, &names, place).await?)
            .collecting(checked.in_force(), clients.len() as u64)
            .needing(checked.permissions())
            .undone_by("cancel_flow; what was collected stays");
        if let Some(queue) = queue {
            work = work.expiring(queue.as_secs());
        }
        if contains(&names) {
            work = work.weighing(Effect::Respond, programs::CONTAINS);
        }
        work = match target {
            Target::Server => work.on_the_server().needing_only(vec![
                Permission::AnyQuery,
                Permission::ReadResults,
                Permission::CollectServer,
            ]),
            Target::Clients => work.on(clients),
        };
        let wait = Duration::from_secs(input.wait.unwrap_or(20).min(600));
        Ok((work, Prepared { checked, named, again: input.again, wait, queue }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        Prepared { checked, named, again, wait, queue }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let until = queue.and_then(|queue| clock::now().checked_add(queue).ok());
        let (detail, progress) = (cx.detail, cx.progress);
        let plan = Plan { session, go, checked: &checked, again, wait, until, detail, progress };
        let mut outcomes = plan.run(named).await?;
        let each = bytes_of_each(&checked.in_force());
        let brought_in = outcomes.iter().map(|outcome| outcome.bytes.unwrap_or(each));
        go.brought_in(brought_in.fold(0, u64::saturating_add)).await;
        if let [only] = outcomes.as_mut_slice()
            && let Some(error) = only.refusal.take()
        {
            return Err(error);
        }
        let state = overall(&outcomes);
        let data = Output { outcomes };
        Ok(Answer::of(cx, session, data).state(state))
    }
}

/// For how long a collection may wait for clients that are offline.
fn queue(hours: Option<u64>) -> Result<Option<Duration>, ToolError> {
    match hours {
        Some(hours) if !(1..=720).contains(&hours) => {
            Err(ToolError::invalid(format!("queue_hours is from 1 to 720, not {hours}")))
        }
        hours => Ok(hours.map(|hours| Duration::from_secs(hours * 3600))),
    }
}

/// Refuses clients that are offline: the server would keep the work for them for ever, and it would
/// strike when nobody thinks of it any more.
fn refuse_away(named: &mut [Named]) -> Result<(), ToolError> {
    for one in named.iter_mut() {
        let Ok(Resolved { id, client: Some(client), .. }) = &one.found else { continue };
        if !client.is_online() {
            let fault = Fault::Offline { client: id.clone(), last_seen: client.last_seen };
            one.found = Err(ToolError::from(fault)
                .next("queue_hours lets it wait for the client, and is taken back after that"));
        }
    }
    // Where nothing is left nobody is asked about it.
    let offline = |one: &Named| match &one.found {
        Err(error) if error.code == Code::Offline => Some(error.clone()),
        _ => None,
    };
    let away: Vec<_> = named.iter().filter_map(offline).collect();
    match away.first() {
        Some(first) if away.len() == named.len() => {
            let others: Vec<&str> = named.iter().skip(1).map(|one| one.given.as_str()).collect();
            let more = match others.as_slice() {
                [] => String::new(),
                others => format!(", and so are {}", others.join(", ")),
            };
            let message = format!("{}{more}: nothing was started", first.message);
            Err(ToolError { message, ..first.clone() })
        }
        _ => Ok(()),
    }
}

/// The clients among those that were named.
fn known(named: &[Named]) -> Vec<Client> {
    let found = named.iter().filter_map(|named| named.found.as_ref().ok());
    found.filter_map(|resolved| resolved.client.clone()).collect()
}

/// The server, or endpoints; not both, since no artifact runs on both.
fn target(clients: &[String]) -> Result<Target, ToolError> {
    let servers = clients.iter().filter(|client| client.trim() == "server").count();
    match (clients.len(), servers) {
        (0, _) => Err(ToolError::invalid("clients is empty: name at least one by id or host name")
            .next("list_clients finds clients; create_hunt collects from all of them")),
        (n, _) if n > CLIENTS => {
            Err(ToolError::invalid(format!("{n} clients are more than {CLIENTS} in one call"))
                .next("create_hunt collects from a list of clients, or from all with a label"))
        }
        (_, 0) => Ok(Target::Clients),
        (n, servers) if n == servers => Ok(Target::Server),
        _ => Err(ToolError::invalid(
            "server stands with endpoints in one call, and no artifact runs on both",
        )
        .next("call once with server alone, and once with the endpoints")),
    }
}

/// How complete the whole is. A part that failed outweighs one that is still open.
fn overall(outcomes: &[Outcome]) -> State {
    let any = |word: Word| outcomes.iter().any(|outcome| outcome.state == word);
    let all = |word: Word| outcomes.iter().all(|outcome| outcome.state == word);
    let open = [
        Word::Refused,
        Word::Unproved,
        Word::Failed,
        Word::Cancelled,
        Word::Cut,
        Word::NotApplicable,
    ];
    if open.into_iter().any(any) {
        State::Partial
    } else if all(Word::Offline) {
        State::Offline
    } else if any(Word::Pending) || any(Word::Offline) {
        State::Pending
    } else if outcomes.iter().all(|outcome| outcome.rows == 0 && outcome.uploads == 0) {
        State::Empty
    } else {
        State::Complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(clients: &[&str]) -> Result<Target, ToolError> {
        target(&clients.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn d75_the_server_can_be_collected_from_alone() {
        assert_eq!(of(&["server"]).unwrap(), Target::Server);
        assert_eq!(of(&["WS-1", "C.0123456789abcdef"]).unwrap(), Target::Clients);
        assert!(of(&["server", "WS-1"]).unwrap_err().next_step.is_some());
        assert!(of(&[]).is_err());
        assert!(of(&vec!["WS-1"; 101]).unwrap_err().next_step.unwrap().contains("create_hunt"));
    }

    #[test]
    fn a_part_that_failed_makes_the_whole_partial() {
        let of = |words: &[Word]| {
            let outcomes: Vec<Outcome> = words.iter().map(|word| outcome::plain(*word)).collect();
            overall(&outcomes)
        };
        assert_eq!(of(&[Word::Finished, Word::Refused, Word::Pending]), State::Partial);
        assert_eq!(of(&[Word::Offline, Word::Offline]), State::Offline);
        assert_eq!(of(&[Word::Offline, Word::Finished]), State::Pending);
        assert_eq!(of(&[Word::Finished]), State::Empty);
        let mut one = outcome::plain(Word::Finished);
        one.rows = 3;
        assert_eq!(overall(&[one, outcome::plain(Word::Finished)]), State::Complete);
        // That nothing was found is not established where the log does not say that it looked.
        let mut late = outcome::plain(Word::Finished);
        late.may_have_looked();
        assert_eq!(overall(&[late]), State::Partial);
    }
}
