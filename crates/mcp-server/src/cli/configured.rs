//! Names of servers and orgs that are typed, held against what is configured.

use velociraptor_api::near::near;

use super::{Global, output};
use crate::tool_error::{Code, ToolError};

/// A configured server with its orgs; `None` where they are not known beforehand.
struct Known {
    server: String,
    orgs: Option<Vec<String>>,
}

/// Refuses servers and orgs that are not configured: what is given for them would be for nothing,
/// and nobody would be told. Where nothing is configured here that is said, and they pass.
pub(super) fn check(global: &Global, servers: &[String], orgs: &[String]) -> Result<(), ToolError> {
    let known = if global.lab {
        vec![Known { server: String::from(lab::SIMULATED), orgs: None }]
    } else {
        let orgs =
            |orgs: &[velociraptor_api::OrgId]| orgs.iter().map(ToString::to_string).collect();
        global
            .targets()?
            .iter()
            .map(|target| Known {
                server: target.server.name().to_owned(),
                orgs: Some(orgs(&target.orgs)),
            })
            .collect()
    };
    if known.is_empty() && !(servers.is_empty() && orgs.is_empty()) {
        output::error(
            "! no server is configured here, so the names of servers and orgs are not checked; \
             --settings and --config name some",
        );
        return Ok(());
    }
    among(&known, servers, orgs)
}

fn among(known: &[Known], servers: &[String], orgs: &[String]) -> Result<(), ToolError> {
    let names: Vec<&str> = known.iter().map(|known| known.server.as_str()).collect();
    for server in servers {
        if !names.contains(&server.as_str()) {
            return Err(unknown("server", server, &names));
        }
    }
    let meant = known.iter().filter(|one| servers.is_empty() || servers.contains(&one.server));
    let Some(theirs) = meant.map(|one| one.orgs.as_deref()).collect::<Option<Vec<_>>>() else {
        return Ok(());
    };
    let theirs: Vec<&str> = theirs.into_iter().flatten().map(String::as_str).collect();
    for org in orgs {
        if !theirs.contains(&org.as_str()) {
            return Err(unknown("org", org, &theirs));
        }
    }
    Ok(())
}

fn unknown(what: &str, given: &str, names: &[&str]) -> ToolError {
    let meant = match near(given, names.iter().copied()).as_slice() {
        [] => String::new(),
        near => format!("did you mean {}? ", near.join(", ")),
    };
    ToolError::new(Code::NotFound, format!("no {what} {given:?} is configured"))
        .next(format!("{meant}configured: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<Known> {
        let of = |server: &str, orgs: &[&str]| Known {
            server: server.to_owned(),
            orgs: Some(orgs.iter().map(ToString::to_string).collect()),
        };
        vec![of("acme-prod", &["root", "O4K2Q"]), of("acme-test", &["root"])]
    }

    fn told(servers: &[&str], orgs: &[&str]) -> Option<String> {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let error = among(&known(), &owned(servers), &owned(orgs)).err()?;
        assert_eq!(error.code, Code::NotFound);
        error.next_step
    }

    #[test]
    fn what_is_not_configured_is_refused_with_the_names_that_are() {
        assert_eq!(told(&["acme-prod"], &["O4K2Q"]), None);
        assert_eq!(told(&[], &["O4K2Q"]), None);
        assert_eq!(
            told(&["acme-prd"], &[]).as_deref(),
            Some("did you mean acme-prod? configured: acme-prod, acme-test")
        );
        assert_eq!(told(&["x9"], &[]).as_deref(), Some("configured: acme-prod, acme-test"));
        let of_the_other = told(&["acme-test"], &["O4K2Q"]);
        assert_eq!(of_the_other.as_deref(), Some("configured: root"));
    }
}
