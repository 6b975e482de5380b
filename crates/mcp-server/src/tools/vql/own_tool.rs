//! Functions of VQL that change something on the server, and the tools that do the same.

use vql_builder::ast::Program;

use crate::context::ToolCx;

/// A function or plugin, its tool, and what the tool does beside it.
const TOOLS: &[(&str, &str, &str)] = &[
    ("label", "label_client", "it sets and takes off labels and reads them back"),
    ("collect_client", "collect_artifact", "it collects from endpoints and waits for the rows"),
    ("cancel_flow", "cancel_flow", "it cancels a flow and leaves one that has ended as it is"),
    ("hunt", "create_hunt", "it makes a hunt and says whom it reaches"),
    ("hunt_add", "create_hunt", "it makes a hunt over a list of clients"),
    ("hunt_update", "modify_hunt", "it starts, stops and describes hunts"),
];

/// A word about the tools for what a text calls, as far as this caller has them.
pub(super) fn hint(cx: &ToolCx<'_>, program: &Program) -> Option<String> {
    let told: Vec<String> = of(program)
        .into_iter()
        .filter(|(_, tool, _)| cx.services.tool(tool).is_ok())
        .map(|(call, tool, does)| format!("use the tool {tool} and not {call}() here: {does}"))
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What a text calls of them, each once.
fn of(program: &Program) -> Vec<(&'static str, &'static str, &'static str)> {
    let defined = program.definitions();
    let mut found = Vec::new();
    for call in program.calls() {
        let known = TOOLS.iter().find(|(name, ..)| *name == call.name);
        if let Some(known) = known.filter(|(name, ..)| !defined.contains(name))
            && !found.contains(known)
        {
            found.push(*known);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use vql_builder::effects::{Kind, lookup};

    use super::*;
    use crate::tools::FAMILIES;

    #[test]
    fn each_tool_is_there_and_each_function_is_known() {
        let tools: Vec<_> =
            FAMILIES.iter().flat_map(|family| family.tools).map(|tool| tool.name).collect();
        for (call, tool, _) in TOOLS {
            assert!(tools.contains(tool), "{tool}");
            assert!(
                [Kind::Function, Kind::Plugin].iter().any(|kind| lookup(*kind, call).is_some()),
                "{call}"
            );
        }
    }

    #[test]
    fn a_call_is_found_wherever_it_stands_and_once() {
        let of = |text: &str| {
            let program = vql_builder::parse(text).program().unwrap();
            of(&program).into_iter().map(|(_, tool, _)| tool).collect::<Vec<_>>()
        };
        assert_eq!(
            of("SELECT label(op='set'), label(op='check') FROM clients()"),
            ["label_client"]
        );
        assert_eq!(
            of("SELECT { SELECT cancel_flow(flow_id=F) FROM scope() }, hunt() FROM scope()"),
            ["cancel_flow", "create_hunt"]
        );
        assert!(of("LET label(x) = x SELECT label(x=1), hunt_id FROM hunts()").is_empty());
    }
}
