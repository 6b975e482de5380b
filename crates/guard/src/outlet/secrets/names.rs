//! Names of secrets: of members, of settings, of options.

use super::super::notes::SecretKind;

/// What kind of secret a value of this name is.
pub(in crate::outlet) fn kind(name: &str) -> Option<SecretKind> {
    // Longer ones are no names. A name has an anchor as well as a text has, so that bytes that were
    // found to have none hold no name of a secret.
    if name.len() > 64 || !super::has_anchor(name.as_bytes()) {
        return None;
    }
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | '.' | ' ' | '$'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is = |names: &[&str]| names.contains(&name.as_str());
    if ends(&["password", "passwd", "passphrase", "passwords", "passwort"]) || is(&["pwd", "pass"])
    {
        Some(SecretKind::Password)
    } else if ends(&["privatekey"]) {
        Some(SecretKind::PrivateKey)
    } else if ends(&["nonce"]) {
        Some(SecretKind::Nonce)
    } else if is(&["clientconfig"]) {
        Some(SecretKind::ApiFile)
    } else if ends(&[
        "secret",
        "secretkey",
        "secretaccesskey",
        "apikey",
        "accountkey",
        "sharedaccesskey",
    ]) {
        Some(SecretKind::Secret)
    } else if ends(&[
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "sessiontoken",
        "securitytoken",
        "apitoken",
        "bearertoken",
        "idtoken",
        "vaulttoken",
        "githubtoken",
    ]) || is(&["token", "authorization", "proxyauthorization", "cookie", "setcookie"])
    {
        Some(SecretKind::Token)
    } else {
        None
    }
}

/// Whether a value can be what its name says, where nothing else speaks for it.
pub(in crate::outlet) fn plausible(kind: SecretKind, value: &str) -> bool {
    let value = value.trim();
    if value.is_empty() || value.starts_with(super::MASKED) {
        return false;
    }
    match kind {
        SecretKind::Password | SecretKind::Secret => {
            let word = value.to_ascii_lowercase();
            let empty = [
                "null",
                "none",
                "nil",
                "true",
                "false",
                "undefined",
                "n/a",
                "yes",
                "no",
                "string",
                "text",
                "hidden",
                "redacted",
                "required",
                "optional",
                "foobar",
                "select",
            ];
            // What is called a secret or a key was made by a machine. A plain word is the name of
            // one, as `secret="gmail"` in VQL.
            let made = kind == SecretKind::Password
                || value.len() >= 16
                || !value.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-'));
            made && !empty.contains(&word.as_str())
                && !value.bytes().all(|byte| matches!(byte, b'*' | b'-' | b'.'))
                // When a password was set is none.
                && value.parse::<jiff::Timestamp>().is_err()
        }
        SecretKind::Token => value.len() >= 12 && super::has_digit(value),
        _ => true,
    }
}
