//! A call as it is judged: everything on which the answer to "may this run?" depends.
//!
//! The caller of this crate fills it in from what it *resolved*, not from what was typed: clients
//! by id, artifacts with the digest of the definition that would run now. All of it goes into the
//! digest that an approval binds, a field that is added later among it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use velociraptor_api::ClientId;
use vql_builder::effects::{Effect as VqlEffect, EffectSet, Report};

use crate::digest::Digest;
use crate::effect::Effect;

/// One call.
///
/// There are no times in it that pass by themselves (now, "last seen"): the same call asked again
/// a minute later over the same state is the same [`Asked`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Who asks.
    pub caller: Caller,
    /// The tool's name.
    pub tool: String,
    /// The effect in the tool's definition. What its VQL does may make the call heavier.
    pub effect: Effect,
    /// The arguments, whole, as the tool takes them.
    pub arguments: Map<String, Value>,
    /// The configured server.
    pub server: String,
    /// The org.
    pub org: String,
    /// As whom the server is asked.
    pub identity: AsWhom,
    /// The endpoints that it touches.
    pub clients: Clients,
    /// What would run, by name.
    pub artifacts: BTreeMap<String, Definition>,
    /// What the VQL of the call can do, artifacts expanded.
    pub vql: VqlFound,
    /// Its bounds.
    pub bounds: Bounds,
    /// For how long work may wait for endpoints, in seconds. `None` where nothing waits.
    pub expires_after: Option<u64>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caller {
    /// The account: the user of the operating system, or the name of the token.
    pub subject: String,
    /// The program that speaks for it, as it calls itself.
    pub program: String,
}

/// As whom a server is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AsWhom {
    /// `reader`, `investigator`, `administrator`, or empty where it is not declared.
    pub kind: String,
    /// The user on the server.
    pub user: String,
}

impl fmt::Display for AsWhom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind.is_empty() {
            f.write_str(&self.user)
        } else {
            write!(f, "{} ({})", self.kind.to_uppercase(), self.user)
        }
    }
}

/// The endpoints that a call touches, as a frozen list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clients {
    /// Their ids; [`ClientId::server`] where the server itself does the work.
    pub ids: BTreeSet<ClientId>,
    /// The rule from which the list comes, in words. `None` where the clients were named one by
    /// one: then nothing else joins later.
    pub condition: Option<String>,
    /// The work is a hunt.
    pub hunt: bool,
}

impl Clients {
    /// No endpoint.
    pub fn none() -> Self {
        Self::default()
    }

    /// Exactly these.
    pub fn exactly(ids: impl IntoIterator<Item = ClientId>) -> Self {
        Self { ids: ids.into_iter().collect(), condition: None, hunt: false }
    }

    /// A hunt over those that fit a rule now, and those that come to fit it.
    pub fn hunt_by(condition: impl Into<String>, ids: impl IntoIterator<Item = ClientId>) -> Self {
        Self { ids: ids.into_iter().collect(), condition: Some(condition.into()), hunt: true }
    }

    /// A hunt over exactly these.
    pub fn hunt_over(ids: impl IntoIterator<Item = ClientId>) -> Self {
        Self { hunt: true, ..Self::exactly(ids) }
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.ids.len() as u64
    }
}

/// An artifact as it is defined now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// SHA-256 of the definition.
    pub sha256: Digest,
    /// The artifacts that it calls, over all steps, with theirs.
    pub dependencies: BTreeMap<String, Digest>,
    /// The programs that it, or what it calls, fetches on a machine, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Fetched>,
    /// What runs was kept when a hunt was made: it is not the definition as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// A program that is fetched and run, as the server would hand it out now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetched {
    /// The address from which it comes; empty where the server knows none.
    pub url: String,
    /// The server fetches it and hands it on; else the machine fetches it itself.
    pub by_server: bool,
    /// The SHA-256 that it must have. Without one, whatever is at the address is run.
    pub sha256: Option<String>,
    /// All that the server says of it.
    pub record: Digest,
}

/// What is known of an artifact that was kept with a hunt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The artifacts, of it and all that it calls, that are defined otherwise now, or no more.
    pub redefined: BTreeSet<String>,
}

/// Where VQL runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// On the Velociraptor server.
    Server,
    /// On an endpoint.
    Endpoint,
}

/// What the VQL of a call can do. Made from reports of the analysis, so that nothing is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VqlFound {
    /// Each call with each of its effects.
    pub calls: BTreeSet<Found>,
    /// It may reach another org than the one that the call names.
    pub other_orgs: bool,
}

impl VqlFound {
    /// Adds what a text or an artifact can do where it runs.
    pub fn add(&mut self, place: Place, report: &Report) {
        let mut seen = EffectSet::NONE;
        for finding in &report.findings {
            seen = seen.with(finding.effects);
            self.calls.extend(finding.effects.iter().map(|effect| Found {
                place,
                effect,
                call: finding.name.clone(),
            }));
        }
        // An effect of the whole that no part is blamed for counts all the same.
        for effect in report.effects.iter().filter(|effect| !seen.contains(*effect)) {
            self.calls.insert(Found { place, effect, call: String::from("the text") });
        }
        self.other_orgs |= report.other_orgs;
    }

    /// Whether the call has no VQL of its own.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty() && !self.other_orgs
    }
}

