//! What is answered to a line that is no request of MCP.

use rmcp::model::{ClientJsonRpcMessage, ErrorCode, ErrorData, RequestId, ServerJsonRpcMessage};
use serde_json::Value;

/// An error in place of a message. Without an id it is told to nobody in particular.
#[derive(Debug)]
pub(super) struct Refusal {
    error: ErrorData,
    id: Option<RequestId>,
}

impl From<Refusal> for ServerJsonRpcMessage {
    fn from(refusal: Refusal) -> Self {
        Self::error(refusal.error, refusal.id)
    }
}

/// The message of a line; nothing where it wants no answer; or the answer to it.
pub(super) fn parse(line: &[u8]) -> Result<Option<ClientJsonRpcMessage>, Box<Refusal>> {
    match serde_json::from_slice(line) {
        Ok(message) => Ok(Some(message)),
        Err(error) => judge(line, &error).map_or(Ok(None), |refusal| Err(Box::new(refusal))),
    }
}

/// The answer to a line beyond the limit.
pub(super) fn too_long(limit: usize) -> Refusal {
    invalid(format!("a message is longer than {} MiB", limit >> 20), None)
}

fn judge(line: &[u8], error: &serde_json::Error) -> Option<Refusal> {
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(syntax) => {
            let text = format!("not JSON: {syntax}");
            let error = ErrorData::new(ErrorCode::PARSE_ERROR, text, None);
            return Some(Refusal { error, id: None });
        }
    };
    let message = match value {
        Value::Object(message) => message,
        Value::Array(_) => {
            return Some(invalid("batches are not served: send one message at a time", None));
        }
        _ => return Some(invalid("a message is a JSON object", None)),
    };
    let is_call = message.get("method").is_some_and(Value::is_string);
    let is_response = !is_call && (message.contains_key("result") || message.contains_key("error"));
    let is_note = is_call && !message.contains_key("id");
    if message.get("jsonrpc").is_some_and(|version| version == "2.0") && (is_note || is_response) {
        // Neither a notification nor a response is ever answered, however broken.
        tracing::debug!(%error, "passed over a notification or response");
        return None;
    }
    let id = message.get("id").and_then(|id| serde_json::from_value::<RequestId>(id.clone()).ok());
    let what = if message.get("jsonrpc").is_none_or(|version| version != "2.0") {
        "not a JSON-RPC 2.0 message: \"jsonrpc\" must be \"2.0\""
    } else if !is_call {
        "not a JSON-RPC 2.0 message: \"method\" is missing"
    } else if id.is_none() {
        "the id of a request is a text or a whole number"
    } else {
        let error = ErrorData::invalid_params("the parameters of a method are an object", None);
        return Some(Refusal { error, id });
    };
    Some(invalid(what, id))
}

/// A message that is JSON and no request.
pub(super) fn invalid(text: impl Into<String>, id: Option<RequestId>) -> Refusal {
    Refusal { error: ErrorData::invalid_request(text.into(), None), id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> Option<Value> {
        let refused = ServerJsonRpcMessage::from(*parse(line.as_bytes()).err()?);
        Some(serde_json::to_value(refused).unwrap())
    }

    #[test]
    fn each_kind_of_rubbish_has_its_code_and_keeps_its_id() {
        for (line, code, id) in [
            ("{", -32700, Value::Null),
            ("\u{0}", -32700, Value::Null),
            ("[]", -32600, Value::Null),
            ("7", -32600, Value::Null),
            ("{}", -32600, Value::Null),
            (r#"{"id":3,"method":"ping"}"#, -32600, Value::from(3)),
            (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, -32600, Value::from("a")),
            (r#"{"jsonrpc":"2.0","id":4}"#, -32600, Value::from(4)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, Value::Null),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, Value::Null),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, Value::Null),
        ] {
            let answer = answer(line).unwrap_or_else(|| panic!("{line} was not refused"));
            assert_eq!(answer["error"]["code"], code, "{line}: {answer}");
            assert_eq!(answer.get("id").cloned().unwrap_or_default(), id, "{line}: {answer}");
        }
    }

    #[test]
    fn what_wants_no_answer_gets_none() {
        for line in [
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{}}"#,
        ] {
            assert_eq!(answer(line), None, "{line}");
        }
    }
}
