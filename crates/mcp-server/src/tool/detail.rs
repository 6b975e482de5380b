//! How much of what was found an answer carries: an argument that means the same in every tool
//! that has it.

use serde_json::{Map, Value, json};

use crate::tool_error::ToolError;

/// The argument.
const NAME: &str = "detail";

/// How much an answer carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What there is, counted; few rows or none.
    Summary,
    /// Rows, with long cells cut and empty columns left out.
    #[default]
    Compact,
    /// Rows as they are.
    Full,
}

impl Detail {
    /// The word in arguments.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Summary => "summary",
            Self::Compact => "compact",
            Self::Full => "full",
        }
    }

    /// Describes the argument; the default stands first.
    pub(super) fn describe(default: Self, schema: &mut Map<String, Value>) {
        let all = [Self::Summary, Self::Compact, Self::Full];
        let others = all.into_iter().filter(|one| *one != default);
        let words: Vec<&str> = [default].into_iter().chain(others).map(Self::as_str).collect();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.insert(NAME.to_owned(), json!({ "enum": words }));
        }
    }

    /// Takes the argument out; a tool without a default does not have it, and what is left in
    /// place is refused as unknown.
    pub(super) fn take(
        default: Option<Self>,
        arguments: &mut Map<String, Value>,
    ) -> Result<Self, ToolError> {
        let Some(default) = default else { return Ok(Self::default()) };
        let given = match arguments.remove(NAME) {
            None | Some(Value::Null) => return Ok(default),
            Some(given) => given,
        };
        [Self::Summary, Self::Compact, Self::Full]
            .into_iter()
            .find(|one| given == one.as_str())
            .ok_or_else(|| {
                ToolError::invalid(format!(
                    "detail is {given}, expected one of summary, compact, full"
                ))
                .next(format!("leave detail out for {}", default.as_str()))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_argument_is_taken_where_there_is_one() {
        let of = |value: Value| Map::from_iter([(NAME.to_owned(), value)]);
        let mut given = of(json!("summary"));
        assert_eq!(Detail::take(Some(Detail::Full), &mut given).unwrap(), Detail::Summary);
        assert!(given.is_empty());
        assert_eq!(Detail::take(Some(Detail::Full), &mut given).unwrap(), Detail::Full);
        let mut left = of(json!("summary"));
        assert_eq!(Detail::take(None, &mut left).unwrap(), Detail::Compact);
        assert_eq!(left.len(), 1, "it is refused as unknown");
        for wrong in [json!("Summary"), json!(1), json!({})] {
            let error = Detail::take(Some(Detail::Compact), &mut of(wrong)).unwrap_err();
            assert!(error.next_step.unwrap().contains("compact"));
        }
    }
}
