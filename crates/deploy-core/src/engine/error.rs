//! Why a deployment is not where it was to be.

use crate::deployer::StepError;
use crate::id::{DeploymentId, StepName};
use crate::record::TargetKind;
use crate::registry::RegistryError;

/// Why a deployment is not where it was to be. The record says how far it got.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The record cannot be read or stored. Nothing is done that is not on record.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The record is another platform's.
    #[error("{id} is on {found}, and this is the deployer of {expected}")]
    OtherKind {
        /// Which one.
        id: DeploymentId,
        /// The deployer's.
        expected: TargetKind,
        /// The record's.
        found: TargetKind,
    },
    /// It is being removed, or was.
    #[error("{0} is being removed or is gone: it cannot be brought up again; make a new one")]
    Leaving(DeploymentId),
    /// The word is for another deployment.
    #[error("{given} was agreed to be removed, not {asked}")]
    OtherConsent {
        /// What was agreed to.
        given: DeploymentId,
        /// What was to be removed.
        asked: DeploymentId,
    },
    /// Its evidence was not copied.
    #[error("the evidence of {id} was not copied: {cause}; nothing of it was removed")]
    NotCopied {
        /// Which one.
        id: DeploymentId,
        /// Why.
        cause: StepError,
    },
    /// It was stopped, and stays as far as it got.
    #[error("{id} was stopped at step {step}; resume it or destroy it")]
    Stopped {
        /// Which one.
        id: DeploymentId,
        /// Where.
        step: StepName,
    },
    /// A step of bringing it up failed.
    #[error("step {step} of {id} failed: {cause}; {}", after(*.left_as_it_is))]
    Failed {
        /// Which one.
        id: DeploymentId,
        /// Where.
        step: StepName,
        /// Why.
        cause: StepError,
        /// Nothing was taken back, as was asked. Else all was, and was seen to be gone.
        left_as_it_is: bool,
    },
    /// A change was not begun.
    #[error("{id} was left as it was: {cause}")]
    Unchanged {
        /// Which one.
        id: DeploymentId,
        /// Why.
        cause: StepError,
    },
    /// It is up, and that it was changed is not to be seen.
    #[error("{id} is up, and its change is not proved: {cause}")]
    Unproved {
        /// Which one.
        id: DeploymentId,
        /// What was seen.
        cause: StepError,
    },
    /// A step failed, and that cannot be recorded. Nothing was taken back: the record that is there
    /// says that the step may have run by half.
    #[error(
        "step {step} of {id} failed: {cause}; that cannot be recorded: {registry}; make room, then resume or destroy it"
    )]
    Unrecorded {
        /// Which one.
        id: DeploymentId,
        /// Where.
        step: StepName,
        /// Why.
        cause: StepError,
        /// Why it cannot be recorded.
        registry: Box<RegistryError>,
    },
    /// Taking it back failed too, or taking it down did. What is left stays on record.
    #[error("{}step {step} of {id} cannot be taken back: {cause}; what is left is on record", first(after.as_deref()))]
    Remains {
        /// Which one.
        id: DeploymentId,
        /// Where.
        step: StepName,
        /// Why.
        cause: StepError,
        /// Why it was taken back at all: the step that failed on the way up.
        after: Option<Box<(StepName, StepError)>>,
    },
}

const fn after(left_as_it_is: bool) -> &'static str {
    if left_as_it_is { "what was done was left as it is" } else { "what was done was taken back" }
}

/// What went wrong at first is what a person has to mend.
fn first(after: Option<&(StepName, StepError)>) -> String {
    after.map_or_else(String::new, |(step, cause)| format!("step {step} failed: {cause}; "))
}
