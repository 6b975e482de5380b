//! What changes between a question and the doing: definitions, clients, the tools that are fetched.

use mcp_server::gateway::Gateway;
use mcp_server::services::Switches;
use mcp_server::tool_error::Code;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, Limits, OrgId, Server};
use vql_builder::{Query, RawVql};

use crate::gateway::{approve_this, call};
use crate::simulated::{apart, guarded, services, with_policy};
use crate::wire::{Wire, stateless};

const OUTER: &str = "name: Custom.It.Outer
sources:
  - query: SELECT * FROM Artifact.Custom.It.Inner()
";

fn inner(query: &str) -> String {
    format!("name: Custom.It.Inner\nsources:\n  - query: {query}\n")
}

fn fetching(url: &str) -> String {
    format!(
        "name: Custom.It.Fetching
tools:
  - name: ItTool
    url: {url}
sources:
  - query: SELECT * FROM Artifact.Custom.It.Inner()
"
    )
}

/// As somebody else does it, by another way than through a tool.
pub(crate) async fn behind(server: &Server, text: &str, value: &str) -> Value {
    let query = Query::raw("behind", RawVql::from_caller(text)).bind("Given", value);
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let call = Call { org: &org, limits: Limits::READ, cancel: &cancel };
    let administrator = server.identities().last().expect("an identity");
    let done = server.run_as(administrator, &query, &call, false).await.expect("an answer");
    assert!(done.failures.is_empty(), "{done:?}");
    Value::Array(done.rows.into_iter().map(Value::Object).collect())
}

pub(crate) async fn define(server: &Server, definition: &str) {
    let text = "SELECT artifact_set(definition=Given).name AS Name FROM scope()";
    let done = behind(server, text, definition).await;
    assert!(done[0]["Name"].is_string(), "{done}");
}

/// How many flows and hunts there are.
async fn started(server: &Server) -> Value {
    let text = "SELECT { SELECT count() AS N FROM hunts() GROUP BY 1 } AS Hunts,
        { SELECT count() AS N FROM foreach(row={ SELECT client_id FROM clients() },
          query={ SELECT session_id FROM flows(client_id=client_id) }) GROUP BY 1 } AS Flows
        FROM scope()";
    behind(server, text, "").await
}

fn server(gateway: &Gateway) -> &Server {
    &gateway.services().configured().first().expect("a server").server
}

/// Approves the newest request that waits; its card.
fn approve(gateway: &Gateway) -> String {
    let pending =
        gateway.guardian().approvals().list().expect("approvals").pop().expect("one waits");
    approve_this(gateway, &pending)
}

/// Asks, is approved, changes something, and tries: what it says.
async fn refused_after(
    gateway: &Gateway,
    tool: &str,
    wish: &Value,
    change: impl AsyncFnOnce(&Server),
) -> String {
    let error = call(gateway, tool, wish.clone()).await.expect_err("nobody approved it");
    assert_eq!(error.code, Code::ApprovalRequired, "{error}");
    approve(gateway);
    let server = server(gateway);
    change(server).await;
    let before = started(server).await;
    let error = call(gateway, tool, wish.clone()).await.expect_err("it changed");
    assert_eq!(error.code, Code::ApprovalRequired, "{error}");
    assert!(error.message.contains("nothing was done"), "{error}");
    assert_eq!(started(server).await, before, "something was started");
    error.message
}

