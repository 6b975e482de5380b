//! `velociraptor://hunts/{hunt_id}`.

use serde_json::Value;
use velociraptor_api::{HuntId, hunts};

use crate::answer::Answer;
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// The hunt in the envelope that tools use.
pub(super) async fn read(cx: &ToolCx<'_>, id: &str) -> Result<Value, ToolError> {
    let session = cx.session();
    let status = hunts::status(&session, &HuntId::parse(id)?).await?;
    let mut answer = Answer::complete(cx, status)
        .warn(session.warnings())
        .identity(session.identities().join(", "));
    answer.link = cx.link(&format!("/hunts/{id}"));
    serde_json::to_value(&answer).map_err(|error| ToolError::new(Code::Internal, error.to_string()))
}
