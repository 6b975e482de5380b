//! Messages as lines. The data of an answer is JSON text already, and is not written twice.
//!
//! The library keeps the data of a tool's answer as a value. Ours is always an object, so a string
//! in its place stands for the text of that object. The shell hands on such strings only where the
//! messages end here.

use std::io;

use rmcp::model::{
    CallToolResult, ContentBlock, JsonRpcMessage, JsonRpcVersion2_0, MetaObject, RequestId,
    ResultType, ServerJsonRpcMessage, ServerResult,
};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A message as a line, its end included.
///
/// # Errors
///
/// A message that cannot be written as JSON.
pub(super) fn encode(message: &ServerJsonRpcMessage) -> io::Result<Vec<u8>> {
    let mut line = match message {
        JsonRpcMessage::Response(response) => match &response.result {
            ServerResult::CallToolResult(
                result @ CallToolResult { structured_content: Some(Value::String(data)), .. },
            ) => {
                let mut line = Vec::with_capacity(data.len() + 2 * text_len(result) + 1024);
                let answer = Answer {
                    jsonrpc: &response.jsonrpc,
                    id: &response.id,
                    result: Data::of(result, data)?,
                };
                serde_json::to_writer(&mut line, &answer)?;
                line
            }
            _ => serde_json::to_vec(message)?,
        },
        _ => serde_json::to_vec(message)?,
    };
    line.push(b'\n');
    Ok(line)
}

#[derive(Serialize)]
struct Answer<'a> {
    jsonrpc: &'a JsonRpcVersion2_0,
    id: &'a RequestId,
    result: Data<'a>,
}

/// The fields of [`CallToolResult`].
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result_type: &'a Option<ResultType>,
    content: &'a [ContentBlock],
    structured_content: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_error: &'a Option<bool>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: &'a Option<MetaObject>,
}

impl<'a> Data<'a> {
    fn of(result: &'a CallToolResult, json: &'a str) -> io::Result<Self> {
        Ok(Self {
            result_type: &result.result_type,
            content: &result.content,
            structured_content: serde_json::from_str(json)?,
            is_error: &result.is_error,
            meta: &result.meta,
        })
    }
}

/// The bytes of text in it.
fn text_len(result: &CallToolResult) -> usize {
    result.content.iter().filter_map(ContentBlock::as_text).map(|block| block.text.len()).sum()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(result: CallToolResult) -> String {
        let id = RequestId::String("x".into());
        let message = ServerJsonRpcMessage::response(ServerResult::CallToolResult(result), id);
        String::from_utf8(encode(&message).unwrap()).unwrap()
    }

    #[test]
    fn text_in_place_of_the_data_is_written_as_the_data_itself() {
        let data = json!({ "rows": [{ "b": u64::MAX, "a": "x\n\"y\"" }], "state": "complete" });
        let mut result = CallToolResult::success(vec![ContentBlock::text("for\nreading")]);
        result.meta = Some(serde_json::from_value(json!({ "k": 1 })).unwrap());
        result.structured_content = Some(data.clone());
        let expected = line(result.clone());
        result.structured_content = Some(Value::String(data.to_string()));
        assert_eq!(line(result.clone()), expected);
        assert!(expected.ends_with('\n') && !expected.trim_end().contains('\n'));
        result.result_type = None;
        result.meta = None;
        result.structured_content = Some(data.clone());
        let expected = line(result.clone());
        result.structured_content = Some(Value::String(data.to_string()));
        assert_eq!(line(result), expected);
    }

    #[test]
    fn text_that_is_no_json_never_goes_out() {
        let mut result = CallToolResult::success(Vec::new());
        result.structured_content = Some(Value::String(String::from("{\"a\":")));
        let id = RequestId::String("x".into());
        let message = ServerJsonRpcMessage::response(ServerResult::CallToolResult(result), id);
        assert!(encode(&message).is_err());
    }
}
