//! `export_deployment_docs`.

use std::path::PathBuf;

use deploy_core::DeploymentId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{keep, own_folder, taken};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::{Code, ToolError};

/// `export_deployment_docs`.
pub(super) struct ExportDeploymentDocs;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// An absolute path; made for its owner only where there is none
    folder: PathBuf,
}

/// What was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    /// Markdown, and one page for a browser.
    files: Vec<PathBuf>,
}

impl Tool for ExportDeploymentDocs {
    const NAME: &'static str = "export_deployment_docs";
    const TITLE: &'static str = "Write down a deployment";
    const DESCRIPTION: &'static str = "Writes what a person needs to know of a deployment that is \
        up: what it is, how it is reached, how agents are installed, backed up, rotated, handed over, \
        taken down; from its record and certificates, without secrets. Markdown and one HTML page, in \
        a folder on this machine for its owner only. Nothing is overwritten.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

/// What is written, and where.
pub(super) struct Prepared {
    id: DeploymentId,
    files: [PathBuf; 2],
}

impl Acts for ExportDeploymentDocs {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, Prepared), ToolError> {
        let Input { deployment_id, folder } = input;
        let (id, record) = super::named(cx, &deployment_id).await?;
        let deployments = cx.services.deployments()?;
        if !folder.is_absolute() {
            let folder = folder.display().to_string();
            return Err(ToolError::invalid(format!(
                "folder is {folder:?}; expected an absolute path"
            ))
            .next("name it from the root on"));
        }
        let files = ["md", "html"].map(|form| folder.join(format!("{id}.{form}")));
        if let Some(there) = files.iter().find(|file| file.exists()) {
            return Err(taken(there));
        }
        // What cannot be written is said before a person is asked.
        deployments.handbook(&record, clock::now()).await?;
        let work = Work::that(format!(
            "writes {} and {} on this machine, for its owner only",
            files[0].display(),
            files[1].display()
        ))
        .undone_by("deleting the two files")
        .proved_by("both files are on the disk, whole, or none is");
        Ok((work, Prepared { id, files }))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        prepared: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        let Prepared { id, files } = prepared;
        let deployments = cx.services.deployments()?;
        let record = deployments.load(&id).await?;
        let written = deployments.handbook(&record, clock::now()).await?;
        let kept = files.clone();
        let done = tokio::task::spawn_blocking(move || {
            let [markdown, html] = &kept;
            if let Some(folder) = markdown.parent() {
                own_folder(folder)?;
            }
            keep(markdown, &written.markdown)?;
            keep(html, &written.html).inspect_err(|_| {
                // One without the other would be in the way of the next try.
                let _ = std::fs::remove_file(markdown);
            })
        });
        done.await.map_err(|error| ToolError::new(Code::Internal, error.to_string()))??;
        let output = Output { deployment_id: id.to_string(), files: files.to_vec() };
        Ok(Answer::complete(cx, output))
    }
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        out.push_str("written, for their owner only:");
        for file in &self.files {
            out.push_str("\n  ");
            out.push_str(&file.display().to_string());
        }
    }
}
