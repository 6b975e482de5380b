//! Handles of rows that the server keeps, and `query_results` on them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mcp_server::tool_error::Code;
use serde_json::{Map, Value, json};

use crate::direct::Direct;

/// A Linux host that is online.
const HOST: &str = "db-01";

const STACK: &str = "Custom.Lab.Stack";

/// Collects and waits; the handle of the only table.
pub(crate) async fn collected(lab: &Direct, artifact: &str, parameters: Value) -> String {
    let wish = json!({
        "clients": [HOST], "artifacts": [artifact], "parameters": parameters, "wait": 30,
    });
    let made = lab.data("collect_artifact", wish).await;
    let handle = &made["outcomes"][0]["tables"][0]["handle"];
    handle.as_str().unwrap_or_else(|| panic!("{made:?}")).to_owned()
}

/// The rows of every page.
pub(crate) async fn all(lab: &Direct, mut wish: Value) -> Vec<Value> {
    let mut rows = Vec::new();
    loop {
        let page = lab.data("query_results", wish.clone()).await;
        rows.extend(page["rows"].as_array().expect("rows").iter().cloned());
        match page.get("cursor") {
            Some(cursor) => wish["cursor"] = cursor.clone(),
            None => return rows,
        }
    }
}

/// How often each value of these columns occurs, counted here.
fn counted(rows: &[Value], columns: &[&str]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        let values: Vec<&Value> = columns.iter().map(|column| &row[*column]).collect();
        *counts.entry(json!(values).to_string()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn stacks_and_groups_agree_with_a_count_made_apart() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({})).await;
    let rows = all(&lab, json!({"handle": handle, "limit": 5000, "max_kb": 4000})).await;
    assert_eq!(rows.len(), 10_006);
    for columns in [&["Name"][..], &["Path"], &["Name", "Path"]] {
        let expected = counted(&rows, columns);
        for (way, rising) in [("stack", true), ("group_by", false)] {
            let mut wish = json!({"handle": handle, "limit": 3});
            wish[way] = json!(columns);
            let groups = all(&lab, wish).await;
            let mut found = BTreeMap::new();
            for group in &groups {
                let values: Vec<&Value> = columns.iter().map(|column| &group[*column]).collect();
                found.insert(json!(values).to_string(), group["Count"].as_u64().expect("a count"));
            }
            assert_eq!(found, expected, "{way} {columns:?}");
            let counts: Vec<_> =
                groups.iter().filter_map(|group| group["Count"].as_u64()).collect();
            let ordered = counts.is_sorted_by(|a, b| if rising { a <= b } else { a >= b });
            assert!(ordered, "{way} {columns:?}: {counts:?}");
        }
    }
    let wish = json!({"handle": handle, "filter": "Path = 'C:/Temp'", "stack": ["Name"]});
    assert_eq!(all(&lab, wish).await, [json!({"Name": "rare.exe", "Count": 2})]);
    let wish = json!({"handle": handle, "filter": "N >= 9990", "count": true});
    assert_eq!(all(&lab, wish).await, [json!({"Count": 10})]);
    let wish = json!({"handle": handle, "order_by": "-N", "columns": ["N"], "limit": 2});
    let page = lab.data("query_results", wish).await;
    assert_eq!(
        (&page["rows"], &page["state"]),
        (&json!([{"N": 9999}, {"N": 9998}]), &json!("partial"))
    );
}

#[tokio::test]
async fn values_that_are_equally_rare_are_counted_and_stand_in_a_stated_order() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({})).await;
    let rare = json!(["1", "Null", "a b", "a", 1, null]);
    for limit in [1, 4, 100] {
        let wish = json!({"handle": handle, "stack": ["Name"], "limit": limit});
        let page = lab.data("query_results", wish.clone()).await;
        let told = page["warnings"].to_string();
        assert!(told.contains("9 different values in all"), "{told}");
        assert!(told.contains("6 of 9 occur once, which is the least"), "{told}");
        let names: Vec<_> = all(&lab, wish).await.iter().map(|row| row["Name"].clone()).collect();
        assert_eq!(json!(names[..6]), rare, "pages of {limit}");
    }
    let wish = json!({"handle": handle, "group_by": ["Name"]});
    let page = lab.data("query_results", wish).await;
    assert!(!page["warnings"].to_string().contains("occur once"), "{page:?}");
    let wish = json!({"handle": handle, "stack": ["Name", "Path"], "filter": "Path = 'C:/Temp'"});
    let page = lab.data("query_results", wish).await;
    assert_eq!(page["warnings"], json!(["1 combination in all"]));
    let summary = lab.data("query_results", json!({"handle": handle, "detail": "summary"})).await;
    let keys = summary["summary"]["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["column"] == "Name").expect("names are told");
    assert_eq!(key["equally_rare"], 6, "{key}");
    let told: Vec<_> =
        key["rarest"].as_array().expect("values").iter().map(|one| &one["value"]).collect();
    assert_eq!(json!(told), json!(["1", "Null", "a b"]));
}

