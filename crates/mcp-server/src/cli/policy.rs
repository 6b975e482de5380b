//! `megaraptor policy`: what may run, what is asked for, and where that was set.

use std::process::ExitCode;

use guard::policy::{PREFIX, Shown};
use serde_json::{Value, json};

use super::{Form, Global, output};
use crate::tool_error::ToolError;

pub(super) fn run(global: &Global) -> Result<ExitCode, ToolError> {
    let targets = if global.lab { Vec::new() } else { global.targets()? };
    let policy = global.policy(&targets)?;
    match global.output {
        Form::Json => {
            let keys: Vec<Value> = policy
                .shown()
                .into_iter()
                .map(|key| {
                    json!({
                        "key": key.name, "value": key.value, "set_by": key.origin.to_string(),
                        "what": key.says,
                    })
                })
                .collect();
            output::json(&Value::Array(keys))?;
        }
        Form::Text => {
            let shown = written(&policy.shown(), output::width());
            output::result(&format!(
                "{shown}\n\nSet a key in the table [policy] of megaraptor.toml, in {PREFIX}KEY, or \
                 with\n--policy KEY=VALUE; the later wins."
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line for each key where that fits into the width; else what a key does stands below it. No
/// value is cut: it may be the one that matters.
fn written(keys: &[Shown], width: usize) -> String {
    let one_line = |text: &str| text.replace(['\n', '\r', '\t'], " ");
    let rows: Vec<[String; 4]> = std::iter::once(["key", "value", "set by", "what"].map(one_line))
        .chain(
            keys.iter()
                .map(|key| [key.name, &key.value, &key.origin.to_string(), key.says].map(one_line)),
        )
        .collect();
    let widest = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let (key, value, origin) = (widest(0), widest(1), widest(2));
    if key + value + origin + widest(3) + 6 <= width {
        return lines(rows.iter().map(|[name, is, by, says]| {
            format!("{name:<key$}  {is:<value$}  {by:<origin$}  {says}")
        }));
    }
    // What a list holds may be longer than any line.
    lines(rows.iter().skip(1).map(|[name, is, by, says]| {
        let head = wrapped(&format!("{name} = {is}  ({by})"), width, "        ");
        format!("{head}\n{}", wrapped(&format!("    {says}"), width, "    "))
    }))
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// A text in lines of a width, broken at blanks. A word that is longer stays whole.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut out = String::new();
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let length = word.trim_end().chars().count();
        if used + length > width && used > indent.len() {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(indent);
            used = indent.len();
        }
        out.push_str(word);
        used += word.chars().count();
    }
    out
}

#[cfg(test)]
mod tests {
    use guard::policy::Origin;

    use super::*;

    fn keys() -> Vec<Shown> {
        let ids: Vec<String> = (0..12).map(|n| format!("C.{n:016x}")).collect();
        let key = |name, value: &str, says| Shown {
            name,
            value: value.to_owned(),
            origin: Origin::Default,
            says,
        };
        vec![
            key("read", "allow", "what reads: allow, ask or deny"),
            key("protected_clients", &ids.join(", "), "ids of clients that nothing changes"),
        ]
    }

    #[test]
    fn no_value_is_cut_and_no_line_is_wider_than_the_terminal() {
        for width in [40, 80, 100] {
            let shown = written(&keys(), width);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
            assert!(shown.contains("C.000000000000000b") && !shown.contains('…'), "{shown}");
        }
        let shown = written(&keys()[..1], 80);
        assert_eq!(shown.lines().count(), 2, "a table where it fits: {shown}");
        assert_eq!(written(&keys(), usize::MAX).lines().count(), 3, "a pipe is not wrapped");
    }
}
