//! Plugins about flows.

use jiff::tz::TimeZone;

use super::{Plugin, reads, send};
use crate::eval::{Arg, Call, Failure, Kind, Sink};
use crate::value::{Dict, Value, row};
use crate::world::{Org, SERVER, StoredFile, source_rows};

const CLIENT: Arg = Arg::needed("client_id", Kind::Str);
const FLOW: Arg = Arg::needed("flow_id", Kind::Str);

pub(super) const TABLE: &[Plugin] = &[
    reads(
        "flows",
        "The flows of a client.",
        &[CLIENT, Arg::optional("flow_id", Kind::Str), Arg::optional("summary", Kind::Bool)],
        flows,
    ),
    reads(
        "flow_results",
        "The rows of a flow.",
        &[Arg::optional("artifact", Kind::Str), Arg::optional("source", Kind::Str), FLOW, CLIENT],
        flow_results,
    ),
    reads("flow_logs", "The log of a flow.", &[FLOW, CLIENT], flow_logs),
    reads(
        "uploads",
        "The files of a flow or hunt.",
        &[
            Arg::optional("client_id", Kind::Str),
            Arg::optional("flow_id", Kind::Str),
            Arg::optional("hunt_id", Kind::Str),
            Arg::optional("notebook_id", Kind::Str),
        ],
        uploads,
    ),
];

fn flows(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let (client, flow) = (call.text("client_id"), call.text("flow_id"));
    let run = call.scope.run;
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let org = &*state.org(&run.session.org);
        if flow.is_empty() {
            if client != SERVER && !org.clients.contains_key(&client) {
                return Err(format!(
                    "unable to get client {client}: Client ID {client} not known in this org: \
                     NotFoundError"
                ));
            }
            org.flows_of(&client).iter().map(|flow| flow.row()).collect()
        } else {
            org.flow(&client, &flow).into_iter().map(|flow| flow.row()).collect()
        }
    };
    send(rows, sink);
    Ok(())
}

/// Without an artifact: the first one, if it has a single source without a name.
fn flow_results(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let (client, id) = (call.text("client_id"), call.text("flow_id"));
    let run = call.scope.run;
    let (flow, name) = {
        let mut state = run.world.state();
        let Some(flow) = state.org(&run.session.org).flow(&client, &id).cloned() else {
            return Ok(());
        };
        let name = match (call.text("artifact"), call.text("source")) {
            (artifact, _) if artifact.is_empty() => match flow.order.artifacts.first() {
                Some(first) => first.clone(),
                None => return Ok(()),
            },
            (artifact, source) if source.is_empty() => artifact,
            (artifact, source) => format!("{artifact}/{source}"),
        };
        (flow, name)
    };
    source_rows(&run.world, &run.session.org, &flow, &name, 0, sink);
    Ok(())
}

/// A finished flow may have lost the end of its log: that happens on the real server too. Every flow
/// of a hunt has, some only their last line, some the one before as well.
fn flow_logs(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let (client, id) = (call.text("client_id"), call.text("flow_id"));
    let run = call.scope.run;
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let Some(flow) = state.org(&run.session.org).flow(&client, &id) else { return Ok(()) };
        let last = |id: &str| id.bytes().last().unwrap_or_default();
        let lost = match id.strip_suffix(".H") {
            _ if client == SERVER => 0,
            Some(_) => 1 + usize::from(last(&client) % 2),
            None => usize::from(last(&id) % 4 == 0),
        };
        let logs = &flow.outcome.logs;
        let time = flow.worked_at();
        logs.iter()
            .take(logs.len().saturating_sub(lost))
            .map(|(level, message)| {
                if client == SERVER {
                    row! {
                        "Timestamp" => time.as_microsecond(), "Level" => *level, "message" => message,
                    }
                } else {
                    row! {
                        "client_time" => time.as_second(), "level" => *level, "message" => message,
                    }
                }
            })
            .collect()
    };
    send(rows, sink);
    Ok(())
}

fn uploads(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let hunt = call.text("hunt_id");
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let org = &*state.org(&run.session.org);
        if hunt.is_empty() {
            let (client, flow) = (call.text("client_id"), call.text("flow_id"));
            stored(org, &client, &flow)
        } else {
            org.hunts
                .get(&hunt)
                .into_iter()
                .flat_map(|hunt| hunt.members.iter())
                .flat_map(|(client, flow)| stored(org, client, flow))
                .collect()
        }
    };
    send(rows, sink);
    Ok(())
}

fn stored(org: &Org, client: &str, flow: &str) -> Vec<Dict> {
    org.files
        .iter()
        .filter(|(_, file)| file.client_id == client && file.flow_id == flow)
        .enumerate()
        .map(|(at, (components, file))| upload_row(at, components, file))
        .collect()
}

fn upload_row(at: usize, components: &[String], file: &StoredFile) -> Dict {
    let on_client = file.client_id != SERVER;
    let size = file.data.len();
    let started = file.time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC");
    let mut row = row! {
        "Timestamp" => file.time.as_second(),
        "started" => started.to_string(),
        "vfs_path" => format!("fs:/{}", components.join("/")),
    };
    if on_client {
        row.insert("Type".into(), Value::str(""));
    }
    row.insert("_Components".into(), Value::from(components));
    row.insert("file_size".into(), Value::from(size));
    if on_client {
        let parts = file.client_path.split(['/', '\\']).filter(|part| !part.is_empty());
        row.insert("_accessor".into(), Value::str(&file.accessor));
        row.insert("_client_components".into(), Value::strings(parts));
    }
    row.insert("uploaded_size".into(), Value::from(size));
    row.insert("client_path".into(), Value::str(&file.client_path));
    let mut upload = row! {
        "Path" => &file.client_path,
        "Size" => size,
        "StoredSize" => size,
        "Components" => components,
    };
    if on_client {
        upload.insert("Accessor".into(), Value::str(&file.accessor));
    }
    upload.insert("UploadId".into(), Value::from(at));
    row.insert("Upload".into(), Value::from(upload));
    row
}
