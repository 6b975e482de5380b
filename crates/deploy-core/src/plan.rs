//! Plans: what will be done, as data.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::StepName;

/// How long a step may take, unless it says otherwise.
const WITHIN: Duration = Duration::from_secs(300);

/// What will be done, in order. Taking it back goes the other way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    steps: Vec<Step>,
    warnings: Vec<String>,
}

/// A unit of a plan that can be done, looked at and taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name in the plan.
    pub name: StepName,
    /// What it does, for a person, as in `makes the volume megaraptor-D-…`.
    pub does: String,
    /// How long it may take.
    pub within: Duration,
    /// What its deployer needs to know. No secret: plans are printed and kept.
    settings: Value,
}

/// Why a plan cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Two steps have one name.
    #[error("the plan has two steps called {0}")]
    Twice(StepName),
    /// A plan without steps proves nothing.
    #[error("the plan has no steps")]
    Empty,
    /// What is wished for cannot be done so.
    #[error("{what}: expected {expected}, found {found}; {next}")]
    Unfit {
        /// Which wish.
        what: String,
        /// What would do.
        expected: String,
        /// What it is.
        found: String,
        /// What to do about it.
        next: String,
    },
    /// The settings of a step cannot be written down or read.
    #[error("step {step}: {error}")]
    Settings {
        /// The step.
        step: StepName,
        /// What is wrong.
        error: serde_json::Error,
    },
}

impl Step {
    /// A step whose settings are those of `settings`.
    ///
    /// # Errors
    ///
    /// [`PlanError::Settings`] where they are no JSON.
    pub fn new(
        name: StepName,
        does: impl Into<String>,
        settings: &impl Serialize,
    ) -> Result<Self, PlanError> {
        let settings = serde_json::to_value(settings)
            .map_err(|error| PlanError::Settings { step: name.clone(), error })?;
        Ok(Self { name, does: does.into(), within: WITHIN, settings })
    }

    /// What taking it back does, for a person. It begins with "takes back".
    pub fn undone(&self) -> String {
        format!("takes back \"{}\"", self.does)
    }

    /// Gives it another time.
    #[must_use]
    pub fn within(self, within: Duration) -> Self {
        Self { within, ..self }
    }

    /// What it was made with.
    ///
    /// # Errors
    ///
    /// [`PlanError::Settings`] where they are of another form: the record was edited, or the plan is
    /// another deployer's.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, PlanError> {
        T::deserialize(&self.settings)
            .map_err(|error| PlanError::Settings { step: self.name.clone(), error })
    }
}

impl Plan {
    /// A plan of these steps.
    ///
    /// # Errors
    ///
    /// Where two have one name, or there are none.
    pub fn new(steps: Vec<Step>) -> Result<Self, PlanError> {
        let mut seen = HashSet::new();
        if let Some(twice) = steps.iter().find(|step| !seen.insert(&step.name)) {
            return Err(PlanError::Twice(twice.name.clone()));
        }
        if steps.is_empty() {
            return Err(PlanError::Empty);
        }
        Ok(Self { steps, warnings: Vec::new() })
    }

    /// Adds something to keep in mind before it is carried out.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// Its steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What to keep in mind.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "{:>3}  {}", number + 1, step.does)?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "  !  {warning}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> Step {
        Step::new(StepName::new(name).unwrap(), format!("does {name}"), &7).unwrap()
    }

    #[test]
    fn a_plan_reads_as_a_list() {
        let plan = Plan::new(vec![step("a"), step("b")]).unwrap().warn("it is exposed");
        assert_eq!(plan.to_string(), "  1  does a\n  2  does b\n  !  it is exposed\n");
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        assert!(matches!(Plan::new(vec![]), Err(PlanError::Empty)));
        assert!(matches!(Plan::new(vec![step("a"), step("a")]), Err(PlanError::Twice(_))));
        assert!(matches!(step("a").settings::<String>(), Err(PlanError::Settings { .. })));
        assert_eq!(step("a").settings::<u8>().unwrap(), 7);
    }
}
