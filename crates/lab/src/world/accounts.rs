//! Users, roles and permissions.

use std::collections::BTreeSet;

use crate::value::{Dict, Value};

macro_rules! permissions {
    ($($variant:ident $name:literal $field:literal),* $(,)?) => {
        /// A permission of the server's access control.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Permission { $($variant),* }

        impl Permission {
            const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in messages and in artifact definitions.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The field of an effective policy.
            const fn field(self) -> &'static str {
                match self { $(Self::$variant => $field),* }
            }
        }
    };
}

permissions! {
    AnyQuery "ANY_QUERY" "any_query",
    ReadResults "READ_RESULTS" "read_results",
    LabelClient "LABEL_CLIENT" "label_clients",
    CollectClient "COLLECT_CLIENT" "collect_client",
    CollectBasic "COLLECT_BASIC" "collect_basic",
    StartHunt "START_HUNT" "start_hunt",
    CollectServer "COLLECT_SERVER" "collect_server",
    ArtifactWriter "ARTIFACT_WRITER" "artifact_writer",
    ServerArtifactWriter "SERVER_ARTIFACT_WRITER" "server_artifact_writer",
    Execve "EXECVE" "execve",
    NotebookEditor "NOTEBOOK_EDITOR" "notebook_editor",
    OrgAdmin "ORG_ADMIN" "org_admin",
    Impersonation "IMPERSONATION" "impersonation",
    ServerAdmin "SERVER_ADMIN" "server_admin",
    FilesystemRead "FILESYSTEM_READ" "filesystem_read",
    FilesystemWrite "FILESYSTEM_WRITE" "filesystem_write",
    Network "NETWORK" "network",
    MachineState "MACHINE_STATE" "machine_state",
    PrepareResults "PREPARE_RESULTS" "prepare_results",
    DeleteResults "DELETE_RESULTS" "delete_results",
}

impl Permission {
    /// The permission of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    /// What a role gives.
    fn of_role(role: &str) -> &'static [Self] {
        match role {
            "administrator" => Self::ALL,
            "reader" => &[Self::ReadResults],
            "api" => &[Self::AnyQuery, Self::ReadResults],
            "analyst" => &[
                Self::AnyQuery,
                Self::ReadResults,
                Self::LabelClient,
                Self::NotebookEditor,
                Self::PrepareResults,
            ],
            "investigator" => &[
                Self::AnyQuery,
                Self::ReadResults,
                Self::LabelClient,
                Self::CollectClient,
                Self::StartHunt,
                Self::NotebookEditor,
                Self::PrepareResults,
            ],
            "artifact_writer" => &[Self::ArtifactWriter],
            "org_admin" => &[Self::OrgAdmin],
            _ => &[],
        }
    }
}

/// A user's authority in one org.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) roles: Vec<String>,
    permissions: BTreeSet<Permission>,
}

impl Account {
    /// The authority of some roles.
    pub(crate) fn with_roles<S: AsRef<str>>(roles: impl IntoIterator<Item = S>) -> Self {
        let roles: Vec<String> = roles.into_iter().map(|role| role.as_ref().to_owned()).collect();
        let permissions =
            roles.iter().flat_map(|role| Permission::of_role(role)).copied().collect();
        Self { roles, permissions }
    }

    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.permissions.contains(&permission)
    }

    /// The effective policy as `gui_users()` shows it: the fields that are granted.
    pub(crate) fn policy(&self) -> Dict {
        self.permissions.iter().map(|p| (p.field().into(), Value::Bool(true))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_investigator_collects_but_executes_nothing() {
        let account = Account::with_roles(["investigator"]);
        assert!(account.may(Permission::CollectClient));
        assert!(!account.may(Permission::Execve));
        assert!(!Account::with_roles(["reader"]).may(Permission::AnyQuery));
        assert!(Account::with_roles(["administrator"]).may(Permission::OrgAdmin));
    }
}
