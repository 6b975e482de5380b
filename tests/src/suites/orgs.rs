//! Two orgs of one real server, served by one program: no call for the one shows or changes
//! anything of the other, whichever tool it is.
//!
//! Both hold the same by name: clients of one host name, a client of one id, an artifact, a label,
//! a hunt, a server collection. What differs is a mark.

mod apart;
mod unknown;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::mcp_stdio::{Stage, ended_well};
use crate::mcp::{McpChild, find_megaraptor};
use crate::real::{Fleet, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};
use crate::wait;

pub(super) const SUITE: Suite = Suite {
    name: "orgs",
    about: "two orgs: no call of any tool for the one shows or changes the other",
    run,
};

/// Every tool that acts in one org; each must be tried.
const TOOLS: usize = 18;

/// A record of this id is in both orgs. There is no agent behind it.
const TWIN: &str = "C.aaaaaaaaaaaaaaaa";

/// In both orgs, with another mark in each.
const ARTIFACT: &str = "Custom.Orgs.Mark";

/// On a client of each org.
const LABEL: &str = "both";

/// One of the two orgs, and what was planted in it.
struct Org {
    id: String,
    mark: &'static str,
    /// Clients with an agent.
    clients: Vec<String>,
    /// A flow of the first client, one of the twin that waits, and one of the server.
    flow: String,
    waiting: String,
    on_server: String,
    /// A hunt that is paused.
    hunt: String,
}

impl Org {
    /// What only this org has.
    fn own(&self) -> Vec<&str> {
        let ids = [self.mark, &self.flow, &self.waiting, &self.on_server, &self.hunt];
        ids.into_iter().chain(self.clients.iter().map(String::as_str)).collect()
    }
}

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let stage = Stage { program: find_megaraptor()?, server: RealServer::start().await? };
    let second = stage.server.create_org("second").await?;
    // One client in the one, two in the other: counts cannot be right by chance.
    let here = Fleet::enrol(&stage.server, "root", 1).await?;
    let there = Fleet::enrol(&stage.server, &second, 2).await?;
    let orgs = format!("--orgs=root,{second}");
    let mut child = stage
        .ready(
            &Role::ALL,
            &[
                "--policy=collect=allow",
                "--policy=respond=allow",
                "--policy=vql_server=secret",
                &orgs,
            ],
        )
        .await?;
    let here = plant(&stage.server, &mut child, "root", "zzMarkOne", &here).await?;
    let there = plant(&stage.server, &mut child, &second, "zzMarkTwo", &there).await?;

    apart::run(cases, &stage, &mut child, &here, &there).await;
    unknown::run(cases, &stage, &mut child, &second).await;
    ended_well(child).await?;
    Ok(())
}

/// Fills an org.
async fn plant(
    server: &RealServer,
    child: &mut McpChild,
    id: &str,
    mark: &'static str,
    fleet: &Fleet,
) -> anyhow::Result<Org> {
    let definition = format!(
        "name: {ARTIFACT}\ndescription: It is {mark}.\nsources:\n  - query: SELECT '{mark}' AS Mark \
         FROM scope()\n"
    );
    let server_side = format!(
        "name: {ARTIFACT}.Server\ndescription: It is {mark}.\ntype: SERVER\nsources:\n  \
         - query: SELECT '{mark}' AS Mark FROM scope()\n"
    );
    for text in [definition, server_side] {
        let vql = "LET A <= artifact_set(definition=Text) SELECT A.name AS Name FROM scope()";
        let rows = server.query(Role::Administrator, id, vql, &[("Text", &text)]).await?.rows;
        ensure!(rows.first().is_some_and(|row| row["Name"].is_string()), "{id}: {rows:?}");
    }
    let vql = "SELECT client_create(client_id=Twin, os='windows', hostname='TWIN-01',
        first_seen_at=now() - 864000, last_seen_at=now() - 86400).client_id AS Id FROM scope()";
    let rows = server.query(Role::Administrator, id, vql, &[("Twin", TWIN)]).await?.rows;
    ensure!(rows.first().is_some_and(|row| row["Id"] == TWIN), "{id}: {rows:?}");
    settled(server, id).await?;

    let clients = fleet.client_ids().to_vec();
    let mut collect = async |client: &str, artifact: &str| {
        let mut wish = json!({ "clients": [client], "artifacts": [artifact], "org": id });
        if client == TWIN {
            wish["queue_hours"] = json!(1);
        }
        let done = child.call_ok("collect_artifact", wish).await?;
        let flow = done["outcomes"][0]["flow_id"].as_str().context("no flow")?;
        anyhow::Ok(flow.to_owned())
    };
    let flow = collect(&clients[0], ARTIFACT).await?;
    let waiting = collect(TWIN, ARTIFACT).await?;
    let on_server = collect("server", &format!("{ARTIFACT}.Server")).await?;
    let hunt = json!({ "artifacts": [ARTIFACT], "description": "in both", "org": id });
    let hunt = child.call_ok("create_hunt", hunt).await?;
    let hunt = hunt["hunt_id"].as_str().context("no hunt")?.to_owned();
    let label = json!({ "clients": [clients[0]], "add": [LABEL], "org": id });
    child.call_ok("label_client", label).await?;
    Ok(Org { id: id.to_owned(), mark, clients, flow, waiting, on_server, hunt })
}