/// Something that a query can do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Where it would be done.
    pub place: Place,
    /// What it is.
    #[serde(with = "vql_effect")]
    pub effect: VqlEffect,
    /// The function, plugin, accessor or artifact that does it, as the query names it.
    pub call: String,
}

/// The effect by its word.
mod vql_effect {
    use serde::{Deserialize, Deserializer, Serializer, de};
    use vql_builder::effects::Effect;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    pub(super) fn serialize<S: Serializer>(effect: &Effect, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(effect.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Effect, D::Error> {
        let word = String::deserialize(from)?;
        Effect::from_name(&word)
            .ok_or_else(|| de::Error::custom(format_args!("{word:?} is no effect of VQL")))
    }
}

/// The bounds of a call. `None` means that it has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Bytes brought in, over all endpoints together.
    pub bytes: Option<u64>,
    /// Rows, over all endpoints together.
    pub rows: Option<u64>,
    /// Seconds of work on each machine.
    pub seconds: Option<u64>,
}

impl Asked {
    /// What an approval binds: every field.
    pub fn digest(&self) -> Digest {
        Digest::of("approval", self)
    }
}

#[cfg(test)]
mod tests {
    use vql_builder::effects::{NoArtifacts, analyse};

    use super::*;

    fn of(text: &str) -> VqlFound {
        let mut found = VqlFound::default();
        found.add(Place::Server, &analyse(text, &NoArtifacts));
        found
    }

    fn told(found: &VqlFound) -> Vec<String> {
        found.calls.iter().map(|one| format!("{} {}", one.effect, one.call)).collect()
    }

    #[test]
    fn everything_that_the_analysis_finds_is_taken_over() {
        let found = of("SELECT *, label(client_id=client_id) FROM execve(argv='id')");
        assert!(told(&found).contains(&"exec execve".to_owned()), "{found:?}");
        assert!(told(&found).contains(&"mutate label".to_owned()), "{found:?}");
        let broken = of("SELECT FROM FROM");
        assert!(broken.calls.iter().any(|one| one.effect == VqlEffect::Unknown), "{broken:?}");
        let elsewhere = of("SELECT * FROM query(query={ SELECT * FROM clients() }, org_id='O1')");
        assert!(elsewhere.other_orgs, "{elsewhere:?}");
        // Blamed on no part, it still counts.
        let whole = Report { effects: EffectSet::of(VqlEffect::Exec), ..Report::default() };
        let mut found = VqlFound::default();
        found.add(Place::Endpoint, &whole);
        assert_eq!(told(&found), ["exec the text"]);
        assert!(VqlFound::default().is_empty());
    }
}

#[cfg(test)]
pub(crate) mod example {
    use super::*;

    /// A collection from two endpoints.
    pub(crate) fn collection() -> Asked {
        let mut arguments = Map::new();
        arguments.insert("clients".into(), serde_json::json!(["WS-1", "WS-2"]));
        arguments.insert("artifacts".into(), serde_json::json!(["Windows.Sys.Users"]));
        Asked {
            caller: Caller { subject: "alice".into(), program: "claude".into() },
            tool: "collect_artifact".into(),
            effect: Effect::Collect,
            arguments,
            server: "acme-prod".into(),
            org: "ACME".into(),
            identity: AsWhom { kind: "investigator".into(), user: "megaraptor-inv".into() },
            clients: Clients::exactly([client(1), client(2)]),
            artifacts: BTreeMap::from([(
                "Windows.Sys.Users".to_owned(),
                Definition {
                    sha256: Digest::of("definition", &"users"),
                    dependencies: BTreeMap::from([(
                        "Windows.Search".to_owned(),
                        Digest::of("definition", &"search"),
                    )]),
                    tools: BTreeMap::new(),
                    kept: None,
                },
            )]),
            vql: found(Place::Endpoint, VqlEffect::Host, "users"),
            bounds: Bounds { bytes: Some(1_000), rows: Some(100), seconds: Some(60) },
            expires_after: None,
        }
    }

    /// Cutting one endpoint off.
    pub(crate) fn quarantine() -> Asked {
        Asked {
            tool: "quarantine_client".into(),
            effect: Effect::Respond,
            arguments: Map::from_iter([
                ("action".to_owned(), "isolate".into()),
                ("client".to_owned(), "FIN-WS07".into()),
            ]),
            identity: AsWhom { kind: "administrator".into(), user: "megaraptor-adm".into() },
            clients: Clients::exactly([client(0x18f2)]),
            artifacts: BTreeMap::from([(
                "Windows.Remediation.Quarantine".to_owned(),
                Definition {
                    sha256: Digest::of("definition", &"quarantine"),
                    dependencies: BTreeMap::new(),
                    tools: BTreeMap::new(),
                    kept: None,
                },
            )]),
            vql: found(Place::Endpoint, VqlEffect::Exec, "execve"),
            ..collection()
        }
    }

    pub(crate) fn found(place: Place, effect: VqlEffect, call: &str) -> VqlFound {
        let found = Found { place, effect, call: call.to_owned() };
        VqlFound { calls: [found].into(), other_orgs: false }
    }

    pub(crate) fn client(number: u64) -> ClientId {
        ClientId::parse(&format!("C.{number:016x}")).unwrap()
    }
}
