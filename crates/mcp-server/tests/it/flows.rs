//! `list_flows`, `get_flow_status`, `get_flow_results`, `cancel_flow`.

use mcp_server::tool_error::Code;
use serde_json::{Map, Value, json};

use crate::direct::Direct;

/// A Linux host that is online.
const HOST: &str = "db-01";

/// A host that is offline.
const AWAY: &str = "LAPTOP-19";

/// Collects and waits; gives the flow.
async fn collect(lab: &Direct, host: &str, artifacts: Value, parameters: Value) -> String {
    let wish = json!({
        "clients": [host], "artifacts": artifacts, "parameters": parameters, "wait": 30,
        "again": true,
    });
    let made = lab.data("collect_artifact", wish).await;
    made["outcomes"][0]["flow_id"].as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
}

/// All rows of all pages, each with its table.
async fn read_all(lab: &Direct, mut wish: Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    loop {
        let page = lab.data("get_flow_results", wish.clone()).await;
        let table = page.get("table").and_then(Value::as_str).unwrap_or_default().to_owned();
        for row in page["rows"].as_array().expect("rows") {
            all.push((table.clone(), row.clone()));
        }
        match page.get("cursor") {
            Some(cursor) => wish["cursor"] = cursor.clone(),
            None => return all,
        }
    }
}

fn warned(answer: &Map<String, Value>, part: &str) -> bool {
    let none = Vec::new();
    let warnings = answer.get("warnings").and_then(Value::as_array).unwrap_or(&none);
    warnings.iter().any(|warning| warning.as_str().is_some_and(|text| text.contains(part)))
}

#[tokio::test]
async fn d06_results_without_naming_an_artifact_are_those_of_every_table() {
    let lab = Direct::start();
    let artifacts = json!(["Custom.Lab.Hello", "Custom.Lab.Rows"]);
    let parameters = json!({"Custom.Lab.Hello": {"Count": 5}, "Custom.Lab.Rows": {"Count": 12}});
    let flow = collect(&lab, HOST, artifacts, parameters).await;
    let first = lab.data("get_flow_results", json!({"client": HOST, "flow_id": flow})).await;
    assert_eq!((&first["total"], &first["state"]), (&json!(18), &json!("partial")), "{first:?}");
    let all = read_all(&lab, json!({"client": HOST, "flow_id": flow, "limit": 4})).await;
    let of = |name: &str| all.iter().filter(|(table, _)| table == name).count();
    let counts = [of("Custom.Lab.Hello/One"), of("Custom.Lab.Hello/Two"), of("Custom.Lab.Rows")];
    assert_eq!(counts, [1, 5, 12]);
    assert_eq!(all.len(), 18);
}

#[tokio::test]
async fn ten_thousand_rows_are_paged_without_loss_or_repetition() {
    let lab = Direct::start();
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Rows"]), json!({})).await;
    let wish = json!({"client": HOST, "flow_id": flow, "limit": 3000, "max_kb": 400});
    let numbers: Vec<i64> =
        read_all(&lab, wish).await.iter().filter_map(|(_, row)| row["N"].as_i64()).collect();
    let expected: Vec<i64> = (numbers[0]..numbers[0] + 10_000).collect();
    assert_eq!(numbers, expected);
}

#[tokio::test]
async fn a_page_that_is_exactly_full_is_the_last_one() {
    let lab = Direct::start();
    let parameters = json!({"Custom.Lab.Rows": {"Count": 40}});
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Rows"]), parameters).await;
    for (limit, more) in [(39, true), (40, false), (41, false)] {
        for order in [Value::Null, json!("-N")] {
            let wish = json!({
                "client": HOST, "flow_id": flow, "limit": limit, "order_by": order,
            });
            let page = lab.data("get_flow_results", wish).await;
            assert_eq!(page.contains_key("cursor"), more, "{limit}: {page:?}");
            assert_eq!(page["returned"], limit.min(40));
            assert_eq!(page["state"], if more { "partial" } else { "complete" });
        }
    }
}

#[tokio::test]
async fn the_server_filters_sorts_groups_and_counts() {
    let lab = Direct::start();
    let parameters = json!({"Custom.Lab.Rows": {"Count": 40}});
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Rows"]), parameters).await;
    let ask = |more: Value| {
        let mut wish = json!({"client": HOST, "flow_id": flow});
        let fields = wish.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        wish
    };
    let wish = ask(json!({"filter": "N > 30", "columns": ["N"], "limit": 4}));
    let few = read_all(&lab, wish).await;
    assert!(few.iter().all(|(_, row)| row["N"].as_i64() > Some(30)), "{few:?}");
    assert_eq!(few[0].1.as_object().expect("a row").len(), 1);
    let count = lab.data("get_flow_results", ask(json!({"filter": "N > 30", "count": true}))).await;
    assert_eq!(count["rows"], json!([{"Count": few.len()}]));
    let wish = ask(json!({"order_by": "-N", "columns": ["N"], "limit": 15}));
    let sorted: Vec<i64> =
        read_all(&lab, wish).await.iter().filter_map(|(_, row)| row["N"].as_i64()).collect();
    assert!(sorted.len() == 40 && sorted.windows(2).all(|two| two[0] > two[1]), "{sorted:?}");
    let groups = lab.data("get_flow_results", ask(json!({"group_by": "Text"}))).await;
    assert_eq!(groups["rows"][0]["Count"], 40, "{groups:?}");
}

