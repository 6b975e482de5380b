//! Calls that ask the client back and are then made again (2026-07-28).

use rmcp::model::{ClientCapabilities, ErrorData, InputResponses};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::catalogue::text;

/// What a call brings along when it is made again.
pub(crate) struct Again<'a> {
    pub(crate) answers: Option<&'a InputResponses>,
    pub(crate) state: Option<&'a str>,
    pub(crate) client: Option<ClientCapabilities>,
}

/// Seals what is given to the client and comes back, so that a change of it is noticed.
#[derive(Clone)]
pub(crate) struct Seal([u8; 32]);

impl Seal {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    fn digest(&self, state: &str) -> String {
        // The key on both sides: nothing can be appended.
        let digest =
            Sha256::new().chain_update(self.0).chain_update(state).chain_update(self.0).finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn close(&self, state: &str) -> String {
        format!("{state}.{}", self.digest(state))
    }

    fn open<'a>(&self, sealed: &'a str) -> Result<&'a str, ErrorData> {
        match sealed.rsplit_once('.') {
            Some((state, seal)) if seal == self.digest(state) => Ok(state),
            _ => Err(ErrorData::invalid_params("the request state was altered", None)),
        }
    }
}

fn form(message: &str, field: &str, kind: &str) -> Value {
    json!({ "method": "elicitation/create", "params": {
        "message": message,
        "requestedSchema": {
            "type": "object", "properties": { field: { "type": kind } }, "required": [field],
        },
    }})
}

fn sample(prompt: &str, tokens: u32) -> Value {
    json!({ "method": "sampling/createMessage", "params": {
        "messages": [{ "role": "user", "content": { "type": "text", "text": prompt } }],
        "maxTokens": tokens,
    }})
}

fn roots() -> Value {
    json!({ "method": "roots/list", "params": {} })
}

fn ask(requests: Value, state: Option<String>) -> Value {
    let mut asked = json!({ "resultType": "input_required", "inputRequests": requests });
    if let Some(state) = state {
        asked["requestState"] = state.into();
    }
    asked
}

fn done(said: impl Into<String>) -> Value {
    json!({ "content": [text(said)] })
}

impl Again<'_> {
    /// The answer under a key, where it is an object.
    fn answer(&self, key: &str) -> Option<&Map<String, Value>> {
        self.answers?.get(key)?.as_object()
    }

    /// A field of a form that was filled in.
    fn field(&self, key: &str, field: &str) -> Option<&Value> {
        self.answer(key)?.get("content")?.get(field)
    }
}

/// The name of a client, asked for until it is told.
pub(crate) fn prompt(again: &Again<'_>) -> Value {
    match again.field("user_context", "context").and_then(Value::as_str) {
        Some(context) => json!({ "messages": [
            { "role": "user", "content": text(format!("The context is {context}.")) },
        ]}),
        None => {
            let message = "What context should the prompt use?";
            ask(json!({ "user_context": form(message, "context", "string") }), None)
        }
    }
}

/// The tools that ask back; `None` for any other.
pub(crate) fn tool(name: &str, again: &Again<'_>, seal: &Seal) -> Result<Option<Value>, ErrorData> {
    let Some(kind) = name.strip_prefix("test_input_required_result_") else { return Ok(None) };
    let state = again.state.map(|sealed| seal.open(sealed)).transpose()?;
    let result = match kind {
        "elicitation" => match again.field("user_name", "name").and_then(Value::as_str) {
            Some(name) => done(format!("Hello, {name}!")),
            None => ask(json!({ "user_name": form("What is your name?", "name", "string") }), None),
        },
        "sampling" => match again.answer("capital_question") {
            Some(answer) => done(answer.get("content").map(Value::to_string).unwrap_or_default()),
            None => {
                let question = sample("What is the capital of France?", 100);
                ask(json!({ "capital_question": question }), None)
            }
        },
        "list_roots" => match again.answer("client_roots") {
            Some(answer) => done(answer.get("roots").map(Value::to_string).unwrap_or_default()),
            None => ask(json!({ "client_roots": roots() }), None),
        },
        "request_state" | "tampered_state" => match (again.answer("confirm"), state) {
            (Some(_), Some("asked")) => done("state-ok"),
            _ => {
                let confirm = form("Please confirm", "ok", "boolean");
                ask(json!({ "confirm": confirm }), Some(seal.close("asked")))
            }
        },
        "multiple_inputs" => {
            let keys = ["user_name", "greeting", "client_roots"];
            if state == Some("asked") && keys.iter().all(|key| again.answer(key).is_some()) {
                done("all three were answered")
            } else {
                let requests = json!({
                    "user_name": form("What is your name?", "name", "string"),
                    "greeting": sample("Generate a greeting", 50),
                    "client_roots": roots(),
                });
                ask(requests, Some(seal.close("asked")))
            }
        }
        "multi_round" => match state {
            Some("one") if again.answer("step1").is_some() => {
                let next = form("Step 2: What is your favorite color?", "color", "string");
                ask(json!({ "step2": next }), Some(seal.close("two")))
            }
            Some("two") if again.answer("step2").is_some() => done("both steps were answered"),
            _ => {
                let first = form("Step 1: What is your name?", "name", "string");
                ask(json!({ "step1": first }), Some(seal.close("one")))
            }
        },
        "capabilities" => {
            let mut requests = Map::new();
            let client = serde_json::to_value(&again.client).unwrap_or_default();
            if client.get("elicitation").is_some() {
                requests.insert("name".into(), form("What is your name?", "name", "string"));
            }
            if client.get("sampling").is_some() {
                requests.insert("greeting".into(), sample("Generate a greeting", 50));
            }
            if requests.is_empty() {
                done("nothing may be asked")
            } else {
                ask(requests.into(), None)
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(result))
}
