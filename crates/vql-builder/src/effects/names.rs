//! Variables that the server puts into the scope of every query.

use super::{Effect, EffectSet};

/// Members of the variable `config` that are no secrets: agents show them to anybody on the network.
const OPEN_CONFIG: &[&str] =
    &["ca_certificate", "pinned_server_name", "server_urls", "server_version", "version"];

/// What reading a variable of the server's scope can do; `None` for an ordinary name.
pub(super) fn variable(path: &[&str]) -> Option<(EffectSet, &'static str)> {
    match path {
        ["config" | "server_config", member, ..] if OPEN_CONFIG.contains(member) => None,
        ["config" | "server_config", ..] => {
            Some((Effect::Secret.into(), "the client configuration holds the enrolment nonce"))
        }
        ["Artifact"] => Some((Effect::Unknown.into(), "which artifact is only known at run time")),
        [name, ..] if name.starts_with('$') => {
            Some((Effect::Unknown.into(), "an object of the engine, whose methods can be called"))
        }
        _ => None,
    }
}

/// Whether a name that begins like this is none of the variables above.
pub(super) fn is_harmless_prefix(prefix: &str) -> bool {
    let head = prefix.split('.').next().unwrap_or_default();
    let is_whole = head.len() < prefix.len();
    let sensitive = |name: &&str| if is_whole { head == *name } else { name.starts_with(head) };
    !head.is_empty()
        && !head.starts_with('$')
        && !["Artifact", "config", "server_config"].iter().any(sensitive)
}
