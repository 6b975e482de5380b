//! Permissions of a user on the server, and which identity holds them.

use std::collections::BTreeSet;
use std::fmt;

/// A permission of Velociraptor's access control, by the name that its messages use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the variants are Velociraptor's own names")]
pub enum Permission {
    AnyQuery,
    ReadResults,
    LabelClient,
    CollectClient,
    CollectBasic,
    StartHunt,
    CollectServer,
    ArtifactWriter,
    ServerArtifactWriter,
    Execve,
    NotebookEditor,
    ServerAdmin,
    OrgAdmin,
    Impersonation,
    FilesystemRead,
    FilesystemWrite,
    Network,
    MachineState,
    PrepareResults,
    DeleteResults,
}

/// Every permission with its name in messages and its field in an effective policy.
const NAMES: &[(Permission, &str, &str)] = &[
    (Permission::AnyQuery, "ANY_QUERY", "any_query"),
    (Permission::ReadResults, "READ_RESULTS", "read_results"),
    (Permission::LabelClient, "LABEL_CLIENT", "label_clients"),
    (Permission::CollectClient, "COLLECT_CLIENT", "collect_client"),
    (Permission::CollectBasic, "COLLECT_BASIC", "collect_basic"),
    (Permission::StartHunt, "START_HUNT", "start_hunt"),
    (Permission::CollectServer, "COLLECT_SERVER", "collect_server"),
    (Permission::ArtifactWriter, "ARTIFACT_WRITER", "artifact_writer"),
    (Permission::ServerArtifactWriter, "SERVER_ARTIFACT_WRITER", "server_artifact_writer"),
    (Permission::Execve, "EXECVE", "execve"),
    (Permission::NotebookEditor, "NOTEBOOK_EDITOR", "notebook_editor"),
    (Permission::ServerAdmin, "SERVER_ADMIN", "server_admin"),
    (Permission::OrgAdmin, "ORG_ADMIN", "org_admin"),
    (Permission::Impersonation, "IMPERSONATION", "impersonation"),
    (Permission::FilesystemRead, "FILESYSTEM_READ", "filesystem_read"),
    (Permission::FilesystemWrite, "FILESYSTEM_WRITE", "filesystem_write"),
    (Permission::Network, "NETWORK", "network"),
    (Permission::MachineState, "MACHINE_STATE", "machine_state"),
    (Permission::PrepareResults, "PREPARE_RESULTS", "prepare_results"),
    (Permission::DeleteResults, "DELETE_RESULTS", "delete_results"),
];

impl Permission {
    /// The name in Velociraptor's messages and artifact definitions, such as `COLLECT_CLIENT`.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(p, ..)| *p == self).map_or("", |(_, name, _)| name)
    }

    /// Finds a permission by that name.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n, _)| *n == name).map(|(p, ..)| *p)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Reads the `effective_policy` object of a user record: a flag per permission.
    pub fn from_policy(policy: &serde_json::Value) -> Self {
        let flag =
            |field: &str| policy.get(field).and_then(serde_json::Value::as_bool) == Some(true);
        if flag("super_user") {
            return Self(NAMES.iter().map(|(p, ..)| *p).collect());
        }
        Self(NAMES.iter().filter(|(.., field)| flag(field)).map(|(p, ..)| *p).collect())
    }

    /// Whether all of `wanted` are held.
    pub fn holds(&self, wanted: &[Permission]) -> bool {
        wanted.iter().all(|p| self.0.contains(p))
    }

    /// Those of `wanted` that are not held.
    pub fn lacking<'a>(&self, wanted: &'a [Permission]) -> Vec<&'a Permission> {
        wanted.iter().filter(|p| !self.0.contains(p)).collect()
    }

    /// The permissions, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Permission> {
        self.0.iter().copied()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_gives_the_permissions_whose_flag_is_true() {
        let policy = serde_json::json!({"any_query": true, "read_results": true, "execve": false});
        let held = Permissions::from_policy(&policy);
        assert!(held.holds(&[Permission::AnyQuery, Permission::ReadResults]));
        assert_eq!(
            held.lacking(&[Permission::Execve, Permission::AnyQuery]),
            [&Permission::Execve]
        );
    }

    #[test]
    fn every_name_is_found_again() {
        for (permission, name, _) in NAMES {
            assert_eq!(Permission::from_name(name), Some(*permission));
            assert_eq!(permission.name(), *name);
        }
    }
}
