//! Handles and `query_results`: what the server counts agrees with what is counted here.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{AWAY, Bench, ENDLESS, FLEET, STACK, ended_well, refused, says};
use crate::mcp::McpChild;
use crate::suite::Cases;
use crate::wait;

/// Rows of the table: the ordinary ones and those that read alike.
const COUNT: usize = 12_006;

/// A client hears of a hunt with its next poll.
const PATIENCE: Duration = Duration::from_secs(90);

pub(super) async fn run(cases: &mut Cases, bench: &Bench) {
    cases.case("handles: 12,000 rows stacked, grouped, filtered and paged", flow(bench)).await;
    cases.case("handles: a hunt stacked with its number of hosts", hunt(bench)).await;
    cases.case("handles: what was not looked at is not called empty", waiting(bench)).await;
    cases.case("handles: a query that was cut is worked on by its own", query(bench)).await;
    cases.case("handles: those that lead nowhere are told", nowhere(bench)).await;
}

/// How often each value of these columns occurs.
fn counted(rows: &[Value], columns: &[&str]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(key(row, columns)).or_default() += 1;
    }
    counts
}

fn key(row: &Value, columns: &[&str]) -> String {
    let values: Vec<&Value> = columns.iter().map(|column| &row[*column]).collect();
    json!(values).to_string()
}

/// The rows of every page.
async fn all(child: &mut McpChild, mut wish: Value) -> anyhow::Result<Vec<Value>> {
    let mut rows = Vec::new();
    loop {
        let mut page = child.call_ok("query_results", wish.clone()).await?;
        rows.extend(page["rows"].as_array().context("no rows")?.iter().cloned());
        match page["cursor"].take() {
            Value::Null => return Ok(rows),
            cursor => wish["cursor"] = cursor,
        }
    }
}

async fn flow(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "clients": [bench.agent], "artifacts": [STACK], "wait": 100 });
    let done = child.call_ok("collect_artifact", wish).await?;
    let table = &done["outcomes"][0]["tables"][0];
    let handle = table["handle"].as_str().with_context(|| done.to_string())?;
    let id = done["outcomes"][0]["flow_id"].as_str().context("no flow")?;
    ensure!(handle == format!("flow:{}/{id}/{STACK}", bench.agent), "{handle}");
    // A witness hears no more than 10,000 rows at once.
    let mut own = Vec::new();
    for from in ["0", "9000"] {
        let vql = "SELECT * FROM source(client_id=C, flow_id=F, artifact=A,
            start_row=int(int=Start)) LIMIT 9000";
        let env = [("C", bench.agent.as_str()), ("F", id), ("A", STACK), ("Start", from)];
        let rows = bench.witness(vql, &env).await?;
        own.extend(rows.as_array().context("no rows")?.iter().cloned());
    }
    let own = &own;
    ensure!(own.len() == COUNT, "{} rows", own.len());
    let pages = json!({ "handle": handle, "limit": 5000, "max_kb": 900 });
    let read = all(&mut child, pages).await?;
    ensure!(read == *own, "{} rows were read, or others", read.len());
    for columns in [&["Name"][..], &["Path"], &["Name", "Path"], &["Last Seen", "Name"]] {
        let expected = counted(own, columns);
        for (way, rising) in [("stack", true), ("group_by", false)] {
            let mut wish = json!({ "handle": handle, "limit": 4000, "max_kb": 400 });
            wish[way] = json!(columns);
            let groups = all(&mut child, wish).await?;
            let count = |group: &Value| group["Count"].as_u64().unwrap_or_default();
            let found: BTreeMap<String, u64> =
                groups.iter().map(|group| (key(group, columns), count(group))).collect();
            ensure!(found == expected && found.len() == groups.len(), "{way} {columns:?}");
            let ordered = groups.is_sorted_by_key(|group| {
                let count = i64::try_from(count(group)).unwrap_or_default();
                if rising { count } else { -count }
            });
            ensure!(ordered, "{way} {columns:?}: {groups:?}");
        }
    }
    let wish = json!({ "client": bench.agent, "flow_id": id, "detail": "summary" });
    let told = child.call_ok("get_flow_results", wish).await?;
    summed(&told["summaries"][0], own).with_context(|| told["summaries"].to_string())?;
    let wish = json!({ "handle": handle, "detail": "summary" });
    let told = child.call_ok("query_results", wish).await?;
    ensure!(told["state"] == "complete", "{told}");
    summed(&told["summary"], own).with_context(|| told["summary"].to_string())?;
    let groups = all(&mut child, json!({ "handle": handle, "group_by": ["Count"] })).await?;
    ensure!(groups[0] == json!({ "Count": 9, "Count_": COUNT - 6 }), "{groups:?}");
    let wish = json!({ "handle": handle, "filter": "Path = 'C:/Temp'", "stack": ["Name"] });
    let found = all(&mut child, wish).await?;
    ensure!(found == [json!({ "Name": "rare.exe", "Count": 2 })], "{found:?}");
    let wish = json!({ "handle": handle, "stack": ["Name"], "limit": 6 });
    let found = child.call_ok("query_results", wish).await?;
    let names = json!(["1", "Null", "a b", "a", 1, null]);
    let told: Vec<_> =
        found["rows"].as_array().into_iter().flatten().map(|row| &row["Name"]).collect();
    ensure!(json!(told) == names, "{found}");
    let told = found["warnings"].to_string();
    ensure!(told.contains("6 of 9 occur once, which is the least"), "{told}");
    for (name, value) in [
        ("stack", json!(["Nmae"])),
        ("order_by", json!("-Nmae")),
        ("columns", json!(["Nmae"])),
        ("filter", json!("Nmae = 'rare.exe'")),
    ] {
        for count in [false, true] {
            if count && name != "filter" {
                continue;
            }
            let mut wish = json!({ "handle": handle, "count": count });
            wish[name] = value.clone();
            let error = refused(&mut child, "query_results", wish).await?;
            says(&error, "invalid_input", &["no column Nmae; did you mean Name"])?;
        }
    }
    let wish = json!({ "handle": handle, "filter": "N >= 11990", "count": true });
    let found = all(&mut child, wish).await?;
    ensure!(found == [json!({ "Count": 10 })], "{found:?}");
    let wish = json!({ "handle": handle, "order_by": "-N", "columns": ["N"], "limit": 2,
                       "filter": "N >= 0" });
    let found = child.call_ok("query_results", wish).await?;
    ensure!(found["rows"] == json!([{ "N": 11999 }, { "N": 11998 }]), "{found}");
    ended_well(child).await
}

