//! The plugins that the lab has: what may stand after FROM.

mod artifacts;
mod endpoint;
mod flow;
mod generic;
mod hunts;
mod server;
mod source;

use super::functions::Place;
use super::run::Host;
use super::{Arg, Call, Failure, Sink};
use crate::world::accounts::Permission;

pub(crate) use artifacts::run_artifact;

/// A plugin.
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) place: Place,
    pub(crate) args: &'static [Arg],
    /// Takes arguments beyond the declared ones.
    pub(crate) free: bool,
    /// All are needed.
    pub(crate) permissions: &'static [Permission],
    pub(crate) call: fn(&Call<'_>, &mut Sink<'_>) -> Result<(), Failure>,
}

const TABLES: &[&[Plugin]] = &[
    artifacts::TABLE,
    endpoint::TABLE,
    flow::TABLE,
    generic::TABLE,
    hunts::TABLE,
    server::TABLE,
    source::TABLE,
];

/// All plugins.
pub(crate) fn all() -> impl Iterator<Item = &'static Plugin> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The plugin of that name on that host.
pub(crate) fn find(name: &str, host: &Host) -> Option<&'static Plugin> {
    all().find(|plugin| plugin.name == name && plugin.place.has(host))
}

/// Plugins that the server does not have because of its system.
const WINDOWS_ONLY: &[&str] = &["wmi", "authenticode", "certificates", "modules", "handles", "vad"];

/// The message about a plugin that exists on another system only.
pub(crate) fn elsewhere(name: &str) -> Option<String> {
    WINDOWS_ONLY.contains(&name).then(|| {
        format!(
            "VQL Plugin {name}() is not implemented for this architecture (linux_amd64_cgo). It \
             is only available for the following platforms [windows_386_cgo windows_amd64_cgo]"
        )
    })
}

/// A plugin that exists everywhere and needs no permission.
const fn pure(
    name: &'static str,
    about: &'static str,
    args: &'static [Arg],
    call: fn(&Call<'_>, &mut Sink<'_>) -> Result<(), Failure>,
) -> Plugin {
    Plugin { name, about, place: Place::Everywhere, args, free: false, permissions: &[], call }
}

/// A plugin of the server that reads results.
const fn reads(
    name: &'static str,
    about: &'static str,
    args: &'static [Arg],
    call: fn(&Call<'_>, &mut Sink<'_>) -> Result<(), Failure>,
) -> Plugin {
    let permissions = &[Permission::ReadResults];
    Plugin { name, about, place: Place::Server, args, free: false, permissions, call }
}

/// Gives rows to a sink until it breaks.
fn send(rows: impl IntoIterator<Item = crate::value::Dict>, sink: &mut Sink<'_>) {
    for row in rows {
        if sink(row).is_break() {
            return;
        }
    }
}
