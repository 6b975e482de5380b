//! `velociraptor://server-info`.

use serde::Serialize;
use velociraptor_api::server_info::{self, ServerInfo};

use crate::answer::Answer;
use crate::context::ToolCx;
use crate::tool_error::ToolError;

/// What the server is, who we are there, and what may be done.
#[derive(Serialize)]
struct Contents {
    simulated: bool,
    changes_allowed: bool,
    megaraptor: &'static str,
    /// The orgs that are configured, the default first.
    configured_orgs: Vec<String>,
    #[serde(flatten)]
    info: ServerInfo,
}

/// Reads it. What an identity may not ask is left out.
pub(super) async fn read(cx: &ToolCx<'_>) -> Result<(String, Option<String>), ToolError> {
    let session = cx.session();
    let info = server_info::info(&session).await?;
    let targets = cx.services.targets();
    let target = targets.iter().find(|target| target.server.name() == cx.server.name());
    let contents = Contents {
        simulated: cx.services.simulated(),
        changes_allowed: cx.services.changes_allowed(),
        megaraptor: env!("CARGO_PKG_VERSION"),
        configured_orgs: target
            .map(|target| target.orgs.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        info,
    };
    let answer = Answer::complete(cx, contents)
        .warn(session.warnings())
        .identity(session.identities().join(", "));
    answer.data()
}
