//! Family `deploy`: servers that are made, shown and taken down.

use deploy_core::{BadId, DeploymentId, Record, Status};
use velociraptor_api::OrgId;

use crate::context::ToolCx;
use crate::tool::{Family, ToolDef};
use crate::tool_error::{Code, ToolError};

mod agents;
mod config;
mod credentials;
mod destroy;
mod docker;
mod docs;
mod evidence;
mod installer;
mod list;
mod looked;
mod resume;
mod rotate;
mod server;
mod status;
mod validate;

/// Off unless it is named.
pub static FAMILY: Family = Family {
    id: "deploy",
    purpose: "make Velociraptor servers, see how they stand, take them down",
    default: false,
    tools: &[
        ToolDef::acts::<server::DeployServer>(),
        ToolDef::acts::<docker::DeployServerDocker>(),
        ToolDef::reads::<list::ListDeployments>(),
        ToolDef::reads::<status::GetDeploymentStatus>(),
        ToolDef::acts::<resume::ResumeDeployment>(),
        ToolDef::acts::<rotate::RotateCertificates>(),
        ToolDef::acts::<credentials::GenerateApiCredentials>(),
        ToolDef::acts::<evidence::ExportDeploymentEvidence>(),
        ToolDef::acts::<destroy::DestroyDeployment>(),
        ToolDef::reads::<validate::ValidateDeployment>(),
        ToolDef::reads::<config::GenerateServerConfig>(),
        ToolDef::reads::<agents::CheckAgentDeployment>(),
        ToolDef::acts::<docs::ExportDeploymentDocs>(),
        ToolDef::acts::<installer::GenerateAgentInstaller>(),
    ],
};

/// A deployment that is named in an argument.
fn id(text: &str) -> Result<DeploymentId, ToolError> {
    text.parse().map_err(|error: BadId| {
        ToolError::invalid(error.to_string()).next("list_deployments shows the ids")
    })
}

/// The deployment that a call is about, as it is on record.
async fn named(cx: &ToolCx<'_>, text: &str) -> Result<(DeploymentId, Record), ToolError> {
    let id = covered(cx, text)?;
    let record = cx.services.deployments()?.load(&id).await?;
    Ok((id, record))
}

/// The same, and it is up.
async fn named_up(cx: &ToolCx<'_>, text: &str) -> Result<(DeploymentId, Record), ToolError> {
    let (id, record) = named(cx, text).await?;
    if record.status() == Status::Up {
        return Ok((id, record));
    }
    let status = record.status();
    let next = match status {
        Status::Gone => "list_deployments shows what there is; deploy_server makes another",
        Status::Removing => "destroy_deployment ends what was begun",
        _ => "resume_deployment brings it up first",
    };
    let status = status.as_str();
    Err(ToolError::new(Code::Conflict, format!("{id} is {status}, and not up")).next(next))
}

/// Days that certificates are to hold: as somebody said, else as the profile says.
fn days(cx: &ToolCx<'_>, record: &Record, given: Option<u16>) -> Result<u16, ToolError> {
    if let Some(days) = given {
        return Ok(days);
    }
    let order = cx.services.deployments()?.order(record)?;
    order.days().map_err(|error| ToolError::new(Code::Conflict, error.to_string()))
}

/// One whose server the caller may see: others do not exist for a token that is not for them.
fn covered(cx: &ToolCx<'_>, text: &str) -> Result<DeploymentId, ToolError> {
    let id = id(text)?;
    if cx.services.covers(id.as_str(), OrgId::root().as_str()) {
        return Ok(id);
    }
    Err(ToolError::new(
        Code::NotFound,
        format!("this connection's token covers no deployment {id}"),
    )
    .next("a person can make another with megaraptor token create NAME --servers"))
}
