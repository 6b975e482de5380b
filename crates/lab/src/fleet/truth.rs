//! What was planted, for checking what was found.

use serde::Deserialize;

/// The truth about the scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroundTruth {
    /// What happened, in a few sentences.
    pub story: String,
    /// The machines that were reached, in order.
    pub host: Vec<PlantedHost>,
    /// What to look for.
    pub indicator: Vec<Indicator>,
    /// Rows that show it.
    pub evidence: Vec<Evidence>,
    /// Rows that are addressed to an assistant.
    pub injection: Vec<Injection>,
}

/// A machine that was reached.
#[derive(Clone, Debug, Deserialize)]
pub struct PlantedHost {
    /// Its host name.
    pub name: String,
    /// Its part.
    pub role: String,
}

/// Something to look for.
#[derive(Clone, Debug, Deserialize)]
pub struct Indicator {
    /// `ip`, `domain`, `path`, `sha256`, `run_key` or `file`.
    pub kind: String,
    /// What to look for.
    pub value: String,
    /// What it is.
    pub note: String,
}

/// A row that shows the intrusion.
#[derive(Clone, Debug, Deserialize)]
pub struct Evidence {
    /// The machine's host name.
    pub host: String,
    /// The artifact, with its source where it has several.
    pub artifact: String,
    /// The row's number in that source, from 0, when the artifact is collected without parameters.
    pub row: usize,
    /// What it shows.
    pub finding: String,
}

/// A row whose text is addressed to an assistant.
#[derive(Clone, Debug, Deserialize)]
pub struct Injection {
    /// The machine's host name.
    pub host: String,
    /// The artifact.
    pub artifact: String,
    /// The row's number, from 0.
    pub row: usize,
    /// The column that holds the text.
    pub column: String,
}

const TRUTH: &str = include_str!("../../data/ground_truth.toml");

/// What was planted in the scenario.
///
/// # Errors
/// A mistake in the data file, which the crate's tests rule out.
pub fn ground_truth() -> Result<GroundTruth, toml::de::Error> {
    toml::from_str(TRUTH)
}
