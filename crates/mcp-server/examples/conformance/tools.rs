//! The tools that tell or ask something while they run.

use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{ErrorData, ServerNotification, ServerRequest};
use rmcp::service::RequestContext;
use serde_json::{Map, Value, json};

use crate::catalogue::{text, typed};

/// The scenarios want so much time between what is told.
const PAUSE: Duration = Duration::from_millis(50);

async fn tell(context: &RequestContext<RoleServer>, note: Value) -> Result<(), ErrorData> {
    let note: ServerNotification = typed(note)?;
    let sent = context.peer.send_notification(note).await;
    sent.map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// Asks the client in the middle of a call, as the revisions with a handshake do.
async fn ask(context: &RequestContext<RoleServer>, request: Value) -> Result<Value, ErrorData> {
    let request: ServerRequest = typed(request)?;
    let answer = context.peer.send_request(request).await;
    let answer = answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    serde_json::to_value(answer).map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

fn log(message: &str) -> Value {
    json!({ "method": "notifications/message", "params": { "level": "info", "data": message } })
}

/// The tools that speak while they run; `None` for any other.
pub(crate) async fn call(
    name: &str,
    arguments: &Map<String, Value>,
    context: &RequestContext<RoleServer>,
) -> Result<Option<Value>, ErrorData> {
    let said = match name {
        "test_tool_with_logging" => {
            tell(context, log("Tool execution started")).await?;
            for message in ["Tool processing data", "Tool execution completed"] {
                tokio::time::sleep(PAUSE).await;
                tell(context, log(message)).await?;
            }
            "logged".to_owned()
        }
        "test_logging_tool" => {
            if context.meta.log_level().is_some() {
                tell(context, log("as was asked for")).await?;
            }
            "logged only if asked to".to_owned()
        }
        "test_tool_with_progress" => {
            for progress in [0, 50, 100] {
                if let Some(token) = context.meta.get_progress_token() {
                    let params =
                        json!({ "progressToken": token, "progress": progress, "total": 100 });
                    tell(context, json!({ "method": "notifications/progress", "params": params }))
                        .await?;
                }
                if progress < 100 {
                    tokio::time::sleep(PAUSE).await;
                }
            }
            "done".to_owned()
        }
        "test_sampling" => {
            let prompt = arguments.get("prompt").and_then(Value::as_str).unwrap_or_default();
            let answer = ask(
                context,
                json!({ "method": "sampling/createMessage", "params": {
                    "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }],
                    "maxTokens": 100,
                }}),
            )
            .await?;
            format!("LLM response: {}", answer["content"]["text"].as_str().unwrap_or_default())
        }
        "test_elicitation" => {
            let message = arguments.get("message").and_then(Value::as_str).unwrap_or_default();
            let field = |about: &str| json!({ "type": "string", "description": about });
            let schema = json!({
                "type": "object",
                "properties": {
                    "username": field("User's response"),
                    "email": field("User's email address"),
                },
                "required": ["username", "email"],
            });
            format!("User response: {}", elicit(context, message, schema).await?)
        }
        "test_elicitation_sep1034_defaults" => {
            let schema = json!({ "type": "object", "properties": {
                "name": { "type": "string", "default": "John Doe" },
                "age": { "type": "integer", "default": 30 },
                "score": { "type": "number", "default": 95.5 },
                "status": {
                    "type": "string", "enum": ["active", "inactive", "pending"], "default": "active",
                },
                "verified": { "type": "boolean", "default": true },
            }});
            format!("Elicitation completed: {}", elicit(context, "With defaults", schema).await?)
        }
        "test_elicitation_sep1330_enums" => {
            let titled = |values: [(&str, &str); 3]| {
                values.map(|(value, title)| json!({ "const": value, "title": title }))
            };
            let options = json!(["option1", "option2", "option3"]);
            let values = [("value1", "First"), ("value2", "Second"), ("value3", "Third")];
            let schema = json!({ "type": "object", "properties": {
                "untitledSingle": { "type": "string", "enum": options },
                "titledSingle": { "type": "string", "oneOf": titled(values) },
                "legacyEnum": {
                    "type": "string", "enum": ["opt1", "opt2", "opt3"],
                    "enumNames": ["Option One", "Option Two", "Option Three"],
                },
                "untitledMulti": { "type": "array", "items": { "type": "string", "enum": options } },
                "titledMulti": { "type": "array", "items": { "anyOf": titled(values) } },
            }});
            format!("Elicitation completed: {}", elicit(context, "With choices", schema).await?)
        }
        "test_missing_capability" => {
            let client = context.client_capabilities();
            if !client.is_some_and(|client| has(&client, "sampling")) {
                let needed = typed(json!({ "sampling": {} }))?;
                return Err(ErrorData::missing_required_client_capability(needed));
            }
            "the client can sample".to_owned()
        }
        "test_streaming_elicitation" => {
            return Ok(Some(json!({ "resultType": "input_required", "inputRequests": {
                "go_on": { "method": "elicitation/create", "params": {
                    "message": "Go on?",
                    "requestedSchema": {
                        "type": "object", "properties": { "ok": { "type": "boolean" } },
                    },
                }},
            }})));
        }
        _ => return Ok(None),
    };
    Ok(Some(json!({ "content": [text(said)] })))
}

fn has(client: &rmcp::model::ClientCapabilities, capability: &str) -> bool {
    serde_json::to_value(client).is_ok_and(|client| client.get(capability).is_some())
}

async fn elicit(
    context: &RequestContext<RoleServer>,
    message: &str,
    schema: Value,
) -> Result<String, ErrorData> {
    let params = json!({ "message": message, "requestedSchema": schema });
    let answer = ask(context, json!({ "method": "elicitation/create", "params": params })).await?;
    Ok(format!(
        "action={}, content={}",
        answer["action"].as_str().unwrap_or_default(),
        answer["content"]
    ))
}
