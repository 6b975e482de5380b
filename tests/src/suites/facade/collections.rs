//! Collections and the flows that they make: checked, started, waited for, cancelled, listed.

use std::time::Duration;

use anyhow::{bail, ensure};
use indexmap::IndexMap;
use serde_json::{Value, json};
use velociraptor_api::collections::{self, Checked, Collection, CollectionLimits, Target};
use velociraptor_api::flow_results;
use velociraptor_api::flows::{self, Applied, Bound, FlowSearch, FlowState, WaitEnd};
use velociraptor_api::{ClientId, Fault, FlowId, Permission};

use super::Bench;
use crate::suite::Cases;

const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    cases.case("collections: parameters arrive as given", parameters(bench)).await;
    cases.case("collections: what does not fit is refused before it is sent", refused(bench)).await;
    cases.case("collections: hostile names change nothing", hostile(bench)).await;
    cases.case("collections: required permissions are known beforehand", permissions(bench)).await;
    cases.case("collections: an equal recent one is found", equal(bench)).await;
    cases.case("collections: on the server itself", on_the_server(bench)).await;
    cases.case("flows: a running one is cancelled, a finished one left alone", cancel(bench)).await;
    cases.case("flows: a row limit is an error with its reason", row_limit(bench)).await;
    cases.case("collections: limits arrive as given, and none is zero", limits(bench)).await;
    cases.case("collections: one that does not apply says so", not_applicable(bench)).await;
    cases.case("flows: newest first, every page once, by state", list(bench)).await;
    cases.case("flows: unknown ones are told apart", unknown(bench)).await;
}

pub(super) fn collection(artifact: &str, parameters: &[(&str, Value)]) -> Collection {
    let parameters: IndexMap<String, Value> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Collection {
        artifacts: IndexMap::from([(artifact.to_owned(), parameters)]),
        ..Collection::default()
    }
}

async fn checked(bench: &Bench<'_>, wanted: &Collection) -> Result<Checked, Fault> {
    collections::check(&bench.session(), wanted, Target::Clients).await
}

/// Flows of the real agent.
async fn count(bench: &Bench<'_>) -> anyhow::Result<u64> {
    let id = bench.agent_id()?;
    Ok(flows::list(&bench.session(), &id, &FlowSearch::default()).await?.total)
}

async fn parameters(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let pattern = "^(velociraptor|a \"quoted\"; one)";
    let wanted = collection("Linux.Sys.Pslist", &[("processRegex", json!(pattern))]);
    let started = collections::start(&session, &id, &checked(bench, &wanted).await?).await?;
    ensure!(started.online, "{started:?}");
    let spec = &started.status.request.specs[0];
    ensure!(spec.parameters["processRegex"] == pattern, "{spec:?}");
    let mut seen = Vec::new();
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |flow| seen.push(flow.state)).await?;
    ensure!(waited.end == WaitEnd::Ended && waited.flow.state == FlowState::Finished, "{waited:?}");
    ensure!(waited.flow.tables == ["Linux.Sys.Pslist"] && waited.flow.rows > 0, "{waited:?}");
    ensure!(seen.last() == Some(&FlowState::Finished), "{seen:?}");
    // The agent used it: another pattern finds nothing.
    let wanted = collection("Linux.Sys.Pslist", &[("processRegex", json!("no such process"))]);
    let started = collections::start(&session, &id, &checked(bench, &wanted).await?).await?;
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    ensure!(waited.flow.state == FlowState::Finished && waited.flow.rows == 0, "{waited:?}");
    ensure!(session.identities().contains(&String::from("investigator")));
    Ok(())
}

