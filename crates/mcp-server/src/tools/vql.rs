//! VQL on the server.

use crate::tool::{Family, ToolDef};

mod again;
mod excerpt;
pub(crate) mod help;
mod host;
mod names;
mod own_tool;
mod run;

pub(super) use again::again;

/// Running VQL.
pub static FAMILY: Family = Family {
    id: "vql",
    purpose: "run VQL on the server and explain it",
    default: true,
    tools: &[ToolDef::acts::<run::RunVql>(), ToolDef::reads::<help::VqlHelp>()],
};