/// Waits until no flow of a client that is there goes on, so that what is seen changes no more by
/// itself. New clients are greeted with flows that nobody asked for.
async fn settled(server: &RealServer, org: &str) -> anyhow::Result<()> {
    wait::until("the flows to end", Duration::from_secs(60), || async {
        let rows = flows(server, org).await?;
        let ended = |row: &Value| row["state"] == "FINISHED" || row["state"] == "ERROR";
        let open: Vec<_> =
            rows.iter().filter(|row| row["client_id"] != TWIN && !ended(row)).collect();
        ensure!(open.is_empty() && !rows.is_empty(), "{open:?} of {}", rows.len());
        Ok::<_, anyhow::Error>(())
    })
    .await
}

async fn flows(server: &RealServer, org: &str) -> anyhow::Result<Vec<Value>> {
    let vql = "SELECT * FROM foreach(
        row={ SELECT client_id AS C FROM chain(a={ SELECT client_id FROM clients() },
                                               b={ SELECT 'server' AS client_id FROM scope() }) },
        query={ SELECT client_id, session_id, state FROM flows(client_id=C) })
        ORDER BY session_id";
    let rows = server.query(Role::Administrator, org, vql, &[]).await?.rows;
    Ok(rows.into_iter().map(Value::Object).collect())
}

/// All of an org that a tool could change, as the server tells it to somebody else.
async fn everything(server: &RealServer, org: &str) -> anyhow::Result<Value> {
    let mut all = vec![Value::Array(flows(server, org).await?)];
    for vql in [
        "SELECT client_id, labels, os_info.hostname AS Host FROM clients() ORDER BY client_id",
        "SELECT hunt_id, hunt_description, state, tags, expires FROM hunts() ORDER BY hunt_id",
        "SELECT name, sources FROM artifact_definitions() WHERE name =~ '^Custom' ORDER BY name",
        "SELECT C, client_metadata(client_id=C) AS Metadata FROM foreach(
             row={ SELECT client_id AS C FROM clients() }) ORDER BY C",
    ] {
        let rows = server.query(Role::Administrator, org, vql, &[]).await?.rows;
        all.push(rows.into_iter().map(Value::Object).collect());
    }
    Ok(Value::Array(all))
}

/// The tools that act in one org. The emergency stop is for all that its caller sees.
async fn tools(child: &mut McpChild) -> anyhow::Result<Vec<Value>> {
    let mut tools = super::mcp_stdio::tools(child).await?;
    tools.retain(|tool| tool["name"] != "emergency_stop");
    Ok(tools)
}

/// The names of all tools, of which each must have been tried.
async fn names(child: &mut McpChild) -> anyhow::Result<BTreeSet<String>> {
    let tools = tools(child).await?;
    let names: BTreeSet<String> =
        tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
    ensure!(names.len() == TOOLS, "{names:?}");
    Ok(names)
}