#[tokio::test]
async fn an_artifact_that_is_redefined_after_the_approval_is_not_collected() {
    let gateway = guarded(services(Switches::default(), &[]));
    define(server(&gateway), &inner("SELECT 1 AS A FROM scope()")).await;
    define(server(&gateway), OUTER).await;
    let collect = json!({ "clients": ["FIN-WS07"], "artifacts": ["Custom.It.Outer"], "wait": 0 });
    let hunt = json!({ "artifacts": ["Custom.It.Outer"], "description": "x", "start": true });
    for (tool, wish, at) in [("collect_artifact", &collect, 1), ("create_hunt", &hunt, 2)] {
        let own = OUTER.replace("SELECT * ", &format!("SELECT *, {at} AS B "));
        let told =
            refused_after(&gateway, tool, wish, async |server: &Server| define(server, &own).await)
                .await;
        assert!(told.contains("Custom.It.Outer was redefined"), "{tool}: {told}");
        // One that it calls, by no other name than in its text.
        let called = inner(&format!("SELECT {at} AS A, 'x' AS C FROM scope()"));
        let change = async |server: &Server| define(server, &called).await;
        let told = refused_after(&gateway, tool, wish, change).await;
        assert!(told.contains("Custom.It.Inner was redefined"), "{tool}: {told}");
        assert!(!told.contains("Custom.It.Outer was redefined"), "{tool}: {told}");
    }
    // As it is now it runs, once it was approved as it is now.
    approve(&gateway);
    call(&gateway, "create_hunt", hunt).await.expect("it was approved");
}

#[tokio::test]
async fn a_hunt_whose_clients_changed_after_the_approval_is_not_made() {
    let gateway = guarded(services(Switches::default(), &[]));
    let mark = "SELECT label(client_id=client_id, labels='it-marked', op='set') AS Done
        FROM clients() WHERE os_info.hostname = Given";
    behind(server(&gateway), mark, "FIN-WS07").await;
    let wish = json!({ "artifacts": ["Generic.Client.Info"], "description": "x",
                       "include_labels": ["it-marked"], "start": true });
    let change = async |server: &Server| _ = behind(server, mark, "LAPTOP-19").await;
    let told = refused_after(&gateway, "create_hunt", &wish, change).await;
    assert!(told.contains("the list of clients changed (1 came, 0 went"), "{told}");
}

/// Parameters of the revision that knows no session, with a client that can show forms.
fn later(tool: &str, arguments: &Value, more: Value) -> Value {
    let mut params = stateless(json!({ "name": tool, "arguments": arguments }));
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({ "elicitation": {} });
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    params
}

#[tokio::test]
async fn a_state_of_the_chat_is_void_when_a_definition_changed() {
    let (services, lab) = apart(Switches::default(), &[]);
    let other = mcp_server::settings::from_lab(&lab, &[]).expect("its files");
    define(&other.server, &inner("SELECT 1 AS A FROM scope()")).await;
    define(&other.server, OUTER).await;
    let mut wire = Wire::open(services);
    let wish = json!({ "clients": ["FIN-WS07"], "artifacts": ["Custom.It.Outer"], "wait": 0 });
    let asked = wire.ask("tools/call", later("collect_artifact", &wish, json!({}))).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    define(&other.server, &inner("SELECT 2 AS A FROM scope()")).await;
    let before = started(&other.server).await;
    let yes = json!({ "approve": { "action": "accept", "content": { "approve": true } } });
    let answer = json!({ "requestState": asked["requestState"], "inputResponses": yes });
    let result = wire.ask("tools/call", later("collect_artifact", &wish, answer.clone())).await;
    assert_eq!(result["structuredContent"]["error"]["code"], "denied", "{result}");
    assert_eq!(started(&other.server).await, before, "something was started");
    // It binds what was shown: where that is so again, the yes that was given counts.
    define(&other.server, &inner("SELECT 1 AS A FROM scope()")).await;
    let result = wire.ask("tools/call", later("collect_artifact", &wish, answer)).await;
    assert_eq!(
        result["structuredContent"]["outcomes"].as_array().map(Vec::len),
        Some(1),
        "{result}"
    );
}

