//! Identities: the users that a server knows us as, weakest first.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Connection;
use crate::error::QueryErrorKind;
use crate::ids::OrgId;
use crate::permission::{Permission, Permissions};
use crate::stream::Row;

/// For how long probed permissions are believed. A change of roles through VQL takes effect at
/// once, one through the command line after up to five minutes.
const PROBE_LIFE: Duration = Duration::from_secs(300);

/// For how long an identity that could not be probed is passed over without being asked again.
const FAULT_LIFE: Duration = Duration::from_secs(30);

/// What came of asking the server about an identity.
type Probe = Result<Arc<Profile>, QueryErrorKind>;

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

    /// The roles of Velociraptor that make a user of this kind, as `--role` takes them.
    pub const fn roles(self) -> &'static str {
        match self {
            Self::Reader => "reader,api",
            Self::Investigator => "investigator",
            Self::Administrator => "administrator",
        }
    }

    /// The weakest kind whose roles bring all these permissions (0.77.2).
    pub fn for_permissions(needs: &[Permission]) -> Self {
        use Permission as P;
        let strongest = needs.iter().map(|permission| match permission {
            P::AnyQuery | P::ReadResults => Self::Reader,
            P::LabelClient
            | P::CollectClient
            | P::StartHunt
            | P::NotebookEditor
            | P::PrepareResults => Self::Investigator,
            _ => Self::Administrator,
        });
        strongest.max().unwrap_or(Self::Reader)
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
    probed: Mutex<HashMap<OrgId, (Instant, Probe)>>,
    /// Held while the server is asked, so that many calls at once ask it once.
    asking: tokio::sync::Mutex<()>,
}

impl Identity {
    pub(crate) fn new(declared: Option<IdentityKind>, connection: Connection) -> Self {
        let (probed, asking) = Default::default();
        Self { declared, connection, probed, asking }
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

    /// Why the server last could not be asked about this identity in the org, if so. Other
    /// identities are used meanwhile; this is for whoever mends the configuration.
    pub fn fault(&self, org: &OrgId) -> Option<QueryErrorKind> {
        let probed = self.probed.lock().ok()?;
        probed.get(org).and_then(|(_, probe)| probe.as_ref().err().cloned())
    }

    /// What is known without asking again. A connection that broke says nothing of the identity,
    /// so that is asked again at once.
    pub(crate) fn remembered(&self, org: &OrgId) -> Option<Probe> {
        let probed = self.probed.lock().ok()?;
        let (since, probe) = probed.get(org)?;
        let life = match probe {
            Ok(_) => PROBE_LIFE,
            Err(kind) if kind.is_transient() => Duration::ZERO,
            Err(_) => FAULT_LIFE,
        };
        (since.elapsed() < life).then(|| probe.clone())
    }

    pub(crate) fn remember(&self, org: &OrgId, probe: &Probe) {
        if let Ok(mut probed) = self.probed.lock() {
            probed.insert(org.clone(), (Instant::now(), probe.clone()));
        }
    }

    pub(crate) const fn asking(&self) -> &tokio::sync::Mutex<()> {
        &self.asking
    }

    /// Forgets what was probed in an org, after a denial has proved it wrong.
    pub(crate) fn forget(&self, org: &OrgId) {
        if let Ok(mut probed) = self.probed.lock() {
            probed.remove(org);
        }
    }
}

/// What the server says of the user behind an identity, in one org.
#[derive(Clone, Debug, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_kind_that_brings_all_permissions_is_named() {
        use Permission as P;
        for (needs, kind) in [
            (&[][..], IdentityKind::Reader),
            (&[P::AnyQuery, P::ReadResults], IdentityKind::Reader),
            (&[P::AnyQuery, P::CollectClient], IdentityKind::Investigator),
            (&[P::CollectClient, P::Execve, P::LabelClient], IdentityKind::Administrator),
        ] {
            assert_eq!(IdentityKind::for_permissions(needs), kind, "{needs:?}");
        }
    }
}
