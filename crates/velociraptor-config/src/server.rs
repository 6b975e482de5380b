//! The server's configuration.

use std::net::IpAddr;

use secret::Secret;
use serde_json::{Map, Value, json};

use crate::administrator::Administrator;
use crate::error::ConfigError;
use crate::file;
use crate::host::Host;
use crate::keys::{ServerKeys, tidy};
use crate::listen::{Bind, Listen};
use crate::nonce::Nonces;
use crate::profile::{FileNumbers, Profile};
use crate::sealed::Sealed;
use crate::yaml;

const KIND: &str = "server";

/// All that a deployment decides about its server.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The size.
    pub profile: &'static Profile,
    /// Keys and certificates.
    pub keys: ServerKeys,
    /// What was drawn by lot for it.
    pub nonces: Nonces,
    /// Where it listens.
    pub listen: Listen,
    /// Where agents reach it: a name or address, and a port.
    pub agents_at: (Host, u16),
    /// Where people reach the GUI.
    pub gui_at: (Host, u16),
    /// Where the API is reached.
    pub api_at: Host,
    /// The folder of its data, on its own machine.
    pub datastore: String,
    /// The folder of its logs. Without one, all lines go to the process's output.
    pub logs: Option<String>,
    /// Who is made an administrator at the first start.
    pub administrator: Option<Administrator>,
    /// Labels that agents get when they enrol.
    pub labels: Vec<String>,
}

/// A server's configuration, whole.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    pub(crate) file: file::Server,
}

impl Deployment {
    /// Checks everything and makes the configuration.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the value.
    pub fn config(&self) -> Result<ServerConfig, ConfigError> {
        self.listen.check()?;
        self.keys.check()?;
        absolute("the datastore", &self.datastore)?;
        self.logs.as_ref().map_or(Ok(()), |logs| absolute("the folder of logs", logs))?;
        self.labels.iter().try_for_each(|label| sound_label(label))?;
        for (what, (_, port)) in [("the agents' port", &self.agents_at), ("the GUI", &self.gui_at)]
        {
            if *port == 0 {
                return Err(ConfigError::NoPort(what));
            }
        }
        Ok(ServerConfig { file: self.file(&self.profile.file) })
    }

    fn file(&self, numbers: &FileNumbers) -> file::Server {
        let FileNumbers {
            expected_clients,
            connections_per_second,
            concurrency,
            client_info_write_time,
            max_upload_size,
            grpc_pool_max_size,
            hunt_expiry_hours,
            notebook_workers,
            acl_lru_timeout_sec,
            certificate_validity_days,
            min_allowed_file_space_mb,
            log_rotation_time,
            log_max_age,
            max_poll,
            max_poll_std,
            buffer_memory_size,
            buffer_disk_size,
        } = *numbers;
        let Listen { frontend, gui, api, monitoring } = self.listen;
        let keys = &self.keys;
        let (host, port) = &self.agents_at;
        let client = file::Client {
            server_urls: vec![format!("https://{host}:{port}/")],
            ca_certificate: tidy(&keys.ca_certificate),
            nonce: Sealed::from(&self.nonces.enrolment),
            use_self_signed_ssl: true,
            labels: self.labels.clone(),
            max_poll,
            max_poll_std,
            local_buffer: file::Buffer {
                memory_size: buffer_memory_size,
                disk_size: buffer_disk_size,
                other: map(json!({
                    "filename_linux": "/var/tmp/Velociraptor_Buffer.bin",
                    "filename_windows": r"$TEMP/Velociraptor_Buffer.bin",
                    "filename_darwin": "/var/tmp/Velociraptor_Buffer.bin",
                })),
            },
            other: usual_client(),
        };
        let (gui_host, gui_port) = &self.gui_at;
        let users = self.administrator.iter().map(|user| file::User {
            name: user.name.clone(),
            password_hash: Sealed::from(&user.hash),
            password_salt: Sealed::from(&user.salt),
        });
        let log =
            file::Log { disabled: false, rotation_time: log_rotation_time, max_age: log_max_age };
        file::Server {
            client,
            api: file::Api {
                hostname: self.api_at.to_string(),
                port: bind(api, json!({"bind_scheme": "tcp"})),
            },
            gui: file::Gui {
                public_url: format!("https://{gui_host}:{gui_port}/app/index.html"),
                gw_certificate: tidy(&keys.gateway_certificate),
                gw_private_key: sealed(&keys.gateway_key),
                initial_users: users.collect(),
                port: bind(gui, json!({"authenticator": {"type": "Basic"}})),
            },
            ca: keys.ca_key.as_ref().map(|key| file::Ca { private_key: sealed(key) }),
            frontend: file::Frontend {
                hostname: host.to_string(),
                certificate: tidy(&keys.frontend_certificate),
                private_key: sealed(&keys.frontend_key),
                grpc_pool_max_size,
                resources: file::Resources {
                    expected_clients,
                    connections_per_second,
                    concurrency,
                    client_info_write_time,
                    max_upload_size,
                    other: Map::new(),
                },
                port: bind(
                    frontend,
                    json!({"default_client_monitoring_artifacts": ["Generic.Client.Stats"]}),
                ),
            },
            datastore: file::Datastore {
                implementation: "FileBaseDataStore".to_owned(),
                location: self.datastore.clone(),
                filestore_directory: self.datastore.clone(),
                min_allowed_file_space_mb,
                other: map(json!({"compression": "zlib"})),
            },
            logging: file::Logging {
                output_directory: self.logs.clone().unwrap_or_default(),
                separate_logs_per_component: self.logs.is_some(),
                debug: file::Log { disabled: true, ..log.clone() },
                info: log.clone(),
                error: log,
                other: Map::new(),
            },
            monitoring: bind(monitoring, json!({})),
            obfuscation_nonce: Sealed::from(&self.nonces.obfuscation),
            defaults: file::Defaults {
                hunt_expiry_hours,
                notebook_number_of_local_workers: notebook_workers,
                acl_lru_timeout_sec,
                other: Map::new(),
            },
            security: file::Security { certificate_validity_days, other: Map::new() },
            other: Map::new(),
        }
    }
}

