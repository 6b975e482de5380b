//! Reading a policy: a file first, then the environment, then the command line; the later wins.
//!
//! Only `read_only` is different: once it is set anywhere it stays set. Nothing is passed over: an
//! unknown key, a tool that does not exist, a host name where an id belongs refuse the start.

use std::fs;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use velociraptor_api::ClientId;
use velociraptor_api::near::near;

use super::EMERGENCY_STOP;
use super::error::{PolicyError, Problem};
use super::glob::Glob;
use super::settings::{KEYS, Key, Kind, List, Mode, Origin, ProtectedId, Set, Settings};
use super::vql;

/// What the names in the lists of a policy are checked against.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Every tool, whether it is switched on or not.
    pub tools: &'a [&'a str],
    /// The configured servers.
    pub servers: &'a [&'a str],
}

/// Where a policy comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files with a table `[policy]`.
    files: Vec<Text>,
    /// Variables of the environment.
    environment: Vec<(String, String)>,
    /// `KEY=VALUE`, with the option as it was written.
    flags: Vec<(String, String)>,
}

/// A file that was read.
#[derive(Clone, Debug)]
struct Text {
    /// Its path, as it is shown.
    shown: String,
    text: String,
    /// It holds a policy and nothing else.
    alone: bool,
}

/// What the names of variables begin with: `MEGARAPTOR_POLICY_LIMITS_CLIENTS=10`.
pub const PREFIX: &str = "MEGARAPTOR_POLICY_";

impl Sources {
    /// Takes the table `[policy]` of the settings file, where it has one. The other tables are the
    /// settings' own.
    #[must_use]
    pub fn with_settings(mut self, shown: &str, text: String) -> Self {
        self.files.push(Text { shown: shown.to_owned(), text, alone: false });
        self
    }

    /// Reads a file that holds a policy and nothing else. It wins over the settings file.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] where the file cannot be read.
    pub fn with_file(self, path: &Path) -> Result<Self, PolicyError> {
        let shown = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| PolicyError::at(&shown, Problem::Unreadable(error.to_string())))?;
        Ok(self.with_file_text(&shown, text))
    }

    pub(super) fn with_file_text(mut self, shown: &str, text: String) -> Self {
        self.files.push(Text { shown: shown.to_owned(), text, alone: true });
        self
    }

    /// Takes the variables whose names begin with [`PREFIX`]. Empty ones count as not set.
    #[must_use]
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let ours = |(name, value): &(String, String)| name.starts_with(PREFIX) && !value.is_empty();
        self.environment.extend(variables.into_iter().filter(ours));
        self
    }

    /// Takes `KEY=VALUE`, as given to an option.
    #[must_use]
    pub fn with_flag(mut self, option: &str, assignment: &str) -> Self {
        self.flags.push((format!("{option} {assignment}"), assignment.to_owned()));
        self
    }

    /// Takes a switch of its own, such as `--read-only`.
    #[must_use]
    pub fn with_switch(mut self, option: &str, key: &str) -> Self {
        self.flags.push((option.to_owned(), format!("{key}=true")));
        self
    }

    pub(super) fn settings(&self, known: Known<'_>) -> Result<Settings, PolicyError> {
        let mut settings = Settings::default();
        for file in &self.files {
            from_toml(&mut settings, file, known)?;
        }
        for (name, value) in &self.environment {
            let origin = Origin::Environment { name: name.clone() };
            let wanted = name[PREFIX.len()..].to_lowercase();
            let found = KEYS.iter().find(|key| key.name.replace('.', "_") == wanted);
            let key = found.ok_or_else(|| unknown_key(&origin, &wanted))?;
            assign(&mut settings, key, Given::from_text(key, value, &origin), &origin, known)?;
        }
        for (shown, assignment) in &self.flags {
            let origin = Origin::Flag { text: shown.clone() };
            let Some((name, value)) = assignment.split_once('=') else {
                return Err(PolicyError::from(&origin, Problem::NoAssignment(assignment.clone())));
            };
            let name = name.trim();
            let found = KEYS.iter().find(|key| key.name == name);
            let key = found.ok_or_else(|| unknown_key(&origin, name))?;
            assign(
                &mut settings,
                key,
                Given::from_text(key, value.trim(), &origin),
                &origin,
                known,
            )?;
        }
        Ok(settings)
    }
}

