//! `generate_agent_installer`.

use std::path::PathBuf;

use agent_kits::{Format, KEPT, SERVICE, WRITEBACK};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::server_info::info;
use velociraptor_api::{OrgId, Permission, Session};

use crate::answer::{Answer, Render};
use crate::clock;
use crate::context::ToolCx;
use crate::deployments::{KitWish, PlannedKit};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::ToolError;

/// `generate_agent_installer`.
pub(super) struct GenerateAgentInstaller;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum InstallerFormat {
    /// Debian and its kin
    #[default]
    Deb,
    /// Any Linux with systemd: install.sh, uninstall.sh
    Tarball,
}

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// As list_deployments shows it
    deployment_id: String,
    /// deb (default) or tarball
    #[serde(default)]
    format: InstallerFormat,
    /// Processor of the endpoints: amd64 or arm64; default the one of the server's own program
    #[serde(default)]
    arch: Option<String>,
    /// Labels beside those of the deployment
    #[serde(default)]
    #[schemars(length(max = 20))]
    labels: Vec<String>,
    /// Absolute path of the file, which is not there yet; default in the state folder
    #[serde(default)]
    out: Option<PathBuf>,
    /// Another Velociraptor binary on this machine than the deployment's own
    #[serde(default)]
    binary: Option<PathBuf>,
    /// Its SHA-256
    #[serde(default)]
    sha256: Option<String>,
    /// Endpoints do not reach the server, and the agent is for the server's own host
    #[serde(default)]
    server_host_only: bool,
}

/// The file, and what to do with it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Output {
    deployment_id: String,
    format: InstallerFormat,
    path: PathBuf,
    size: u64,
    sha256: String,
    version: String,
    arch: &'static str,
    /// SHA-256 of the program in it, which was verified
    program_sha256: String,
    /// Where agents look for the server
    calls: Vec<String>,
    /// The name that the server has to prove, by the deployment's CA
    server_name: &'static str,
    labels: Vec<String>,
    /// Until when agents know the server
    ca_ends: String,
    install: String,
    /// How to see that it enrolled
    check: String,
    /// How it is removed without a trace
    remove: String,
    /// Who may have it
    guard: &'static str,
}

impl Tool for GenerateAgentInstaller {
    const NAME: &'static str = "generate_agent_installer";
    const TITLE: &'static str = "Make an agent installer";
    const DESCRIPTION: &'static str = "Writes what makes a Linux host an agent of a deployment that is \
        up and answers: a Debian package, or a tarball with scripts; with the verified binary and the \
        live server's own CA and nonce. A new file on this machine for its owner only; the answer has \
        path and SHA-256, how to install, check and remove, and never the content. Whoever has the \
        file can enrol agents. An address that endpoints do not reach is refused.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Input;
    type Output = Output;
}

impl Acts for GenerateAgentInstaller {
    type Prepared = PlannedKit;

    async fn prepare(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        input: Input,
    ) -> Result<(Work, PlannedKit), ToolError> {
        let id = super::covered(cx, &input.deployment_id)?;
        let deployments = cx.services.deployments()?;
        let record = deployments.load(&id).await?;
        let wish = KitWish {
            format: match input.format {
                InstallerFormat::Deb => Format::Deb,
                InstallerFormat::Tarball => Format::Tarball,
            },
            arch: input.arch,
            labels: input.labels,
            out: input.out,
            binary: input.binary,
            sha256: input.sha256,
            server_host_only: input.server_host_only,
        };
        let kit = deployments.kit(record, wish, clock::now(), cx).await?;
        answers(cx, &kit).await?;
        let digest = kit.package.sha256().to_string();
        let work = Work::that(format!(
            "writes {}, which makes a host an agent of {id} at {}, {}; whoever has the file can enrol \
             agents",
            kit.out.display(),
            kit.client.server_urls().join(", "),
            match kit.client.labels() {
                [] => String::from("without a label"),
                labels => format!("with the labels {}", labels.join(", ")),
            },
        ))
        .bound_to("program_sha256", &digest)
        .noting(kit.notes.clone())
        .undone_by("deleting the file; agents that were installed from it stay")
        .proved_by("the file is on the disk, whole, and was read back");
        Ok((work, kit))
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        _session: &Session<'_>,
        _go: &Go,
        kit: PlannedKit,
    ) -> Result<Answer<Output>, ToolError> {
        let (kit, written) = kit.write().await?;
        let PlannedKit { record, format, package, client, ca, notes, .. } = kit;
        let id = &record.id;
        let file = written.path.file_name().map(|name| name.to_string_lossy().into_owned());
        let file = file.unwrap_or_default();
        let (format, install, remove) = match format {
            Format::Deb => (
                InstallerFormat::Deb,
                format!("as root on the host: dpkg -i ./{file}"),
                String::from(
                    "as root: dpkg --purge velociraptor-client (dpkg -r keeps the identity, so that a \
                     later agent is the same client)",
                ),
            ),
            Format::Tarball => (
                InstallerFormat::Tarball,
                format!(
                    "as root on the host: tar -xzf {file}, then sh velociraptor_client_*/install.sh"
                ),
                format!(
                    "as root: sh {KEPT}/uninstall.sh (--keep-identity leaves {WRITEBACK}, so that a \
                     later agent is the same client)"
                ),
            ),
        };
        let output = Output {
            deployment_id: id.to_string(),
            format,
            size: written.size,
            sha256: written.sha256,
            version: package.version().to_string(),
            arch: agent_kits::name(package.platform().arch()),
            program_sha256: package.sha256().to_string(),
            calls: client.server_urls().to_vec(),
            server_name: deploy_core::server::SERVER_NAME,
            labels: client.labels().to_vec(),
            ca_ends: clock::to_second(ca).to_string(),
            install,
            check: format!(
                "megaraptor deployments agents {id} --host HOSTNAME, or check_agent_deployment; on the \
                 host: systemctl status {SERVICE}"
            ),
            remove,
            guard: "whoever has this file can enrol agents: hand it to nobody else, and delete it when \
                    it is not needed any longer",
            path: written.path,
        };
        Ok(Answer::complete(cx, output).warn(notes))
    }
}

/// A kit for a server that does not answer would be tried on hosts first.
async fn answers(cx: &ToolCx<'_>, kit: &PlannedKit) -> Result<(), ToolError> {
    let target = cx.services.deployed(&kit.record).await?;
    let root = OrgId::root();
    let session = Session::new(&target.server, &root, &cx.cancel);
    info(&session).await?;
    Ok(())
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        use std::fmt::Write;
        let Self { deployment_id, path, size, sha256, version, arch, .. } = self;
        let _ = write!(
            out,
            "WRITTEN {}\n{size} bytes, SHA-256 {sha256}\nVelociraptor {version} for {arch}, program's \
             SHA-256 {}\nagents of {deployment_id} call {} and know {} by a CA until {}",
            path.display(),
            self.program_sha256,
            self.calls.join(", "),
            self.server_name,
            self.ca_ends,
        );
        if !self.labels.is_empty() {
            let _ = write!(out, "\nlabels: {}", self.labels.join(", "));
        }
        for (name, text) in
            [("install", &self.install), ("check", &self.check), ("remove", &self.remove)]
        {
            let _ = write!(out, "\n{name}: {text}");
        }
        let _ = write!(out, "\n! {}", self.guard);
    }
}
