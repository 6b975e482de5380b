//! Missing permissions, in each of the server's wordings.

use crate::error::QueryErrorKind;
use crate::permission::Permission;

/// Statuses that do not name the permission which the call checks.
const UNNAMED: &[(&str, Permission)] = &[
    ("not allowed to view the VFS", Permission::ReadResults),
    ("not allowed to view hunt results", Permission::ReadResults),
];

/// Reads the message of a function or plugin as a denial: `None` where it is none, otherwise the
/// permission, where one is named.
///
/// ```text
/// PermissionDenied: Permission denied: [PERM]
/// Accessor A: PermissionDenied: Permission denied: [PERM]
/// PermissionDenied: User U is not allowed to launch flows PERM.
/// Permission denied: PERM
/// PermissionDenied: While collecting artifact (A) permission denied PERM
/// Error: PermissionDenied, User U is not admin on <org>.
/// ```
///
/// An operating system says `permission denied` in lower case, and that is no matter of roles.
pub(super) fn in_line(message: &str) -> Option<Option<Permission>> {
    let said = |segment: &str| {
        segment == "PermissionDenied"
            || segment.starts_with("PermissionDenied, ")
            || segment == "Permission denied"
    };
    message.split(": ").any(said).then(|| permission(message))
}

/// A status PERMISSION_DENIED.
pub(super) fn in_status(message: &str) -> QueryErrorKind {
    QueryErrorKind::Denied { permission: permission(message), detail: message.trim().to_owned() }
}

/// The permission that a denial names. It stands last: what comes before it may be a user's or an
/// artifact's name, and those are free to look like a permission.
fn permission(message: &str) -> Option<Permission> {
    if message.contains(" is not admin on ") {
        return Some(Permission::ServerAdmin);
    }
    if let Some((_, permission)) = UNNAMED.iter().find(|(text, _)| message.contains(text)) {
        return Some(*permission);
    }
    let named = match message.split_once(" requires permission ") {
        Some((_, rest)) => rest.split(' ').next(),
        None => message.rsplit([' ', '[', '(']).next(),
    };
    Permission::from_name(named?.trim_matches(|c: char| !c.is_ascii_uppercase()))
}
