//! Identities: the users that a server knows us as, weakest first.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;
use crate::ids::OrgId;
use crate::permission::{Permission, Permissions};
use crate::stream::Row;

/// For how long probed permissions are believed. A change of roles through VQL takes effect at
/// once, one through the command line after up to five minutes.
const PROBE_LIFE: Duration = Duration::from_secs(300);

/// The three identities that a server entry may hold. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentityKind {
    /// Roles `reader,api`: reads, and nothing else (plain `reader` cannot query).
    Reader,
    /// Role `investigator`: collects, hunts, labels.
    Investigator,
    /// Role `administrator`: everything, EXECVE artifacts such as quarantine among it.
    Administrator,
}

impl IdentityKind {
    /// All kinds, weakest first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Investigator, Self::Administrator];

    /// The word used in configuration and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Investigator => "investigator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for IdentityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One identity of a server: a user with a channel of its own.
#[derive(Debug)]
pub struct Identity {
    declared: Option<IdentityKind>,
    connection: Connection,
    probed: Mutex<HashMap<OrgId, (Instant, Arc<Profile>)>>,
}

impl Identity {
    pub(crate) fn new(declared: Option<IdentityKind>, connection: Connection) -> Self {
        Self { declared, connection, probed: Mutex::default() }
    }

    /// What the configuration calls it, where it does. What it really is, [`Profile::kind`] says.
    pub const fn declared(&self) -> Option<IdentityKind> {
        self.declared
    }

    /// The user name: the common name of the certificate.
    pub fn user(&self) -> &str {
        self.connection.config().user()
    }

    /// The channel.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(crate) fn remembered(&self, org: &OrgId) -> Option<Arc<Profile>> {
        let probed = self.probed.lock().ok()?;
        let (since, profile) = probed.get(org)?;
        (since.elapsed() < PROBE_LIFE).then(|| Arc::clone(profile))
    }

    pub(crate) fn remember(&self, org: &OrgId, profile: &Arc<Profile>) {
        if let Ok(mut probed) = self.probed.lock() {
            probed.insert(org.clone(), (Instant::now(), Arc::clone(profile)));
        }
    }

    /// Forgets what was probed in an org, after a denial has proved it wrong.
    pub(crate) fn forget(&self, org: &OrgId) {
        if let Ok(mut probed) = self.probed.lock() {
            probed.remove(org);
        }
    }
}

/// What the server says of the user behind an identity, in one org.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The user name.
    pub user: String,
    /// What the user may do in the org.
    pub permissions: Permissions,
    /// The version of the server, such as `0.77.2`.
    pub version: String,
    /// The org's display name.
    pub org_name: String,
}

impl Profile {
    pub(crate) fn from_row(row: &Row) -> Option<Self> {
        let text = |key: &str| row.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        Some(Self {
            user: row.get("User")?.as_str()?.to_owned(),
            permissions: Permissions::from_policy(row.get("Policy")?),
            version: text("Version"),
            org_name: text("OrgName"),
        })
    }

    /// What the user is, by what it may do: whoever may collect is no reader, and whoever may run
    /// programs or administer is an administrator, whatever the configuration calls it.
    pub fn kind(&self) -> IdentityKind {
        let reads = |p: Permission| matches!(p, Permission::AnyQuery | Permission::ReadResults);
        let strong = [Permission::ServerAdmin, Permission::Execve, Permission::OrgAdmin];
        if self.permissions.iter().all(reads) {
            IdentityKind::Reader
        } else if self.permissions.iter().any(|p| strong.contains(&p)) {
            IdentityKind::Administrator
        } else {
            IdentityKind::Investigator
        }
    }
}
