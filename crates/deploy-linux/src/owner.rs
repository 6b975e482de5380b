//! To whom something on a host belongs.

use deploy_core::{DeploymentId, Found};

/// The deployment whose things these are.
#[derive(Clone, Debug)]
pub struct Owner(DeploymentId);

impl Owner {
    /// Things of this deployment.
    pub const fn new(id: DeploymentId) -> Self {
        Self(id)
    }

    /// The name of a user, a folder or a unit: known before it is made.
    pub fn name(&self, what: &str) -> String {
        let id = self.0.as_str().to_ascii_lowercase();
        if what.is_empty() { format!("megaraptor-{id}") } else { format!("megaraptor-{id}-{what}") }
    }

    /// What says to whom it belongs: in a file of each folder, in the comment of the user, in the
    /// description of each unit.
    pub fn marker(&self) -> String {
        format!("Megaraptor deployment {}", self.0)
    }

    /// Whether something with this text is ours.
    pub fn owns(&self, text: &str) -> bool {
        let marker = self.marker();
        let rest = text.trim_start_matches("# ").strip_prefix(&marker);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    }

    /// The label of its agents.
    pub fn label(&self) -> String {
        self.0.to_string()
    }

    /// What is said of something that has our name and is not ours.
    pub(crate) fn foreign(&self, what: &str, name: &str, look: &str) -> Found {
        Found::Refused {
            expected: format!("no {what} {name}, or one of {}", self.0),
            found: format!("a {what} of that name that does not say {:?}", self.marker()),
            next: format!("look whose it is; it is not touched ({look})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_id_is_ours() {
        let owner = Owner::new("D-2345678923".parse().unwrap());
        assert_eq!(owner.name("server"), "megaraptor-d-2345678923-server");
        assert!(owner.name("").len() <= 31, "a name of a user has at most 31 characters");
        for ours in ["", "\n", ": the server"] {
            assert!(owner.owns(&format!("{}{ours}", owner.marker())), "{ours:?}");
        }
        assert!(owner.owns(&format!("# {}\n[Unit]", owner.marker())));
        for other in
            ["", "Megaraptor deployment D-2345678924", "Megaraptor deployment D-23456789234"]
        {
            assert!(!owner.owns(other), "{other}");
        }
    }
}
