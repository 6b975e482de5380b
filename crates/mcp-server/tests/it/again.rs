//! Handles of queries: a text that is run again, for its caller, for a while.

use mcp_server::caller::{Caller, Subject};
use mcp_server::tool_error::{Code, ToolError};
use serde_json::{Map, Value, json};

use crate::direct::Direct;
use crate::handles::all;

/// A query of many rows, with values and a comment at its end.
fn many() -> Value {
    json!({
        "query": "LET First <= Step SELECT _value AS N, if(condition=_value < 3, then='rare',
            else='common') AS Kind, First AS Step FROM range(end=Most) -- many",
        "env": {"Most": 400, "Step": 7},
    })
}

fn with(wish: Value, more: Value) -> Value {
    let (Value::Object(mut wish), Value::Object(more)) = (wish, more) else { panic!("objects") };
    wish.extend(more);
    Value::Object(wish)
}

fn handle(answer: &Map<String, Value>) -> String {
    let handle = answer.get("handle").and_then(Value::as_str);
    let handle = handle.unwrap_or_else(|| panic!("{answer:?}"));
    assert!(handle.starts_with("query:"), "{handle}");
    handle.to_owned()
}

#[tokio::test]
async fn a_query_that_was_cut_is_worked_on_by_its_handle() {
    let lab = Direct::start();
    let cut = lab.data("run_vql", many()).await;
    assert_eq!((&cut["state"], &cut["returned"]), (&json!("partial"), &json!(100)));
    let handle = handle(&cut);
    let stack = all(&lab, json!({"handle": handle, "stack": ["Kind"]})).await;
    assert_eq!(
        stack,
        [json!({"Kind": "rare", "Count": 3}), json!({"Kind": "common", "Count": 397})]
    );
    let rows = all(&lab, json!({"handle": handle, "limit": 150})).await;
    let numbers: Vec<_> = rows.iter().filter_map(|row| row["N"].as_u64()).collect();
    assert_eq!(numbers, (0..400).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row["Step"] == 7), "its own names keep their meaning");
    let wish = json!({"handle": handle, "filter": "N > 390", "order_by": "-N", "columns": ["N"]});
    let last = all(&lab, wish).await;
    assert_eq!((&last[0], last.len()), (&json!({"N": 399}), 9));
    let told = lab.data("query_results", json!({"handle": handle, "count": true})).await;
    assert_eq!(told["rows"], json!([{"Count": 400}]));
    assert!(told["warnings"].to_string().contains("run again now"), "{told:?}");
    let misspelt = json!({"handle": handle, "stack": ["Knid"]});
    assert_eq!(lab.error("query_results", misspelt).await.code, Code::InvalidInput);
}

#[tokio::test]
async fn a_summary_of_a_query_has_a_handle_and_says_why_where_there_is_none() {
    let lab = Direct::start();
    let summed = lab.data("run_vql", with(many(), json!({"detail": "summary"}))).await;
    assert_eq!((&summed["summary"]["rows"], &summed["rows"]), (&json!(400), &json!([])));
    assert_eq!(summed["summary"]["keys"][0]["column"], "Kind", "{summed:?}");
    handle(&summed);
    for (query, word) in [
        ("SELECT 1 AS A FROM scope() SELECT 2 AS A FROM scope()", "several SELECT"),
        ("SELECT * FROM clock(period=1)", "never ends"),
        ("EXPLAIN SELECT 1 AS A FROM scope()", "EXPLAIN"),
        ("SELECT label(client_id='x', labels='y', op='set') AS A FROM scope()", "more than read"),
    ] {
        let error = lab.error("run_vql", json!({"query": query, "detail": "summary"})).await;
        assert!(error.message.contains(word), "{query}: {}", error.message);
    }
    let whole = lab.data("run_vql", json!({"query": "SELECT 1 AS A FROM scope()"})).await;
    assert!(!whole.contains_key("handle"), "nothing was left: {whole:?}");
    let query = "SELECT 1 AS A FROM range(end=9) SELECT 2 AS A FROM range(end=9)";
    let cut = lab.data("run_vql", json!({"query": query, "max_rows": 5})).await;
    assert!(cut["state"] == "partial" && !cut.contains_key("handle"), "{cut:?}");
}

#[tokio::test]
async fn the_handle_of_a_query_is_good_for_its_caller_server_and_org_alone() {
    let lab = Direct::with_orgs(&["root", lab::SECOND_ORG]);
    let handle = handle(&lab.data("run_vql", many()).await);
    let wish = || json!({"handle": handle, "count": true});
    assert_eq!(lab.data("query_results", wish()).await["rows"], json!([{"Count": 400}]));
    let subject = Subject { name: "bob".to_owned(), token: "t1".to_owned() };
    let bob = Caller { subject: Some(subject), ..Caller::cli() };
    let code = |result: Result<_, ToolError>| {
        let error = result.map(|_: mcp_server::tool::Finished| ()).expect_err("it is not his");
        assert!(error.next_step.is_some_and(|next| next.contains("run_vql")));
        (error.code, error.message)
    };
    let (denied, told) = code(lab.call_as(&bob, "query_results", wish()).await);
    assert!(denied == Code::Denied && told.contains("another caller"), "{told}");
    let there = with(wish(), json!({"org": lab::SECOND_ORG}));
    let (denied, told) = code(lab.call("query_results", there).await);
    assert!(denied == Code::Denied && told.contains("another org"), "{told}");
    let last = if handle.ends_with('A') { 'B' } else { 'A' };
    let altered = format!("{}{last}", &handle[..handle.len() - 1]);
    for forged in [altered.as_str(), "query:1.AAAAAAAAAAAAAAAAAAAAAA", "query:999.x"] {
        let (code, told) = code(lab.call("query_results", json!({"handle": forged})).await);
        assert_eq!(code, Code::NotFound, "{forged}: {told}");
    }
}
