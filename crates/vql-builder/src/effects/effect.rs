//! The effects and sets of them.

use std::fmt;

/// What a call can do; later ones are stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Effect {
    /// Computes on its arguments.
    Pure,
    /// Runs code that it is given as text or by name, which was looked into.
    Meta,
    /// Reads what the Velociraptor server stores.
    Read,
    /// Reads the machine on which the query runs.
    Host,
    /// Runs without an end, waits, or slows the process down.
    Dos,
    /// Opens connections to other machines.
    Net,
    /// Its answer can hold enrolment or credential material.
    Secret,
    /// Changes what Velociraptor stores: clients, flows, hunts, users, artifacts, tools.
    Mutate,
    /// Writes files or registry of the machine on which the query runs.
    Write,
    /// Runs or stops code, or schedules it on endpoints.
    Exec,
    /// What it does cannot be told from the text.
    Unknown,
}

impl Effect {
    /// All effects, the weakest first.
    pub const ALL: [Self; 11] = [
        Self::Pure,
        Self::Meta,
        Self::Read,
        Self::Host,
        Self::Dos,
        Self::Net,
        Self::Secret,
        Self::Mutate,
        Self::Write,
        Self::Exec,
        Self::Unknown,
    ];

    /// Its one-word name: `pure`, `read`, `unknown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Meta => "meta",
            Self::Read => "read",
            Self::Host => "host",
            Self::Dos => "dos",
            Self::Net => "net",
            Self::Secret => "secret",
            Self::Mutate => "mutate",
            Self::Write => "write",
            Self::Exec => "exec",
            Self::Unknown => "unknown",
        }
    }

    /// The effect of a one-word name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.as_str() == name)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of effects. The empty set is that of a text that calls nothing: the same as pure.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EffectSet(u16);

impl EffectSet {
    /// No effect.
    pub const NONE: Self = Self(0);

    /// The set of one effect.
    pub const fn of(effect: Effect) -> Self {
        Self(1 << effect as u8)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the effect is in the set.
    pub const fn contains(self, effect: Effect) -> bool {
        self.0 & Self::of(effect).0 != 0
    }

    /// Whether nothing in it goes beyond computing and reading server data.
    pub const fn is_read(self) -> bool {
        const READ: u16 = EffectSet::of(Effect::Pure).0
            | EffectSet::of(Effect::Meta).0
            | EffectSet::of(Effect::Read).0;
        self.0 & !READ == 0
    }

    /// The strongest effect; pure where there is none.
    pub fn strongest(self) -> Effect {
        self.iter().last().unwrap_or(Effect::Pure)
    }

    /// The effects, the weakest first.
    pub fn iter(self) -> impl Iterator<Item = Effect> {
        Effect::ALL.into_iter().filter(move |effect| self.contains(*effect))
    }
}

impl From<Effect> for EffectSet {
    fn from(effect: Effect) -> Self {
        Self::of(effect)
    }
}

impl FromIterator<Effect> for EffectSet {
    fn from_iter<I: IntoIterator<Item = Effect>>(effects: I) -> Self {
        effects.into_iter().fold(Self::NONE, |set, effect| set.with(effect.into()))
    }
}

impl fmt::Display for EffectSet {
    /// `read, host`; `pure` for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE {
            return f.write_str("pure");
        }
        for (index, effect) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{effect}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EffectSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}
