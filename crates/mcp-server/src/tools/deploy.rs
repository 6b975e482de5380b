//! Family `deploy`: servers that are made, shown and taken down.

use deploy_core::{BadId, DeploymentId};

use crate::tool::{Family, ToolDef};
use crate::tool_error::ToolError;

mod credentials;
mod destroy;
mod list;
mod resume;
mod rotate;
mod server;
mod status;

/// Off unless it is named.
pub static FAMILY: Family = Family {
    id: "deploy",
    purpose: "make Velociraptor servers, see how they stand, take them down",
    default: false,
    tools: &[
        ToolDef::acts::<server::DeployServer>(),
        ToolDef::reads::<list::ListDeployments>(),
        ToolDef::reads::<status::GetDeploymentStatus>(),
        ToolDef::acts::<resume::ResumeDeployment>(),
        ToolDef::acts::<rotate::RotateCertificates>(),
        ToolDef::acts::<credentials::GenerateApiCredentials>(),
        ToolDef::acts::<destroy::DestroyDeployment>(),
    ],
};

/// A deployment that is named in an argument.
fn id(text: &str) -> Result<DeploymentId, ToolError> {
    text.parse().map_err(|error: BadId| {
        ToolError::invalid(error.to_string()).next("list_deployments shows the ids")
    })
}
