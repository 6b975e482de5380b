//! Functions about the server and its users.

use std::sync::Arc;

use super::{Function, pure, server};
use crate::eval::refused::not_admin;
use crate::eval::{Arg, Call, Failure, Kind, refused};
use crate::value::{Dict, Value, row};
use crate::world::accounts::{Account, Permission};

pub(super) const TABLE: &[Function] = &[
    pure(
        "version",
        "The version of a function or plugin, NULL where there is none.",
        &[Arg::optional("function", Kind::Str), Arg::optional("plugin", Kind::Str)],
        version,
    ),
    server("whoami", "The name of the user.", &[], &[], |call| {
        Ok(Value::str(&call.scope.run.session.user))
    }),
    server(
        "user",
        "A user.",
        &[],
        &[Arg::needed("user", Kind::Str), Arg::optional("org", Kind::Str)],
        user,
    ),
    server(
        "user_create",
        "Makes a user; its rights are replaced where there is one.",
        &[],
        &[Arg::needed("user", Kind::Str), Arg::needed("roles", Kind::Strings)],
        user_create,
    ),
    server("org", "The current org.", &[], &[], org),
    server(
        "get_client_monitoring",
        "What the clients watch. The lab's watch nothing.",
        &[Permission::ReadResults],
        &[],
        get_client_monitoring,
    ),
    server(
        "get_server_monitoring",
        "What the server watches. The lab's watches nothing.",
        &[Permission::ReadResults],
        &[],
        |_| Ok(Value::Message(Arc::new(watched(&["Server.Monitor.Health"])))),
    ),
    server(
        "server_metadata",
        "What is noted about the server.",
        &[Permission::ServerAdmin],
        &[],
        |_| Ok(Value::from(Dict::new())),
    ),
];

fn version(call: &Call<'_>) -> Result<Value, Failure> {
    let host = &call.scope.run.host;
    let known = if call.has("plugin") {
        let name = call.text("plugin");
        crate::eval::plugins::find(&name, host).is_some() || refused::knows_plugin(&name)
    } else if call.has("function") {
        let name = call.text("function");
        super::find(&name, host).is_some() || refused::knows_function(&name)
    } else {
        return Ok(Value::str(call.scope.run.world.version()));
    };
    Ok(if known { Value::Int(1) } else { Value::Null })
}

fn get_client_monitoring(_: &Call<'_>) -> Result<Value, Failure> {
    let quarantine = row! {
        "label" => "Quarantine",
        "artifacts" => watched(&["Windows.Remediation.QuarantineMonitor"]),
    };
    Ok(Value::Message(Arc::new(row! {
        "version" => 1,
        "artifacts" => watched(&["Generic.Client.Stats"]),
        "label_events" => Value::array([Value::Message(Arc::new(quarantine))]),
    })))
}

/// An event table.
fn watched(artifacts: &[&str]) -> Dict {
    row! { "artifacts" => Value::strings(artifacts), "max_upload_bytes" => 1_073_741_824 }
}

fn user(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    let name = call.text("user");
    let org = if call.has("org") { call.text("org") } else { run.session.org.clone() };
    let mut state = run.world.state();
    let org_name = state.org(&org).name.clone();
    let account = state.users.get(&name).and_then(|orgs| orgs.get(&org));
    let account = account.ok_or_else(|| format!("User not found: {name}"))?;
    Ok(Value::from(user_row(&name, &org, &org_name, account)))
}

fn user_create(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    if let Some(denied) = not_admin(run) {
        return Err(denied);
    }
    let name = call.text("user");
    let account = Account::with_roles(call.strings("roles"));
    let mut state = run.world.state();
    // Names are compared without regard to case, and the first spelling stays.
    let known = state.users.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned();
    let name = known.unwrap_or(name);
    state.users.entry(name.clone()).or_default().insert(run.session.org.clone(), account);
    Ok(Value::str(&name))
}

/// A user's record in one org.
pub(crate) fn user_row(name: &str, org: &str, org_name: &str, account: &Account) -> Dict {
    row! {
        "name" => name,
        "org_id" => org,
        "org_name" => org_name,
        "picture" => "",
        "email" => false,
        "stats" => row! { "last_active_time" => 0, "last_ip_address" => "" },
        "roles" => &account.roles,
        "_policy" => row! { "roles" => &account.roles },
        "effective_policy" => account.policy(),
    }
}

fn org(call: &Call<'_>) -> Result<Value, Failure> {
    let run = call.scope.run;
    let id = &run.session.org;
    let mut state = run.world.state();
    // The enrolment nonce of a real server stands here; the lab has nothing to enrol.
    Ok(Value::from(row! { "id" => id, "name" => &state.org(id).name, "nonce" => "" }))
}
