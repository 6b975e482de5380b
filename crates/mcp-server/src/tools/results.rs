//! Results by their handles: rows of flows and hunts, worked on where they are.

use crate::tool::{Family, ToolDef};

mod held;
mod query;

/// Working on results.
pub static FAMILY: Family = Family {
    id: "results",
    purpose: "filter, group, stack and page results by their handles",
    default: true,
    tools: &[ToolDef::acts::<query::QueryResults>()],
};
