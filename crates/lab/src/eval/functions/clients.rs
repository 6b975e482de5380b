//! Functions on client records.

use super::{Function, Place, server};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Dict, Value, display, row, to_json};
use crate::world::accounts::Permission;
use crate::world::{ClientRecord, SERVER};

const CLIENT: Arg = Arg::needed("client_id", Kind::Str);

pub(super) const TABLE: &[Function] = &[
    server("client_info", "A client's record.", &[Permission::ReadResults], &[CLIENT], client_info),
    server(
        "client_metadata",
        "What is noted about a client.",
        &[Permission::ReadResults],
        &[CLIENT],
        client_metadata,
    ),
    Function {
        name: "client_set_metadata",
        about: "Notes something about a client.",
        place: Place::Server,
        args: &[CLIENT, Arg::optional("metadata", Kind::Dict)],
        free: true,
        permissions: &[Permission::CollectClient],
        call: client_set_metadata,
    },
    server(
        "label",
        "Sets or removes labels.",
        &[Permission::LabelClient],
        &[CLIENT, Arg::needed("labels", Kind::Strings), Arg::optional("op", Kind::Str)],
        label,
    ),
];

fn client_info(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("client_id");
    let mut state = call.scope.run.world.state();
    let org = state.org(&call.scope.run.session.org);
    if id == SERVER {
        return Ok(Value::from(ClientRecord::ghost(SERVER).row(Dict::new())));
    }
    let record = org
        .clients
        .get(&id)
        .ok_or_else(|| format!("Client ID {id} not known in this org: NotFoundError"))?;
    Ok(Value::from(record.row(org.in_flight(&id))))
}

fn client_metadata(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("client_id");
    if id == SERVER {
        call.scope.run.require(Permission::ServerAdmin)?;
    }
    let mut state = call.scope.run.world.state();
    let org = state.org(&call.scope.run.session.org);
    let metadata = org.clients.get(&id).map(|record| &record.metadata);
    Ok(Value::dict(
        metadata
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.as_str().into(), Value::str(value)))
            .collect(),
    ))
}

/// Values are kept as texts, NULL removes one, and an unknown client becomes a ghost.
fn client_set_metadata(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("client_id");
    let mut state = call.scope.run.world.state();
    let org = state.org(&call.scope.run.session.org);
    let record = org.clients.entry(id.clone()).or_insert_with(|| ClientRecord::ghost(&id));
    let mut changes = call.free.clone();
    if let Value::Dict(metadata) = call.value("metadata") {
        changes.extend(metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    for (key, value) in changes {
        match value {
            Value::Null => {
                record.metadata.shift_remove(&*key);
            }
            Value::Dict(_) | Value::Array(_) => {
                record.metadata.insert(key.to_string(), to_json(&value));
            }
            other => {
                record.metadata.insert(key.to_string(), display(&other));
            }
        }
    }
    org.clients.sort_unstable_keys();
    Ok(Value::Bool(true))
}

/// Echoes its arguments, whatever it did: nothing where `op` is neither `set` nor `remove`, and a
/// ghost record where the client is unknown.
fn label(call: &Call<'_>) -> Result<Value, Failure> {
    let id = call.text("client_id");
    let labels = call.strings("labels");
    let op = call.text("op");
    let user = &call.scope.run.session.user;
    let mut state = call.scope.run.world.state();
    let org = state.org(&call.scope.run.session.org);
    if matches!(op.as_str(), "set" | "remove") {
        let record = org.clients.entry(id.clone()).or_insert_with(|| ClientRecord::ghost(&id));
        for label in &labels {
            if op == "remove" {
                record.labels.retain(|own| !own.eq_ignore_ascii_case(label));
            } else if !record.has_label(label) {
                record.labels.push(label.clone());
            }
        }
        org.clients.sort_unstable_keys();
        let details = row! { "client_id" => &id, "labels" => &labels, "op" => &op };
        org.record("SetLabel", user, details);
    }
    Ok(Value::from(row! { "ClientId" => id, "Labels" => &labels, "Op" => op }))
}