/// A summary agrees with what is counted here.
fn summed(summary: &Value, own: &[Value]) -> anyhow::Result<()> {
    ensure!(summary["rows"] == own.len(), "{}", summary["rows"]);
    let keys = summary["keys"].as_array().context("no keys")?;
    for name in ["Name", "Path"] {
        let expected = counted(own, &[name]);
        let key = keys.iter().find(|key| key["column"] == name);
        let key = key.with_context(|| format!("{name} is not told"))?;
        ensure!(key["distinct"] == expected.len(), "{key}");
        let (mut common, mut rare) = (expected.values().rev().copied().collect::<Vec<_>>(), vec![]);
        common.sort_unstable_by(|a, b| b.cmp(a));
        rare.extend(common.iter().rev().copied());
        for (list, counts) in [("commonest", common), ("rarest", rare)] {
            for (told, count) in key[list].as_array().into_iter().flatten().zip(counts) {
                let value = json!([told["value"]]).to_string();
                ensure!(told["count"] == count, "{list} {told}");
                ensure!(expected.get(&value) == Some(&count), "{list} {told}");
            }
        }
    }
    let times = &summary["times"][0];
    let span = [&times["column"], &times["first"], &times["last"]];
    let right = ["Last Seen", "2023-11-14T22:13:20Z", "2023-11-15T01:33:19Z"];
    ensure!(span == right && times["rows"] == own.len() - 6, "{times}");
    ensure!(summary["sample"].as_array().is_some_and(|rows| rows.len() == 3));
    Ok(())
}

async fn hunt(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish = json!({ "artifacts": [STACK], "parameters": { STACK: { "Count": 30 } },
                       "description": "stacked", "os": "linux", "start": true });
    let made = child.call_ok("create_hunt", wish).await?;
    let id = made["hunt_id"].as_str().context("no id")?.to_owned();
    let asking = Mutex::new(&mut child);
    let found = wait::until("rows of all hosts", PATIENCE, || async {
        let wish = json!({ "hunt_id": id, "limit": 0 });
        let found = asking.lock().await.call_ok("get_hunt_results", wish).await?;
        ensure!(found["coverage"]["hit"] == FLEET + 1, "{}", found["coverage"]);
        Ok::<_, anyhow::Error>(found)
    })
    .await?;
    let handle = found["tables"][0]["handle"].as_str().context("no handle")?.to_owned();
    ensure!(handle == format!("hunt:{id}/{STACK}"), "{handle}");
    let vql = "SELECT * FROM hunt_results(hunt_id=H, artifact=A) LIMIT 2000";
    let own = bench.witness(vql, &[("H", &id), ("A", STACK)]).await?;
    let own = own.as_array().context("no rows")?;
    ensure!(own.len() as u64 == 36 * (FLEET + 1), "{} rows", own.len());
    for columns in [&["Name"][..], &["Name", "Path"], &["ClientId"], &["ClientId", "Name"]] {
        let expected = counted(own, columns);
        let mut hosts: BTreeMap<String, std::collections::BTreeSet<&str>> = BTreeMap::new();
        for row in own {
            let client = row["ClientId"].as_str().context("no client")?;
            hosts.entry(key(row, columns)).or_default().insert(client);
        }
        let stack = all(&mut child, json!({ "handle": handle, "stack": columns })).await?;
        ensure!(stack.len() == expected.len(), "{columns:?}: {stack:?}");
        for group in &stack {
            let key = key(group, columns);
            let told = (group["Count"].as_u64(), group["Hosts"].as_u64());
            let right = (expected.get(&key).copied(), hosts.get(&key).map(|set| set.len() as u64));
            ensure!(told == right, "{columns:?}: {group}, and it is {right:?}");
        }
    }
    child.call_ok("modify_hunt", json!({ "hunt_id": id, "action": "stop" })).await?;
    ended_well(child).await
}

