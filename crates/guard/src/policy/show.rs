//! The policy in force, key by key.

use super::settings::{KEYS, Origin, Set, Settings};
use super::{Glob, Policy};
use crate::effect::Effect;

/// A key with the value in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The key.
    pub name: &'static str,
    /// Its value, as it is read.
    pub value: String,
    /// Where it was set.
    pub origin: Origin,
    /// What it does.
    pub says: &'static str,
}

impl Policy {
    /// Every key, in the order of the documents.
    pub fn shown(&self) -> Vec<Shown> {
        let shown = |key: &super::Key| {
            let (value, origin) = in_force(&self.settings, key.name)?;
            Some(Shown { name: key.name, value, origin, says: key.says })
        };
        KEYS.iter().filter_map(shown).collect()
    }
}

fn in_force(settings: &Settings, name: &str) -> Option<(String, Origin)> {
    let limit = |set: &Set<Option<u64>>| {
        (set.value.map_or_else(|| String::from("none"), |most| most.to_string()), origin(set))
    };
    let words = |set: &Set<Vec<String>>| (list(set.value.iter()), origin(set));
    let globs = |globs: &[Glob]| list(globs.iter().map(Glob::as_str));
    let only = |set: &Set<Option<Vec<String>>>| {
        let all = || String::from("all");
        (set.value.as_ref().map_or_else(all, |names| list(names.iter())), origin(set))
    };
    if let Some(effect) = Effect::ALL.into_iter().find(|effect| effect.as_str() == name) {
        let set = settings.mode(effect);
        return Some((set.value.as_str().to_owned(), origin(set)));
    }
    Some(match name {
        "read_only" => (settings.read_only.value.to_string(), origin(&settings.read_only)),
        "vql_server" => words(&settings.vql_server),
        "vql_endpoint" => words(&settings.vql_endpoint),
        "servers" => only(&settings.servers),
        "orgs" => only(&settings.orgs),
        "protected_clients" => {
            let ids = settings.protected.value.iter().map(|id| id.as_str());
            (list(ids), origin(&settings.protected))
        }
        "artifacts_allow" => {
            let allow = &settings.artifacts_allow;
            let all = || String::from("all");
            (allow.value.as_deref().map_or_else(all, globs), origin(allow))
        }
        "artifacts_deny" => {
            (globs(&settings.artifacts_deny.value), origin(&settings.artifacts_deny))
        }
        "tools_ask" => words(&settings.tools_ask),
        "tools_deny" => words(&settings.tools_deny),
        "limits.clients" => limit(&settings.clients),
        "limits.hunt_clients" => limit(&settings.hunt_clients),
        "limits.in_chat_clients" => limit(&settings.in_chat_clients),
        "limits.bytes" => limit(&settings.bytes),
        "limits.rows" => limit(&settings.rows),
        "limits.seconds" => limit(&settings.seconds),
        "limits.calls_per_minute" => limit(&settings.calls_per_minute),
        _ => return None,
    })
}

fn origin<T>(set: &Set<T>) -> Origin {
    set.rule("").origin
}

fn list<T: AsRef<str>>(items: impl Iterator<Item = T>) -> String {
    let items: Vec<String> = items.map(|item| item.as_ref().to_owned()).collect();
    if items.is_empty() { String::from("nothing") } else { items.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_shown() {
        let shown = Policy::default().shown();
        let names: Vec<_> = shown.iter().map(|one| one.name).collect();
        assert_eq!(names, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
        assert!(shown.iter().all(|one| one.origin == Origin::Default));
    }
}
