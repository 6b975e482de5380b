//! Every crate's manifest takes its versions, lints and licence from the workspace.

use std::fs;

use anyhow::Context;
use toml::{Table, Value};

use super::Findings;
use crate::workspace;

/// Keys of `[package]` that are the same for all crates.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

/// Crates that call the system in a way that the standard library does not offer. Their lints are
/// those of the workspace, but for unsafe code: it is denied, and expected in one file by name.
const CALLS_THE_SYSTEM: &[&str] = &["owner-only"];

pub(super) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    let root = workspace::root().join("Cargo.toml");
    let root = fs::read_to_string(root).context("reading Cargo.toml")?;
    let root: Table = toml::from_str(&root).context("parsing Cargo.toml")?;
    let lints = root["workspace"].get("lints").and_then(Value::as_table);
    let lints = lints.context("Cargo.toml has no lints for the workspace")?;
    for package in workspace::packages()? {
        let path = &package.manifest_path;
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Table =
            toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        let name = &package.name;
        let mut found = of_manifest(&manifest);
        found.extend(of_lints(manifest.get("lints"), lints, CALLS_THE_SYSTEM.contains(&&**name)));
        findings.extend(found.iter().map(|finding| format!("{name}: {finding}")));
    }
    Ok(findings)
}

fn of_manifest(manifest: &Table) -> Findings {
    let mut findings = Findings::new();
    let package = manifest.get("package");
    for key in INHERITED {
        if !inherits(package.and_then(|package| package.get(key))) {
            findings.push(format!("{key} does not come from the workspace"));
        }
    }
    if package.and_then(|package| package.get("description")).is_none() {
        findings.push("there is no description".to_owned());
    }
    own_versions(manifest, &mut findings);
    findings
}

fn of_lints(own: Option<&Value>, workspace: &Table, calls_the_system: bool) -> Option<String> {
    if inherits(own) {
        return None;
    }
    if !calls_the_system {
        return Some("the lints do not come from the workspace".to_owned());
    }
    workspace.iter().find_map(|(tool, lints)| {
        lints.as_table()?.iter().find_map(|(lint, wanted)| {
            let wanted =
                if lint == "unsafe_code" { Value::from("deny") } else { wanted.to_owned() };
            let found = own.and_then(|own| own.get(tool)).and_then(|own| own.get(lint));
            (found != Some(&wanted))
                .then(|| format!("its lints are not the workspace's: {tool}.{lint} is another"))
        })
    })
}

/// Looks for dependencies with a version or a path of their own, in every table that may hold any.
fn own_versions(table: &Table, findings: &mut Findings) {
    for (key, value) in table {
        let Value::Table(inner) = value else { continue };
        if matches!(key.as_str(), "dependencies" | "dev-dependencies" | "build-dependencies") {
            for (name, dependency) in inner {
                if !inherits(Some(dependency)) {
                    findings.push(format!("{name} is not taken from the workspace's table"));
                }
            }
        } else {
            own_versions(inner, findings);
        }
    }
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        [package]
        name = "x"
        description = "an example"
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        publish.workspace = true
        [dependencies]
        serde = { workspace = true, features = ["derive"] }
        [target.'cfg(unix)'.dependencies]
        rustix.workspace = true
        [lints]
        workspace = true
    "#;

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        assert_eq!(of_manifest(&toml::from_str(GOOD).unwrap()), Findings::new());
    }

    #[test]
    fn each_departure_is_named() {
        for (from, to, finding) in [
            ("edition.workspace = true", "edition = \"2021\"", "edition does not come"),
            ("rustix.workspace = true", "rustix = \"1\"", "rustix is not taken"),
            ("serde = { workspace", "log = \"1\"\nserde = { workspace", "log is not taken"),
            ("description = \"an example\"", "", "there is no description"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let found = of_manifest(&toml::from_str(&GOOD.replace(from, to)).unwrap());
            assert!(found.len() == 1 && found[0].starts_with(finding), "{from}: {found:?}");
        }
    }

    #[test]
    fn lints_are_the_workspaces_and_one_crate_may_call_the_system() {
        let workspace: Table =
            toml::from_str("rust = { unsafe_code = \"forbid\" }\nclippy = { todo = \"warn\" }")
                .unwrap();
        let of = |text: &str, calls| {
            let own: Table = toml::from_str(text).unwrap();
            of_lints(own.get("lints"), &workspace, calls)
        };
        let same = "[lints]\nrust = { unsafe_code = \"deny\" }\nclippy = { todo = \"warn\" }";
        assert_eq!(of(GOOD, false), None);
        assert_eq!(of(same, true), None);
        for (text, calls, finding) in [
            ("", false, "the lints do not come"),
            ("", true, "its lints are not the workspace's"),
            (same, false, "the lints do not come"),
            (&same.replace("deny", "allow"), true, "rust.unsafe_code is another"),
            (&same.replace("todo", "dbg_macro"), true, "clippy.todo is another"),
        ] {
            let found = of(text, calls).unwrap_or_default();
            assert!(found.contains(finding), "{text}: {found}");
        }
    }
}
