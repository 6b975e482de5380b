//! Artifacts counted: what `list_artifacts` says of them with detail summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use velociraptor_api::census::Artifacts;

use crate::table;

/// Most names.
const NAMED: usize = 30;

/// How many artifacts there are of which type.
#[derive(Debug, Serialize)]
pub(super) struct Census {
    artifacts: u64,
    types: Vec<OfType>,
    /// Names of those that did not come with the server.
    custom: Vec<String>,
    further_custom: u64,
}

#[derive(Debug, Serialize)]
struct OfType {
    r#type: String,
    artifacts: u64,
    custom: u64,
}

impl Census {
    pub(super) fn of(found: &[Artifacts], mut custom: Vec<String>) -> Self {
        let mut types: BTreeMap<_, (u64, u64)> = BTreeMap::new();
        for some in found {
            let of_type = types.entry(some.r#type).or_default();
            of_type.0 += some.count;
            of_type.1 += if some.built_in { 0 } else { some.count };
        }
        let all: u64 = found.iter().filter(|some| !some.built_in).map(|some| some.count).sum();
        custom.truncate(NAMED);
        Self {
            artifacts: found.iter().map(|some| some.count).sum(),
            types: types
                .into_iter()
                .map(|(kind, (artifacts, custom))| OfType {
                    r#type: kind.to_string(),
                    artifacts,
                    custom,
                })
                .collect(),
            further_custom: all.saturating_sub(custom.len() as u64),
            custom,
        }
    }

    pub(super) const fn artifacts(&self) -> u64 {
        self.artifacts
    }

    pub(super) fn write(&self, out: &mut String) {
        let artifacts = if self.artifacts == 1 { "artifact" } else { "artifacts" };
        // Writing into a string cannot fail.
        let _ = write!(out, "{} {artifacts}", self.artifacts);
        if self.artifacts == 0 {
            return;
        }
        out.push('\n');
        let rows = self
            .types
            .iter()
            .map(|of| vec![of.r#type.clone(), of.artifacts.to_string(), of.custom.to_string()]);
        table::write(out, &["type", "artifacts", "custom"], rows);
        if !self.custom.is_empty() {
            let names: Vec<String> = self.custom.iter().map(|name| table::line_of(name)).collect();
            let _ = write!(out, "\ncustom: {}", names.join(", "));
            if self.further_custom > 0 {
                let _ = write!(out, ", and {} more", self.further_custom);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use velociraptor_api::artifacts::ArtifactKind;

    use super::*;

    #[test]
    fn artifacts_read_as_counts_and_the_custom_ones_by_name() {
        let some = |kind, built_in, count| Artifacts { r#type: kind, built_in, count };
        let found = [
            some(ArtifactKind::Client, true, 262),
            some(ArtifactKind::Client, false, 2),
            some(ArtifactKind::Server, true, 90),
        ];
        let mut out = String::new();
        let custom = vec![String::from("Custom.One"), String::from("Custom.Two")];
        Census::of(&found, custom).write(&mut out);
        insta::assert_snapshot!(out, @r"
        354 artifacts
        type    artifacts  custom
        client  264        2
        server  90         0
        custom: Custom.One, Custom.Two
        ");
    }
}