#[tokio::test]
async fn a_cursor_is_refused_where_it_does_not_belong() {
    let lab = Direct::start();
    let parameters = json!({"Custom.Lab.Rows": {"Count": 40}});
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Rows"]), parameters).await;
    let wish = json!({"client": HOST, "flow_id": flow, "limit": 4});
    let cursor = lab.data("get_flow_results", wish).await["cursor"].clone();
    let wish = json!({"client": HOST, "flow_id": flow, "filter": "N > 3", "cursor": cursor});
    let error = lab.error("get_flow_results", wish).await;
    assert_eq!(error.code, Code::InvalidInput);
    let error = lab.error("list_flows", json!({"client": HOST, "cursor": cursor})).await;
    assert_eq!(error.code, Code::InvalidInput);
}

#[tokio::test]
async fn what_was_not_looked_at_is_not_called_empty() {
    let lab = Direct::start();
    let flow = collect(&lab, HOST, json!(["Windows.System.Pslist"]), json!({})).await;
    let answer = lab.data("get_flow_results", json!({"client": HOST, "flow_id": flow})).await;
    assert_ne!(answer["state"], "empty");
    assert!(warned(&answer, "did not look"), "{answer:?}");
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Hello"]), json!({})).await;
    let wish = json!({"client": HOST, "flow_id": flow, "filter": "Wrod = 'x'"});
    let error = lab.error("get_flow_results", wish).await;
    assert!(error.message.contains("no column Wrod"), "{}", error.message);
}

#[tokio::test]
async fn a_failed_flow_says_why_and_its_rows_are_called_partial() {
    let lab = Direct::start();
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Fail"]), json!({})).await;
    let status = lab.data("get_flow_status", json!({"client": HOST, "flow_id": flow})).await;
    assert_eq!((&status["flow_state"], &status["state"]), (&json!("ERROR"), &json!("partial")));
    assert!(status["status"].as_str().expect("a reason").contains("lab says no"));
    assert!(!status["queries"].as_array().expect("queries").is_empty());
    let found = lab.data("get_flow_results", json!({"client": HOST, "flow_id": flow})).await;
    assert_eq!(found["state"], "partial");
    assert!(warned(&found, "lab says no"), "{found:?}");
}

#[tokio::test]
async fn uploads_are_listed_without_being_asked_for() {
    let lab = Direct::start();
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Upload"]), json!({})).await;
    let found = lab.data("get_flow_results", json!({"client": HOST, "flow_id": flow})).await;
    assert_eq!(found["uploads"][0]["size"], 11, "{found:?}");
    let next = lab.data("get_flow_status", json!({"client": HOST, "flow_id": flow})).await;
    assert_eq!(next["uploads"], 1);
}