async fn refused(bench: &Bench<'_>) -> anyhow::Result<()> {
    let before = count(bench).await?;
    for (artifact, parameter, value, told) in [
        ("Linux.Sys.Pslist", "ProcessRegex", json!("x"), "did you mean processRegex"),
        ("Linux.Sys.Pslist", "processRegex", json!("("), "not a regular expression"),
        ("Linux.Sys.Pslist", "processRegex", json!(["x"]), "takes a text"),
        ("Server.Information.Users", "", Value::Null, "runs on the server"),
        ("Linux.Events.ProcessExecutions", "", Value::Null, "monitoring table"),
        ("Server.Internal.ClientPing", "", Value::Null, "queue of the server"),
        ("Generic.Client.DiskSpace", "X", json!(1), "takes no parameters"),
        ("Linux.Search.FileFinder", "MoreRecentThan", json!("yesterday"), "takes a time"),
        ("Linux.Search.FileFinder", "Upload_File", json!("perhaps"), "true or false"),
    ] {
        let parameters: &[(&str, Value)] =
            if parameter.is_empty() { &[] } else { &[(parameter, value)] };
        match checked(bench, &collection(artifact, parameters)).await {
            Err(error @ Fault::BadInput { .. }) => {
                ensure!(error.to_string().contains(told), "{artifact} {parameter}: {error}");
            }
            other => bail!("{artifact} {parameter}: {other:?}"),
        }
    }
    match checked(bench, &collection("Linux.Sys.Pslst", &[])).await {
        Err(Fault::UnknownArtifact { near, .. }) => ensure!(near[0] == "Linux.Sys.Pslist"),
        other => bail!("{other:?}"),
    }
    let good = checked(bench, &collection("Linux.Sys.Pslist", &[])).await?;
    let stranger = ClientId::parse("C.0000000000000000")?;
    for client in [stranger, ClientId::server()] {
        match collections::start(&bench.session(), &client, &good).await {
            Err(Fault::UnknownClient { .. } | Fault::BadInput { .. }) => {}
            other => bail!("{client}: {other:?}"),
        }
    }
    ensure!(count(bench).await? == before, "something was started");
    Ok(())
}

async fn hostile(bench: &Bench<'_>) -> anyhow::Result<()> {
    let before = count(bench).await?;
    for name in ["x'); SELECT 1 --", "a\nb", "\u{202e}\u{1f600}", "{}", "`"] {
        match checked(bench, &collection(name, &[])).await {
            Err(Fault::UnknownArtifact { .. }) => {}
            other => bail!("{name:?}: {other:?}"),
        }
        let (session, id) = (bench.session(), bench.agent_id()?);
        let wanted =
            collection("Linux.Sys.Pslist", &[("processRegex", json!(format!("^$|\\Q{name}\\E")))]);
        let started = collections::start(&session, &id, &checked(bench, &wanted).await?).await?;
        let flow = started.status.flow.flow_id;
        flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    }
    ensure!(count(bench).await? == before + 5, "a name did more than name");
    Ok(())
}

async fn permissions(bench: &Bench<'_>) -> anyhow::Result<()> {
    let before = count(bench).await?;
    let id = bench.agent_id()?;
    let wanted = collection(
        "Linux.Sys.BashShell",
        &[("Command", json!("true")), ("Stateful", json!(false))],
    );
    let good = checked(bench, &wanted).await?;
    ensure!(good.permissions() == [Permission::Execve], "{:?}", good.permissions());
    let weaker = bench.without_administrator()?;
    match collections::start(&bench.session_of(&weaker), &id, &good).await {
        Err(Fault::NotPermitted { lacking, .. }) => ensure!(lacking == [Permission::Execve]),
        other => bail!("{other:?}"),
    }
    ensure!(count(bench).await? == before);
    let session = bench.session();
    let started = collections::start(&session, &id, &good).await?;
    ensure!(session.identities().contains(&String::from("administrator")));
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    ensure!(waited.flow.state == FlowState::Finished, "{waited:?}");
    Ok(())
}

async fn equal(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let within = Duration::from_secs(600);
    let wanted = collection("Linux.Sys.Pslist", &[("processRegex", json!("only once"))]);
    let good = checked(bench, &wanted).await?;
    let found = collections::equal_recent(&session, &id, &good, within).await?;
    ensure!(found.is_none(), "{found:?}");
    let started = collections::start(&session, &id, &good).await?.status.flow.flow_id;
    let found = collections::equal_recent(&session, &id, &good, within).await?;
    ensure!(found.is_some_and(|flow| flow.flow_id == started), "not found");
    let limited = Collection {
        limits: CollectionLimits { max_rows: Some(7), ..CollectionLimits::default() },
        ..wanted.clone()
    };
    for other in [limited, collection("Linux.Sys.Pslist", &[("processRegex", json!("other"))])] {
        let other = checked(bench, &other).await?;
        let found = collections::equal_recent(&session, &id, &other, within).await?;
        ensure!(found.is_none(), "{found:?}");
    }
    Ok(())
}

