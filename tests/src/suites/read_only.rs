//! `--read-only`, given an administrator's API file and a policy that allows everything: no call of
//! any tool, resource, prompt or completion, with any input and by any way, changes anything.
//!
//! What the server is, is asked of the server itself and of its files, before and after. The log of
//! the server says which queries reached it.

mod around;
mod control;
mod hostile;
mod inputs;
mod sent;
mod ways;

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use self::inputs::{Registry, Standing};
use self::ways::{Way, call_command};
use super::mcp_stdio::Stage;
use crate::mcp::find_megaraptor;
use crate::real::{Files, RealAgent, RealServer, Role, ServerState};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "read_only",
    about: "with --read-only as administrator no tool with any input changes anything",
    run,
};

/// Whatever a policy can allow is allowed. `--read-only` wins all the same.
const ALLOWED: &[&str] = &[
    "--policy=collect=allow",
    "--policy=respond=allow",
    "--policy=deploy=allow",
    "--policy=destroy=allow",
    "--policy=vql_server=host,mutate,exec,write,net,secret,unknown,users,definitions,other_orgs",
    "--policy=vql_endpoint=mutate,exec,write,net,unknown",
    // A call that is refused for its number proves nothing.
    "--policy=limits.calls_per_minute=1000000",
];

/// The longest part of the suite.
const LONG: Duration = Duration::from_secs(400);

/// What the cases work on.
struct Bench {
    stage: Stage,
    registry: Registry,
    standing: Standing,
}

impl Bench {
    /// The arguments of the program that make it read only.
    fn arguments(&self) -> Vec<String> {
        let file = self.stage.server.api_file(Role::Administrator).display().to_string();
        let all = ["--config", &file, "--read-only"].into_iter().chain(ALLOWED.iter().copied());
        all.map(str::to_owned).collect()
    }
}

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let stage = Stage { program: find_megaraptor()?, server: RealServer::start().await? };
    let mut agent = RealAgent::enrol(&stage.server, "root").await?;
    let standing = Standing::make(&stage.server, &agent).await?;
    // From here on nobody but us talks to the server. What would be scheduled stays to be seen.
    agent.stop()?;
    let registry = Registry::of(&stage.program)?;
    let bench = Bench { stage, registry, standing };

    let known = cases.case("every tool has an input here", async { bench.registered() }).await;
    if !known {
        return Ok(());
    }
    // The first calls fill caches and make folders: they are made before the first look.
    let mut warm = Way::stdio(&bench).await?;
    honest(&bench, &mut warm).await?;
    warm.end().await?;

    let state = ServerState::of(&bench.stage.server).await?;
    let files = Files::settled(&bench.stage.server).await?;
    let hashes = files.hashes()?;
    let log = bench.stage.server.log_text()?.len();

    for mut way in [Way::stdio(&bench).await?, Way::http(&bench).await?] {
        let name = way.name();
        let all = async {
            honest(&bench, &mut way).await?;
            unchanged(&bench, &state, &files).await
        };
        cases.case_within(LONG, format!("{name}: honest inputs of every tool"), all).await;
        let all = async {
            hostile::every_argument(&bench, &mut way).await?;
            unchanged(&bench, &state, &files).await
        };
        cases.case_within(LONG, format!("{name}: hostile values in every argument"), all).await;
        let all = async {
            hostile::dangers(&bench, &mut way).await?;
            unchanged(&bench, &state, &files).await
        };
        cases.case_within(LONG, format!("{name}: dangerous queries and expressions"), all).await;
        let all = async {
            around::everything(&bench, &mut way).await?;
            unchanged(&bench, &state, &files).await
        };
        cases.case_within(LONG, format!("{name}: resources, prompts, completion"), all).await;
        way.end().await?;
    }
    cases.case_within(LONG, "the command line: every tool", commands(&bench)).await;
    cases
        .case("no query reached the server that does more than read", sent::check(&bench, log))
        .await;
    let end = async {
        let mut differs = state.difference(&ServerState::of(&bench.stage.server).await?);
        let after = Files::settled(&bench.stage.server).await?;
        differs.extend(files.difference(&after));
        if hashes != after.hashes()? {
            differs.push(String::from("the content of files is another"));
        }
        ensure!(differs.is_empty(), "{}", differs.join("\n"));
        Ok(())
    };
    cases.case_within(LONG, "in the end the server is what it was", end).await;
    cases
        .case_within(LONG, "without --read-only the same calls are seen", control::run(&bench))
        .await;
    Ok(())
}

impl Bench {
    /// Each tool has an input, and each input a tool.
    fn registered(&self) -> anyhow::Result<()> {
        let inputs = self.standing.honest();
        for tool in &self.registry.tools {
            let has = inputs.iter().any(|(name, _)| *name == tool.name);
            ensure!(
                has,
                "{} has no input in read_only/inputs.rs: a proof without it is none",
                tool.name
            );
        }
        for (name, _) in &inputs {
            ensure!(self.registry.find(name).is_ok(), "there is no tool {name} any more");
        }
        ensure!(self.registry.tools.iter().any(|tool| tool.changes), "no tool changes anything");
        Ok(())
    }
}

/// What is as it was, as far as can be seen at once: what is written late is seen in the end.
async fn unchanged(bench: &Bench, state: &ServerState, files: &Files) -> anyhow::Result<()> {
    let server = &bench.stage.server;
    let mut differs = state.difference(&ServerState::of(server).await?);
    differs.extend(files.difference(&Files::of(server)?));
    ensure!(differs.is_empty(), "changed: {}", differs.join("\n"));
    Ok(())
}

/// Tools that look answer, tools that change are not there.
async fn honest(bench: &Bench, way: &mut Way) -> anyhow::Result<()> {
    for (name, wish) in bench.standing.honest() {
        let answer = way.call(name, &wish).await?;
        let failed = failed(&answer);
        ensure!(
            failed == bench.registry.find(name)?.changes,
            "{name} {wish}: {}",
            if failed { format!("it fails: {answer}") } else { String::from("it is not refused") }
        );
    }
    Ok(())
}

/// Whether a call came to nothing.
fn failed(answer: &Value) -> bool {
    answer.get("error").is_some() || answer["result"]["isError"] == true
}

/// The same on the command line, where each call is a process of its own.
async fn commands(bench: &Bench) -> anyhow::Result<()> {
    let mut refused = 0;
    for (name, wish) in bench.standing.honest() {
        let (code, said) = call_command(bench, name, &wish).await?;
        let changes = bench.registry.find(name)?.changes;
        // 0 and 10 are answers; see the table of exit codes.
        let answered = [0, 9, 10].contains(&code);
        ensure!(answered != changes, "{name} {wish} ended with {code}: {said}");
        refused += usize::from(changes);
    }
    let dangers = hostile::dangerous()?;
    for text in dangers.iter().filter(|text| hostile::does_more(text)).step_by(25) {
        let (code, said) = call_command(bench, "run_vql", &json!({ "query": text })).await?;
        ensure!(code != 0, "it ran: {text}: {said}");
        refused += 1;
    }
    ensure!(refused > 20, "only {refused} were refused");
    Ok(())
}