#[tokio::test]
async fn a_hunt_is_started_as_it_was_made_and_says_what_was_redefined_since() {
    let gateway = guarded(services(with_policy(&["collect=ask"]), &[]));
    let server = server(&gateway);
    define(server, &inner("SELECT 1 AS A FROM scope()")).await;
    define(server, OUTER).await;
    let wish = json!({ "artifacts": ["Custom.It.Outer"], "description": "x" });
    call(&gateway, "create_hunt", wish.clone()).await.unwrap_err();
    approve(&gateway);
    let made = call(&gateway, "create_hunt", wish).await.expect("it was approved");
    let start = json!({ "hunt_id": made.data().expect("data")["hunt_id"], "action": "start" });
    let error = call(&gateway, "modify_hunt", start.clone()).await.unwrap_err();
    assert!(error.message.contains("as it was when the hunt was made"), "{error}");
    assert!(!error.message.contains("DEFINED ANEW SINCE"), "{error}");
    assert!(error.message.contains("COLLECT modify_hunt"), "{error}");

    // Now it would run a program: the hunt that was made does not.
    define(server, &inner("SELECT * FROM execve(argv='id')")).await;
    let error = call(&gateway, "modify_hunt", start.clone()).await.unwrap_err();
    let told = &error.message;
    assert!(told.contains("DEFINED ANEW SINCE: Custom.It.Inner; the hunt runs the old"), "{told}");
    assert!(told.contains("COLLECT modify_hunt") && !told.contains("execve"), "{told}");
    approve(&gateway);
    let started = call(&gateway, "modify_hunt", start.clone()).await.expect("it was approved");
    assert!(started.text.contains("RUNNING"), "{}", started.text);

    // The other way round: what was made to run a program does so, however harmless it looks now.
    let wish = json!({ "artifacts": ["Custom.It.Outer"], "description": "y" });
    call(&gateway, "create_hunt", wish.clone()).await.unwrap_err();
    approve(&gateway);
    let made = call(&gateway, "create_hunt", wish).await.expect("it was approved");
    define(server, &inner("SELECT 1 AS A FROM scope()")).await;
    let start = json!({ "hunt_id": made.data().expect("data")["hunt_id"], "action": "start" });
    let error = call(&gateway, "modify_hunt", start).await.unwrap_err();
    assert!(error.message.contains("RESPOND modify_hunt"), "{error}");
    assert!(error.message.contains("exec on the endpoint (Custom.It.Inner)"), "{error}");
}

/// Also of artifacts whose sources have conditions of their own.
#[tokio::test]
async fn a_hunt_of_what_nobody_redefined_is_not_said_to_be_of_something_old() {
    let gateway = guarded(services(with_policy(&["collect=ask"]), &[]));
    for artifact in ["Windows.Sys.Users", "Windows.System.Pslist", "Generic.Client.Info"] {
        let wish = json!({ "artifacts": [artifact], "description": artifact });
        call(&gateway, "create_hunt", wish.clone()).await.unwrap_err();
        approve(&gateway);
        let made = call(&gateway, "create_hunt", wish).await.expect("it was approved");
        let start = json!({ "hunt_id": made.data().expect("data")["hunt_id"], "action": "start" });
        let error = call(&gateway, "modify_hunt", start).await.unwrap_err();
        assert!(error.message.contains("as it was when the hunt was made"), "{error}");
        assert!(!error.message.contains("DEFINED ANEW SINCE"), "{error}");
    }
}

#[tokio::test]
async fn the_programs_that_an_artifact_fetches_are_shown_and_bound() {
    let gateway = guarded(services(Switches::default(), &[]));
    define(server(&gateway), &inner("SELECT 1 AS A FROM scope()")).await;
    define(server(&gateway), &fetching("https://tools.example/one.exe")).await;
    let wish = json!({ "clients": ["FIN-WS07"], "artifacts": ["Custom.It.Fetching"], "wait": 0 });
    let change = async |server: &Server| {
        define(server, &fetching("https://tools.example/two.exe")).await;
    };
    let error = call(&gateway, "collect_artifact", wish.clone()).await.unwrap_err();
    let line = "fetches ItTool from https://tools.example/one.exe; NO HASH IS KNOWN";
    assert!(error.message.contains(line), "{error}");
    let told = refused_after(&gateway, "collect_artifact", &wish, change).await;
    assert!(told.contains("what is fetched and run changed"), "{told}");
    assert!(told.contains("fetches ItTool from https://tools.example/two.exe"), "{told}");
}
