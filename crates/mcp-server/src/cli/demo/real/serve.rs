//! This very program as an MCP server on the throw-away server.

use std::fmt::Write as _;

use deploy_core::DeploymentId;
use deploy_core::server::{Vault, names};
use velociraptor_api::IdentityKind;

use super::folder;
use crate::cli::demo::client::McpClient;
use crate::tool_error::{Code, ToolError};

/// The state folder of the server, in the folder of it all.
pub(super) const STATE: &str = "state";

/// What may run. What runs programs on the server is refused as by default.
const POLICY: [&str; 2] = ["collect=allow", "respond=allow"];

pub(super) async fn start(vault: &Vault, id: &DeploymentId) -> Result<McpClient, ToolError> {
    let failed = |error: &dyn std::fmt::Display| ToolError::new(Code::Internal, error.to_string());
    let folder = folder::of(id);
    let mut text = String::from("[[server]]\nname = \"demo\"\n");
    for (kind, key) in [
        (IdentityKind::Reader, "reader"),
        (IdentityKind::Investigator, "investigator"),
        (IdentityKind::Administrator, "administrator"),
    ] {
        let api = vault.open(id, names::api(kind)).await.map_err(|error| failed(&error))?;
        let file = format!("{key}.yaml");
        folder::write(&folder.join(&file), api.expose().as_bytes())
            .map_err(|error| failed(&error))?;
        let _ = writeln!(text, "{key} = {file:?}");
    }
    let settings = folder.join(crate::settings::FILE_NAME);
    folder::write(&settings, text.as_bytes()).map_err(|error| failed(&error))?;
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let mut arguments = vec![String::from("serve")];
    for key in POLICY {
        arguments.extend([String::from("--policy"), key.to_owned()]);
    }
    arguments.extend([String::from("--settings"), settings.display().to_string()]);
    McpClient::start(&program, &arguments, &folder.join(STATE)).await
}
