//! `export_deployment_evidence`.

use std::path::{Path, PathBuf};

use deploy_core::evidence::Copied;
use deploy_core::{DeploymentId, Record, Status, evidence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{Ended, plan_digest};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::{Code, ToolError};

/// `export_deployment_evidence`.
pub(super) struct ExportDeploymentEvidence;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// The whole path of a new .tar.gz on this machine, outside of the deployment
    file: PathBuf,
}

/// A copy, as it was read back.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Copy {
    file: PathBuf,
    sha256: String,
    /// Bytes of the file
    size: u64,
    /// Files, folders and links in it
    entries: u64,
    /// Bytes of all files in it
    content: u64,
    at: String,
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    status: &'static str,
    copy: Copy,
}

impl Tool for ExportDeploymentEvidence {
    const NAME: &'static str = "export_deployment_evidence";
    const TITLE: &'static str = "Copy a deployment's evidence";
    const DESCRIPTION: &'static str = "Copies the whole datastore of a deployment into one new file on \
        this machine, for its owner only. The server is stopped meanwhile, and started again. The copy \
        is read back and compared with the source, entry by entry; its SHA-256 is kept on record. Where \
        anything fails there is no file. The copy holds the server's users and secrets of agents too.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// What is copied, and where to.
pub(super) struct Prepared {
    id: DeploymentId,
    file: PathBuf,
}

impl Acts for ExportDeploymentEvidence {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let (id, record) = super::named(cx, &input.deployment_id).await?;
        fits(&record, &input.file)?;
        let again = match record.status() {
            Status::Up => "stops the server, copies, and starts it again",
            _ => "stops the server where it runs, and copies; it stays stopped",
        };
        let file = input.file;
        let work =
            Work::that(format!("copies all evidence of {id} to {}: {again}", file.display()))
                .bound_to("plan_sha256", &plan_digest(&record.plan)?)
                .undone_by("deleting the file")
                .proved_by("reading the file back and comparing each entry with the source");
        Ok((work, Prepared { id, file }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        Prepared { id, file }: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let deployments = cx.services.deployments()?;
        let record = deployments.carry_out(cx, &id, Ended::Copied(file.clone()), true).await?;
        let output = Output {
            deployment_id: id.to_string(),
            status: record.status().as_str(),
            copy: of(&record, &file)?,
        };
        Ok(Answer::complete(cx, output))
    }
}

/// Whether there is something to copy, and a place for it.
pub(super) fn fits(record: &Record, file: &Path) -> Result<(), ToolError> {
    let (id, status) = (&record.id, record.status());
    if status.is_nothing() {
        let why = format!("{id} is {}: there is no evidence to copy", status.as_str());
        return Err(ToolError::new(Code::Conflict, why).next("list_deployments shows what is up"));
    }
    let taken = std::fs::symlink_metadata(file).is_ok();
    let code = if taken { Code::Conflict } else { Code::InvalidInput };
    evidence::place(file)
        .map_err(|error| ToolError::new(code, error.to_string()).next(error.next()))
}

/// The copy in that file, as it is on record.
pub(super) fn of(record: &Record, file: &Path) -> Result<Copy, ToolError> {
    let copied = record.copies.iter().rev().find(|copied| copied.file == file);
    copied.map(Copy::of).ok_or_else(|| {
        ToolError::new(Code::Internal, format!("the copy {} is not on record", file.display()))
    })
}

impl Copy {
    fn of(copied: &Copied) -> Self {
        let Copied { file, at, entries, content, size, sha256 } = copied.clone();
        let at = clock::to_second(at).to_string();
        Self { file, sha256, size, entries, content, at }
    }

    pub(super) fn write(&self, out: &mut String) {
        use std::fmt::Write;
        let Self { file, sha256, size, entries, content, at } = self;
        let _ = write!(
            out,
            "copied to {} at {at}, for its owner only: {entries} entries, {content} bytes of content, \
             {size} bytes of file\nread back and compared with the source; SHA-256 {sha256}",
            file.display()
        );
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let _ = writeln!(out, "{} is {}", self.deployment_id, self.status.to_uppercase());
        self.copy.write(out);
    }
}
