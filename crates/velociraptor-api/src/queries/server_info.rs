//! Queries about the server itself.

use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// The orgs that the user can see. The rows have more columns, which hold secrets.
pub const ORGS: CatalogueQuery = CatalogueQuery {
    name: "orgs",
    text: "SELECT OrgId, Name FROM orgs()",
    binds: &[],
    needs: READ,
    mutates: false,
    columns: &["OrgId", "Name"],
};

/// The machine on which the server runs.
pub const HOST: CatalogueQuery = CatalogueQuery {
    name: "server_host",
    text: "SELECT Hostname, OS AS Os, Platform, PlatformVersion, KernelVersion, Architecture,
       Uptime, now() AS Now
FROM info()",
    binds: &[],
    needs: &[Permission::AnyQuery, Permission::MachineState],
    mutates: false,
    columns: &[
        "Hostname",
        "Os",
        "Platform",
        "PlatformVersion",
        "KernelVersion",
        "Architecture",
        "Uptime",
        "Now",
    ],
};

/// The server's clock and its own account of its version.
pub const CLOCK: CatalogueQuery = CatalogueQuery {
    name: "server_clock",
    text: "SELECT now() AS Now, config.Version.version AS Version,
       config.Version.build_time AS Built, config.Version.commit AS Commit
FROM scope()",
    binds: &[],
    needs: &[Permission::AnyQuery],
    mutates: false,
    columns: &["Now", "Version", "Built", "Commit"],
};

/// Every function, plugin and accessor that the server knows.
pub const HELP: CatalogueQuery = CatalogueQuery {
    name: "help",
    text: "SELECT name AS Name, type AS Type, description AS Description, args AS Args,
       category AS Category, metadata AS Metadata, platforms AS Platforms,
       free_form_args AS FreeFormArgs
FROM help()",
    binds: &[],
    needs: &[Permission::AnyQuery],
    mutates: false,
    columns: &[
        "Name",
        "Type",
        "Description",
        "Args",
        "Category",
        "Metadata",
        "Platforms",
        "FreeFormArgs",
    ],
};
