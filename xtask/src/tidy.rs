//! `cargo xtask tidy`: the rules of the house that the compiler does not know.
//!
//! A check looks at the tree and returns what is wrong with it, one line for each finding, with the
//! place first. The same checks run as tests, so nobody has to remember this command.

mod layers;
mod manifests;
mod readme;
mod sources;
mod threats;
mod words;

use anyhow::bail;

use crate::codegen;

/// What a check found: one line for each.
type Findings = Vec<String>;

type Check = fn() -> anyhow::Result<Findings>;

const CHECKS: &[(&str, Check)] = &[
    ("layers", layers::check),
    ("manifests", manifests::check),
    ("sources", sources::check),
    ("words", words::check),
    ("readme", readme::check),
    ("threats", threats::check),
];

pub(crate) fn run() -> anyhow::Result<()> {
    let mut wrong = 0;
    for (name, check) in CHECKS {
        let findings = check()?;
        wrong += findings.len();
        for finding in &findings {
            println!("{name}: {finding}");
        }
    }
    codegen::run(&codegen::Options { check: true })?;
    if wrong > 0 {
        bail!("{wrong} findings");
    }
    println!("tidy");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_keeps_the_rules() {
        for (name, check) in CHECKS {
            let findings = check().unwrap();
            assert!(findings.is_empty(), "{name}:\n{}", findings.join("\n"));
        }
    }
}
