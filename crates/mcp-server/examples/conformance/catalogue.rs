//! The names and fixed contents that the scenarios ask for.

use rmcp::model::ErrorData;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// One red pixel.
pub(crate) const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

/// A WAV file without a sample.
const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=";

/// What the protocol's own types make of a value.
pub(crate) fn typed<T: DeserializeOwned>(value: Value) -> Result<T, ErrorData> {
    serde_json::from_value(value)
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))
}

/// The same for a result, which is complete where it does not say that it is not.
pub(crate) fn result<T: DeserializeOwned>(mut value: Value) -> Result<T, ErrorData> {
    if let Some(fields) = value.as_object_mut() {
        fields.entry("resultType").or_insert_with(|| "complete".into());
    }
    typed(value)
}

pub(crate) fn text(text: impl Into<String>) -> Value {
    json!({ "type": "text", "text": text.into() })
}

/// The tools whose answer is always the same.
pub(crate) fn fixed(tool: &str) -> Option<Value> {
    let image = json!({ "type": "image", "data": PNG, "mimeType": "image/png" });
    let embedded = |uri: &str, kind: &str, text: &str| json!({ "type": "resource", "resource": { "uri": uri, "mimeType": kind, "text": text } });
    Some(match tool {
        "test_simple_text" => {
            json!({ "content": [text("This is a simple text response for testing.")] })
        }
        "test_image_content" => json!({ "content": [image] }),
        "test_audio_content" => {
            json!({ "content": [{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }] })
        }
        "test_embedded_resource" => {
            let body = "This is an embedded resource content.";
            json!({ "content": [embedded("test://embedded-resource", "text/plain", body)] })
        }
        "test_multiple_content_types" => {
            let body = r#"{"test":"data","value":123}"#;
            let resource = embedded("test://mixed-content-resource", "application/json", body);
            json!({ "content": [text("Multiple content types test:"), image, resource] })
        }
        "test_error_handling" => {
            let why = "This tool intentionally returns an error for testing";
            json!({ "content": [text(why)], "isError": true })
        }
        _ => return None,
    })
}

/// All tools, in a fixed order.
pub(crate) fn tools() -> Value {
    let plain = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
        "test_tool_with_logging",
        "test_tool_with_progress",
        "test_elicitation_sep1034_defaults",
        "test_elicitation_sep1330_enums",
        "test_missing_capability",
        "test_streaming_elicitation",
        "test_logging_tool",
        "test_trigger_tool_change",
        "test_trigger_prompt_change",
        "test_input_required_result_elicitation",
        "test_input_required_result_sampling",
        "test_input_required_result_list_roots",
        "test_input_required_result_request_state",
        "test_input_required_result_multiple_inputs",
        "test_input_required_result_multi_round",
        "test_input_required_result_tampered_state",
        "test_input_required_result_capabilities",
    ];
    let described = |name: &str, properties: Value, required: Value| {
        json!({
            "name": name,
            "description": format!("The fixture of the scenario that calls {name}"),
            "inputSchema": { "type": "object", "properties": properties, "required": required },
        })
    };
    let argument = |name: &str| json!({ name: { "type": "string" } });
    let mut tools: Vec<_> = plain.map(|name| described(name, json!({}), json!([]))).into();
    tools.push(described("test_sampling", argument("prompt"), json!(["prompt"])));
    tools.push(described("test_elicitation", argument("message"), json!(["message"])));
    json!({ "tools": tools })
}

pub(crate) fn resources() -> Value {
    json!({ "resources": [
        {
            "uri": "test://static-text", "name": "static-text",
            "description": "A text", "mimeType": "text/plain",
        },
        {
            "uri": "test://static-binary", "name": "static-binary",
            "description": "A picture", "mimeType": "image/png",
        },
        {
            "uri": "test://watched-resource", "name": "watched-resource",
            "description": "A text to subscribe to", "mimeType": "text/plain",
        },
    ]})
}

pub(crate) fn templates() -> Value {
    json!({ "resourceTemplates": [{
        "uriTemplate": "test://template/{id}/data", "name": "template",
        "description": "Data by id", "mimeType": "application/json",
    }]})
}

/// The contents of a resource.
pub(crate) fn resource(uri: &str) -> Option<Value> {
    let contents = match uri {
        "test://static-text" => json!({
            "uri": uri, "mimeType": "text/plain",
            "text": "This is the content of the static text resource.",
        }),
        "test://static-binary" => json!({ "uri": uri, "mimeType": "image/png", "blob": PNG }),
        "test://watched-resource" => {
            json!({ "uri": uri, "mimeType": "text/plain", "text": "Watched." })
        }
        _ => {
            let id = uri.strip_prefix("test://template/")?.strip_suffix("/data")?;
            let data = json!({
                "id": id, "templateTest": true, "data": format!("Data for ID: {id}"),
            });
            json!({ "uri": uri, "mimeType": "application/json", "text": data.to_string() })
        }
    };
    Some(json!({ "contents": [contents] }))
}

pub(crate) fn prompts() -> Value {
    let prompt = |name: &str, arguments: &[&str]| {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|name| json!({ "name": name, "description": name, "required": true }))
            .collect();
        json!({
            "name": name,
            "description": format!("The fixture of the scenario that gets {name}"),
            "arguments": arguments,
        })
    };
    json!({ "prompts": [
        prompt("test_simple_prompt", &[]),
        prompt("test_prompt_with_arguments", &["arg1", "arg2"]),
        prompt("test_prompt_with_embedded_resource", &["resourceUri"]),
        prompt("test_prompt_with_image", &[]),
        prompt("test_input_required_result_prompt", &[]),
    ]})
}

/// The messages of a prompt that asks nothing back.
pub(crate) fn prompt(name: &str, argument: impl Fn(&str) -> String) -> Option<Value> {
    let said = |contents: Vec<Value>| {
        let messages: Vec<_> = contents
            .into_iter()
            .map(|content| json!({ "role": "user", "content": content }))
            .collect();
        json!({ "messages": messages })
    };
    Some(match name {
        "test_simple_prompt" => said(vec![text("This is a simple prompt for testing.")]),
        "test_prompt_with_arguments" => said(vec![text(format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            argument("arg1"),
            argument("arg2")
        ))]),
        "test_prompt_with_embedded_resource" => said(vec![
            json!({ "type": "resource", "resource": {
                "uri": argument("resourceUri"), "mimeType": "text/plain",
                "text": "Embedded resource content for testing.",
            }}),
            text("Please process the embedded resource above."),
        ]),
        "test_prompt_with_image" => said(vec![
            json!({ "type": "image", "data": PNG, "mimeType": "image/png" }),
            text("Please analyze the image above."),
        ]),
        _ => return None,
    })
}
