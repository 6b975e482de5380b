//! What is told of a hunt by what it was compiled to.

use serde_json::json;

use super::*;

const X: &str = "SELECT * FROM info() WHERE Hostname = 'x'";

fn definition(own: &str, sources: [&str; 2]) -> Definition {
    let sources = sources.map(|text| json!({ "precondition": text, "query": "SELECT 1" }));
    serde_json::from_value(json!({
        "Name": "A", "Type": "client", "Description": "", "Author": "", "Reference": [],
        "Aliases": [], "BuiltIn": false, "RequiredPermissions": [], "ImpliedPermissions": [],
        "Impersonate": "", "Precondition": own, "Parameters": [], "Sources": sources,
        "Imports": [], "Export": "", "Tools": [], "ColumnTypes": [], "Resources": {},
        "Metadata": {},
    }))
    .unwrap()
}

fn compiled(preconditions: &[&str]) -> Compiled {
    let parts = preconditions.iter().map(|text| json!({ "precondition": text }));
    serde_json::from_value(parts.collect()).unwrap()
}

#[test]
fn conditions_are_held_against_what_was_compiled_part_by_part() {
    let preamble = format!("LET N <= int(int=N){X}");
    for (kept, now, same) in [
        (&[""][..], vec![definition("", ["", ""])], true),
        (&[preamble.as_str()], vec![definition(X, ["", ""])], true),
        // A condition of the artifact is the only one.
        (&[X], vec![definition(X, [X, ""])], true),
        (&[X, ""], vec![definition("", [X, ""])], true),
        // The other source has it now, or the whole artifact.
        (&[X, ""], vec![definition("", ["", X])], false),
        (&[X, ""], vec![definition(X, ["", ""])], false),
        // It was taken away; that another artifact has none does not make up for it.
        (&[X], vec![definition("", ["", ""])], false),
        (&[X, ""], vec![definition("", ["", ""]), definition("", ["", ""])], false),
        (&["", X], vec![definition("", ["", ""])], false),
    ] {
        assert_eq!(compiled(kept).has_conditions_of(&now), same, "{kept:?} {now:?}");
    }
}