#[tokio::test]
async fn a_misspelt_column_is_answered_with_the_one_that_was_meant() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({})).await;
    for (name, value) in [
        ("stack", json!(["Nmae"])),
        ("group_by", json!(["Path", "Nmae"])),
        ("order_by", json!("-Nmae")),
        ("columns", json!(["Nmae"])),
        ("filter", json!("Nmae = 'rare.exe'")),
    ] {
        let mut wish = json!({"handle": handle});
        wish[name] = value;
        let error = lab.error("query_results", wish.clone()).await;
        assert_eq!(error.code, Code::InvalidInput, "{wish}: {}", error.message);
        let message = &error.message;
        assert!(message.contains("no column Nmae; did you mean Name"), "{wish}: {message}");
    }
    let wish = json!({"handle": handle, "count": true, "filter": "Nmae = 'rare.exe'"});
    let error = lab.error("query_results", wish).await;
    assert!(error.message.contains("did you mean Name"), "a count of 0: {}", error.message);
    let wish = json!({"handle": handle, "stack": ["Sha256"]});
    let error = lab.error("query_results", wish).await;
    assert!(error.message.contains("; there are N, Count, Last Seen, Name, Path"), "{error}");
}

#[tokio::test]
async fn a_column_that_is_called_as_ours_keeps_its_name() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({"Custom.Lab.Stack": {"Count": 20}})).await;
    let groups = all(&lab, json!({"handle": handle, "group_by": ["Count"]})).await;
    assert_eq!(groups[0], json!({"Count": 9, "Count_": 20}), "{groups:?}");
}

#[tokio::test]
async fn a_hunt_is_stacked_with_the_number_of_hosts() {
    let lab = Direct::start();
    let wish = json!({
        "artifacts": [STACK], "parameters": {STACK: {"Count": 12}}, "os": "linux",
        "description": "stacked", "start": true,
    });
    let made = lab.data("create_hunt", wish).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    let found = loop {
        let wish = json!({"hunt_id": made["hunt_id"], "limit": 1});
        let found = lab.data("get_hunt_results", wish).await;
        if found["coverage"]["hit"].as_u64() > Some(2) && found["coverage"]["running"] == 0 {
            break found;
        }
        assert!(Instant::now() < deadline, "last seen: {found:?}");
        tokio::task::yield_now().await;
    };
    let hit = found["coverage"]["hit"].as_u64().expect("a count");
    let handle = found["tables"][0]["handle"].as_str().expect("a handle").to_owned();
    assert!(handle.starts_with("hunt:H."), "{handle}");
    let stack = all(&lab, json!({"handle": handle, "stack": ["Name"], "limit": 2})).await;
    for row in &stack {
        let each = if row["Name"] == "svchost.exe" { 12 } else { 1 };
        assert_eq!((&row["Hosts"], &row["Count"]), (&json!(hit), &json!(hit * each)), "{row}");
    }
    assert_eq!(stack.len(), 7);
    // On one host only: what a stack is for.
    let client = lab.data("query_results", json!({"handle": handle, "limit": 1})).await;
    let host = client["rows"][0]["Fqdn"].clone();
    let filter = format!("Name != 'a' OR Fqdn = {host}");
    let wish = json!({"handle": handle, "filter": filter, "stack": ["Name", "Path"], "limit": 1});
    let rarest = lab.data("query_results", wish).await;
    assert_eq!(
        rarest["rows"],
        json!([{"Name": "a", "Path": "b c", "Count": 1, "Hosts": 1}]),
        "{rarest:?}"
    );
    let told = rarest["warnings"].to_string();
    let open = found["coverage"]["never_scheduled"].as_u64().expect("a count");
    assert!(open == 0 || told.contains(&format!("never asked {open}")), "{told}");
}

