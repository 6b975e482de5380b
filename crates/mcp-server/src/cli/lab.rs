//! `megaraptor lab`: the simulated server and fleet, for trying things out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use lab::{Lab, LabOptions};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::client_config::quote;
use super::{Form, Global, OWN_SERVER, output};
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

pub(super) async fn run(global: &Global, args: LabArgs) -> Result<ExitCode, ToolError> {
    global.refuse_server_options("lab", OWN_SERVER)?;
    // Watched before there is anything to clean up.
    let cancel = super::call::cancel_on_interrupt();
    let lab = start(args.speed, args.port)?;
    let (folder, _own) = folder(args.folder)?;
    let files = lab.write_configs(&folder).map_err(|error| unwritable(&folder, &error))?;
    match global.output {
        Form::Text => output::result(&announcement(&lab.address().to_string(), &files)),
        Form::Json => output::json(&serde_json::json!({
            "server": lab::SIMULATED,
            "address": lab.address().to_string(),
            "files": files,
        }))?,
    }
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

fn unwritable(folder: &Path, error: &lab::Error) -> ToolError {
    let folder = folder.display();
    match error {
        lab::Error::Io(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            ToolError::invalid(format!(
                "{folder} holds an API file already, and none is overwritten: it may be a real one"
            ))
            .next("name another --folder, or remove reader.yaml, investigator.yaml and administrator.yaml there")
        }
        error => {
            ToolError::invalid(format!("the API files cannot be written to {folder}: {error}"))
        }
    }
}

/// What is printed at the start: where it is, its files, and the first commands to try.
fn announcement(address: &str, files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().map(|file| quote(&file.display().to_string())).collect();
    let configs: Vec<String> = shown.iter().map(|file| format!("--config {file}")).collect();
    let reader = configs.first().map_or("", String::as_str);
    format!(
        "{} on {address}: 25 hosts, one planted intrusion, nothing of it real\n\
         API files, weakest first, each with a private key:\n  {}\n\n\
         megaraptor doctor {}\n\
         megaraptor call list_clients {reader}\n\n\
         Type the name of an offline host to bring it back; Ctrl-C ends.",
        lab::SIMULATED,
        shown.join("\n  "),
        configs.join(" "),
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_named_and_the_first_commands_can_be_pasted() {
        let files = ["reader", "investigator", "administrator"]
            .map(|name| PathBuf::from(format!("/tmp/my lab/{name}.yaml")));
        let text = announcement("127.0.0.1:1", &files);
        for file in &files {
            let config = format!("--config '{}'", file.display());
            assert!(text.contains(&config), "{text}");
        }
        let command = "megaraptor call list_clients --config '/tmp/my lab/reader.yaml'\n";
        assert!(text.contains(command), "{text}");
    }

    #[test]
    fn a_file_that_is_there_is_explained_and_not_overwritten() {
        let there = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        let error = unwritable(Path::new("/tmp/x"), &lab::Error::Io(there));
        assert!(error.message.contains("/tmp/x holds an API file already"), "{error}");
        assert!(error.next_step.unwrap().contains("--folder"));
    }
}
