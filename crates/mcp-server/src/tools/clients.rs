//! Family `core`, clients: find endpoints and say what is known of them.

use crate::tool::{Family, ToolDef};

mod census;
mod info;
mod label;
mod list;
mod quarantine;

/// Finding endpoints.
pub static FAMILY: Family = Family {
    id: "clients",
    purpose: "find endpoints and say what is known of them",
    default: true,
    tools: &[
        ToolDef::reads::<list::ListClients>(),
        ToolDef::reads::<info::GetClientInfo>(),
        ToolDef::acts::<label::LabelClient>(),
        ToolDef::acts::<quarantine::QuarantineClient>(),
    ],
};
