//! Every crate's manifest takes its versions, lints and licence from the workspace.

use std::fs;

use anyhow::Context;
use toml::{Table, Value};

use super::Findings;
use crate::workspace;

/// Keys of `[package]` that are the same for all crates.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];

pub(super) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for package in workspace::packages()? {
        let path = &package.manifest_path;
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Table =
            toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        let name = &package.name;
        findings.extend(of_manifest(&manifest).iter().map(|finding| format!("{name}: {finding}")));
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
    if !inherits(manifest.get("lints")) {
        findings.push("the lints do not come from the workspace".to_owned());
    }
    own_versions(manifest, &mut findings);
    findings
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
            ("[lints]\n        workspace = true", "", "the lints do not come"),
            ("rustix.workspace = true", "rustix = \"1\"", "rustix is not taken"),
            ("serde = { workspace", "log = \"1\"\nserde = { workspace", "log is not taken"),
            ("description = \"an example\"", "", "there is no description"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let found = of_manifest(&toml::from_str(&GOOD.replace(from, to)).unwrap());
            assert!(found.len() == 1 && found[0].starts_with(finding), "{from}: {found:?}");
        }
    }
}
