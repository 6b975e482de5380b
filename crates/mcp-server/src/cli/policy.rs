//! `megaraptor policy`: what may run, what is asked for, and where that was set.

use std::fmt::Write;
use std::process::ExitCode;

use guard::policy::PREFIX;
use serde_json::{Value, json};

use super::{Form, Global, output};
use crate::table;
use crate::tool_error::ToolError;

pub(super) fn run(global: &Global) -> Result<ExitCode, ToolError> {
    let targets = if global.lab { Vec::new() } else { global.targets()? };
    let policy = global.policy(&targets)?;
    match global.output {
        Form::Json => {
            let keys: Vec<Value> = policy
                .shown()
                .into_iter()
                .map(|key| {
                    json!({
                        "key": key.name, "value": key.value, "set_by": key.origin.to_string(),
                        "what": key.says,
                    })
                })
                .collect();
            output::json(&Value::Array(keys))?;
        }
        Form::Text => {
            let mut out = String::new();
            let rows = policy.shown().into_iter().map(|key| {
                vec![key.name.to_owned(), key.value, key.origin.to_string(), key.says.to_owned()]
            });
            table::write(&mut out, &["key", "value", "set by", "what"], rows);
            let _ = write!(
                out,
                "\n\nSet a key in the table [policy] of megaraptor.toml, in {PREFIX}KEY, or with \
                 --policy KEY=VALUE; the later wins."
            );
            output::result(&out);
        }
    }
    Ok(ExitCode::SUCCESS)
}
