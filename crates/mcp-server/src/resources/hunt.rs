//! `velociraptor://hunts/{hunt_id}`.

use velociraptor_api::{HuntId, hunts};

use crate::answer::Answer;
use crate::context::ToolCx;
use crate::tool_error::ToolError;

/// The hunt in the envelope that tools use.
pub(super) async fn read(cx: &ToolCx<'_>, id: &str) -> Result<(String, Option<String>), ToolError> {
    let session = cx.session();
    let status = hunts::status(&session, &HuntId::parse(id)?).await?;
    let mut answer = Answer::complete(cx, status)
        .warn(session.warnings())
        .identity(session.identities().join(", "));
    answer.link = cx.link(&format!("/hunts/{id}"));
    answer.data()
}
