//! Every family of tools over stdio, on a real server with a real agent: answers, refusals, and
//! what the server itself says afterwards.

mod artifacts;
mod clients;
mod collect;
mod detail;
mod emergency;
mod flows;
mod handles;
mod hunts;
mod in_force;
mod vql;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::mcp_stdio::{Stage, ended_well};
use crate::mcp::{McpChild, find_megaraptor};
use crate::real::{Fleet, RealAgent, RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "tools",
    about: "each family of tools over stdio: what it answers, refuses and changes",
    run,
};

/// Simulated clients beside the real agent. All carry this machine's host name.
const FLEET: u64 = 2;

/// A client that was seen yesterday, of another system; there is no agent behind it.
const AWAY: &str = "C.aaaaaaaaaaaaaaaa";
const AWAY_NAME: &str = "AWAY-01";

/// An id that nobody has.
const GHOST: &str = "C.00000000000000ff";

/// Two tables: `Numbers` with as many rows as asked for, `Two` with two.
const ROWS: &str = "Custom.Tools.Rows";

/// Many rows with a few rare values among them, and values that read alike and are not.
const STACK: &str = "Custom.Tools.Stack";

/// It runs on an endpoint until it is told to end.
const ENDLESS: &str = "Custom.Tools.Endless";

const DEFINITIONS: &[&str] = &[
    "name: Custom.Tools.Rows
description: Numbers of the suite.
parameters:
  - name: Count
    type: int
    default: 10
  - name: Kind
    type: choices
    default: odd
    choices: [odd, even]
sources:
  - name: Numbers
    query: SELECT _value AS N, _value >= 900 AS High, Kind FROM range(end=Count)
  - name: Two
    query: SELECT _value AS B FROM range(end=2)
",
    r#"name: Custom.Tools.Stack
parameters:
  - name: Count
    type: int
    default: 12000
sources:
  - query: |
      LET Many = SELECT _value AS N, 9 AS Count, timestamp(epoch=1700000000 + _value) AS `Last Seen`,
             if(condition=_value < 9000, then="svchost.exe",
                else=if(condition=_value < 11990, then="explorer.exe", else="rare.exe")) AS Name,
             if(condition=_value < 11998, then="C:/Windows", else="C:/Temp") AS Path
        FROM range(end=Count)
      LET Odd = SELECT * FROM foreach(row=[
          dict(Name="a b", Path="c"), dict(Name="a", Path="b c"), dict(Name=NULL, Path="n"),
          dict(Name="Null", Path="n"), dict(Name=1, Path="n"), dict(Name="1", Path="n")])
      SELECT * FROM chain(a=Many, b=Odd)
"#,
    "name: Custom.Tools.Bounded
resources:
  timeout: 90
  max_rows: 50
  max_upload_bytes: 5000000000
sources:
  - query: SELECT _value AS N FROM range(end=3)
",
    "name: Custom.Tools.Endless
sources:
  - query: SELECT * FROM clock(period=1)
",
];

/// What the cases work on.
struct Bench {
    stage: Stage,
    agent: String,
    fleet: Vec<String>,
}

impl Bench {
    /// The program with all identities, where changes are allowed.
    async fn changing(&self) -> anyhow::Result<McpChild> {
        // What the server may do for a query is left to its own access control here.
        let policy = [
            "--policy=collect=allow",
            "--policy=respond=allow",
            "--policy=vql_server=mutate,other_orgs",
        ];
        self.stage.ready(&Role::ALL, &policy).await
    }