async fn on_the_server(bench: &Bench<'_>) -> anyhow::Result<()> {
    let session = bench.session();
    let wanted = collection("Server.Utils.ListUsers", &[]);
    let good = collections::check(&session, &wanted, Target::Server).await?;
    let server = ClientId::server();
    let started = collections::start(&session, &server, &good).await?;
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &server, &flow, PATIENCE, |_| {}).await?;
    ensure!(waited.flow.state == FlowState::Finished && waited.flow.rows > 0, "{waited:?}");
    let status = flows::status(&session, &server, &flow).await?;
    ensure!(status.queries.iter().all(|query| query.status == "OK"), "{status:?}");
    Ok(())
}

async fn cancel(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let long = collection(
        "Linux.Sys.BashShell",
        &[("Command", json!("sleep 60")), ("Stateful", json!(false))],
    );
    let started = collections::start(&session, &id, &checked(bench, &long).await?).await?;
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, Duration::from_millis(500), |_| {}).await?;
    ensure!(waited.end == WaitEnd::Deadline, "{waited:?}");
    let done = flows::cancel(&session, &id, &flow).await?;
    ensure!(done.cancelled && !done.before.is_final(), "{done:?}");
    ensure!(done.flow.state == FlowState::Cancelled, "{done:?}");
    let told = done.flow.status.as_deref().unwrap_or_default();
    ensure!(told.contains("Cancelled"), "{done:?}");
    let again = flows::cancel(&session, &id, &flow).await?;
    ensure!(!again.cancelled && again.before == FlowState::Cancelled, "{again:?}");

    let short = collection("Generic.Client.Info", &[]);
    let started = collections::start(&session, &id, &checked(bench, &short).await?).await?;
    let flow = started.status.flow.flow_id;
    flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    let done = flows::cancel(&session, &id, &flow).await?;
    ensure!(!done.cancelled && done.flow.state == FlowState::Finished, "{done:?}");
    Ok(())
}

async fn row_limit(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let limits = CollectionLimits {
        max_rows: Some(1),
        timeout: Some(Duration::from_secs(30)),
        ..CollectionLimits::default()
    };
    let wanted = Collection { limits, ..collection("Linux.Sys.Pslist", &[]) };
    let started = collections::start(&session, &id, &checked(bench, &wanted).await?).await?;
    ensure!(started.status.request.max_rows == 1 && started.status.request.timeout == 30);
    let flow = started.status.flow.flow_id;
    let waited = flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    let told = waited.flow.status.clone().unwrap_or_default();
    ensure!(waited.flow.state == FlowState::Error && told.contains("limit"), "{waited:?}");
    let status = flows::status(&session, &id, &flow).await?;
    ensure!(status.bound() == Some(Bound::Rows), "{status:?}");
    // What is said to be there is there: the rows that passed the limit may never have arrived.
    for table in flow_results::tables(&session, &id, &flow).await?.tables {
        let counted = flow_results::count(&session, &id, &flow, &table.name, None).await?;
        ensure!(counted == table.rows, "{counted} of {table:?}");
    }
    several_queries(bench).await
}

/// Of a flow with several queries the server says only that it was cancelled.
async fn several_queries(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let limits = CollectionLimits { max_rows: Some(3), ..CollectionLimits::default() };
    let wanted = Collection { limits, ..collection("Generic.Client.Info", &[]) };
    let started = collections::start(&session, &id, &checked(bench, &wanted).await?).await?;
    let flow = started.status.flow.flow_id;
    flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
    let status = flows::status(&session, &id, &flow).await?;
    ensure!(status.bound() == Some(Bound::Rows), "{status:?}");
    Ok(())
}

