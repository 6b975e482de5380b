//! The arguments of a prompt, checked before anything is asked.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::definitions::{Argument, PromptDef, Values};
use super::timeframe;
use crate::tool_error::ToolError;

/// Arguments that were checked.
pub(super) struct Given(Vec<(&'static str, String)>);

impl Given {
    /// Checks what was given against the prompt's arguments.
    ///
    /// # Errors
    ///
    /// What is missing, unknown, no text, or none of the allowed values, by name.
    pub(super) fn check(
        prompt: &PromptDef,
        mut given: Map<String, Value>,
    ) -> Result<Self, ToolError> {
        let mut checked = Vec::new();
        for argument in prompt.arguments {
            let value = match given.remove(argument.name) {
                Some(Value::String(text)) => text.trim().to_owned(),
                None | Some(Value::Null) => String::new(),
                Some(other) => {
                    let name = argument.name;
                    return Err(ToolError::invalid(format!("{name} is a text, not {other}")));
                }
            };
            if value.is_empty() && argument.required {
                let (name, what) = (argument.name, argument.description);
                return Err(ToolError::invalid(format!("{name} is missing: {what}")));
            }
            checked.push((argument.name, value_of(argument, value)?));
        }
        if let Some(name) = given.keys().next() {
            let names: Vec<_> = prompt.arguments.iter().map(|argument| argument.name).collect();
            return Err(ToolError::invalid(format!(
                "{} has no argument {name:?}; it has {}",
                prompt.name,
                names.join(", ")
            )));
        }
        Ok(Self(checked))
    }

    /// A checked value; empty for a name that the prompt does not have.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// The value in its normal form.
fn value_of(argument: &Argument, value: String) -> Result<String, ToolError> {
    match argument.values {
        Values::Text | Values::Client | Values::Scope => Ok(value),
        Values::Words(words) if value.is_empty() => {
            Ok(words.first().copied().unwrap_or_default().to_owned())
        }
        Values::Words(words) => {
            let lower = value.to_lowercase();
            if words.contains(&lower.as_str()) {
                return Ok(lower);
            }
            Err(ToolError::invalid(format!(
                "{} is one of {}, not {value:?}",
                argument.name,
                words.join(", ")
            )))
        }
        Values::Count if value.is_empty() || value.eq_ignore_ascii_case("unknown") => {
            Ok(String::from("unknown"))
        }
        Values::Count => match value.parse::<u32>() {
            Ok(count) if count > 0 => Ok(count.to_string()),
            _ => Err(ToolError::invalid(format!(
                "{} is a whole number from 1 on, or unknown, not {value:?}",
                argument.name
            ))),
        },
        Values::Timeframe if value.is_empty() => Ok(String::from("24h")),
        Values::Timeframe => match timeframe::parse(&value) {
            Some(_) => Ok(value),
            None => Err(ToolError::invalid(format!(
                "{} is a number with m, h, d or w, such as 24h, and at most ten years, not {value:?}",
                argument.name
            ))),
        },
    }
}

/// The beginning of a time frame that was checked.
pub(super) fn since(now: Timestamp, frame: &str) -> Timestamp {
    timeframe::parse(frame).and_then(|length| now.checked_sub(length).ok()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::prompts::definitions::PROMPTS;
    use crate::tool_error::Code;

    fn check(prompt: &str, given: &Value) -> Result<Given, ToolError> {
        let prompt = PROMPTS.iter().find(|known| known.name == prompt).unwrap();
        Given::check(prompt, given.as_object().unwrap().clone())
    }

    #[test]
    fn d78_an_unknown_value_is_refused_naming_the_allowed_ones() {
        let wrong = json!({"client": "WS-1", "incident_type": "sabotage"});
        let error = check("triage_incident", &wrong).err().unwrap();
        assert_eq!(error.code, Code::InvalidInput);
        assert!(error.message.contains("ransomware"), "{error}");
        let error = check("threat_hunt", &json!({"indicators": "x", "hunt_type": "all"}));
        assert!(error.err().unwrap().message.contains("persistence"));
        let error = check("lateral_movement", &json!({"scope": "all", "timeframe": "soon"}));
        assert!(error.err().unwrap().message.contains("24h"));
        let error = check("rapid_ir_deployment", &json!({"target_count": "many"}));
        assert!(error.err().unwrap().message.contains("whole number"));
        let wrong = json!({"incident_type": "data_exfil", "affected_systems": "a"});
        let error = check("deploy_and_triage", &wrong);
        assert!(error.err().unwrap().message.contains("data_breach"));
    }

    #[test]
    fn what_is_missing_unknown_or_no_text_is_named() {
        for (given, word) in [
            (json!({}), "client is missing"),
            (json!({"client": "  "}), "client is missing"),
            (json!({"client": "a", "hostname": "b"}), "no argument \"hostname\""),
            (json!({"client": 7}), "client is a text"),
        ] {
            let error = check("investigate_endpoint", &given).err().unwrap();
            assert!(error.message.contains(word), "{error}");
        }
    }

    #[test]
    fn defaults_are_the_first_word_and_a_day() {
        let given = check("triage_incident", &json!({"client": "a"})).ok().unwrap();
        assert_eq!(given.get("incident_type"), "unknown");
        let given = check("lateral_movement", &json!({"scope": "all"})).ok().unwrap();
        assert_eq!(given.get("timeframe"), "24h");
    }
}
