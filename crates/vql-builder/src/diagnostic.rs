//! What is wrong with a text, where, and what to do about it.

use std::fmt;

use crate::ast::Span;

/// The kind of a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// A character that starts no token.
    InvalidCharacter,
    /// A string or back-ticked name that nothing closes.
    Unterminated,
    /// A token that does not fit where it stands.
    UnexpectedToken,
    /// The text ends too early.
    UnexpectedEnd,
    /// LIMIT with a number that is not a whole number of 64 bits.
    LimitNotWhole,
    /// Brackets inside brackets, or a chain of operators, beyond what is supported.
    TooDeep,
    /// The text is longer than 4 GiB.
    TooLong,
    /// A filter that does more than compute.
    NotPure,
    /// Lint: `<>`, which is accepted and never true.
    NeverTrue,
    /// Lint: a LIMIT below 1 gives one row.
    LimitBelowOne,
    /// Lint: AND and OR without parentheses; AND is the looser one.
    MixedAndOr,
    /// Lint: an expression that the grammar takes and the engine drops.
    Dropped,
    /// Lint: a number that the engine cannot represent and replaces by NULL.
    NumberIsNull,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The engine rejects the text.
    Error,
    /// The engine accepts the text, and it probably does not do what it seems to.
    Warning,
}

impl Code {
    /// The name of the code, stable across releases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidCharacter => "invalid-character",
            Self::Unterminated => "unterminated",
            Self::UnexpectedToken => "unexpected-token",
            Self::UnexpectedEnd => "unexpected-end",
            Self::LimitNotWhole => "limit-not-whole",
            Self::TooDeep => "too-deep",
            Self::TooLong => "too-long",
            Self::NotPure => "not-pure",
            Self::NeverTrue => "never-true",
            Self::LimitBelowOne => "limit-below-one",
            Self::MixedAndOr => "mixed-and-or",
            Self::Dropped => "dropped",
            Self::NumberIsNull => "number-is-null",
        }
    }

    /// How bad diagnostics of this kind are.
    pub const fn severity(self) -> Severity {
        match self {
            Self::NeverTrue
            | Self::LimitBelowOne
            | Self::MixedAndOr
            | Self::Dropped
            | Self::NumberIsNull => Severity::Warning,
            _ => Severity::Error,
        }
    }
}

/// One thing that is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of thing.
    pub code: Code,
    /// The text it is about. For errors its start is the place that the engine reports.
    pub span: Span,
    /// Line of the start, from 1.
    pub line: u32,
    /// Column of the start, from 1, in characters.
    pub column: u32,
    /// What was found and what was expected.
    pub message: String,
    /// What to write instead, where that can be guessed.
    pub hint: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(text: &str, code: Code, span: Span, message: String) -> Self {
        let (line, column) = line_and_column(text, span.start);
        Self { code, span, line, column, message, hint: None }
    }

    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

impl Diagnostic {
    /// Line and column where a reader looks for it. `text` is the text that it is about.
    ///
    /// The engine reports an end that came too early behind the last blank or comment, on a line
    /// that may be empty; something is missing behind the last word.
    pub fn place_to_look(&self, text: &str) -> (u32, u32) {
        if self.code != Code::UnexpectedEnd {
            return (self.line, self.column);
        }
        match crate::syntax::end_of_last_word(text) {
            0 => (1, 1),
            end => line_and_column(text, end as u32),
        }
    }
}

/// Line and column from 1, the column in characters.
pub(crate) fn line_and_column(text: &str, at: u32) -> (u32, u32) {
    let before = &text[..at as usize];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count() as u32;
    (line, 1 + before[line_start..].chars().count() as u32)
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}
