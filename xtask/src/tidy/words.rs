//! Words that belong to one machine and not to the project: paths, addresses of registries.

use std::env;
use std::fs;

use anyhow::Context;

use super::Findings;
use crate::workspace;

/// Written in pieces, or this file would contain them.
const FORBIDDEN: &[&str] = &[
    concat!("/work", "/"),
    concat!("/opt", "/vr"),
    concat!("..", "/shared"),
    concat!("index", ".crates.io"),
    concat!("static", ".crates.io"),
    concat!("files", ".pythonhosted.org"),
    concat!("registry", ".npmjs.org"),
    concat!("proxy", ".golang.org"),
];

pub(super) fn check() -> anyhow::Result<Findings> {
    let root = workspace::root();
    let mut words: Vec<String> = FORBIDDEN.iter().map(|word| (*word).to_owned()).collect();
    // Whoever runs this knows best what the paths of this machine look like.
    words.push(root.display().to_string());
    words.extend(env::var_os("CARGO_HOME").and_then(|path| path.into_string().ok()));

    let mut findings = Findings::new();
    for path in workspace::files()? {
        let bytes = match fs::read(root.join(&path)) {
            Ok(bytes) => bytes,
            Err(error) => return Err(error).with_context(|| format!("reading {path}")),
        };
        // What is no text was not typed by anybody.
        if let Ok(text) = str::from_utf8(&bytes) {
            findings.extend(of_text(&path, text, &words));
        }
    }
    Ok(findings)
}

fn of_text(path: &str, text: &str, words: &[String]) -> Findings {
    let mut findings = Findings::new();
    for (index, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(word.as_str())) {
            findings.push(format!("{path}:{}: `{word}` belongs to one machine", index + 1));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_with_its_line() {
        let words = ["/machine".to_owned()];
        let found = of_text("a.md", "one\nsee /machine/x\n", &words);
        assert_eq!(found, ["a.md:2: `/machine` belongs to one machine"]);
    }
}
