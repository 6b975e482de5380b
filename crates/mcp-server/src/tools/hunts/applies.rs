//! Will the artifacts of a hunt look on the clients that it is for? Asked before it is made.

use velociraptor_api::Os;
use velociraptor_api::artifacts::Definition;

use crate::system;
use crate::tool_error::{Code, ToolError};

/// For which systems a hunt is.
#[derive(Clone, Copy, Debug)]
pub(super) enum For<'a> {
    /// Clients of this system only.
    System(Os),
    /// Listed clients: the system of each, where it is known.
    Listed(&'a [Option<Os>]),
    /// Whoever fits, of any system.
    Anybody,
}

/// Warnings about artifacts that will not look on some of the clients.
///
/// # Errors
///
/// `conflict` where none of them will look on any: the hunt would end well and say nothing.
pub(super) fn applies(
    definitions: &[Definition],
    wanted: For<'_>,
) -> Result<Vec<String>, ToolError> {
    let mut warnings = Vec::new();
    let mut looks = false;
    for definition in definitions {
        let systems = definition.systems();
        let misses = |os: &Os| !systems.is_empty() && !systems.contains(os);
        let words: Vec<&str> = systems.iter().map(|os| system::word(*os)).collect();
        let is_for = format!("{} is for {}", definition.name, words.join(", "));
        match wanted {
            For::System(os) if misses(&os) => {
                warnings.push(format!("{is_for}: on {} it will not look", system::word(os)));
                continue;
            }
            For::Listed(clients) => {
                let missed = clients.iter().flatten().filter(|os| misses(os)).count();
                if missed > 0 {
                    let all = clients.len();
                    warnings
                        .push(format!("{is_for}: it will not look on {missed} of {all} clients"));
                }
                if missed == clients.len() {
                    continue;
                }
            }
            For::Anybody if !systems.is_empty() => {
                warnings.push(format!("{is_for}: on clients of other systems it will not look"));
            }
            For::System(_) | For::Anybody => {}
        }
        looks = true;
    }
    if looks {
        return Ok(warnings);
    }
    Err(ToolError::new(Code::Conflict, format!("{}; no hunt was made", warnings.join("; ")))
        .next("list_artifacts with os finds the artifacts for a system"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definitions(names: &[&str]) -> Vec<Definition> {
        let definition = |name: &&str| {
            serde_json::from_value(json!({
                "Name": name, "Type": "client", "Description": "", "Author": "", "Reference": [],
                "Aliases": [], "BuiltIn": true, "RequiredPermissions": [],
                "ImpliedPermissions": [], "Impersonate": "", "Precondition": "", "Parameters": [],
                "Sources": [], "Tools": [], "ColumnTypes": [], "Resources": {}, "Metadata": {},
            }))
            .unwrap()
        };
        names.iter().map(definition).collect()
    }

    #[test]
    fn a_hunt_that_looks_nowhere_is_refused_and_one_that_looks_somewhere_says_where_not() {
        let windows = definitions(&["Windows.System.Pslist"]);
        let both = definitions(&["Windows.System.Pslist", "Linux.Sys.Pslist"]);
        let any = definitions(&["Generic.Client.Info"]);
        let error = applies(&windows, For::System(Os::Linux)).unwrap_err();
        assert_eq!(error.code, Code::Conflict);
        assert!(error.message.contains("Windows.System.Pslist"), "{}", error.message);
        assert_eq!(applies(&windows, For::System(Os::Windows)).unwrap(), [""; 0]);
        assert_eq!(applies(&both, For::System(Os::Linux)).unwrap().len(), 1);
        assert_eq!(applies(&any, For::Anybody).unwrap(), [""; 0]);
        assert_eq!(applies(&windows, For::Anybody).unwrap().len(), 1);
        let listed = [Some(Os::Linux), None];
        let said = applies(&windows, For::Listed(&listed)).unwrap();
        assert!(said[0].contains("1 of 2 clients"), "{said:?}");
        assert!(applies(&windows, For::Listed(&listed[..1])).is_err());
    }
}
