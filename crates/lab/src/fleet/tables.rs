//! The tables of a machine, by name. An unknown name is an error, as an unknown path would be.

use super::Os;
use super::endpoint::Endpoint;
use super::{
    accounts, files, hostile, incident, logs, network, persistence, processes, quarantine,
};
use crate::value::Dict;

/// Tables that are read out of the registry, or need it.
const REGISTRY: &[&str] = &["startup_items", "autoruns", "windows_users"];

pub(super) fn rows<'a>(
    endpoint: &'a Endpoint,
    name: &str,
    arguments: &Dict,
) -> Result<Box<dyn Iterator<Item = Dict> + 'a>, String> {
    if let Some(fault) = &endpoint.fault
        && REGISTRY.contains(&name)
    {
        return Err(fault.clone());
    }
    let rows: Vec<Dict> = match name {
        "info" => vec![endpoint.info()],
        "processes" => processes::list(endpoint),
        "connections" => network::connections(endpoint),
        "interfaces" => network::interfaces(endpoint),
        "arp" => network::neighbours(endpoint),
        "dns_cache" => network::dns_cache(endpoint),
        "windows_users" => accounts::windows(endpoint),
        "unix_users" => accounts::unix(endpoint),
        "mac_users" => accounts::mac(endpoint),
        "last_logins" => accounts::last_logins(endpoint),
        "authorized_keys" => accounts::authorized_keys(endpoint),
        "local_admins" => accounts::local_admins(endpoint),
        "services" => persistence::services(endpoint),
        "units" => persistence::units(endpoint),
        "scheduled_tasks" => persistence::scheduled_tasks(endpoint),
        "startup_items" => persistence::startup_items(endpoint),
        "autoruns" => persistence::autoruns(endpoint),
        "crontab" => persistence::crontab(endpoint),
        "launch_items" => persistence::launch_items(endpoint),
        "event_log" => logs::events(endpoint),
        "script_blocks" => logs::script_blocks(endpoint),
        "ssh_logins" => logs::ssh_logins(endpoint),
        "shell_history" => logs::shell_history(endpoint),
        "prefetch" => files::prefetch(endpoint),
        "packages" => files::packages(endpoint),
        "files" => files::list(endpoint),
        "quarantine" => quarantine::apply(endpoint, arguments),
        "hostile" => hostile::rows(),
        other => return Err(format!("lab_table: no table {other} on {}", endpoint.os.name())),
    };
    let planted = match (endpoint.part, endpoint.os) {
        (Some(part), Os::Windows) => incident::rows(endpoint, part, name),
        _ => incident::Planted::default(),
    };
    Ok(Box::new(planted.weave(rows).into_iter()))
}
