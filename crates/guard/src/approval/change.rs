//! What is different between a request as it was shown and the same request now.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use velociraptor_api::ClientId;

use crate::asked::{Asked, Definition};
use crate::digest::Digest;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Change {
    /// An artifact, or one that it calls, has another definition.
    Redefined {
        /// Its name.
        artifact: String,
        /// The digest that was shown; `None` where it was not part of the request.
        was: Option<Digest>,
        /// The digest now; `None` where it is no longer part of it.
        now: Option<Digest>,
    },
    /// Other clients.
    Clients {
        /// How many came.
        came: usize,
        /// How many went.
        went: usize,
        /// Some of them.
        examples: Vec<ClientId>,
    },
    /// The server is asked as somebody else.
    Identity {
        /// The user that was shown.
        was: String,
        /// The user now.
        now: String,
    },
    /// Another part of the request.
    Other {
        /// Its name.
        part: String,
    },
}

/// Most clients that are named.
const EXAMPLES: usize = 3;

/// All differences. Empty only where both have the same digest.
pub(super) fn between(was: &Asked, now: &Asked) -> Vec<Change> {
    let mut changes = Vec::new();
    let (before, after) = (definitions(&was.artifacts), definitions(&now.artifacts));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let (was, now) = (before.get(name).copied(), after.get(name).copied());
        if was != now {
            changes.push(Change::Redefined { artifact: (*name).to_owned(), was, now });
        }
    }
    if was.clients.ids != now.clients.ids {
        let came: Vec<_> = now.clients.ids.difference(&was.clients.ids).collect();
        let went: Vec<_> = was.clients.ids.difference(&now.clients.ids).collect();
        changes.push(Change::Clients {
            came: came.len(),
            went: went.len(),
            examples: came.iter().chain(&went).take(EXAMPLES).map(|id| (*id).clone()).collect(),
        });
    }
    if was.identity != now.identity {
        changes.push(Change::Identity {
            was: was.identity.to_string(),
            now: now.identity.to_string(),
        });
    }
    // Whatever has no words of its own above is found by its name in the written form, so that no
    // field can be forgotten here.
    let parts = |asked: &Asked| serde_json::to_value(asked).unwrap_or_default();
    let (before, after) = (parts(was), parts(now));
    let told = ["artifacts", "identity", "clients"];
    for (part, value) in before.as_object().into_iter().flatten() {
        if !told.contains(&part.as_str()) && after.get(part) != Some(value) {
            changes.push(Change::Other { part: part.clone() });
        }
    }
    let rule = |asked: &Asked| (asked.clients.condition.clone(), asked.clients.hunt);
    if rule(was) != rule(now) {
        changes.push(Change::Other { part: "rule for clients".to_owned() });
    }
    let tools = |asked: &Asked| -> Vec<_> {
        asked.artifacts.values().map(|definition| definition.tools.clone()).collect()
    };
    if tools(was) != tools(now) {
        changes.push(Change::Other { part: "what is fetched and run".to_owned() });
    }
    let kept = |asked: &Asked| -> Vec<_> {
        asked.artifacts.values().map(|definition| definition.kept.clone()).collect()
    };
    if kept(was) != kept(now) {
        changes
            .push(Change::Other { part: "what was redefined since the hunt was made".to_owned() });
    }
    let called = |asked: &Asked| -> Vec<_> {
        asked.artifacts.iter().map(|(n, d)| (n.clone(), d.dependencies.clone())).collect()
    };
    if changes.is_empty() && called(was) != called(now) {
        changes.push(Change::Other { part: "which artifact calls which".to_owned() });
    }
    changes
}

/// The digests of all artifacts, called ones among them.
fn definitions(artifacts: &BTreeMap<String, Definition>) -> BTreeMap<&str, Digest> {
    let mut all = BTreeMap::new();
    for (name, definition) in artifacts {
        all.extend(definition.dependencies.iter().map(|(name, digest)| (name.as_str(), *digest)));
        all.insert(name, definition.sha256);
    }
    all
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Redefined { artifact, was: Some(was), now: Some(now) } => {
                write!(f, "{artifact} was redefined ({} then, {} now)", was.short(), now.short())
            }
            Self::Redefined { artifact, was: None, .. } => write!(f, "{artifact} is new in it"),
            Self::Redefined { artifact, now: None, .. } => {
                write!(f, "{artifact} is no longer in it")
            }
            Self::Clients { came, went, examples } => {
                write!(f, "the list of clients changed ({came} came, {went} went:")?;
                examples.iter().try_for_each(|id| write!(f, " {id}"))?;
                if came + went > examples.len() { f.write_str(" …)") } else { f.write_str(")") }
            }
            Self::Identity { was, now } => {
                write!(f, "the server would be asked as {now} and not as {was}")
            }
            Self::Other { part } => write!(f, "{part} changed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::{Clients, example};

    fn told(change: impl FnOnce(&mut Asked)) -> String {
        let was = example::collection();
        let mut now = was.clone();
        change(&mut now);
        assert_ne!(was.digest(), now.digest());
        let changes: Vec<_> = between(&was, &now).iter().map(ToString::to_string).collect();
        changes.join("; ")
    }

    #[test]
    fn each_change_is_told_by_its_name() {
        let own = "Windows.Sys.Users";
        let other = Digest::of("definition", &"other");
        let definition = |asked: &mut Asked| asked.artifacts.remove(own).unwrap();
        let told = [
            told(|asked| {
                let users = Definition { sha256: other, ..definition(asked) };
                asked.artifacts.insert(own.to_owned(), users);
            }),
            told(|asked| {
                let mut users = definition(asked);
                users.dependencies.insert("Windows.Search".to_owned(), other);
                asked.artifacts.insert(own.to_owned(), users);
            }),
            told(|asked| {
                let mut users = definition(asked);
                users.dependencies.insert("Windows.New".to_owned(), other);
                asked.artifacts.insert(own.to_owned(), users);
            }),
            told(|asked| {
                let users = definition(asked);
                asked.artifacts.insert(format!("{own}2"), users);
            }),
            told(|asked| asked.clients = Clients::exactly((2..9).map(example::client))),
            told(|asked| asked.clients.hunt = true),
            told(|asked| asked.identity.user = "root".to_owned()),
            told(|asked| asked.bounds.bytes = None),
            told(|asked| asked.expires_after = Some(3600)),
            told(|asked| asked.vql.calls.clear()),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        Windows.Sys.Users was redefined (b127eee9 then, f23b136a now)
        Windows.Search was redefined (2149a428 then, f23b136a now)
        Windows.New is new in it
        Windows.Sys.Users is no longer in it; Windows.Sys.Users2 is new in it
        the list of clients changed (6 came, 1 went: C.0000000000000003 C.0000000000000004 C.0000000000000005 …)
        rule for clients changed
        the server would be asked as INVESTIGATOR (root) and not as INVESTIGATOR (megaraptor-inv)
        bounds changed
        expires_after changed
        vql changed
        "#);
    }
}
