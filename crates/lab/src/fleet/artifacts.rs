//! The artifacts that the lab comes with: names, parameters, sources and columns as in 0.77.2,
//! queries over the simulated machines' tables.

use crate::world::Definition;

/// Files of several definitions, separated by lines of three dashes.
const FILES: &[&str] = &[
    include_str!("../../data/artifacts/generic.yaml"),
    include_str!("../../data/artifacts/lab.yaml"),
    include_str!("../../data/artifacts/linux.yaml"),
    include_str!("../../data/artifacts/macos.yaml"),
    include_str!("../../data/artifacts/server.yaml"),
    include_str!("../../data/artifacts/windows.yaml"),
];

/// All of them.
///
/// # Errors
/// A mistake in a file, with the name of the definition.
pub(crate) fn built_in() -> Result<Vec<Definition>, String> {
    FILES
        .iter()
        .flat_map(|file| file.split("\n---\n"))
        .map(|text| {
            // Those of the lab itself are custom ones: they may be replaced and removed.
            let own = text.trim_start().starts_with("name: Custom.");
            Definition::parse(text, !own)
                .map_err(|error| format!("{}: {error}", text.lines().next().unwrap_or_default()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_well_formed_and_its_vql_parses() {
        let definitions = built_in().unwrap();
        assert!(definitions.len() >= 40, "{} definitions", definitions.len());
        for definition in definitions {
            for source in &definition.sources {
                crate::eval::Text::parse(&source.query)
                    .unwrap_or_else(|error| panic!("{}: {error}", definition.name));
            }
        }
    }
}