/// A label as Velociraptor takes it, which a text of ours can carry.
pub(crate) fn sound_label(label: &str) -> Result<(), ConfigError> {
    let sound = |c: char| !c.is_control() && c != ',';
    if (1..=64).contains(&label.chars().count()) && label.chars().all(sound) {
        return Ok(());
    }
    Err(ConfigError::Label(label.chars().take(64).collect()))
}

/// Where agents keep their identity and themselves: as Velociraptor's own packages expect it.
fn usual_client() -> Map<String, Value> {
    map(json!({
        "writeback_linux": "/etc/velociraptor.writeback.yaml",
        "writeback_darwin": "/etc/velociraptor.writeback.yaml",
        "writeback_windows": r"$ProgramFiles\Velociraptor\velociraptor.writeback.yaml",
        "level2_writeback_suffix": ".bak",
        "tempdir_windows": r"$ProgramFiles\Velociraptor\Tools",
        "nanny_max_connection_delay": 600,
        "max_upload_size": 5_242_880,
        "windows_installer": {
            "service_name": "Velociraptor",
            "install_path": r"$ProgramFiles\Velociraptor\Velociraptor.exe",
            "service_description": "Velociraptor service",
        },
        "darwin_installer": {
            "service_name": "com.velocidex.velociraptor",
            "install_path": "/usr/local/bin/velociraptor",
        },
    }))
}

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn bind(bind: Bind, other: Value) -> file::Port {
    let Bind { address, port } = bind;
    file::Port { bind_address: address.to_string(), bind_port: port, other: map(other) }
}

fn sealed(key: &Secret<String>) -> Sealed {
    Sealed(Secret::new(tidy(key.expose())))
}

