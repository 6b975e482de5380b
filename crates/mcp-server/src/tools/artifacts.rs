//! Family `artifacts`: what can be collected, and collecting it.

use crate::tool::{Family, ToolDef};

mod census;
mod collect;
mod columns;
mod get;
mod list;

/// Artifacts and collections.
pub static FAMILY: Family = Family {
    id: "artifacts",
    purpose: "find artifacts, read their definitions and collect them",
    default: true,
    tools: &[
        ToolDef::reads::<list::ListArtifacts>(),
        ToolDef::reads::<get::GetArtifact>(),
        ToolDef::acts::<collect::CollectArtifact>(),
    ],
};
