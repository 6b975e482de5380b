//! The arguments that say what is collected, on one client or in a hunt.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use velociraptor_api::collections::{Collection, CollectionLimits, InForce};

use crate::tool_error::ToolError;

/// Bounds of the work on one client.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Seconds of each artifact; default: its own, else 600
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout: Option<u64>,
    /// Rows; default: the artifacts' own, else any
    #[schemars(range(min = 1))]
    pub max_rows: Option<u64>,
    /// Uploaded MB; default: the artifacts' own, else 1074
    #[schemars(range(min = 1))]
    pub max_mb: Option<u64>,
    /// Percent of a processor
    #[schemars(range(min = 1, max = 100))]
    pub cpu_percent: Option<u8>,
}

/// Parameters by artifact: `{"Artifact": {"Param": value}}`.
pub type Parameters = Map<String, Value>;

/// Puts the arguments together. Whether they fit the artifacts' definitions is the facade's check.
///
/// # Errors
///
/// `invalid_input` for an artifact that is named twice or not at all, and for parameters that are
/// not given by artifact.
pub fn wanted(
    artifacts: &[String],
    parameters: &Parameters,
    bounds: Bounds,
    urgent: bool,
) -> Result<Collection, ToolError> {
    let mut wanted = IndexMap::new();
    for name in artifacts {
        if wanted.insert(name.trim().to_owned(), IndexMap::new()).is_some() {
            return Err(ToolError::invalid(format!("artifact {name} is named twice")));
        }
    }
    if wanted.is_empty() {
        return Err(ToolError::invalid("artifacts is empty: name at least one")
            .next("list_artifacts searches names and descriptions"));
    }
    for (artifact, given) in parameters {
        let Value::Object(given) = given else {
            return Err(ToolError::invalid(format!(
                "parameters.{artifact} is not an object of that artifact's parameters"
            ))
            .next(BY_ARTIFACT));
        };
        let Some(of_artifact) = wanted.get_mut(artifact) else {
            return Err(ToolError::invalid(format!(
                "parameters names {artifact}, which is not among the artifacts"
            ))
            .next(BY_ARTIFACT));
        };
        of_artifact.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let limits = CollectionLimits {
        timeout: bounds.timeout.map(Duration::from_secs),
        max_rows: bounds.max_rows,
        max_bytes: bounds.max_mb.map(|mb| mb.saturating_mul(1_000_000)),
        cpu_percent: bounds.cpu_percent,
    };
    Ok(Collection { artifacts: wanted, limits, urgent })
}

/// Bytes that a collection may bring in from one client where nothing else is said, by its
/// artifacts neither.
pub fn default_bytes() -> u64 {
    bytes_of_each(&InForce::of(&CollectionLimits::default(), &[]))
}

/// Bytes that a collection may bring in from one client.
pub fn bytes_of_each(bounds: &InForce) -> u64 {
    bounds.bytes.unwrap_or(u64::MAX)
}

/// The bounds of a collection from so many clients, as a policy judges them: bytes and rows over
/// all of them together, seconds on each.
pub fn over_all(bounds: &InForce, clients: u64) -> guard::asked::Bounds {
    let clients = clients.max(1);
    let over_all = |of_each: u64| of_each.saturating_mul(clients);
    guard::asked::Bounds {
        bytes: bounds.bytes.map(over_all),
        rows: bounds.rows.map(over_all),
        seconds: Some(bounds.seconds),
    }
}

const BY_ARTIFACT: &str = "parameters are given by artifact: \
    {\"Windows.Search.FileFinder\": {\"SearchFilesGlob\": \"C:/Users/**\"}}; get_artifact lists them";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameters(value: Value) -> Parameters {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn d05_parameters_reach_their_artifact_with_their_types() {
        let given = parameters(json!({"A": {"Glob": "it's \"C:\\*\"", "Deep": true, "N": 5}}));
        let artifacts = [String::from("A"), String::from("B")];
        let wanted = wanted(&artifacts, &given, Bounds::default(), false).unwrap();
        assert_eq!(wanted.artifacts["A"]["Glob"], "it's \"C:\\*\"");
        assert_eq!(wanted.artifacts["A"]["Deep"], true);
        assert_eq!(wanted.artifacts["A"]["N"], 5);
        assert!(wanted.artifacts["B"].is_empty());
    }

    #[test]
    fn parameters_that_belong_nowhere_are_refused() {
        let artifacts = [String::from("A")];
        for bad in [json!({"B": {}}), json!({"Glob": "x"})] {
            let error = wanted(&artifacts, &parameters(bad), Bounds::default(), false).unwrap_err();
            assert!(error.next_step.is_some(), "{error}");
        }
        assert!(wanted(&[], &Parameters::new(), Bounds::default(), false).is_err());
        let twice = [String::from("A"), String::from("A ")];
        assert!(wanted(&twice, &Parameters::new(), Bounds::default(), false).is_err());
    }
}