fn unknown_key(origin: &Origin, name: &str) -> PolicyError {
    let nearest = near(name, KEYS.iter().map(|key| key.name)).into_iter().next();
    PolicyError::from(origin, Problem::UnknownKey { key: name.to_owned(), nearest })
}

/// A value before it is known to fit its key.
enum Given {
    Bool(bool),
    Number(u64),
    Text(String),
    /// Texts with the place of each.
    List(Vec<(String, Origin)>),
    Other(&'static str),
}

impl Given {
    fn from_text(key: &Key, text: &str, origin: &Origin) -> Self {
        match key.kind {
            Kind::Words(_) => Self::List(
                text.split(',')
                    .map(str::trim)
                    .filter(|word| !word.is_empty())
                    .map(|word| (word.to_owned(), origin.clone()))
                    .collect(),
            ),
            Kind::Switch if text == "true" || text == "1" => Self::Bool(true),
            Kind::Switch if text == "false" || text == "0" => Self::Bool(false),
            Kind::Number(_) => {
                text.parse().map_or_else(|_| Self::Text(text.to_owned()), Self::Number)
            }
            Kind::Switch | Kind::Mode(_) => Self::Text(text.to_owned()),
        }
    }

    fn from_toml(value: &DeValue<'_>, place: &dyn Fn(usize) -> Origin) -> Self {
        match value {
            DeValue::Boolean(set) => Self::Bool(*set),
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .map_or(Self::Other("a number that is negative or too large"), Self::Number),
            DeValue::Array(items) => {
                let mut texts = Vec::new();
                for item in items {
                    let Some(text) = item.get_ref().as_str() else {
                        return Self::Other("a list with something else than texts in it");
                    };
                    texts.push((text.to_owned(), place(item.span().start)));
                }
                Self::List(texts)
            }
            other => Self::Other(other.type_str()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Bool(set) => set.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Other(what) => (*what).to_owned(),
        }
    }
}

fn from_toml(
    settings: &mut Settings,
    Text { shown, text, alone }: &Text,
    known: Known<'_>,
) -> Result<(), PolicyError> {
    let place = |offset: usize| Origin::File {
        path: shown.clone(),
        line: text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1,
    };
    let document = DeTable::parse(text).map_err(|error| {
        let at = place(error.span().map_or(0, |span| span.start));
        PolicyError::from(&at, Problem::Syntax(error.message().to_owned()))
    })?;
    let mut policy = None;
    for (name, value) in document.get_ref() {
        if name.get_ref() == "policy" {
            policy = Some(value);
        } else if *alone {
            let key = name.get_ref().to_string();
            return Err(PolicyError::from(&place(name.span().start), Problem::NoPolicy { key }));
        }
    }
    match policy {
        Some(policy) => table(settings, policy, "", &place, known),
        None if *alone => Err(PolicyError::at(shown, Problem::Empty)),
        None => Ok(()),
    }
}

/// Reads `[policy]` (prefix empty) or `[policy.limits]` (prefix `limits.`).
fn table(
    settings: &mut Settings,
    given: &Spanned<DeValue<'_>>,
    prefix: &str,
    place: &dyn Fn(usize) -> Origin,
    known: Known<'_>,
) -> Result<(), PolicyError> {
    let Some(members) = given.get_ref().as_table() else {
        let what = format!("policy.{prefix}");
        return Err(PolicyError::from(
            &place(given.span().start),
            Problem::BadValue {
                key: what.trim_end_matches('.').to_owned(),
                given: given.get_ref().type_str().to_owned(),
                expected: "a table".to_owned(),
            },
        ));
    };
    for (name, value) in members {
        let origin = place(name.span().start);
        let full = format!("{prefix}{}", name.get_ref());
        if full == "limits" {
            table(settings, value, "limits.", place, known)?;
            continue;
        }
        let found = KEYS.iter().find(|key| key.name == full);
        let key = found.ok_or_else(|| unknown_key(&origin, &full))?;
        assign(settings, key, Given::from_toml(value.get_ref(), place), &origin, known)?;
    }
    Ok(())
}

fn assign(
    settings: &mut Settings,
    key: &Key,
    given: Given,
    origin: &Origin,
    known: Known<'_>,
) -> Result<(), PolicyError> {
    let bad = |given: &Given, expected: &str| {
        PolicyError::from(
            origin,
            Problem::BadValue {
                key: key.name.to_owned(),
                given: given.shown(),
                expected: expected.to_owned(),
            },
        )
    };
    match (key.kind, given) {
        (Kind::Switch, Given::Bool(set)) => {
            // Whoever sets it first has said so for all.
            if set && !settings.read_only.value {
                settings.read_only = Set { value: true, origin: origin.clone() };
            }
        }
        (Kind::Switch, other) => return Err(bad(&other, "true or false")),
        (Kind::Mode(effect), Given::Text(word)) => {
            let Some(mode) = Mode::parse(&word) else {
                return Err(unknown_word(origin, key.name, &word, Mode::WORDS));
            };
            settings.modes[effect as usize] = Set { value: mode, origin: origin.clone() };
        }
        (Kind::Mode(_), other) => return Err(bad(&other, "\"allow\", \"ask\" or \"deny\"")),
        (Kind::Number(bound), given) => {
            let expected = "a whole number, or a text such as \"500 MB\"";
            let number = match &given {
                Given::Number(number) => Some(*number),
                Given::Text(text) => parse_bytes(text),
                _ => None,
            };
            let number = number.ok_or_else(|| bad(&given, expected))?;
            *settings.bound_mut(bound) = Set { value: Some(number), origin: origin.clone() };
        }
        (Kind::Words(list), Given::List(words)) => {
            words_of(settings, list, key, words, origin, known)?
        }
        (Kind::Words(_), other) => return Err(bad(&other, "a list of texts")),
    }
    Ok(())
}

fn unknown_word(origin: &Origin, key: &str, given: &str, known: &[&str]) -> PolicyError {
    PolicyError::from(
        origin,
        Problem::UnknownWord {
            key: key.to_owned(),
            given: given.to_owned(),
            nearest: near(given, known.iter().copied()).into_iter().next(),
            known: known.iter().map(ToString::to_string).collect(),
        },
    )
}

fn words_of(
    settings: &mut Settings,
    list: List,
    key: &Key,
    words: Vec<(String, Origin)>,
    origin: &Origin,
    known: Known<'_>,
) -> Result<(), PolicyError> {
    let checked = |among: &[&str]| -> Result<Vec<String>, PolicyError> {
        match words.iter().find(|(word, _)| !among.contains(&word.as_str())) {
            Some((word, at)) => Err(unknown_word(at, key.name, word, among)),
            None => Ok(words.iter().map(|(word, _)| word.clone()).collect()),
        }
    };
    let texts = || words.iter().map(|(word, _)| word.clone());
    let origin = origin.clone();
    match list {
        List::VqlServer => {
            settings.vql_server = Set { value: checked(vql::SERVER_WORDS)?, origin };
        }
        List::VqlEndpoint => {
            settings.vql_endpoint = Set { value: checked(vql::ENDPOINT_WORDS)?, origin };
        }
        List::Servers => settings.servers = Set { value: Some(checked(known.servers)?), origin },
        List::ToolsAsk => settings.tools_ask = Set { value: checked(&stoppable(known))?, origin },
        List::ToolsDeny => settings.tools_deny = Set { value: checked(&stoppable(known))?, origin },
        List::Orgs => settings.orgs = Set { value: Some(texts().collect()), origin },
        List::ArtifactsAllow => {
            settings.artifacts_allow =
                Set { value: Some(texts().map(Glob::new).collect()), origin };
        }
        List::ArtifactsDeny => {
            settings.artifacts_deny = Set { value: texts().map(Glob::new).collect(), origin };
        }
        List::Protected => {
            let mut ids = std::collections::BTreeSet::new();
            for (word, at) in &words {
                let id = ClientId::parse(word).map_err(|error| {
                    PolicyError::from(at, Problem::NotAnId { given: error.given })
                })?;
                ids.insert(ProtectedId::of(&id));
            }
            settings.protected = Set { value: ids, origin };
        }
    }
    Ok(())
}

/// The tools that a list has an effect on: the emergency stop runs under every policy.
fn stoppable<'a>(known: Known<'a>) -> Vec<&'a str> {
    known.tools.iter().copied().filter(|tool| *tool != EMERGENCY_STOP).collect()
}

/// Bytes as a person writes them: `500 MB`, `2GiB`, `1000`.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim() {
        "" => 1,
        "kB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}
