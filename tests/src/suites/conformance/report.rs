//! What the conformance suite wrote about its scenarios, and what it is judged by.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::Value;

use crate::suite::Cases;

/// A check that does not hold, by scenario and its own id, and why that is right.
pub(super) type Expected = (&'static str, &'static str, &'static str);

/// The checks of each scenario that was run.
#[derive(Debug, Default)]
pub(super) struct Report(BTreeMap<String, Vec<Check>>);

#[derive(Debug)]
struct Check {
    id: String,
    status: String,
    message: String,
}

impl Check {
    /// Neither what must be nor what should be.
    fn fails(&self) -> bool {
        ["FAILURE", "WARNING"].contains(&self.status.as_str())
    }
}

/// Reads the folders `server-SCENARIO-TIME` that a run leaves.
///
/// # Errors
/// One has another form.
pub(super) fn read(folder: &Path) -> anyhow::Result<Report> {
    let mut scenarios = BTreeMap::new();
    for entry in std::fs::read_dir(folder).context("the suite left no results")? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let scenario = scenario(name).with_context(|| format!("{name} names no scenario"))?;
        let text = std::fs::read_to_string(path.join("checks.json"))?;
        let checks: Vec<Value> = serde_json::from_str(&text)?;
        let checks: Vec<_> = checks
            .iter()
            .map(|check| {
                let text = |key| check[key].as_str().unwrap_or_default().to_owned();
                Check { id: text("id"), status: text("status"), message: text("errorMessage") }
            })
            .collect();
        ensure!(!checks.is_empty(), "{scenario} checked nothing");
        scenarios.insert(scenario.to_owned(), checks);
    }
    Ok(Report(scenarios))
}

/// `server-tools-list-2026-11-21T16-17-16-825Z` is of `tools-list`.
fn scenario(folder: &str) -> Option<&str> {
    let rest = folder.strip_prefix("server-")?;
    let time = rest.len().checked_sub("-2026-11-21T16-17-16-825Z".len())?;
    rest.get(time..)?.starts_with("-2").then(|| &rest[..time])
}

/// The server scenarios of a file of requirements.
///
/// # Errors
/// It has none.
pub(super) fn required(text: &str) -> anyhow::Result<Vec<String>> {
    let names: Vec<_> = text
        .lines()
        .skip_while(|line| *line != "server:")
        .skip(1)
        .take_while(|line| line.starts_with(' ') || line.is_empty())
        .filter_map(|line| line.trim().strip_prefix("- ").map(str::to_owned))
        .collect();
    ensure!(!names.is_empty(), "no server scenarios are required");
    Ok(names)
}

/// Records each of these scenarios as a case.
pub(super) fn record(
    cases: &mut Cases,
    whom: &str,
    report: &Report,
    scenarios: &[String],
    expected: &[Expected],
) {
    for scenario in scenarios {
        let expected: Vec<_> =
            expected.iter().filter(|(of, _, _)| of == scenario).copied().collect();
        let verdict = judge(report, scenario, &expected);
        if cases.record(format!("{whom}: {scenario}"), verdict) {
            for (_, check, reason) in expected {
                cases.skip(format!("{whom}: {scenario}: {check}"), reason);
            }
        }
    }
}

fn judge(report: &Report, scenario: &str, expected: &[Expected]) -> anyhow::Result<()> {
    let checks = report.0.get(scenario).context("it was not run")?;
    ensure!(checks.iter().any(|check| check.status == "SUCCESS"), "no check passed: {checks:?}");
    let expects = |id: &str| expected.iter().any(|(_, check, _)| *check == id);
    let failed: Vec<_> = checks
        .iter()
        .filter(|check| check.fails() && !expects(&check.id))
        .map(|check| format!("{}: {}", check.id, check.message))
        .collect();
    if !failed.is_empty() {
        return Err(anyhow!(failed.join("; ")));
    }
    for (_, id, _) in expected {
        if !checks.iter().any(|check| check.id == *id && check.fails()) {
            bail!("{id} is expected to fail, and does not: take it off the list");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: &[(&str, &str)]) -> Report {
        let checks = checks
            .iter()
            .map(|(id, status)| Check {
                id: (*id).to_owned(),
                status: (*status).to_owned(),
                message: String::new(),
            })
            .collect();
        Report(BTreeMap::from([("s".to_owned(), checks)]))
    }

    #[test]
    fn a_scenario_holds_only_if_it_ran_and_fails_as_expected() {
        let good = report(&[("a", "SUCCESS"), ("b", "SKIPPED")]);
        assert!(judge(&good, "s", &[]).is_ok());
        assert!(judge(&good, "other", &[]).is_err());
        assert!(judge(&good, "s", &[("s", "a", "why")]).is_err());
        let bad = report(&[("a", "SUCCESS"), ("b", "FAILURE")]);
        assert!(judge(&bad, "s", &[]).is_err());
        assert!(judge(&bad, "s", &[("s", "b", "why")]).is_ok());
        assert!(judge(&report(&[("a", "WARNING"), ("b", "SUCCESS")]), "s", &[]).is_err());
        assert!(judge(&report(&[("a", "SKIPPED")]), "s", &[]).is_err());
    }

    #[test]
    fn names_are_read() {
        assert_eq!(scenario("server-tools-list-2026-11-21T16-17-16-825Z"), Some("tools-list"));
        assert_eq!(scenario("server-x"), None);
        let text = "# c\nserver:\n  - ping\n  - tools-list\n\nclient:\n  - initialize\n";
        assert_eq!(required(text).unwrap(), ["ping", "tools-list"]);
        assert!(required("client:\n  - a\n").is_err());
    }
}
