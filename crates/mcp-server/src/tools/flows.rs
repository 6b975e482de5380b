//! Flows: collections on single clients, their state, their results, their end.

use crate::tool::{Family, ToolDef};

mod cancel;
mod census;
mod list;
pub(super) mod not_looked;
pub(super) mod results;
pub(super) mod status;

/// Collections on single clients.
pub static FAMILY: Family = Family {
    id: "flows",
    purpose: "follow collections on single clients and read what they found",
    default: true,
    tools: &[
        ToolDef::reads::<list::ListFlows>(),
        ToolDef::reads::<status::GetFlowStatus>(),
        ToolDef::reads::<results::GetFlowResults>(),
        ToolDef::acts::<cancel::CancelFlow>(),
    ],
};
