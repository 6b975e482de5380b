//! Family `core`, clients: find endpoints and say what is known of them.

use crate::tool::{Family, ToolDef};

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
        ToolDef::of::<list::ListClients>(),
        ToolDef::of::<info::GetClientInfo>(),
        ToolDef::of::<label::LabelClient>(),
        ToolDef::of::<quarantine::QuarantineClient>(),
    ],
};
