//! What a flow did not look at: artifacts for other systems, and queries whose preconditions do
//! not hold. That they found nothing says nothing.

use velociraptor_api::flows::{self, Applied, Flow, FlowState, FlowStatus};
use velociraptor_api::{Fault, Os, Session, artifacts};

use crate::tool_error::ToolError;

/// A sentence for each artifact without rows that is for another system than the client's, or one
/// for the whole flow where none of its queries applied. `named` is the one table that is asked
/// about; `status` is read where it is not known yet.
pub(in crate::tools) async fn not_looked(
    session: &Session<'_>,
    flow: &Flow,
    status: Option<&FlowStatus>,
    named: Option<&str>,
    os: Option<Os>,
) -> Result<Vec<String>, ToolError> {
    let mut said = Vec::new();
    if let Some(os) = os {
        said = for_others(session, flow, named, os).await?;
    }
    let silent = flow.state == FlowState::Finished && flow.rows == 0 && flow.uploaded_files == 0;
    if said.is_empty() && silent {
        let read;
        let status = match status {
            Some(status) => status,
            None => {
                read = flows::status(session, &flow.client_id, &flow.flow_id).await?;
                &read
            }
        };
        match flows::applied(session, status).await? {
            Applied::Somewhere => {}
            Applied::Nowhere => said.push(String::from(
                "the preconditions of its artifacts do not hold on this client: it did not look, \
                 so that it found nothing says nothing",
            )),
            Applied::NotKnown => said.push(String::from(
                "its log lacks the lines that would say whether it looked at all (agents can lose them): \
                 that it found nothing is not established; collect it again",
            )),
        }
    }
    Ok(said)
}

async fn for_others(
    session: &Session<'_>,
    flow: &Flow,
    named: Option<&str>,
    os: Os,
) -> Result<Vec<String>, ToolError> {
    let artifact = |table: &str| table.split('/').next().unwrap_or(table).to_owned();
    let named = named.map(|named| artifact(named.trim()));
    let silent = flow.artifacts.iter().filter(|name| {
        named.as_ref().is_none_or(|named| named == *name)
            && !flow.tables.iter().any(|table| artifact(table) == **name)
    });
    let mut said = Vec::new();
    for name in silent {
        let systems = match artifacts::definition(session, name).await {
            Ok(definition) => definition.systems(),
            // Deleted since: nothing is known of it any more.
            Err(Fault::UnknownArtifact { .. }) => continue,
            Err(fault) => return Err(fault.into()),
        };
        if !systems.is_empty() && !systems.contains(&os) {
            let systems: Vec<&str> = systems.iter().map(|os| os.as_str()).collect();
            said.push(format!(
                "{name} is for {} and the client runs {}: it did not look, so that it found \
                 nothing says nothing",
                systems.join(", "),
                os.as_str()
            ));
        }
    }
    Ok(said)
}
