//! Making the files of a real server: its configuration, its agents' configuration, API files.
//!
//! Velociraptor's own commands write them all, so that the suites prove our reading of them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::process::Command;
use velociraptor_api::IdentityKind;

/// An identity of the server under test. Each has an API file of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May query and read, and change nothing.
    Reader,
    /// May label, collect and hunt.
    Investigator,
    Administrator,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::Reader, Self::Investigator, Self::Administrator];

    /// The user's name, and the stem of the API file.
    pub fn user(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Investigator => "investigator",
            Self::Administrator => "administrator",
        }
    }

    /// What our own client calls it.
    pub fn identity(self) -> IdentityKind {
        match self {
            Self::Reader => IdentityKind::Reader,
            Self::Investigator => IdentityKind::Investigator,
            Self::Administrator => IdentityKind::Administrator,
        }
    }

    /// Velociraptor's roles: a plain reader could not query.
    pub fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Reader => &["reader", "api"],
            Self::Investigator => &["investigator", "api"],
            Self::Administrator => &["administrator"],
        }
    }
}

/// Ports on loopback that were free a moment ago.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    pub frontend: u16,
    pub gui: u16,
    pub api: u16,
    pub monitoring: u16,
}

impl Ports {
    /// # Errors
    /// No port can be bound on loopback.
    pub fn choose() -> anyhow::Result<Self> {
        // All are held until the last is known: no port is given twice.
        let held: Vec<_> = (0..4)
            .map(|_| TcpListener::bind(("127.0.0.1", 0)))
            .collect::<Result<_, _>>()
            .context("binding a port on loopback")?;
        let port = |at: usize| held[at].local_addr().map(|address| address.port());
        Ok(Self { frontend: port(0)?, gui: port(1)?, api: port(2)?, monitoring: port(3)? })
    }
}

/// The files of one server.
#[derive(Debug)]
pub(super) struct ConfigFiles<'a> {
    pub(super) binary: &'a Path,
    pub(super) folder: &'a Path,
}

impl ConfigFiles<'_> {
    pub(super) fn server(&self) -> PathBuf {
        self.folder.join("server.config.yaml")
    }

    pub(super) fn api(&self, role: Role) -> PathBuf {
        self.folder.join(format!("{}.api.yaml", role.user()))
    }

    /// Writes the server's configuration, with fresh keys, and with `change` over it.
    ///
    /// # Errors
    /// Velociraptor fails, or leaves out a key that it does not know.
    pub(super) async fn generate_server(&self, ports: Ports, change: &Value) -> anyhow::Result<()> {
        let store = self.store();
        let mut merge = json!({
            "Client": {
                "server_urls": [format!("https://localhost:{}/", ports.frontend)],
                "use_self_signed_ssl": true,
                // An agent that lost its server is back in seconds instead of minutes.
                "max_poll": 2,
                "max_poll_std": 1,
                "local_buffer": { "memory_size": 4_194_304, "disk_size": 0 },
            },
            "Frontend": {
                "hostname": "localhost",
                "bind_address": "127.0.0.1",
                "bind_port": ports.frontend,
                "resources": {
                    // Below some 12 seconds the server never writes its client records.
                    "client_info_write_time": 15,
                    // A fleet of simulated clients connects at once.
                    "connections_per_second": 1000,
                },
            },
            "GUI": { "bind_address": "127.0.0.1", "bind_port": ports.gui },
            "API": { "hostname": "127.0.0.1", "bind_address": "127.0.0.1", "bind_port": ports.api },
            "Monitoring": { "bind_address": "127.0.0.1", "bind_port": ports.monitoring },
            "Datastore": { "location": store, "filestore_directory": store },
            // A role that changes on the command line is seen in seconds instead of minutes.
            "defaults": { "acl_lru_timeout_sec": 5 },
        });
        lay_over(&mut merge, change);
        // Without a folder for logs all lines go to the process's output, where we keep them.
        let text = self
            .run(["config", "generate", "--merge", &merge.to_string()].map(str::to_owned))
            .await?;
        write_private(&self.server(), &text).await?;
        self.took(&merge).await
    }

    /// Writes the server's configuration anew, with `change` over what it says.
    ///
    /// # Errors
    /// Velociraptor fails, or leaves out a key that it does not know.
    pub(super) async fn change_server(&self, change: &Value) -> anyhow::Result<()> {
        let config = self.config_flag(&self.server());
        let text = self
            .run([config, "config".into(), "show".into(), "--merge".into(), change.to_string()])
            .await?;
        write_private(&self.server(), &text).await?;
        self.took(change).await
    }

    /// The server's configuration as Velociraptor reads it.
    ///
    /// # Errors
    /// Velociraptor fails.
    pub(super) async fn show_server(&self) -> anyhow::Result<Value> {
        let config = self.config_flag(&self.server());
        let shown = self.run([config, "config".into(), "show".into(), "--json".into()]).await?;
        serde_json::from_str(&shown).context("reading the configuration")
    }

    /// Unknown keys vanish without a word, so what was asked for is read back.
    async fn took(&self, wanted: &Value) -> anyhow::Result<()> {
        missing("", wanted, &self.show_server().await?)
            .map_or(Ok(()), |key| anyhow::bail!("Velociraptor dropped {key} of its configuration"))
    }

    /// Where the server keeps its data.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    /// Mints the API file of `role` and grants the role, which works on a stopped server only.
    ///
    /// # Errors
    /// Velociraptor fails, or writes no file.
    pub(super) async fn mint(&self, role: Role) -> anyhow::Result<()> {
        let file = self.api(role);
        self.run([
            self.config_flag(&self.server()),
            "config".into(),
            "api_client".into(),
            format!("--name={}", role.user()),
            format!("--role={}", role.roles().join(",")),
            file.display().to_string(),
        ])
        .await?;
        ensure!(file.is_file(), "no API file was written for {}", role.user());
        Ok(())
    }

    /// Writes an agent's configuration for `org` (`root` for the root org) under `name`.
    ///
    /// # Errors
    /// Velociraptor fails.
    pub(super) async fn generate_agent(&self, org: &str, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.folder.join(name);
        tokio::fs::create_dir_all(&folder).await.context("creating the agent's folder")?;
        let merge = json!({ "Client": {
            "writeback_linux": folder.join("writeback.yaml"),
            "writeback_darwin": folder.join("writeback.yaml"),
            "tempdir_linux": folder,
            "tempdir_darwin": folder,
        }});
        let config = self.config_flag(&self.server());
        let text =
            self.run([config, format!("--org={org}"), "config".into(), "client".into()]).await?;
        let plain = folder.join("plain.config.yaml");
        write_private(&plain, &text).await?;
        let text = self
            .run([
                self.config_flag(&plain),
                "config".into(),
                "show".into(),
                "--merge".into(),
                merge.to_string(),
            ])
            .await?;
        let file = folder.join("client.config.yaml");
        write_private(&file, &text).await?;
        Ok(file)
    }

    fn config_flag(&self, file: &Path) -> String {
        format!("--config={}", file.display())
    }

    async fn run<const N: usize>(&self, arguments: [String; N]) -> anyhow::Result<String> {
        let output = Command::new(self.binary)
            .arg("--nobanner")
            .args(&arguments)
            // A build with the race detector fails otherwise, whatever it was asked.
            .env("GORACE", "exitcode=0")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("starting velociraptor")?;
        ensure!(
            output.status.success(),
            "velociraptor {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
        String::from_utf8(output.stdout).context("velociraptor wrote something else than text")
    }
}

async fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    // The folder above is private to this user, so the file is too.
    tokio::fs::write(path, text).await.with_context(|| format!("writing {}", path.display()))
}

/// Puts `change` over `base`: objects are merged, everything else is replaced.
fn lay_over(base: &mut Value, change: &Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (key, value) in change {
                lay_over(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, change) => *base = change.clone(),
    }
}

/// The first key of `wanted` that `shown` lacks or has another value for.
///
/// A zero is not shown, so an absent key stands for it.
fn missing(path: &str, wanted: &Value, shown: &Value) -> Option<String> {
    match wanted {
        Value::Object(wanted) => wanted.iter().find_map(|(key, value)| {
            let shown = shown.get(key).unwrap_or(&Value::Null);
            missing(&format!("{path}/{key}"), value, shown)
        }),
        // 64-bit numbers are shown as strings.
        Value::Number(number) if shown.as_str() == Some(&number.to_string()) => None,
        Value::Number(number) if number.as_u64() == Some(0) && shown.is_null() => None,
        _ if wanted == shown => None,
        _ => Some(format!("{path} (shown: {shown})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_key_is_named() {
        let wanted = json!({"API": {"bind_port": 8, "zero": 0, "big": 5, "gone": true}});
        let shown = json!({"API": {"bind_port": 8, "big": "5"}});
        assert_eq!(missing("", &wanted, &shown).unwrap(), "/API/gone (shown: null)");
        assert_eq!(missing("", &json!({"a": [1]}), &json!({"a": [1], "b": 2})), None);
        assert_eq!(missing("", &json!({"a": 2}), &json!({"a": 3})).unwrap(), "/a (shown: 3)");
    }

    #[test]
    fn a_change_is_laid_over_what_is_there() {
        let mut base = json!({"API": {"bind_port": 8, "name": "a"}});
        lay_over(&mut base, &Value::Null);
        lay_over(&mut base, &json!({"API": {"name": "b"}, "CA": {"private_key": "k"}}));
        let wanted = json!({"API": {"bind_port": 8, "name": "b"}, "CA": {"private_key": "k"}});
        assert_eq!(base, wanted);
    }

    #[test]
    fn ports_differ() {
        let ports = Ports::choose().unwrap();
        let mut all = vec![ports.frontend, ports.gui, ports.api, ports.monitoring];
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 4);
    }
}
