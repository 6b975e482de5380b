//! Files in the server's store: what collections uploaded.

use std::sync::Arc;

use jiff::Timestamp;

/// A stored file. Its name is the list of its components.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) client_id: String,
    pub(crate) flow_id: String,
    pub(crate) accessor: String,
    pub(crate) client_path: String,
    pub(crate) time: Timestamp,
    pub(crate) data: Arc<[u8]>,
}

/// Prefixes that nobody may read.
const DENIED: &[&str] = &["acl", "backups", "config", "orgs", "secrets", "users"];

/// Whether the components lead to where nobody may read.
pub(crate) fn is_denied(components: &[String]) -> bool {
    components.first().is_some_and(|first| DENIED.contains(&first.as_str()))
}
