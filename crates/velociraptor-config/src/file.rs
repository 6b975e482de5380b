//! The files as they are on disk. Sections keep keys that are not modelled in `other`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::sealed::Sealed;

fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Server {
    pub(crate) client: Client,
    #[serde(rename = "API")]
    pub(crate) api: Api,
    #[serde(rename = "GUI")]
    pub(crate) gui: Gui,
    #[serde(rename = "CA", default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<Ca>,
    pub(crate) frontend: Frontend,
    pub(crate) datastore: Datastore,
    #[serde(default)]
    pub(crate) logging: Logging,
    #[serde(default)]
    pub(crate) monitoring: Port,
    #[serde(rename = "obfuscation_nonce", default)]
    pub(crate) obfuscation_nonce: Sealed,
    #[serde(rename = "defaults", default)]
    pub(crate) defaults: Defaults,
    #[serde(rename = "security", default)]
    pub(crate) security: Security,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Client {
    #[serde(default)]
    pub(crate) server_urls: Vec<String>,
    #[serde(default)]
    pub(crate) ca_certificate: String,
    #[serde(default)]
    pub(crate) nonce: Sealed,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) use_self_signed_ssl: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) labels: Vec<String>,
    #[serde(default)]
    pub(crate) max_poll: u64,
    #[serde(default)]
    pub(crate) max_poll_std: u64,
    #[serde(default)]
    pub(crate) local_buffer: Buffer,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Buffer {
    #[serde(default)]
    pub(crate) memory_size: u64,
    #[serde(default)]
    pub(crate) disk_size: u64,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Port {
    #[serde(default)]
    pub(crate) bind_address: String,
    #[serde(default)]
    pub(crate) bind_port: u16,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Api {
    #[serde(default)]
    pub(crate) hostname: String,
    #[serde(flatten)]
    pub(crate) port: Port,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Gui {
    #[serde(default)]
    pub(crate) public_url: String,
    #[serde(default)]
    pub(crate) gw_certificate: String,
    #[serde(default)]
    pub(crate) gw_private_key: Sealed,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) initial_users: Vec<User>,
    #[serde(flatten)]
    pub(crate) port: Port,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) password_hash: Sealed,
    #[serde(default)]
    pub(crate) password_salt: Sealed,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ca {
    #[serde(default)]
    pub(crate) private_key: Sealed,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Frontend {
    #[serde(default)]
    pub(crate) hostname: String,
    #[serde(default)]
    pub(crate) certificate: String,
    #[serde(default)]
    pub(crate) private_key: Sealed,
    #[serde(rename = "GRPC_pool_max_size", default)]
    pub(crate) grpc_pool_max_size: u64,
    #[serde(default)]
    pub(crate) resources: Resources,
    #[serde(flatten)]
    pub(crate) port: Port,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Resources {
    #[serde(default)]
    pub(crate) expected_clients: u64,
    #[serde(default)]
    pub(crate) connections_per_second: u64,
    #[serde(default)]
    pub(crate) concurrency: u64,
    #[serde(default)]
    pub(crate) client_info_write_time: u64,
    #[serde(default)]
    pub(crate) max_upload_size: u64,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Datastore {
    #[serde(default)]
    pub(crate) implementation: String,
    #[serde(default)]
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) filestore_directory: String,
    #[serde(default)]
    pub(crate) min_allowed_file_space_mb: u64,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Logging {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) output_directory: String,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) separate_logs_per_component: bool,
    #[serde(default)]
    pub(crate) debug: Log,
    #[serde(default)]
    pub(crate) info: Log,
    #[serde(default)]
    pub(crate) error: Log,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Log {
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) disabled: bool,
    #[serde(default)]
    pub(crate) rotation_time: u64,
    #[serde(default)]
    pub(crate) max_age: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Defaults {
    #[serde(default)]
    pub(crate) hunt_expiry_hours: u64,
    #[serde(default)]
    pub(crate) notebook_number_of_local_workers: u64,
    #[serde(default)]
    pub(crate) acl_lru_timeout_sec: u64,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Security {
    #[serde(default)]
    pub(crate) certificate_validity_days: u64,
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}
