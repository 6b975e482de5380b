//! `megaraptor emergency-stop`: end what was started, whatever else is broken.

use std::process::ExitCode;

use guard::ledger::Ledger;
use guard::record::Clock;

use super::{Form, Global, call, output};
use crate::emergency::{self, Recording};
use crate::keeping::Keeping;
use crate::tool_error::{Code, ToolError};

/// The exit code of a stop that could not end everything: as an answer in part has it.
const IN_PART: u8 = 9;

pub(super) async fn run(global: &Global) -> Result<ExitCode, ToolError> {
    let services = global.services()?;
    let home = global.home()?;
    if services.targets().is_empty() {
        let message = format!(
            "nothing was looked at and nothing was ended: no server is configured here, and what is \
             in {} cannot be ended without",
            home.display()
        );
        return Err(ToolError::new(Code::Unavailable, message)
            .next("give --config or --settings, as for the commands that started it"));
    }
    let ledger = Ledger::open(&home, Clock::of_the_machine()).map_err(|error| {
        ToolError::new(Code::Conflict, format!("the ledger cannot be opened: {error}"))
            .next("list_flows and list_hunts on each server show what runs")
    })?;
    // Settings that cannot be read say how the record is kept, and hold no stop up.
    let keeping = global.keeping().unwrap_or_else(|error| {
        tracing::warn!(%error, "the record is kept by its defaults for this stop");
        Keeping::default()
    });
    let recording = Recording::open(&home, &keeping, services.policy()).await;
    let cancel = call::cancel_on_interrupt();
    let report = emergency::stop(&services, &ledger, recording, &cancel).await?;
    match global.output {
        Form::Text => {
            output::result(&format!("{}\nby the ledger in {}", report.text(), home.display()));
        }
        Form::Json => output::json(&serde_json::to_value(&report).map_err(|error| {
            ToolError::new(Code::Internal, format!("the report cannot be written: {error}"))
        })?)?,
    }
    Ok(if report.is_whole() { ExitCode::SUCCESS } else { ExitCode::from(IN_PART) })
}
