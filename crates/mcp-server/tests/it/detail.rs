//! `detail`: how much of a table an answer carries.

use serde_json::{Value, json};

use crate::direct::Direct;
use crate::handles::collected;

const STACK: &str = "Custom.Lab.Stack";

fn key<'a>(summary: &'a Value, column: &str) -> &'a Value {
    let keys = summary["keys"].as_array().expect("keys");
    keys.iter().find(|key| key["column"] == column).unwrap_or_else(|| panic!("{summary}"))
}

#[tokio::test]
async fn a_summary_counts_what_a_table_holds_and_shows_three_rows() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({})).await;
    let place = handle.trim_start_matches("flow:");
    let (client, rest) = place.split_once('/').expect("a client");
    let (flow, _) = rest.split_once('/').expect("a flow");
    let wish = json!({"client": client, "flow_id": flow, "detail": "summary"});
    let of_flow = lab.data("get_flow_results", wish).await;
    let by_handle = lab.data("query_results", json!({"handle": handle, "detail": "summary"})).await;
    assert_eq!(of_flow["rows"], json!([]));
    assert_eq!((&of_flow["state"], &by_handle["state"]), (&json!("complete"), &json!("complete")));
    for summary in [&of_flow["summaries"][0], &by_handle["summary"]] {
        assert_eq!((&summary["rows"], &summary["handle"]), (&json!(10_006), &json!(handle)));
        let name = key(summary, "Name");
        assert_eq!(name["distinct"], 9, "{name}");
        let first = &name["commonest"][0];
        assert_eq!((&first["value"], &first["count"]), (&json!("svchost.exe"), &json!(9000)));
        assert_eq!(name["commonest"][2], json!({"value": "rare.exe", "count": 10}));
        assert!(
            name["rarest"].as_array().is_some_and(|rare| rare.iter().all(|one| one["count"] == 1))
        );
        let times = &summary["times"][0];
        assert_eq!(times["column"], "Last Seen", "{summary}");
        assert_eq!(times["first"], "2023-11-14T22:13:20Z");
        assert_eq!(times["last"], "2023-11-15T00:59:59Z");
        assert_eq!(times["rows"], 10_000);
        assert_eq!(summary["sample"].as_array().map(Vec::len), Some(3));
        let kinds: Vec<_> = summary["columns"].as_array().expect("columns").iter().collect();
        assert!(kinds.contains(&&json!({"column": "N", "type": "number"})), "{kinds:?}");
    }
    let wish = json!({"handle": handle, "detail": "summary", "filter": "Path = 'C:/Temp'"});
    let few = lab.data("query_results", wish).await;
    assert_eq!(few["summary"]["rows"], 2, "{few:?}");
    for more in [json!({"stack": ["Name"]}), json!({"columns": ["N"]}), json!({"order_by": "N"})] {
        let mut wish = json!({"handle": handle, "detail": "summary"});
        let fields = wish.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        assert!(lab.error("query_results", wish).await.message.contains("detail summary"));
    }
}

#[tokio::test]
async fn what_a_summary_did_not_count_is_said() {
    let lab = Direct::start();
    let wish = json!({"Custom.Lab.Rows": {"Count": 200_050, "Size": 1}});
    let handle = collected(&lab, "Custom.Lab.Rows", wish).await;
    let mut parts = handle.trim_start_matches("flow:").split('/');
    let wish = json!({"client": parts.next(), "flow_id": parts.next(), "detail": "summary"});
    let found = lab.data("get_flow_results", wish).await;
    let told = found["summaries"][0]["not_looked"].to_string();
    assert!(told.contains("after the first 200000 of 200050"), "{told}");
    assert_eq!(found["state"], "partial");
}

#[tokio::test]
async fn compact_cuts_long_cells_and_full_does_not() {
    let lab = Direct::start();
    let wish = json!({"Custom.Lab.Rows": {"Count": 2, "Size": 5000}});
    let handle = collected(&lab, "Custom.Lab.Rows", wish).await;
    let compact = lab.data("query_results", json!({"handle": handle})).await;
    assert_eq!(compact["cut"], json!(["Text"]), "{compact:?}");
    let cell = compact["rows"][0]["Text"].as_str().expect("a text");
    assert!(cell.len() < 400 && cell.ends_with("…[cut: 5000 bytes]"), "{cell}");
    let full = lab.data("query_results", json!({"handle": handle, "detail": "full"})).await;
    assert_eq!(full["rows"][0]["Text"], "x".repeat(5000));
    assert!(!full.contains_key("cut"));
    let error = lab.error("query_results", json!({"handle": handle, "detail": "brief"})).await;
    assert!(error.message.contains("expected one of summary"), "{}", error.message);
    let error = lab.error("vql_help", json!({"detail": "full"})).await;
    assert!(error.message.contains("detail"), "{}", error.message);
}

#[tokio::test]
async fn hostile_columns_and_cells_are_told_and_not_obeyed() {
    let lab = Direct::start();
    let handle = collected(&lab, "Custom.Lab.Hostile", json!({})).await;
    let finished = lab
        .call("query_results", json!({"handle": handle, "detail": "summary"}))
        .await
        .expect("a summary");
    for odd in ['\u{202e}', '\u{1b}', '\u{200b}', '\u{e0041}'] {
        assert!(!finished.text.contains(odd) && !finished.structured.get().contains(odd));
    }
    let wish = json!({"handle": handle, "columns": ["Kind", "Bytes"]});
    let named = lab.data("query_results", wish).await;
    assert_eq!(named["columns"], json!(["Kind", "Bytes"]), "what was asked for stays");
}
