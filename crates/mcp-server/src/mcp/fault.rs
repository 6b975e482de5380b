//! Failures of resources and prompts, which have no other place for them than JSON-RPC's errors.

use rmcp::model::{ErrorCode, ErrorData};
use serde_json::{Value, json};

use crate::evidence;
use crate::tool_error::{Code, ToolError};

/// A resource that could not be read.
pub(super) fn of_resource(error: &ToolError, uri: &str) -> ErrorData {
    let code = match error.code {
        Code::NotFound => ErrorCode::RESOURCE_NOT_FOUND,
        code => of(code),
    };
    let mut fault = with(code, error);
    if let Some(data) = fault.data.as_mut().and_then(Value::as_object_mut) {
        data.insert("uri".into(), evidence::message(uri).into());
    }
    fault
}

/// A prompt that could not be written.
pub(super) fn of_prompt(error: &ToolError) -> ErrorData {
    with(of(error.code), error)
}

fn of(code: Code) -> ErrorCode {
    match code {
        Code::InvalidInput | Code::InvalidQuery | Code::NotFound | Code::Ambiguous => {
            ErrorCode::INVALID_PARAMS
        }
        _ => ErrorCode::INTERNAL_ERROR,
    }
}

/// The message is for a person; the data says the same to a program.
fn with(code: ErrorCode, error: &ToolError) -> ErrorData {
    let (data, text) = evidence::error(error);
    let text = text.strip_prefix("ERROR ").unwrap_or(&text).to_owned();
    ErrorData::new(code, text, Some(json!({ "error": data })))
}