fn absolute(what: &'static str, path: &str) -> Result<(), ConfigError> {
    let windows = path.get(1..3).is_some_and(|it| matches!(it, r":\" | ":/"));
    if (path.starts_with('/') || windows) && !path.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(ConfigError::Relative { what, found: path.chars().take(200).collect() })
    }
}

impl ServerConfig {
    /// Reads what [`ServerConfig::render`] or Velociraptor itself wrote. Keys that are not modelled
    /// are kept as they are: whether Velociraptor knows them, only it can say.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] without any value of the file.
    pub fn parse(text: &Secret<String>) -> Result<Self, ConfigError> {
        let tree = yaml::read(KIND, text.expose())?;
        let file: file::Server = from_tree(KIND, tree)?;
        for (key, value) in [
            ("Client.ca_certificate", file.client.ca_certificate.as_str()),
            ("Client.nonce", file.client.nonce.text()),
            ("Frontend.certificate", &file.frontend.certificate),
            ("Frontend.private_key", file.frontend.private_key.text()),
            ("GUI.gw_certificate", &file.gui.gw_certificate),
            ("GUI.gw_private_key", file.gui.gw_private_key.text()),
            ("Datastore.location", &file.datastore.location),
            ("Client.server_urls", file.client.server_urls.first().map_or("", String::as_str)),
        ] {
            if value.trim().is_empty() {
                return Err(ConfigError::Missing { kind: KIND, key });
            }
        }
        Ok(Self { file })
    }

    /// The file's text. It holds private keys: it belongs into a file for its owner only.
    pub fn render(&self) -> Secret<String> {
        yaml::render(&self.tree())
    }

    pub(crate) fn tree(&self) -> Value {
        // Nothing in the file's types can fail to become a tree: keys are texts, numbers whole.
        serde_json::to_value(&self.file).unwrap_or_default()
    }

    /// The same with other keys: after a rotation. Nonces and the CA stay what they are.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Pem`]; [`ConfigError::Malformed`] where the CA is another one, which would
    /// lose every agent.
    pub fn with_keys(&self, keys: &ServerKeys) -> Result<Self, ConfigError> {
        keys.check()?;
        if tidy(&keys.ca_certificate) != tidy(&self.file.client.ca_certificate) {
            let cause = "the new keys are of another CA, which no agent of this deployment trusts";
            return Err(ConfigError::Malformed { kind: KIND, cause: cause.to_owned() });
        }
        let mut file = self.file.clone();
        file.frontend.certificate = tidy(&keys.frontend_certificate);
        file.frontend.private_key = sealed(&keys.frontend_key);
        file.gui.gw_certificate = tidy(&keys.gateway_certificate);
        file.gui.gw_private_key = sealed(&keys.gateway_key);
        file.ca = keys.ca_key.as_ref().map(|key| file::Ca { private_key: sealed(key) });
        Ok(Self { file })
    }

    /// The same with what was drawn by lot for another: nonces, and the first users of the GUI. So
    /// two configurations can be compared by what somebody decided.
    pub fn with_lots_of(&self, other: &Self) -> Self {
        let mut file = self.file.clone();
        file.client.nonce = other.file.client.nonce.clone();
        file.obfuscation_nonce = other.file.obfuscation_nonce.clone();
        file.gui.initial_users = other.file.gui.initial_users.clone();
        Self { file }
    }

    /// Labels that agents get when they enrol.
    pub fn labels(&self) -> &[String] {
        &self.file.client.labels
    }

    /// The same without the CA's key, for a server whose key is kept elsewhere. It can then neither
    /// mint nor renew.
    pub fn without_ca_key(&self) -> Self {
        Self { file: file::Server { ca: None, ..self.file.clone() } }
    }

    /// Keys and certificates.
    pub fn keys(&self) -> ServerKeys {
        let file = &self.file;
        ServerKeys {
            ca_certificate: file.client.ca_certificate.clone(),
            ca_key: file.ca.as_ref().map(|ca| ca.private_key.0.clone()),
            frontend_certificate: file.frontend.certificate.clone(),
            frontend_key: file.frontend.private_key.0.clone(),
            gateway_certificate: file.gui.gw_certificate.clone(),
            gateway_key: file.gui.gw_private_key.0.clone(),
        }
    }

    /// Where agents reach the server.
    pub fn server_urls(&self) -> &[String] {
        &self.file.client.server_urls
    }

    /// Where people reach the GUI.
    pub fn public_url(&self) -> &str {
        &self.file.gui.public_url
    }

    /// The folder of its data.
    pub fn datastore(&self) -> &str {
        &self.file.datastore.location
    }

    /// Where it listens. An address that is no number is not told.
    pub fn listen(&self) -> Option<Listen> {
        let bind = |port: &file::Port| {
            let address: IpAddr = port.bind_address.parse().ok()?;
            Some(Bind { address, port: port.bind_port })
        };
        Some(Listen {
            frontend: bind(&self.file.frontend.port)?,
            gui: bind(&self.file.gui.port)?,
            api: bind(&self.file.api.port)?,
            monitoring: bind(&self.file.monitoring)?,
        })
    }
}

/// The reader's message names the key, not the value that stands there.
pub(crate) fn from_tree<T: serde::de::DeserializeOwned>(
    kind: &'static str,
    tree: Value,
) -> Result<T, ConfigError> {
    serde_json::from_value(tree).map_err(|error| {
        let text = error.to_string();
        let about = text.split_once("field `").and_then(|(_, rest)| rest.split_once('`'));
        let cause = about.map_or_else(
            || "a key has a value of the wrong kind".to_owned(),
            |(key, _)| format!("the key {key} is missing or unknown"),
        );
        ConfigError::Malformed { kind, cause }
    })
}
