//! Names that a real server has and the lab does not simulate.
//!
//! Whoever lacks the permission is told so, in the server's words: that much is true of the lab as
//! well. Whoever holds it is told that the lab does not do this.

use super::{Failure, Run};
use crate::world::accounts::Permission;

/// What the server checks before it calls something.
enum Check {
    /// A permission of the function or plugin itself.
    Needs(Permission),
    /// A permission of the accessor that it reads through.
    Reads,
    /// Administration of the org.
    Admin,
}

const PLUGINS: &[(&str, Check)] = &[
    ("backup", Check::Needs(Permission::ServerAdmin)),
    ("client_delete", Check::Needs(Permission::ServerAdmin)),
    ("delete_events", Check::Needs(Permission::DeleteResults)),
    ("delete_flow", Check::Needs(Permission::DeleteResults)),
    ("execve", Check::Needs(Permission::Execve)),
    ("glob", Check::Reads),
    ("http_client", Check::Needs(Permission::Network)),
    ("hunt_delete", Check::Needs(Permission::ServerAdmin)),
    ("netstat", Check::Needs(Permission::MachineState)),
    ("pslist", Check::Needs(Permission::MachineState)),
    ("read_file", Check::Reads),
    ("secrets", Check::Needs(Permission::ServerAdmin)),
];

const FUNCTIONS: &[(&str, Check)] = &[
    ("add_client_monitoring", Check::Needs(Permission::CollectClient)),
    ("create_flow_download", Check::Needs(Permission::PrepareResults)),
    ("create_hunt_download", Check::Needs(Permission::PrepareResults)),
    ("inventory_get", Check::Needs(Permission::ServerAdmin)),
    ("killkillkill", Check::Needs(Permission::MachineState)),
    ("notebook_create", Check::Needs(Permission::CollectServer)),
    ("org_create", Check::Needs(Permission::OrgAdmin)),
    ("user_delete", Check::Admin),
    ("user_grant", Check::Admin),
];

/// Why a plugin of this name is refused; `None` where the server has none.
pub(crate) fn plugin(run: &Run, name: &str, accessor: Option<&str>) -> Option<Failure> {
    find(PLUGINS, name).map(|check| refusal(run, check, accessor))
}

/// Why a function of this name is refused; `None` where the server has none.
pub(crate) fn function(run: &Run, name: &str) -> Option<Failure> {
    find(FUNCTIONS, name).map(|check| refusal(run, check, None))
}

/// Whether the server has a plugin of this name that the lab refuses.
pub(crate) fn knows_plugin(name: &str) -> bool {
    find(PLUGINS, name).is_some()
}

/// Whether the server has a function of this name that the lab refuses.
pub(crate) fn knows_function(name: &str) -> bool {
    find(FUNCTIONS, name).is_some()
}

fn find(table: &'static [(&str, Check)], name: &str) -> Option<&'static Check> {
    table.iter().find(|(known, _)| *known == name).map(|(_, check)| check)
}

fn refusal(run: &Run, check: &Check, accessor: Option<&str>) -> Failure {
    let denied = match check {
        Check::Needs(permission) => run.require(*permission).err(),
        Check::Reads => {
            let accessor = accessor.unwrap_or("auto");
            let needed = match accessor {
                "auto" | "file" => Some(Permission::FilesystemRead),
                "fs" => Some(Permission::ServerAdmin),
                _ => None,
            };
            match needed {
                None => Some(format!("Unknown filesystem accessor {accessor}")),
                Some(needed) => {
                    run.require(needed).err().map(|error| format!("Accessor {accessor}: {error}"))
                }
            }
        }
        Check::Admin => not_admin(run),
    };
    denied.unwrap_or_else(|| String::from("the lab does not simulate this"))
}

/// What whoever does not administer the org is told.
pub(crate) fn not_admin(run: &Run) -> Option<Failure> {
    (!run.session.account.may(Permission::ServerAdmin)).then(|| {
        format!("Error: PermissionDenied, User {} is not admin on <root>. ", run.session.user)
    })
}
