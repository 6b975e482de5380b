//! To whom an object of a daemon belongs.

use std::collections::HashMap;
use std::hash::BuildHasher;

use deploy_core::{DeploymentId, Found};

/// The label that names the deployment.
const DEPLOYMENT: &str = "io.megaraptor.deployment";

/// The deployment whose objects these are.
#[derive(Clone, Debug)]
pub struct Owner(DeploymentId);

impl Owner {
    /// Objects of this deployment.
    pub const fn new(id: DeploymentId) -> Self {
        Self(id)
    }

    /// The name of an object: known before it is made.
    pub fn name(&self, what: &str) -> String {
        let id = self.0.as_str().to_ascii_lowercase();
        if what.is_empty() { format!("megaraptor-{id}") } else { format!("megaraptor-{id}-{what}") }
    }

    /// What an object of it carries.
    pub fn labels(&self) -> HashMap<String, String> {
        HashMap::from([(DEPLOYMENT.to_owned(), self.0.to_string())])
    }

    /// Whether something with these labels is ours.
    pub fn owns<S: BuildHasher>(&self, labels: Option<&HashMap<String, String, S>>) -> bool {
        labels.and_then(|labels| labels.get(DEPLOYMENT)).is_some_and(|id| id == self.0.as_str())
    }

    /// What is said of something that has our name and is not ours.
    pub(crate) fn foreign(&self, what: &str, name: &str) -> Found {
        Found::Refused {
            expected: format!("no {what} called {name}, or one of {}", self.0),
            found: format!("a {what} of that name without the label {DEPLOYMENT}={}", self.0),
            next: format!("look whose it is; it is not touched (docker {what} inspect {name})"),
        }
    }
}