async fn limits(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let limits = CollectionLimits {
        timeout: Some(Duration::from_secs(77)),
        max_rows: Some(1_000_000),
        max_bytes: Some(5_000_000),
        cpu_percent: Some(50),
    };
    let wanted = Collection { limits, ..collection("Generic.Client.DiskSpace", &[]) };
    let good = checked(bench, &wanted).await?;
    let request = collections::start(&session, &id, &good).await?.status.request;
    ensure!(request.cpu_limit == 50.0 && request.timeout == 77, "{request:?}");
    ensure!(request.max_rows == 1_000_000 && request.max_upload_bytes == 5_000_000, "{request:?}");
    for limits in [
        CollectionLimits { cpu_percent: Some(0), ..CollectionLimits::default() },
        CollectionLimits { cpu_percent: Some(101), ..CollectionLimits::default() },
        CollectionLimits { max_rows: Some(0), ..CollectionLimits::default() },
        CollectionLimits { max_bytes: Some(u64::MAX), ..CollectionLimits::default() },
        CollectionLimits { timeout: Some(Duration::ZERO), ..CollectionLimits::default() },
    ] {
        match checked(bench, &Collection { limits, ..wanted.clone() }).await {
            Err(Fault::BadInput { .. }) => {}
            other => bail!("{limits:?}: {other:?}"),
        }
    }
    Ok(())
}

async fn not_applicable(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    for (artifact, wanted) in
        [("Windows.System.Pslist", Applied::Nowhere), ("Generic.Client.Info", Applied::Somewhere)]
    {
        let good = checked(bench, &collection(artifact, &[])).await?;
        let mut said = Vec::new();
        // A busy agent can lose the log of a flow for good; that it is not known is then right.
        while said.last().is_none_or(|(last, _)| *last == Applied::NotKnown) && said.len() < 3 {
            let flow = collections::start(&session, &id, &good).await?.status.flow.flow_id;
            flows::wait(&session, &id, &flow, PATIENCE, |_| {}).await?;
            let status = flows::status(&session, &id, &flow).await?;
            said.push((flows::applied(&session, &status).await?, status));
        }
        ensure!(said.last().is_some_and(|(last, _)| *last == wanted), "{artifact}: {said:?}");
    }
    Ok(())
}

async fn list(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let mut seen = Vec::new();
    let mut from = 0;
    let total = loop {
        let wanted = FlowSearch { from, count: 4, ..FlowSearch::default() };
        let page = flows::list(&session, &id, &wanted).await?;
        seen.extend(page.flows);
        match page.next {
            Some(next) => from = next,
            None => break page.total,
        }
    };
    ensure!(seen.len() as u64 == total && total > 8, "{} of {total}", seen.len());
    ensure!(seen.is_sorted_by_key(|flow| std::cmp::Reverse(flow.created)), "{seen:?}");
    let mut ids: Vec<&FlowId> = seen.iter().map(|flow| &flow.flow_id).collect();
    ids.sort();
    ids.dedup();
    ensure!(ids.len() as u64 == total);
    let wanted = FlowSearch { states: vec![FlowState::Error], ..FlowSearch::default() };
    let page = flows::list(&session, &id, &wanted).await?;
    ensure!(page.total > 0 && page.total < total, "{} of {total}", page.total);
    ensure!(page.flows.iter().all(|flow| flow.state == FlowState::Error));
    Ok(())
}

async fn unknown(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (session, id) = (bench.session(), bench.agent_id()?);
    let stranger = FlowId::parse("F.NOSUCHFLOW")?;
    match flows::status(&session, &id, &stranger).await {
        Err(Fault::UnknownFlow { .. }) => {}
        other => bail!("{other:?}"),
    }
    match flows::cancel(&session, &id, &stranger).await {
        Err(Fault::UnknownFlow { .. }) => {}
        other => bail!("{other:?}"),
    }
    let nobody = ClientId::parse("C.0000000000000000")?;
    match flows::status(&session, &nobody, &stranger).await {
        Err(Fault::UnknownClient { .. }) => {}
        other => bail!("{other:?}"),
    }
    match flows::list(&session, &nobody, &FlowSearch::default()).await {
        Err(Fault::UnknownClient { .. }) => Ok(()),
        other => bail!("{other:?}"),
    }
}
