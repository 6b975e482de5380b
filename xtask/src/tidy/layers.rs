//! Who may depend on whom.
//!
//! A crate depends on crates of lower layers only, and on none of its own: what must meet within a
//! layer meets as trait objects, put together in `mcp-server`. A few outside crates have one owner
//! each, so that what they stand for (the wire, MCP, the command line) cannot leak.

use super::Findings;
use crate::workspace::{self, Package};

/// Every crate of the product with its layer, from the lowest.
const LAYERS: &[(&str, u8)] = &[
    ("owner-only", 0),
    ("secret", 0),
    ("systemd-units", 0),
    ("vql-builder", 0),
    ("pki", 1),
    ("packages", 1),
    ("credstore", 1),
    ("velociraptor-api", 1),
    ("velociraptor-config", 1),
    ("deploy-core", 2),
    ("guard", 2),
    ("lab", 2),
    ("agent-kits", 3),
    ("deploy-docker", 3),
    ("deploy-linux", 3),
    ("mcp-server", 4),
];

/// Crates that are not part of the product. They may use everything, and nothing uses them.
const TOOLS: &[&str] = &["integration-tests", "xtask"];

/// Outside crates that only the named crates of the workspace may use.
const OWNED: &[(&str, &[&str])] = &[
    ("age", &["credstore"]),
    ("anyhow", &["integration-tests", "xtask"]),
    ("ar", &["agent-kits"]),
    ("apple-native-keyring-store", &["credstore"]),
    ("axum", &["mcp-server"]),
    ("bollard", &["deploy-docker"]),
    ("clap", &["mcp-server", "xtask"]),
    ("clap_complete", &["mcp-server"]),
    ("flate2", &["agent-kits", "deploy-core", "integration-tests"]),
    ("hyper", &["deploy-core", "mcp-server", "packages"]),
    ("hyper-util", &["deploy-core", "mcp-server", "packages"]),
    ("md-5", &["agent-kits"]),
    ("pgp", &["packages"]),
    ("keyring-core", &["credstore"]),
    ("prost", &["velociraptor-api", "lab"]),
    ("protox", &["xtask"]),
    ("rmcp", &["mcp-server"]),
    ("rustls-native-certs", &["packages"]),
    ("schemars", &["mcp-server"]),
    ("tonic", &["velociraptor-api", "lab"]),
    ("tonic-prost", &["velociraptor-api", "lab"]),
    ("tonic-prost-build", &["xtask"]),
    ("windows-native-keyring-store", &["credstore"]),
    ("windows-sys", &["owner-only"]),
];

pub(super) fn check() -> anyhow::Result<Findings> {
    Ok(findings(&workspace::packages()?))
}

fn findings(packages: &[Package]) -> Findings {
    let mut findings = Findings::new();
    for package in packages {
        let name = package.name.as_str();
        let is_tool = TOOLS.contains(&name);
        let own = layer(name);
        if own.is_none() && !is_tool {
            findings.push(format!(
                "{name} has no layer: give it one in xtask/src/tidy/layers.rs and ARCHITECTURE.md"
            ));
        }
        for dependency in &package.dependencies {
            let other = dependency.name.as_str();
            if let Some((_, owners)) = OWNED.iter().find(|(owned, _)| *owned == other)
                && !owners.contains(&name)
            {
                findings
                    .push(format!("{name} uses {other}, which is for {} only", owners.join(", ")));
            }
            if TOOLS.contains(&other) {
                findings
                    .push(format!("{name} depends on {other}, which is no part of the product"));
            }
            // The lab is a server to test against, for crates below it too.
            if dependency.kind.as_deref() == Some("dev") && other == "lab" {
                continue;
            }
            if let (Some(own), Some(layer)) = (own, layer(other))
                && layer >= own
                && other != name
            {
                findings.push(format!(
                    "{name} (layer {own}) depends on {other} (layer {layer}): only lower layers may be used"
                ));
            }
        }
    }
    findings
}

fn layer(name: &str) -> Option<u8> {
    LAYERS.iter().find(|(crate_name, _)| *crate_name == name).map(|(_, layer)| *layer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        Package {
            name: name.into(),
            manifest_path: "Cargo.toml".into(),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency {
                    name: (*name).into(),
                    kind: kind.map(str::to_owned),
                })
                .collect(),
        }
    }

    #[test]
    fn only_lower_layers_may_be_used() {
        let good = [
            package("velociraptor-api", &[("secret", None), ("lab", Some("dev")), ("tonic", None)]),
            package("xtask", &[("mcp-server", None), ("clap", None)]),
        ];
        assert_eq!(findings(&good), Findings::new());

        let upwards = findings(&[package("velociraptor-api", &[("lab", None)])]);
        assert!(upwards[0].contains("only lower layers"), "{upwards:?}");
        let sibling = findings(&[package("secret", &[("vql-builder", Some("dev"))])]);
        assert!(sibling[0].contains("only lower layers"), "{sibling:?}");
        let on_the_shell = findings(&[package("lab", &[("mcp-server", Some("dev"))])]);
        assert!(on_the_shell[0].contains("only lower layers"), "{on_the_shell:?}");
    }

    #[test]
    fn owned_crates_stay_with_their_owner() {
        let found = findings(&[package("mcp-server", &[("tonic", None), ("rmcp", None)])]);
        assert_eq!(found, ["mcp-server uses tonic, which is for velociraptor-api, lab only"]);
        let found = findings(&[package("lab", &[("xtask", None)])]);
        assert_eq!(found, ["lab depends on xtask, which is no part of the product"]);
    }

    #[test]
    fn a_new_crate_needs_a_layer() {
        let found = findings(&[package("utils", &[])]);
        assert!(found[0].starts_with("utils has no layer"), "{found:?}");
    }
}
