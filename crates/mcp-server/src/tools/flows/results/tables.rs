//! The tables of a flow: which to read, how large they are, and why one has no rows.

use velociraptor_api::flow_results::Table;
use velociraptor_api::flows::Flow;
use velociraptor_api::near::near;
use velociraptor_api::{Fault, Session, artifacts};

use crate::tool_error::{Code, ToolError};

/// How many rows the tables of these names have together.
pub(super) fn total(sizes: &[Table], names: &[String]) -> u64 {
    sizes.iter().filter(|table| names.contains(&table.name)).map(|table| table.rows).sum()
}

/// The tables to read, in the order of their names: the one that was named, else all with rows.
pub(in crate::tools) fn wanted(flow: &Flow, named: Option<&str>) -> Result<Vec<String>, ToolError> {
    let mut tables = flow.tables.clone();
    tables.sort_unstable();
    let Some(named) = named.map(str::trim).filter(|name| !name.is_empty()) else {
        return Ok(tables);
    };
    if let Some(table) = tables.iter().find(|table| *table == named) {
        return Ok(vec![table.clone()]);
    }
    let of_artifact: Vec<String> = tables
        .iter()
        .filter(|table| table.strip_prefix(named).is_some_and(|rest| rest.starts_with('/')))
        .cloned()
        .collect();
    let artifact = named.split('/').next().unwrap_or(named);
    if !of_artifact.is_empty() || flow.artifacts.iter().any(|known| known == artifact) {
        // Collected, and without rows where there is no such table.
        return Ok(of_artifact);
    }
    let collected = flow.artifacts.join(", ");
    Err(ToolError::new(
        Code::NotFound,
        format!("flow {} did not collect {artifact:?}", flow.flow_id),
    )
    .next(meant(artifact, &flow.artifacts, &format!("it collected {collected}"))))
}

/// Refuses a name that no source of the artifact has: that such a table has no rows says nothing.
/// What an artifact that was deleted since had for sources is not known, and passes.
pub(in crate::tools) async fn exists(
    session: &Session<'_>,
    flow: &Flow,
    named: &str,
) -> Result<(), ToolError> {
    let named = named.trim();
    let Some((artifact, _)) = named.split_once('/') else { return Ok(()) };
    let mut tables = match artifacts::definition(session, artifact).await {
        Ok(definition) => definition.tables(),
        Err(Fault::UnknownArtifact { .. }) => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    // As it was collected it may have had others.
    let of_artifact = flow.tables.iter().filter(|table| table.split('/').next() == Some(artifact));
    tables.extend(of_artifact.cloned());
    tables.sort_unstable();
    tables.dedup();
    if tables.iter().any(|table| table == named) {
        return Ok(());
    }
    let message = format!("there is no table {named:?}: {artifact} has no such source");
    let has = format!("its tables are {}", tables.join(", "));
    Err(ToolError::new(Code::NotFound, message).next(meant(named, &tables, &has)))
}

/// The names that come near, or else what there is.
fn meant(given: &str, names: &[String], otherwise: &str) -> String {
    match near(given, names.iter().map(String::as_str)).as_slice() {
        [] => otherwise.to_owned(),
        near => format!("did you mean {}? {otherwise}", near.join(", ")),
    }
}

/// A table that was named has no rows: say which have some.
pub(in crate::tools) fn no_rows(flow: &Flow, named: Option<&str>) -> Option<String> {
    let others = match flow.tables.as_slice() {
        [] => String::from("no table of it has"),
        tables => format!("these have: {}", tables.join(", ")),
    };
    named.map(|named| format!("{} has no rows in this flow; {others}", named.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(tables: &[&str], artifacts: &[&str]) -> Flow {
        serde_json::from_value(serde_json::json!({
            "ClientId": "C.0123456789abcdef", "FlowId": "F.A", "Artifacts": artifacts,
            "Creator": "ada", "State": "FINISHED", "Status": "", "Created": 1, "Started": 1,
            "Active": 1, "Duration": 1, "Rows": 2, "UploadedFiles": 0, "UploadedBytes": 0,
            "Logs": 0, "Tables": tables,
        }))
        .unwrap()
    }

    #[test]
    fn d06_without_a_name_every_table_is_read_and_an_artifact_means_its_sources() {
        let flow = flow(&["G/B", "G/A", "P"], &["G", "P", "Q"]);
        assert_eq!(wanted(&flow, None).unwrap(), ["G/A", "G/B", "P"]);
        assert_eq!(wanted(&flow, Some("G")).unwrap(), ["G/A", "G/B"]);
        assert_eq!(wanted(&flow, Some("G/B")).unwrap(), ["G/B"]);
        assert!(wanted(&flow, Some("Q")).unwrap().is_empty());
        let error = wanted(&flow, Some("X")).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert!(error.next_step.unwrap().contains("G, P, Q"));
    }

    #[test]
    fn only_the_tables_that_are_read_count() {
        let table = |name: &str, rows| Table { name: name.to_owned(), rows };
        let sizes = [table("A/B", 5), table("A/C", 2), table("D", 9)];
        assert_eq!(total(&sizes, &[String::from("A/B"), String::from("A/C")]), 7);
        assert_eq!(total(&sizes, &[]), 0);
    }
}
