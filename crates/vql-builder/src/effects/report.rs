//! The outcome of an analysis.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::{Effect, EffectSet};
use crate::ast::Span;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A function, in an expression.
    Function,
    /// A plugin, after FROM.
    Plugin,
    /// An accessor, by which a function or plugin opens a path.
    Accessor,
    /// An artifact, called or referred to by `Artifact.Name`.
    Artifact,
    /// A variable that the server puts into every query's scope.
    Variable,
    /// A string that is run as code.
    Code,
    /// The text as a whole, or a part of an artifact's definition.
    Text,
}

impl Kind {
    /// Its one-word name: `function`, `plugin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Plugin => "plugin",
            Self::Accessor => "accessor",
            Self::Artifact => "artifact",
            Self::Variable => "variable",
            Self::Code => "code",
            Self::Text => "text",
        }
    }
}

/// Where something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The part of an artifact: `Linux.Sys.Users, source Users`. `None` in a plain text.
    pub part: Option<String>,
    /// Bytes of the text. What stands in a string that is run as code has the place of the string.
    pub span: Span,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(part) = &self.part {
            write!(f, "{part}:")?;
        }
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One call, name or string, and what it can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it can do.
    pub effects: EffectSet,
    /// What it is.
    pub kind: Kind,
    /// Its name, without backticks: `collect_client`, `Linux.Sys.Users`, `config.nonce`.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Why it has these effects, where its name alone does not say so; may be empty.
    pub why: Cow<'static, str>,
}

/// What a text can do, and which parts of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// All effects together.
    pub effects: EffectSet,
    /// Everything that was judged, pure calls too, in the order in which it was met.
    pub findings: Vec<Finding>,
    /// Whether it names another org, whose data it may read or change.
    pub other_orgs: bool,
}

impl Report {
    /// Whether it does nothing but compute and read what the server stores: pure, meta, read.
    /// It may read another org, see [`Report::other_orgs`].
    pub fn is_read(&self) -> bool {
        self.effects.is_read()
    }

    /// The strongest effect.
    pub fn strongest(&self) -> Effect {
        self.effects.strongest()
    }

    /// The findings that keep it from being a read, the strongest first.
    pub fn obstacles(&self) -> Vec<&Finding> {
        let mut found: Vec<_> =
            self.findings.iter().filter(|finding| !finding.effects.is_read()).collect();
        found.sort_by_key(|finding| std::cmp::Reverse(finding.effects.strongest()));
        found
    }

    /// Why it is not a read, one line each: `2:9: plugin execve: exec`. Empty for a read.
    pub fn reasons(&self) -> String {
        let mut text = String::new();
        for finding in self.obstacles() {
            let _ = writeln!(text, "{finding}");
        }
        text
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { effects, kind, name, place, why } = self;
        write!(f, "{place}: {}", kind.as_str())?;
        // The text as a whole has no name but that.
        if name != kind.as_str() {
            write!(f, " {name}")?;
        }
        write!(f, ": {effects}")?;
        if why.is_empty() { Ok(()) } else { write!(f, " ({why})") }
    }
}
