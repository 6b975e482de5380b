//! `run_vql` and `vql_help` on the simulated server.

use serde_json::{Value, json};

use crate::simulated::{looking, services, with_policy};
use crate::wire::Wire;

#[tokio::test]
async fn d09_values_of_every_type_arrive_with_their_type() {
    let mut wire = looking().await;
    let query = "SELECT Text, Big, Neg, Part, Yes, List, Deep.a[1].b AS B FROM scope()";
    let env = json!({
        "Text": "it's \"x\"; SELECT 1 -- {\u{202e}\n",
        "Big": 9_223_372_036_854_775_807_i64, "Neg": -7, "Part": 1.5, "Yes": true,
        "List": [1, "2", null], "Deep": { "a": [0, { "b": "c" }] },
    });
    let answer = wire.call("run_vql", json!({ "query": query, "env": env })).await;
    let row = &answer["rows"][0];
    assert_eq!(row["Text"], "it's \"x\"; SELECT 1 -- {\\u{202e}\n");
    for name in ["Big", "Neg", "Part", "Yes", "List"] {
        assert_eq!(row[name], env[name], "{name}");
    }
    assert_eq!(row["B"], "c");
    assert_eq!(answer["state"], "complete");
    assert_eq!(answer["columns"][0], "Text");
}

#[tokio::test]
async fn d09_the_text_is_sent_as_it_is_whatever_it_says_of_limits() {
    let mut wire = looking().await;
    for query in [
        "SELECT client_id AS Limits FROM clients() -- trailing",
        "LET Limits = SELECT client_id FROM clients() SELECT * FROM Limits",
        "SELECT client_id FROM clients() /* LIMIT 1 */",
    ] {
        let answer = wire.call("run_vql", json!({ "query": query, "max_rows": 3 })).await;
        assert_eq!(answer["returned"], 3, "{query}: {answer}");
        assert_eq!(answer["state"], "partial");
        assert!(answer["warnings"].to_string().contains("max_rows"), "{answer}");
    }
    let answer = wire.call("run_vql", json!({ "query": "LET X = 1" })).await;
    assert_eq!(answer["state"], "empty");
}

#[tokio::test]
async fn d09_names_that_mean_something_to_the_server_are_not_bound() {
    let mut wire = looking().await;
    for name in ["ClientId", "config", "SELECT", "a b", "MR_x"] {
        let query = "SELECT 1 AS A FROM scope()";
        let error = wire.failed("run_vql", json!({ "query": query, "env": { name: 1 } })).await;
        assert_eq!(error["code"], "invalid_input", "{name}: {error}");
    }
}

#[tokio::test]
async fn d02_a_query_that_does_not_parse_points_at_the_place() {
    let mut wire = looking().await;
    let error = wire.failed("run_vql", json!({ "query": "SELCT * FROM clients()" })).await;
    assert_eq!(error["code"], "invalid_query");
    let message = error["message"].as_str().expect("a message");
    assert!(message.starts_with("parse 1:1: "), "{message}");
    assert!(message.contains("did you mean SELECT?"), "{message}");
    assert!(message.contains("  1 | SELCT * FROM clients()\n    | ^^^^^"), "{message}");
}

#[tokio::test]
async fn d02_a_failure_without_rows_is_an_error_and_with_rows_partial() {
    let mut wire = looking().await;
    let error = wire.failed("run_vql", json!({ "query": "SELECT * FROM no_such()" })).await;
    assert_eq!(error["code"], "invalid_query", "{error}");
    assert!(error["message"].as_str().expect("text").contains("no_such"), "{error}");
    let query = "SELECT client_id, no_such(a=1) AS X FROM clients() LIMIT 2";
    let error = wire.failed("run_vql", json!({ "query": query })).await;
    assert_eq!(error["code"], "invalid_query", "{error}");
    let query =
        "SELECT client_id, regex_replace(source=1, re='(', replace='') AS X FROM clients() LIMIT 2";
    let answer = wire.call("run_vql", json!({ "query": query })).await;
    assert_eq!((&answer["state"], &answer["returned"]), (&json!("partial"), &json!(2)));
    assert!(answer["warnings"].to_string().contains("failed in part"), "{answer}");
}