    /// The artifacts, and the client that is away.
    async fn plant(&self) -> anyhow::Result<()> {
        for definition in DEFINITIONS {
            self.define(definition).await?;
        }
        let vql = "SELECT client_create(client_id=SuiteClient, os='windows', hostname=SuiteName,
            first_seen_at=now() - 864000, last_seen_at=now() - 86400).client_id AS Id FROM scope()";
        let made = self.witness(vql, &[("SuiteClient", AWAY), ("SuiteName", AWAY_NAME)]).await?;
        ensure!(made[0]["Id"] == AWAY, "no record was made: {made}");
        Ok(())
    }

    /// Gives the server an artifact, or another definition of one.
    async fn define(&self, definition: &str) -> anyhow::Result<()> {
        let vql = "LET A <= artifact_set(definition=SuiteText) SELECT A.name AS Name FROM scope()";
        let made = self.witness(vql, &[("SuiteText", definition)]).await?;
        ensure!(made[0]["Name"].is_string(), "the server did not take an artifact: {made}");
        Ok(())
    }

    /// What the server says when it is asked by another way than through a tool.
    async fn witness(&self, vql: &str, env: &[(&'static str, &str)]) -> anyhow::Result<Value> {
        let rows = self.stage.server.query(Role::Administrator, "root", vql, env).await?.rows;
        Ok(Value::Array(rows.into_iter().map(Value::Object).collect()))
    }

    /// How many flows the server knows of a client.
    async fn flows(&self, client: &str) -> anyhow::Result<usize> {
        let vql = "SELECT session_id FROM flows(client_id=SuiteClient)";
        let rows = self.witness(vql, &[("SuiteClient", client)]).await?;
        Ok(rows.as_array().map_or(0, Vec::len))
    }
}

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let stage = Stage { program: find_megaraptor()?, server: RealServer::start().await? };
    let agent = RealAgent::enrol(&stage.server, "root").await?;
    let fleet = Fleet::enrol(&stage.server, "root", usize::try_from(FLEET)?).await?;
    let (id, ids) = (agent.client_id().to_owned(), fleet.client_ids().to_vec());
    let bench = Bench { stage, agent: id, fleet: ids };
    bench.plant().await?;

    clients::run(cases, &bench).await;
    artifacts::run(cases, &bench).await;
    collect::run(cases, &bench).await;
    in_force::run(cases, &bench).await;
    flows::run(cases, &bench).await;
    handles::run(cases, &bench).await;
    hunts::run(cases, &bench).await;
    detail::run(cases, &bench).await;
    emergency::run(cases, &bench).await;
    vql::run(cases, &bench).await;
    Ok(())
}

/// The error of a tool that must fail.
async fn refused(child: &mut McpChild, tool: &str, arguments: Value) -> anyhow::Result<Value> {
    let mut result = child.call_error(tool, arguments).await?;
    let error = result["structuredContent"]["error"].take();
    ensure!(error["code"].is_string(), "{tool}: an error without a code: {result}");
    Ok(error)
}

/// That an error has the code, and names the words in its message or its next step.
fn says(error: &Value, code: &str, words: &[&str]) -> anyhow::Result<()> {
    ensure!(error["code"] == code, "{code} was expected: {error}");
    let told = format!("{} {}", error["message"], error["next_step"]);
    for word in words {
        ensure!(told.contains(word), "no word of {word:?}: {error}");
    }
    Ok(())
}

/// The texts of one column.
fn column<'a>(rows: &'a Value, name: &str) -> anyhow::Result<Vec<&'a str>> {
    let rows = rows.as_array().context("no rows")?;
    rows.iter().map(|row| row[name].as_str().with_context(|| format!("{name} of {row}"))).collect()
}

/// Every page of a list, put together; each must say the same total.
async fn pages(
    child: &mut McpChild,
    tool: &str,
    mut arguments: Value,
    list: &str,
) -> anyhow::Result<Vec<Value>> {
    let (mut all, mut totals) = (Vec::new(), Vec::new());
    loop {
        let mut page = child.call_ok(tool, arguments.clone()).await?;
        totals.push(page["total"].clone());
        match page[list].take() {
            Value::Array(rows) => all.extend(rows),
            other => anyhow::bail!("{list} is {other}"),
        }
        match page["cursor"].take() {
            Value::Null => break,
            cursor => arguments["cursor"] = cursor,
        }
    }
    ensure!(totals.iter().all(|total| *total == json!(all.len())), "{} of {totals:?}", all.len());
    ensure!(totals.len() > 1, "there was only one page");
    Ok(all)
}
