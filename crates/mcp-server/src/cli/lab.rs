//! `megaraptor lab`: the simulated server and fleet, for trying things out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use lab::{Lab, LabOptions};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::output;
use crate::tool_error::{Code, ToolError};

/// Collections of some tenths of a second: quick, and still seen to take their time.
pub(super) const DEFAULT_SPEED: f64 = 1.0;

#[derive(Debug, Args)]
pub(super) struct LabArgs {
    /// Where the API files are written [default: a folder of its own, gone at the end]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The port on 127.0.0.1 [default: a free one]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    port: u16,
    /// How many times faster than usual simulated work is done
    #[arg(long, default_value_t = DEFAULT_SPEED)]
    speed: f64,
}

/// Starts a lab.
pub(super) fn start(speed: f64, port: u16) -> Result<Lab, ToolError> {
    if !(speed.is_finite() && speed > 0.0) {
        return Err(ToolError::invalid(format!("--speed is a number above zero, not {speed}")));
    }
    Lab::start(LabOptions::default().speed(speed).port(port)).map_err(|error| {
        ToolError::new(Code::Unavailable, format!("the simulated server does not start: {error}"))
    })
}

pub(super) async fn run(args: LabArgs) -> Result<ExitCode, ToolError> {
    let lab = start(args.speed, args.port)?;
    let (folder, _own) = folder(args.folder)?;
    lab.write_configs(&folder).map_err(|error| {
        ToolError::invalid(format!(
            "the API files cannot be written to {}: {error}",
            folder.display()
        ))
    })?;
    announce(&lab, &folder);
    let cancel = super::call::cancel_on_interrupt();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut listening = true;
    loop {
        let line = tokio::select! {
            () = cancel.cancelled() => return Ok(ExitCode::SUCCESS),
            line = lines.next_line(), if listening => line,
        };
        match line {
            Ok(Some(name)) => match name.trim() {
                "" => {}
                name if lab.bring_back(name) => output::error(&format!("{name} is back")),
                name => output::error(&format!("there is no offline host {name:?}")),
            },
            // Without anybody to type, it runs until it is interrupted.
            Ok(None) | Err(_) => listening = false,
        }
    }
}

fn announce(lab: &Lab, folder: &Path) {
    let shown = folder.display();
    output::result(&format!(
        "{} on {}: 25 hosts, one planted intrusion, nothing of it real\n\
         API files in {shown}\n\n\
         megaraptor doctor --config {shown}/reader.yaml --config {shown}/investigator.yaml\n\
         megaraptor call list_clients --config {shown}/reader.yaml\n\n\
         Type the name of an offline host to bring it back; Ctrl-C ends.",
        lab::SIMULATED,
        lab.address(),
    ));
}

/// The folder that was named, made if need be, or one that goes when the guard is dropped.
fn folder(named: Option<PathBuf>) -> Result<(PathBuf, Option<tempfile::TempDir>), ToolError> {
    let failed =
        |error: std::io::Error| ToolError::invalid(format!("no folder for the API files: {error}"));
    match named {
        Some(folder) => {
            std::fs::create_dir_all(&folder).map_err(failed)?;
            Ok((folder, None))
        }
        None => {
            let own =
                tempfile::Builder::new().prefix("megaraptor-lab-").tempdir().map_err(failed)?;
            Ok((own.path().to_owned(), Some(own)))
        }
    }
}
