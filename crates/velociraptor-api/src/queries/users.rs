//! Queries about users.

use crate::catalogue::{CatalogueQuery, READ};
use crate::permission::Permission;

/// Makes a user with roles. It replaces the rights of one that is there, and takes any word for a
/// role; both are ruled out before. In effect at the next call.
pub const CREATE: CatalogueQuery = CatalogueQuery {
    name: "user_create",
    text: "LET Done <= user_create(user=MR_User, roles=parse_json_array(data=MR_Roles))
SELECT Done AS User FROM scope()",
    binds: &["MR_User", "MR_Roles"],
    needs: &[Permission::AnyQuery, Permission::ReadResults, Permission::ServerAdmin],
    mutates: true,
    columns: &["User"],
};

/// A user of the org. Velociraptor compares names without regard to case.
pub const BY_NAME: CatalogueQuery = CatalogueQuery {
    name: "user_by_name",
    text: "SELECT name AS Name, roles AS Roles FROM gui_users()
WHERE lowcase(string=name) = lowcase(string=MR_User)",
    binds: &["MR_User"],
    needs: READ,
    mutates: false,
    columns: &["Name", "Roles"],
};
