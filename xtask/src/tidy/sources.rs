//! Every source file says what it is for, and is short enough to be read at one sitting.

use std::fs;

use anyhow::Context;

use super::Findings;
use crate::workspace;

/// A file beyond this holds two ideas.
const MAX_LINES: usize = 600;

pub(super) fn check() -> anyhow::Result<Findings> {
    let mut findings = Findings::new();
    for path in workspace::files()?.iter().filter(|path| path.ends_with(".rs")) {
        let text = fs::read_to_string(workspace::root().join(path))
            .with_context(|| format!("reading {path}"))?;
        findings.extend(of_source(path, &text));
    }
    Ok(findings)
}

fn of_source(path: &str, text: &str) -> Option<String> {
    let generated = path.contains("/generated/");
    let lines = text.lines().count();
    if !text.starts_with("//! ") {
        return Some(format!("{path}:1: the file does not begin with a `//!` line on its purpose"));
    }
    if path.ends_with("/mod.rs") {
        return Some(format!("{path}: a module is `name.rs` with a folder `name`, not `mod.rs`"));
    }
    (lines > MAX_LINES && !generated)
        .then(|| format!("{path}: {lines} lines are more than {MAX_LINES}; cut it in two"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_is_judged_by_its_text_and_its_name() {
        let long = format!("//! Long.\n{}", "\n".repeat(MAX_LINES));
        assert_eq!(of_source("a/src/lib.rs", "//! Fine.\n"), None);
        assert_eq!(of_source("a/src/generated/x.rs", &long), None);
        for (path, text) in
            [("a/src/lib.rs", "use x;\n"), ("a/src/lib.rs", &long), ("a/src/b/mod.rs", "//! B.\n")]
        {
            assert!(of_source(path, text).is_some(), "{path}");
        }
    }
}
