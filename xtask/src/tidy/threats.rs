//! Each test that the threat table names exists.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Findings;
use crate::workspace;

/// Where the table stands.
const TABLE: &str = "SECURITY.md";

/// The folders that hold tests.
const SOURCES: [&str; 2] = ["crates", "tests/src"];

/// Fewer names would mean that the table was not found.
const LEAST: usize = 20;

pub(super) fn check() -> anyhow::Result<Findings> {
    let root = workspace::root();
    let table = fs::read_to_string(root.join(TABLE)).context(TABLE)?;
    let mut sources = String::new();
    for folder in SOURCES {
        read(&root.join(folder), &mut sources)?;
    }
    let names = names(&table);
    if names.len() < LEAST {
        return Ok(vec![format!("{TABLE}: only {} tests are named", names.len())]);
    }
    Ok(findings(&names, &sources))
}

fn findings(names: &[&str], sources: &str) -> Findings {
    let missing = names.iter().filter(|name| !sources.contains(*name));
    missing.map(|name| format!("{TABLE}: there is no test {name:?}")).collect()
}

/// What stands in the table in slanted letters.
fn names(table: &str) -> Vec<&str> {
    let rows = table.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| {
        // What is in bold are the threats: between two stars, and so empty here.
        let plain = row.split("**").step_by(2);
        plain.flat_map(|text| text.split('*').skip(1).step_by(2))
    })
    .collect()
}

fn read(folder: &Path, into: &mut String) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, into)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push_str(&fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_gone_is_named() {
        let table = "*not here*\n| **A threat** *once* | `x`: *this_one*, *that one* | **b** |\n";
        let names = names(table);
        assert_eq!(names, ["once", "this_one", "that one"]);
        let sources = "fn this_one() {} case(\"that one\")";
        assert_eq!(findings(&names, sources), ["SECURITY.md: there is no test \"once\""]);
    }
}
