//! Kits of a deployment: what makes a host an agent of its server.

use std::path::PathBuf;

use agent_kits::{Format, Kit, KitError, Written, arch_of};
use deploy_core::server::{Certificate, VERSION, certificates};
use deploy_core::{Record, Status};
use deploy_docker::{DockerDeployer, DockerStep};
use deploy_linux::{LinuxDeployer, LinuxStep};
use jiff::Timestamp;
use packages::{Arch, Package};
use velociraptor_config::{ClientConfig, Host};

use super::{Deployments, order, package};
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// The folder of kits in the state folder, one for each deployment.
const FOLDER: &str = "kits";

/// Which kit is wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct KitWish {
    pub(crate) format: Format,
    /// The processor of the endpoints; the one of the deployment's own program where none is said.
    pub(crate) arch: Option<String>,
    /// Labels beside those of the deployment.
    pub(crate) labels: Vec<String>,
    /// The file; one in the deployment's own folder of kits where none is said.
    pub(crate) out: Option<PathBuf>,
    /// Another program than the deployment's own.
    pub(crate) binary: Option<PathBuf>,
    /// Its SHA-256.
    pub(crate) sha256: Option<String>,
    /// It is known that only the server's own host reaches the server.
    pub(crate) server_host_only: bool,
}

/// A kit that can be written.
#[derive(Debug)]
pub(crate) struct PlannedKit {
    pub(crate) record: Record,
    pub(crate) format: Format,
    pub(crate) package: Package,
    pub(crate) client: ClientConfig,
    pub(crate) ca: Timestamp,
    pub(crate) out: PathBuf,
    /// What is to be known beforehand.
    pub(crate) notes: Vec<String>,
    /// The folder is the deployment's own, and is made.
    own: bool,
}

impl Deployments {
    /// Looks at all that a kit is made of. Changes nothing, but for a package that is fetched.
    ///
    /// # Errors
    ///
    /// Where the deployment is not up, agents would not reach its server, or there is no verified
    /// program for them.
    pub(crate) async fn kit(
        &self,
        record: Record,
        wish: KitWish,
        now: Timestamp,
        cx: &ToolCx<'_>,
    ) -> Result<PlannedKit, ToolError> {
        let id = &record.id;
        if record.status() != Status::Up {
            let status = record.status().as_str();
            return Err(ToolError::new(
                Code::Conflict,
                format!("{id} is {status}: agents would find no server"),
            )
            .next(format!("megaraptor deployments show {id}")));
        }
        let refused = |error: deploy_core::StepError| {
            ToolError::new(Code::Conflict, error.to_string()).next(error.next())
        };
        let server = self.vault().config(id).await.map_err(refused)?;
        let client = ClientConfig::of(&server).with_labels(&wish.labels);
        let client = client.map_err(|error| ToolError::invalid(error.to_string()))?;
        let mut notes = reached(&record, &client, wish.server_host_only)?;
        let looked = certificates(&self.vault(), id, now).await.map_err(refused)?;
        let ca = ca(&looked, now, &mut notes)?;
        let package = self.program(&record, &wish, cx).await?;
        if let packages::Proven::Named = package.proven() {
            notes.push(String::from("nobody vouches for the binary but whoever named it"));
        }
        let format = wish.format;
        let kit = Kit {
            format,
            deployment: id,
            time: record.made,
            ca_ends: ca,
            package: &package,
            client: &client,
        };
        let own = wish.out.is_none();
        let out = match wish.out {
            Some(out) if !out.is_absolute() => {
                let out = out.display().to_string();
                return Err(ToolError::invalid(format!(
                    "out is {out:?}; expected an absolute path"
                ))
                .next("name it from the root on"));
            }
            Some(out) => out,
            None => self.home.join(FOLDER).join(id.as_str()).join(kit.file_name()),
        };
        if std::fs::symlink_metadata(&out).is_ok() {
            return Err(told(&KitError::Taken(out)));
        }
        Ok(PlannedKit { record, format, package, client, ca, out, notes, own })
    }

    /// The program for the endpoints, verified: the deployment's own, another one that is named, or
    /// one of the same version.
    async fn program(
        &self,
        record: &Record,
        wish: &KitWish,
        cx: &ToolCx<'_>,
    ) -> Result<Package, ToolError> {
        let version = record.facts.get(VERSION).and_then(|it| it.as_str()).map(str::to_owned);
        let (path, sha256) = binary(record).ok_or_else(|| {
            let why = format!("the plan of {} has no program that is known here", record.id);
            ToolError::new(Code::Conflict, why).next("use the version that made the deployment")
        })?;
        let own = arch_of(&path);
        let arch = match (&wish.arch, &own) {
            (Some(text), _) => named(text)?,
            (None, Ok(arch)) => *arch,
            (None, Err(error)) => {
                return Err(ToolError::new(
                    Code::Conflict,
                    format!("the deployment's own program cannot be read: {error}"),
                )
                .next("say for which arch the kit is to be: amd64 or arm64"));
            }
        };
        let asked = match &wish.binary {
            Some(file) => {
                package::Asked { version, file: Some(file.clone()), sha256: wish.sha256.clone() }
            }
            None if wish.sha256.is_some() => {
                return Err(ToolError::invalid("sha256 is of the binary that is named")
                    .next("name binary too, or leave sha256 out"));
            }
            // What the deployment runs was agreed to with its plan, by this hash.
            None if own.is_ok_and(|own| own == arch) => {
                package::Asked { version, file: Some(path), sha256: Some(sha256) }
            }
            None => package::Asked { version, ..package::Asked::default() },
        };
        package::bring(&asked, agent_kits::name(arch), &self.home, cx).await
    }