#[tokio::test]
async fn d09_an_event_query_ends_at_its_limit_with_what_it_has() {
    let mut wire = looking().await;
    let query = "SELECT timestamp(epoch=now()) AS Now FROM clock(period=1)";
    let answer = wire.call("run_vql", json!({ "query": query, "timeout": 3 })).await;
    assert_eq!(answer["state"], "partial", "{answer}");
    assert!(!answer["rows"].as_array().expect("rows").is_empty(), "{answer}");
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("clock() never ends by itself"), "{warnings}");
}

#[tokio::test]
async fn a_look_at_the_servers_own_machine_names_the_artifact_for_an_endpoint() {
    let mut wire = looking().await;
    let result = wire.result("run_vql", json!({ "query": "SELECT * FROM pslist()" })).await;
    let text = result["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("the machine of the Velociraptor server"), "{text}");
    assert!(text.contains("Windows.System.Pslist"), "{text}");
}

#[tokio::test]
async fn the_answer_is_bounded_in_bytes_by_whole_rows() {
    let mut wire = looking().await;
    let call = json!({ "query": "SELECT * FROM clients()", "max_bytes": 3000 });
    let answer = wire.call("run_vql", call).await;
    assert_eq!(answer["state"], "partial");
    let rows = answer["rows"].as_array().expect("rows");
    assert!(!rows.is_empty() && rows.len() < 25, "{}", rows.len());
    assert!(answer["rows"].to_string().len() <= 3100);
    assert!(answer["warnings"].to_string().contains("max_bytes"), "{}", answer["warnings"]);
}

#[tokio::test]
async fn a_name_that_no_row_has_is_told_with_the_one_that_was_meant() {
    let mut wire = looking().await;
    for (query, state) in [
        ("SELECT client_id FROM clients() WHERE os_infos.system = 'windows'", "empty"),
        ("SELECT * FROM clients() WHERE NOT os_infos", "complete"),
        ("LET all = SELECT * FROM clients() SELECT * FROM all WHERE os_infos.system = Os", "empty"),
        ("SELECT client_id FROM clients() ORDER BY os_infos", "complete"),
        ("SELECT count() AS N FROM clients() GROUP BY os_infos.system", "complete"),
        ("LET few = SELECT * FROM clients() WHERE os_infos SELECT * FROM few", "empty"),
    ] {
        let call = json!({ "query": query, "env": { "Os": "windows" }, "max_bytes": 1_000_000 });
        let answer = wire.call("run_vql", call).await;
        assert_eq!(answer["state"], state, "{query}: {answer}");
        let warnings = answer["warnings"].to_string();
        assert!(warnings.contains("os_infos is no column of "), "{query}: {warnings}");
        assert!(warnings.contains("did you mean os_info?"), "{query}: {warnings}");
    }
    for query in [
        "SELECT client_id FROM clients() WHERE os_info.system = Os",
        "SELECT client_id AS Id FROM clients() WHERE Id =~ '^C' ORDER BY Id",
        "LET Wanted = 'windows' SELECT * FROM clients() WHERE os_info.system = Wanted",
        "SELECT * FROM clients() WHERE FALSE",
    ] {
        let call = json!({ "query": query, "env": { "Os": "linux" }, "max_bytes": 1_000_000 });
        let answer = wire.call("run_vql", call).await;
        assert!(!answer["warnings"].to_string().contains("no column"), "{query}: {answer}");
    }
}

#[tokio::test]
async fn a_denial_names_the_identity_and_who_could_do_it() {
    let services = services(with_policy(&["vql_server=exec", "respond=allow"]), &[]);
    let mut wire = Wire::ready(services).await;
    let query = "SELECT * FROM execve(argv='id')";
    let error = wire.failed("run_vql", json!({ "query": query })).await;
    assert_eq!(error["code"], "denied", "{error}");
    let next = error["next_step"].as_str().expect("a next step");
    assert!(next.contains("asks as lab-reader and never as a stronger identity"), "{next}");
    assert!(next.contains("collect_artifact") && next.contains("a person who holds"), "{next}");
}

#[tokio::test]
async fn a_row_larger_than_the_answer_is_cut_marked_and_partial() {
    let mut wire = looking().await;
    let long = json!({ "Long": "x".repeat(100_000) });
    let query = "SELECT Long, 7 AS Seven FROM scope()";
    let answer = wire.call("run_vql", json!({ "query": query, "env": long })).await;
    assert_eq!((&answer["state"], &answer["rows"][0]["Seven"]), (&json!("partial"), &json!(7)));
    assert!(answer["rows"].to_string().len() < 41_000);
    assert!(answer["warnings"].to_string().contains("Long"), "{}", answer["warnings"]);
}

#[tokio::test]
async fn limits_out_of_range_are_refused() {
    let mut wire = looking().await;
    for (name, value) in [("max_rows", 0), ("max_rows", 10_001), ("timeout", 0), ("max_bytes", 1)] {
        let error = wire
            .failed("run_vql", json!({ "query": "SELECT 1 AS A FROM scope()", name: value }))
            .await;
        assert_eq!(error["code"], "invalid_input", "{name}: {error}");
        assert!(error["message"].as_str().expect("text").contains(name), "{error}");
    }
    let error = wire.failed("run_vql", json!({ "query": "LET A = 1", "limit": 5 })).await;
    assert_eq!(error["code"], "invalid_input", "{error}");
}

#[tokio::test]
async fn only_a_reader_runs_queries_unless_changes_are_allowed() {
    let mut wire = looking().await;
    let whoami = json!({ "query": "SELECT whoami() AS Me FROM scope()" });
    let answer = wire.call("run_vql", whoami).await;
    assert_eq!(answer["identity"], answer["rows"][0]["Me"]);
}

#[tokio::test]
async fn d19_every_topic_is_explained_and_an_unknown_one_names_the_topics() {
    let mut wire = looking().await;
    for topic in ["syntax", "Examples", "LIMITS"] {
        let answer = wire.call("vql_help", json!({ "topic": topic })).await;
        assert!(answer["text"].as_str().expect("text").len() > 500, "{topic}");
    }
    let overview = wire.call("vql_help", json!({})).await;
    assert!(overview["text"].as_str().expect("text").contains("syntax, examples, limits"));
    let error = wire.failed("vql_help", json!({ "topic": "zzqqxx" })).await;
    assert_eq!(error["code"], "not_found");
    assert!(error["next_step"].as_str().expect("a step").contains("syntax, examples, limits"));
    let error = wire.failed("vql_help", json!({ "topic": "exampels" })).await;
    assert!(error["next_step"].as_str().expect("a step").contains("did you mean examples"));
}

#[tokio::test]
async fn d19_symbols_are_those_of_the_connected_server() {
    let mut wire = looking().await;
    let answer = wire.call("vql_help", json!({ "topic": "clients()" })).await;
    let symbol = &answer["symbols"][0];
    assert_eq!((&symbol["name"], &symbol["kind"]), (&json!("clients"), &json!("plugin")));
    assert_eq!(symbol["arguments"][0]["name"], "search");
    assert_eq!(symbol["permissions"], "READ_RESULTS");
    let found = wire.call("vql_help", json!({ "topic": "collect_cli" })).await;
    assert_eq!(found["found"][0]["name"], "collect_client");
    assert_eq!(found["found"][0]["kind"], "function");
}

#[tokio::test]
async fn d19_the_examples_of_the_guide_run() {
    let mut wire = looking().await;
    let guide = wire.call("vql_help", json!({ "topic": "examples" })).await;
    let text = guide["text"].as_str().expect("text").to_owned();
    let mut examples = 0;
    for part in text.split("```vql\n").skip(1) {
        let (query, rest) = part.split_once("\n```").expect("the block ends");
        let env: Value = rest
            .trim_start()
            .strip_prefix("with env `")
            .and_then(|rest| rest.split_once('`'))
            .map_or(json!({}), |(env, _)| serde_json::from_str(env).expect("JSON"));
        let answer =
            wire.call("run_vql", json!({ "query": query, "env": env, "timeout": 5 })).await;
        let warnings = answer["warnings"].to_string();
        assert!(!warnings.contains("failed"), "{query}: {warnings}");
        examples += 1;
    }
    assert!(examples >= 8, "{examples}");
}

#[tokio::test]
async fn two_orgs_are_asked_each_for_itself() {
    let services =
        services(with_policy(&["vql_server=secret", "respond=allow"]), &["root", lab::SECOND_ORG]);
    let mut wire = Wire::ready(services).await;
    let query = "SELECT org().id AS Org FROM scope()";
    for org in ["root", lab::SECOND_ORG] {
        let answer = wire.call("run_vql", json!({ "query": query, "org": org })).await;
        assert_eq!((&answer["org"], &answer["rows"][0]["Org"]), (&json!(org), &json!(org)));
    }
    let error = wire.failed("run_vql", json!({ "query": query, "org": "NONE" })).await;
    assert!(error["message"].as_str().expect("text").contains(lab::SECOND_ORG), "{error}");
}

#[tokio::test]
async fn the_only_server_and_org_may_be_named() {
    let mut wire = looking().await;
    let only = wire.call("run_vql", json!({ "query": "SELECT 1 AS A FROM scope()" })).await;
    let named = json!({
        "query": "SELECT 1 AS A FROM scope()", "server": only["server"], "org": only["org"],
    });
    let answer = wire.call("run_vql", named).await;
    assert_eq!((&answer["server"], &answer["org"]), (&only["server"], &only["org"]));
    for (name, other) in [("server", "elsewhere"), ("org", "NONE")] {
        let mut arguments = json!({ "query": "SELECT 1 AS A FROM scope()" });
        arguments[name] = json!(other);
        let error = wire.failed("run_vql", arguments).await;
        let told = error["message"].as_str().unwrap_or_default();
        assert!(told.contains(&format!("there is no {name} \"{other}\"; the only")), "{error}");
    }
}

#[tokio::test]
async fn a_function_that_has_a_tool_is_refused_with_that_tool() {
    let mut wire = Wire::ready(services(with_policy(&["collect=allow"]), &[])).await;
    for (query, tool) in [
        ("SELECT label(client_id=client_id, labels='x', op='set') FROM clients()", "label_client"),
        ("SELECT collect_client(client_id=client_id) FROM clients()", "collect_artifact"),
        ("SELECT cancel_flow(client_id=client_id, flow_id='F.1') FROM clients()", "cancel_flow"),
        ("SELECT hunt(artifacts='A') FROM scope()", "create_hunt"),
        ("SELECT hunt_update(hunt_id='H.1', stop=TRUE) FROM scope()", "modify_hunt"),
    ] {
        let error = wire.failed("run_vql", json!({ "query": query })).await;
        assert_eq!(error["code"], "denied", "{error}");
        let next = error["next_step"].as_str().unwrap_or_default();
        assert!(next.starts_with(&format!("use the tool {tool} and not ")), "{query}: {error}");
    }
    // Where no tool does it, none is named; an endpoint would be no help.
    let query = "SELECT artifact_set(definition='name: A') FROM scope()";
    let error = wire.failed("run_vql", json!({ "query": query })).await;
    assert_eq!(error["next_step"], "a person can name \"definitions\" in vql_server", "{error}");
}

#[tokio::test]
async fn a_column_that_no_row_has_points_at_those_of_the_source() {
    let mut wire = Wire::ready(services(with_policy(&["collect=allow"]), &[])).await;
    let query = "SELECT client_idd FROM clients()";
    let error = wire.failed("run_vql", json!({ "query": query })).await;
    assert_eq!(error["code"], "invalid_query", "{error}");
    let next = error["next_step"].as_str().unwrap_or_default();
    assert!(next.starts_with("did you mean client_id"), "{error}");
    assert!(next.contains("the columns of clients are client_id, "), "{error}");
    // In part: what came is given, with a word about what did not.
    let query = "SELECT client_id, nosuchcol FROM clients()";
    let answer = wire.call("run_vql", json!({ "query": query })).await;
    let warned = answer["warnings"].to_string();
    assert!(warned.contains("the columns of clients are"), "{answer}");
}