async fn waiting(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let wish =
        json!({ "clients": [bench.agent], "artifacts": [ENDLESS], "wait": 1, "again": true });
    let begun = child.call_ok("collect_artifact", wish).await?;
    let flow = begun["outcomes"][0]["flow_id"].as_str().context("no flow")?.to_owned();
    let wish = json!({ "handle": format!("flow:{}/{flow}/{ENDLESS}", bench.agent), "count": true });
    let told = child.call_ok("query_results", wish).await?;
    ensure!(told["state"] != "complete" && told["state"] != "empty", "it runs still: {told}");
    child.call_ok("cancel_flow", json!({ "client": bench.agent, "flow_id": flow })).await?;

    let wish = json!({ "clients": [bench.agent], "artifacts": [super::ROWS], "wait": 60,
                       "parameters": { super::ROWS: { "Count": 0 } } });
    let done = child.call_ok("collect_artifact", wish).await?;
    let flow = done["outcomes"][0]["flow_id"].as_str().context("no flow")?;
    let handle = format!("flow:{}/{flow}/{}/Numbers", bench.agent, super::ROWS);
    let told = child.call_ok("query_results", json!({ "handle": handle, "count": true })).await?;
    ensure!(told["state"] == "empty" && told["rows"] == json!([{ "Count": 0 }]), "{told}");

    let wish = json!({ "clients": [AWAY], "artifacts": [STACK], "queue_hours": 1 });
    let begun = child.call_ok("collect_artifact", wish).await?;
    let flow = begun["outcomes"][0]["flow_id"].as_str().context("no flow")?;
    let wish = json!({ "handle": format!("flow:{AWAY}/{flow}/{STACK}"), "count": true });
    let told = child.call_ok("query_results", wish).await?;
    ensure!(told["state"] == "offline" && told["rows"] == json!([]), "{told}");
    child.call_ok("cancel_flow", json!({ "client": AWAY, "flow_id": flow })).await?;
    ended_well(child).await
}

async fn query(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let text = "LET First <= Step SELECT _value AS N, if(condition=_value < 3, then='rare',
        else='common') AS Kind, First AS Step FROM range(end=Most) -- many";
    let wish = json!({ "query": text, "env": { "Most": 400, "Step": 7 } });
    let cut = child.call_ok("run_vql", wish.clone()).await?;
    let handle = cut["handle"].as_str().with_context(|| cut.to_string())?.to_owned();
    let stack = all(&mut child, json!({ "handle": handle, "stack": ["Kind"] })).await?;
    let right = [json!({ "Kind": "rare", "Count": 3 }), json!({ "Kind": "common", "Count": 397 })];
    ensure!(stack == right, "{stack:?}");
    let rows = all(&mut child, json!({ "handle": handle, "limit": 150 })).await?;
    let whole = rows.iter().enumerate().all(|(at, row)| row["N"] == at && row["Step"] == 7);
    ensure!(rows.len() == 400 && whole, "{} rows", rows.len());
    let wish_last = json!({ "handle": handle, "filter": "N > 390", "order_by": "-N", "limit": 1,
                            "columns": ["N"] });
    let last = child.call_ok("query_results", wish_last).await?;
    ensure!(last["rows"] == json!([{ "N": 399 }]), "{last}");
    let mut wish = wish;
    wish["detail"] = json!("summary");
    let told = child.call_ok("run_vql", wish).await?;
    ensure!(
        told["summary"]["rows"] == 400 && told["summary"]["keys"][0]["distinct"] == 2,
        "{told}"
    );
    let forged = json!({ "handle": "query:1.AAAAAAAAAAAAAAAAAAAAAA" });
    let error = refused(&mut child, "query_results", forged).await?;
    says(&error, "not_found", &["run_vql"])?;
    ended_well(child).await
}

async fn nowhere(bench: &Bench) -> anyhow::Result<()> {
    let mut child = bench.changing().await?;
    let agent = &bench.agent;
    for (handle, code) in [
        (format!("flow:{agent}/F.NOSUCHFLOW/{STACK}"), "not_found"),
        (format!("hunt:H.NOSUCHHUNT/{STACK}"), "not_found"),
        (format!("flow:{agent}/F.NOSUCHFLOW"), "invalid_input"),
        (String::from("velociraptor://clients"), "invalid_input"),
        (format!("hunt:H.A' OR 1/{STACK}"), "invalid_input"),
    ] {
        let error = refused(&mut child, "query_results", json!({ "handle": handle })).await?;
        says(&error, code, &[])?;
        ensure!(error["next_step"].is_string(), "{handle}: {error}");
    }
    ended_well(child).await
}
