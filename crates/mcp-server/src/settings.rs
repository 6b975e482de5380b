//! Which servers there are: from flags, the environment, or `megaraptor.toml`, in that order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use velociraptor_api::config::Origin;
use velociraptor_api::{ApiConfig, IdentityKind, OrgId, Server};

use crate::services::Target;
use crate::tool_error::ToolError;

/// The file that is looked for in the working folder.
pub const FILE_NAME: &str = "megaraptor.toml";

/// `megaraptor.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    #[serde(default)]
    server: Vec<ServerEntry>,
    /// Read by [`crate::policy`], with the line of each key.
    #[serde(default, rename = "policy")]
    _policy: toml::Table,
    /// Read by [`crate::keeping`].
    #[serde(default, rename = "audit")]
    _audit: toml::Table,
}

/// One `[[server]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerEntry {
    name: String,
    reader: Option<PathBuf>,
    investigator: Option<PathBuf>,
    administrator: Option<PathBuf>,
    #[serde(default)]
    orgs: Vec<String>,
    gui: Option<String>,
}

/// Where servers are read from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// API files given on the command line.
    pub api_files: Vec<PathBuf>,
    /// A settings file given on the command line.
    pub settings: Option<PathBuf>,
    /// Orgs given on the command line.
    pub orgs: Vec<String>,
}

/// Reads the configured servers.
///
/// # Errors
///
/// Names the file, the key and what was expected. Having no server at all is not an error here.
pub fn load(sources: &Sources) -> Result<Vec<Target>, ToolError> {
    if !sources.api_files.is_empty() {
        return from_api_files(&sources.api_files, &sources.orgs);
    }
    if let Some(path) = &sources.settings {
        return from_settings(path, &sources.orgs);
    }
    if let Some(path) = env("VELOCIRAPTOR_CONFIG_PATH") {
        return from_api_files(&[PathBuf::from(path)], &sources.orgs);
    }
    if let Some(address) = env("VELOCIRAPTOR_API_URL") {
        return from_environment(&address, &sources.orgs);
    }
    let here = Path::new(FILE_NAME);
    if here.exists() { from_settings(here, &sources.orgs) } else { Ok(Vec::new()) }
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn from_api_files(paths: &[PathBuf], orgs: &[String]) -> Result<Vec<Target>, ToolError> {
    let mut configs = Vec::new();
    for path in paths {
        configs.push((None, ApiConfig::load(path)?));
    }
    let name = configs
        .first()
        .map_or_else(String::new, |(_, config): &(_, ApiConfig)| config.address.to_string());
    Ok(vec![target(name, configs, orgs, None)?])
}

fn from_environment(address: &str, orgs: &[String]) -> Result<Vec<Target>, ToolError> {
    let part = |name: &str| {
        env(name).ok_or_else(|| {
            ToolError::invalid(format!(
                "VELOCIRAPTOR_API_URL is set and {name} is not; all four of VELOCIRAPTOR_API_URL, VELOCIRAPTOR_CLIENT_CERT, VELOCIRAPTOR_CLIENT_KEY and VELOCIRAPTOR_CA_CERT are needed"
            ))
        })
    };
    let config = ApiConfig::from_parts(
        address,
        &part("VELOCIRAPTOR_CLIENT_CERT")?,
        &part("VELOCIRAPTOR_CLIENT_KEY")?,
        &part("VELOCIRAPTOR_CA_CERT")?,
    )?;
    let name = config.address.to_string();
    Ok(vec![target(name, vec![(None, config)], orgs, None)?])
}

fn from_settings(path: &Path, orgs: &[String]) -> Result<Vec<Target>, ToolError> {
    let shown = path.display();
    if !orgs.is_empty() {
        return Err(ToolError::invalid(format!(
            "--orgs goes with --config; {shown} names the orgs of each of its servers itself"
        )));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|error| ToolError::invalid(format!("{shown} cannot be read: {error}")))?;
    let file: SettingsFile = toml::from_str(&text)
        .map_err(|error| ToolError::invalid(format!("{shown}: {}", error.message())))?;
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut targets: Vec<Target> = Vec::new();
    for entry in file.server {
        if targets.iter().any(|known| known.server.name() == entry.name) {
            let name = &entry.name;
            return Err(ToolError::invalid(format!("{shown}: two servers are named {name:?}")));
        }
        let files = [
            (IdentityKind::Reader, &entry.reader),
            (IdentityKind::Investigator, &entry.investigator),
            (IdentityKind::Administrator, &entry.administrator),
        ];
        let mut configs = Vec::new();
        for (kind, file) in files {
            if let Some(file) = file {
                configs.push((Some(kind), ApiConfig::load(&folder.join(file))?));
            }
        }
        if configs.is_empty() {
            return Err(ToolError::invalid(format!(
                "{shown}: server {:?} names no API file; give it reader, investigator or administrator",
                entry.name
            )));
        }
        targets.push(target(entry.name, configs, &entry.orgs, entry.gui)?);
    }
    Ok(targets)
}

/// The identities of a server are of one server: with files of two, a change could be made on one
/// and read back on the other.
fn one_server(configs: &[(Option<IdentityKind>, ApiConfig)]) -> Result<(), ToolError> {
    let Some(((_, first), others)) = configs.split_first() else { return Ok(()) };
    for (_, other) in others {
        let same_ca = first.certificates.ca.sha256 == other.certificates.ca.sha256;
        if first.address != other.address || !same_ca {
            return Err(ToolError::invalid(format!(
                "{} is for {} and {} is for {}: they are API files of two servers",
                first.origin, first.address, other.origin, other.address
            ))
            .next("give each server its own [[server]] in megaraptor.toml"));
        }
    }
    Ok(())
}

fn target(
    name: String,
    configs: Vec<(Option<IdentityKind>, ApiConfig)>,
    orgs: &[String],
    gui: Option<String>,
) -> Result<Target, ToolError> {
    let mut parsed = Vec::new();
    for org in orgs {
        parsed.push(OrgId::parse(org)?);
    }
    if parsed.is_empty() {
        parsed.push(OrgId::root());
    }
    one_server(&configs)?;
    Ok(Target { server: Arc::new(Server::open(name, configs)?), orgs: parsed, gui })
}

/// The identities of a simulated server, under its own name.
///
/// # Errors
///
/// Where the lab's own files do not pass the checks of real ones.
pub fn from_lab(lab: &lab::Lab, orgs: &[String]) -> Result<Target, ToolError> {
    let mut configs = Vec::new();
    for (role, kind) in [
        (lab::Role::Reader, IdentityKind::Reader),
        (lab::Role::Investigator, IdentityKind::Investigator),
        (lab::Role::Administrator, IdentityKind::Administrator),
    ] {
        let config = ApiConfig::parse(lab.api_config(role), Origin::Memory("the lab"))?;
        configs.push((Some(kind), config));
    }
    target(lab::SIMULATED.to_owned(), configs, orgs, None)
}