    /// Removes the kits that are in the state folder: the deployment is gone, and they enrol nobody.
    pub(super) fn forget_kits(&self, id: &deploy_core::DeploymentId) -> Result<(), ToolError> {
        let folder = self.home.join(FOLDER).join(id.as_str());
        match std::fs::remove_dir_all(&folder) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(ToolError::new(
                Code::Conflict,
                format!("{id} is gone, and its kits in {} are not: {error}", folder.display()),
            )
            .next(format!("delete the folder, or megaraptor deployments destroy {id} again"))),
        }
    }
}

impl PlannedKit {
    /// Writes it.
    ///
    /// # Errors
    ///
    /// Why there is no file.
    pub(crate) async fn write(self) -> Result<(Self, Written), ToolError> {
        let written = tokio::task::spawn_blocking(move || {
            if self.own
                && let Some(folder) = self.out.parent()
            {
                owner_only::make_folder(folder).map_err(|error| told(&error.into()))?;
            }
            let kit = Kit {
                format: self.format,
                deployment: &self.record.id,
                time: self.record.made,
                ca_ends: self.ca,
                package: &self.package,
                client: &self.client,
            };
            let written = kit.write(&self.out).map_err(|error| told(&error))?;
            Ok((self, written))
        });
        written.await.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?
    }
}

/// What is said of a kit that cannot be.
pub(crate) fn told(error: &KitError) -> ToolError {
    let code = match error {
        KitError::Format { .. } => Code::InvalidInput,
        _ => Code::Conflict,
    };
    ToolError::new(code, error.to_string()).next(error.next())
}

fn named(arch: &str) -> Result<Arch, ToolError> {
    match arch {
        "amd64" | "x86_64" => Ok(Arch::Amd64),
        "arm64" | "aarch64" => Ok(Arch::Arm64),
        _ => {
            let found: String = arch.chars().take(40).collect();
            Err(ToolError::invalid(format!("arch is {found:?}; expected amd64 or arm64")))
        }
    }
}

/// The program that a deployment runs, and its SHA-256.
fn binary(record: &Record) -> Option<(PathBuf, String)> {
    let linux = record.kind.0 == LinuxDeployer::KIND;
    record.plan.steps().iter().find_map(|step| {
        if linux {
            match step.settings::<LinuxStep>().ok()? {
                LinuxStep::Program(it) => Some((it.binary, it.sha256)),
                _ => None,
            }
        } else {
            match step.settings::<DockerStep>().ok()? {
                DockerStep::Image(it) => Some((it.binary, it.sha256)),
                _ => None,
            }
        }
    })
}

/// Refuses what agents cannot reach, unless that is known.
fn reached(record: &Record, client: &ClientConfig, known: bool) -> Result<Vec<String>, ToolError> {
    let urls = client.server_urls();
    let mut near: Vec<String> =
        urls.iter().filter(|url| is_near(url)).map(|url| format!("agents call {url}")).collect();
    if near.len() < urls.len() {
        near.clear();
    }
    if let Some(at) = listens(record).filter(|at| at.ip().is_loopback()) {
        near.push(format!("the server listens for agents on {at}"));
    }
    if near.is_empty() {
        return Ok(near);
    }
    let only = "which is reached on the server's own host only";
    if known {
        return Ok(near.into_iter().map(|what| format!("{what}, {only}")).collect());
    }
    Err(ToolError::new(Code::Conflict, format!("{}, {only}", near.join("; "))).next(
        "deploy a server that endpoints reach (agents_at: its address there; agents_on: where it \
         listens); where the agent is to be on the server's own host, or something there hands \
         connections on, say server_host_only",
    ))
}

/// Whether an address leads no further than the machine itself.
fn is_near(url: &str) -> bool {
    let authority = url.split("://").nth(1).and_then(|rest| rest.split('/').next());
    let host = authority.map(|it| it.rsplit_once(':').map_or(it, |(host, _)| host));
    let host: Option<Host> = host.and_then(|host| host.parse().ok());
    host.is_some_and(|host| {
        let bare = host.to_string();
        host.is_loopback() || matches!(bare.as_str(), "0.0.0.0" | "[::]")
    })
}

/// Whether agents are told, or find the port, on the server's own host only.
pub(crate) fn only_near(record: &Record) -> bool {
    let told = order(record).is_some_and(|order| order.agents_at.host().is_loopback());
    told || listens(record).is_some_and(|at| at.ip().is_loopback())
}

/// Where the host listens for agents.
fn listens(record: &Record) -> Option<std::net::SocketAddr> {
    if record.kind.0 == DockerDeployer::KIND {
        return record.plan.steps().iter().find_map(|step| match step.settings().ok()? {
            DockerStep::Serving(it) => it.container.published.first().map(|port| port.outside),
            _ => None,
        });
    }
    order(record).map(|order| order.listen[0])
}

/// Until when agents know the server.
fn ca(
    looked: &[Certificate],
    now: Timestamp,
    notes: &mut Vec<String>,
) -> Result<Timestamp, ToolError> {
    let unfit = |why: String| {
        ToolError::new(Code::Conflict, why)
            .next("megaraptor deployments validate says what to do about it")
    };
    let first = looked.first().ok_or_else(|| unfit(String::from("there is no CA")))?;
    let summary = first.summary().ok_or_else(|| unfit(first.check().found))?;
    let ends = summary.not_after;
    if ends <= now {
        return Err(unfit(format!("the CA ended {ends}: no agent would trust the server")));
    }
    if first.check().verdict != deploy_core::preflight::Verdict::Fits {
        notes.push(format!("{}: {}", first.what, first.check().found));
    }
    Ok(ends)
}