#[tokio::test]
async fn what_was_not_looked_at_is_not_called_empty() {
    let lab = Direct::start();
    let flow = |answer: &Map<String, Value>| {
        let outcome = &answer["outcomes"][0];
        let id = |name: &str| outcome[name].as_str().expect("an id").to_owned();
        (id("client_id"), id("flow_id"))
    };
    let wish = json!({"clients": [HOST], "artifacts": ["Windows.System.Pslist"], "wait": 30});
    let (client, id) = flow(&lab.data("collect_artifact", wish).await);
    let handle = format!("flow:{client}/{id}/Windows.System.Pslist");
    let asleep = lab.data("query_results", json!({"handle": handle, "count": true})).await;
    assert_eq!((&asleep["state"], &asleep["rows"]), (&json!("partial"), &json!([])), "{asleep:?}");
    assert!(asleep["warnings"].to_string().contains("did not look"), "{asleep:?}");

    let wish = json!({
        "clients": [HOST], "artifacts": ["Custom.Lab.Rows"], "wait": 30,
        "parameters": {"Custom.Lab.Rows": {"Count": 0}},
    });
    let (client, id) = flow(&lab.data("collect_artifact", wish).await);
    let handle = format!("flow:{client}/{id}/Custom.Lab.Rows");
    let none = lab.data("query_results", json!({"handle": handle, "count": true})).await;
    assert_eq!(
        (&none["state"], &none["rows"]),
        (&json!("empty"), &json!([{"Count": 0}])),
        "{none:?}"
    );

    let wish = json!({"clients": ["LAPTOP-19"], "artifacts": ["Custom.Lab.One"], "queue_hours": 1});
    let (client, id) = flow(&lab.data("collect_artifact", wish).await);
    let handle = format!("flow:{client}/{id}/Custom.Lab.One");
    let away = lab.data("query_results", json!({"handle": handle, "count": true})).await;
    assert_eq!((&away["state"], &away["rows"]), (&json!("offline"), &json!([])), "{away:?}");
}

#[tokio::test]
async fn handles_that_lead_nowhere_are_typed_errors() {
    let lab = Direct::start();
    let handle = collected(&lab, "Custom.Lab.Hello", json!({})).await;
    let flow = handle.rsplit_once("/Custom").expect("a table").0.to_owned();
    let ask = async |handle: &str| lab.error("query_results", json!({"handle": handle})).await;
    let several = ask(&format!("{flow}/Custom.Lab.Hello")).await;
    assert_eq!(several.code, Code::InvalidInput, "{}", several.message);
    assert!(several.next_step.expect("a step").contains(&handle));
    let (hunt, client) = ("hunt:H.NOSUCHHUNT/Table", "C.00000000000000ff");
    for (handle, code) in [
        (format!("{flow}/Windows.System.Pslist"), Code::NotFound),
        (format!("flow:{client}/F.NOSUCHFLOW/Custom.Lab.One"), Code::NotFound),
        (String::from(hunt), Code::NotFound),
        (String::from("Custom.Lab.Hello"), Code::InvalidInput),
        (format!("{flow}/Custom.Lab.Hello/One'}} SELECT * FROM info() //"), Code::InvalidInput),
    ] {
        let error = ask(&handle).await;
        assert!(error.code == code || error.code == Code::NotFound, "{handle}: {error:?}");
        assert!(error.next_step.is_some(), "{handle}: {error:?}");
    }
    for (name, value) in [
        ("stack", json!(["a`b"])),
        ("stack", json!(["Nope"])),
        ("group_by", json!(["Word", "Nope"])),
        ("order_by", json!("Nope")),
        ("filter", json!("execve(argv='id')")),
        ("filter", json!("Nope = 1")),
        ("columns", json!(["config"])),
    ] {
        let mut wish = json!({"handle": handle});
        wish[name] = value;
        let error = lab.error("query_results", wish.clone()).await;
        let codes = [Code::InvalidInput, Code::InvalidQuery];
        assert!(codes.contains(&error.code), "{wish}: {}", error.message);
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_the_handle_and_the_wish_that_made_it() {
    let lab = Direct::start();
    let handle = collected(&lab, STACK, json!({"Custom.Lab.Stack": {"Count": 40}})).await;
    let page = lab.data("query_results", json!({"handle": handle, "limit": 4})).await;
    for more in [json!({"stack": ["Name"]}), json!({"filter": "N > 1"}), json!({"count": true})] {
        let mut wish = json!({"handle": handle, "cursor": page["cursor"]});
        let fields = wish.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let error = lab.error("query_results", wish).await;
        assert!(error.message.contains("another request"), "{}", error.message);
    }
}