#[tokio::test]
async fn flows_are_listed_newest_first_by_state_and_page() {
    let lab = Direct::start();
    let mut made = Vec::new();
    for artifact in ["Custom.Lab.One", "Custom.Lab.Fail", "Custom.Lab.Hello"] {
        made.push(collect(&lab, HOST, json!([artifact]), json!({})).await);
    }
    made.reverse();
    let (mut listed, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page =
            lab.data("list_flows", json!({"client": HOST, "limit": 2, "cursor": cursor})).await;
        for flow in page["flows"].as_array().expect("flows") {
            listed.push(flow["flow_id"].as_str().expect("an id").to_owned());
        }
        assert_eq!(page["total"], 4, "those and the interrogation");
        match page.get("cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!(listed[..3], made);
    assert_eq!(listed.len(), 4);
    let failed = lab.data("list_flows", json!({"client": HOST, "state": "error"})).await;
    assert_eq!(failed["flows"][0]["flow_id"], json!(made[1]), "{failed:?}");
    assert_eq!(failed["total"], 1);
    let running = lab.data("list_flows", json!({"client": HOST, "state": "running"})).await;
    assert_eq!(running["state"], "empty");
}

#[tokio::test]
async fn d81_cancelling_answers_in_fields_and_a_flow_that_ended_is_left_alone() {
    let lab = Direct::start();
    let wish =
        json!({"clients": [AWAY], "artifacts": ["Custom.Lab.One"], "wait": 0, "queue_hours": 2});
    let waiting = lab.data("collect_artifact", wish).await;
    let flow = waiting["outcomes"][0]["flow_id"].clone();
    let status = lab.data("get_flow_status", json!({"client": AWAY, "flow_id": flow})).await;
    assert_eq!(status["state"], "offline", "{status:?}");
    let wish = json!({"client": AWAY, "flow_id": flow});
    let done = lab.data("cancel_flow", wish.clone()).await;
    assert_eq!(
        (&done["cancelled"], &done["after"]),
        (&json!(true), &json!("CANCELLED")),
        "{done:?}"
    );
    assert_eq!(done["flow_id"], flow);
    let again = lab.data("cancel_flow", wish).await;
    assert_eq!(again["cancelled"], false);

    let finished = collect(&lab, HOST, json!(["Custom.Lab.One"]), json!({})).await;
    let wish = json!({"client": HOST, "flow_id": finished});
    let left = lab.data("cancel_flow", wish.clone()).await;
    assert_eq!((&left["cancelled"], &left["after"]), (&json!(false), &json!("FINISHED")));
    let status = lab.data("get_flow_status", wish).await;
    assert_eq!(status["flow_state"], "FINISHED");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found_and_nothing_is_pretended() {
    let lab = Direct::start();
    for tool in ["get_flow_status", "get_flow_results", "cancel_flow"] {
        let error = lab.error(tool, json!({"client": HOST, "flow_id": "F.NOSUCHFLOW"})).await;
        assert_eq!(error.code, Code::NotFound, "{tool}: {}", error.message);
        let error = lab.error(tool, json!({"client": "db-10", "flow_id": "F.NOSUCHFLOW"})).await;
        assert_eq!(error.code, Code::NotFound, "{tool}: {}", error.message);
        assert!(error.next_step.is_some_and(|next| next.contains("db-01")), "{tool}");
    }
}

#[tokio::test]
async fn a_table_that_no_artifact_has_is_not_found_and_one_without_rows_is_empty() {
    let lab = Direct::start();
    let parameters = json!({"Custom.Lab.Hello": {"Count": 0}});
    let flow = collect(&lab, HOST, json!(["Custom.Lab.Hello"]), parameters).await;
    let of = |table: &str| json!({"client": HOST, "flow_id": flow, "table": table});
    let error = lab.error("get_flow_results", of("Custom.Lab.Hello/Tow")).await;
    assert_eq!(error.code, Code::NotFound, "{}", error.message);
    let next = error.next_step.unwrap_or_default();
    assert!(next.starts_with("did you mean Custom.Lab.Hello/Two"), "{next}");
    let error = lab.error("get_flow_results", of("Custom.Lab.Helo")).await;
    assert_eq!(error.code, Code::NotFound, "{}", error.message);
    let next = error.next_step.unwrap_or_default();
    assert!(next.starts_with("did you mean Custom.Lab.Hello?"), "{next}");
    let empty = lab.data("get_flow_results", of("Custom.Lab.Hello/Two")).await;
    assert_eq!(empty["state"], "empty", "{empty:?}");
    assert!(warned(&empty, "has no rows in this flow"), "{empty:?}");
}

#[tokio::test]
async fn d17_hostile_arguments_change_nothing_but_the_answer() {
    let lab = Direct::start();
    let flow = collect(&lab, HOST, json!(["Custom.Lab.One"]), json!({})).await;
    for text in [
        "F.A' OR 1=1 --",
        "F.A;",
        "{F.A}",
        "F.A\nF.B",
        "F.\u{0}",
        "F.\u{202e}A",
        "F.\u{1F600}",
        "\"",
    ] {
        for tool in ["get_flow_status", "get_flow_results", "cancel_flow"] {
            let error = lab.error(tool, json!({"client": HOST, "flow_id": text})).await;
            assert_eq!(error.code, Code::InvalidInput, "{tool} {text:?}: {}", error.message);
            let error = lab.error(tool, json!({"client": text, "flow_id": flow})).await;
            assert_eq!(error.code, Code::NotFound, "{tool} {text:?}: {}", error.message);
        }
        let wish = json!({"client": HOST, "flow_id": flow, "table": text});
        let error = lab.error("get_flow_results", wish).await;
        assert_eq!(error.code, Code::NotFound, "{text:?}: {}", error.message);
        for field in ["filter", "order_by", "group_by"] {
            let mut wish = json!({"client": HOST, "flow_id": flow});
            wish[field] = json!(text);
            let error = lab.error("get_flow_results", wish).await;
            let codes = [Code::InvalidInput, Code::InvalidQuery];
            assert!(codes.contains(&error.code), "{field} {text:?}: {}", error.message);
        }
    }
}
