//! What VQL needs, by what it can do and where.
//!
//! | effect | on an endpoint | on the server |
//! |---|---|---|
//! | pure, meta, read | collect | read |
//! | dos: every query is bounded in time, rows and number | collect | read |
//! | host | collect | denied unless named, then collect |
//! | secret | collect | denied unless named, then respond |
//! | mutate, exec, write, net, unknown | respond; named: collect | denied unless named, then respond |
//! | a change of users or orgs | respond | denied unless `users` is named, then respond |
//! | a change of definitions of artifacts or tools | respond | denied unless `definitions` is named, then respond |
//!
//! | reaching another org than the call's | – | denied unless `other_orgs` is named |
//!
//! On an endpoint, secret is the environment of its own process, and what never ends is ended by the
//! time limit of the collection.
//!
//! "Named" means: in `vql_server` or `vql_endpoint` of the policy. What is about users or
//! definitions is let through by its own word only, never by `mutate`.

use vql_builder::effects::Effect as VqlEffect;

use crate::asked::{Found, Place};
use crate::effect::Effect;

/// Functions and plugins that change who may do what.
const USERS: &[&str] = &[
    "org_create",
    "org_delete",
    "passwd",
    "secret_add",
    "secret_modify",
    "user_create",
    "user_delete",
    "user_grant",
    "user_options",
];

/// Functions and plugins that change what a name stands for when it is run.
const DEFINITIONS: &[&str] =
    &["artifact_delete", "artifact_set", "artifact_set_metadata", "inventory_add", "inventory_get"];

/// Words for `vql_server`.
pub(super) const SERVER_WORDS: &[&str] = &[
    "host",
    "mutate",
    "exec",
    "write",
    "net",
    "secret",
    "unknown",
    "users",
    "definitions",
    OTHER_ORGS,
];

/// The word for VQL that reads or changes another org than the one that the call names.
pub(super) const OTHER_ORGS: &str = "other_orgs";

/// Words for `vql_endpoint`.
pub(super) const ENDPOINT_WORDS: &[&str] = &["mutate", "exec", "write", "net", "unknown"];

/// What something found needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// A policy that lets this effect run.
    Effect(Effect),
    /// A policy that names this word in `vql_server`.
    Word(&'static str),
}

/// What one thing that was found in a query needs, where the policy names these words.
pub(super) fn needs(found: &Found, server: &[String], endpoint: &[String]) -> Needs {
    let named = |words: &[String], word: &str| words.iter().any(|named| named == word);
    let subject = subject(&found.call);
    let word = subject.unwrap_or(found.effect.as_str());
    match (found.place, found.effect) {
        (Place::Server, VqlEffect::Pure | VqlEffect::Meta | VqlEffect::Read | VqlEffect::Dos)
            if subject.is_none() =>
        {
            Needs::Effect(Effect::Read)
        }
        (Place::Server, _) if !named(server, word) => Needs::Word(word),
        (Place::Server, VqlEffect::Host) => Needs::Effect(Effect::Collect),
        (Place::Server, _) => Needs::Effect(Effect::Respond),
        (
            Place::Endpoint,
            VqlEffect::Pure
            | VqlEffect::Meta
            | VqlEffect::Read
            | VqlEffect::Host
            | VqlEffect::Dos
            | VqlEffect::Secret,
        ) if subject.is_none() => Needs::Effect(Effect::Collect),
        (Place::Endpoint, effect) if subject.is_none() && named(endpoint, effect.as_str()) => {
            Needs::Effect(Effect::Collect)
        }
        (Place::Endpoint, _) => Needs::Effect(Effect::Respond),
    }
}

/// Why a call weighs what it does, for whoever is asked about it.
pub(super) fn weight(found: &Found, needed: Effect) -> String {
    let Found { place, effect, call } = found;
    match (place, subject(call)) {
        (Place::Endpoint, None) => {
            format!("{call} does {effect} on endpoints, and that is a call to {needed}")
        }
        (Place::Endpoint, Some(subject)) => {
            format!("{call} changes {subject}, and that is a call to {needed}")
        }
        (Place::Server, _) => {
            format!("{call} does {effect} on the server, and that is a call to {needed}")
        }
    }
}

/// Why something is refused on the server, and what to do in place of it.
pub(super) const fn why_not(effect: VqlEffect) -> (&'static str, &'static str) {
    match effect {
        VqlEffect::Mutate | VqlEffect::Write | VqlEffect::Net => {
            ("VQL here may only read what the server stores", "")
        }
        _ => (
            "VQL here runs on the server and not on an endpoint",
            "collect from an endpoint with collect_artifact; or ",
        ),
    }
}

/// The word for calls that no effect's word lets through.
fn subject(call: &str) -> Option<&'static str> {
    let is_in = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(call));
    if is_in(USERS) {
        Some("users")
    } else if is_in(DEFINITIONS) {
        Some("definitions")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(place: Place, effect: VqlEffect, call: &str, words: &[&str]) -> Needs {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let found = Found { place, effect, call: call.to_owned() };
        match place {
            Place::Server => needs(&found, &words, &[]),
            Place::Endpoint => needs(&found, &[], &words),
        }
    }

    #[test]
    fn on_the_server_only_reading_is_free() {
        use VqlEffect as V;
        for effect in VqlEffect::ALL {
            let free = matches!(effect, V::Pure | V::Meta | V::Read | V::Dos);
            let unnamed = of(Place::Server, effect, "f", &[]);
            let named = of(Place::Server, effect, "f", &[effect.as_str()]);
            if free {
                assert_eq!(unnamed, Needs::Effect(Effect::Read), "{effect}");
            } else {
                assert_eq!(unnamed, Needs::Word(effect.as_str()), "{effect}");
                let after = if effect == V::Host { Effect::Collect } else { Effect::Respond };
                assert_eq!(named, Needs::Effect(after), "{effect}");
                assert!(SERVER_WORDS.contains(&effect.as_str()), "{effect} cannot be named");
            }
        }
    }

    #[test]
    fn on_an_endpoint_looking_is_a_collection_and_all_else_a_response() {
        use VqlEffect as V;
        for effect in VqlEffect::ALL {
            let looks =
                matches!(effect, V::Pure | V::Meta | V::Read | V::Host | V::Dos | V::Secret);
            let wanted = if looks { Effect::Collect } else { Effect::Respond };
            assert_eq!(of(Place::Endpoint, effect, "f", &[]), Needs::Effect(wanted), "{effect}");
            let named = of(Place::Endpoint, effect, "f", &[effect.as_str()]);
            assert_eq!(named, Needs::Effect(Effect::Collect), "{effect}");
        }
    }

    #[test]
    fn users_and_definitions_are_let_through_by_their_own_word_only() {
        for (call, word) in [("user_grant", "users"), ("ARTIFACT_SET", "definitions")] {
            for effect in VqlEffect::ALL {
                let by_effect = of(Place::Server, effect, call, &[effect.as_str(), "mutate"]);
                assert_eq!(by_effect, Needs::Word(word), "{call} as {effect}");
            }
            let by_word = of(Place::Server, VqlEffect::Mutate, call, &[word]);
            assert_eq!(by_word, Needs::Effect(Effect::Respond));
        }
    }
}
