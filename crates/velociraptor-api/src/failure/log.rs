//! What the log of one query said, bounded and without repetition.

use super::{LogLine, classify};
use crate::error::QueryErrorKind;

/// Most warnings, and most failures, that are kept of one query: there is no cap on the number
/// of log lines that the server sends.
const KEPT: usize = 100;

/// The failures and warnings of one query.
#[derive(Debug, Default)]
pub(crate) struct QueryLog {
    failures: Vec<QueryErrorKind>,
    warnings: Vec<String>,
    omitted: u64,
    timed_out: bool,
}

impl QueryLog {
    /// Takes one log line.
    pub(crate) fn note(&mut self, line: &str) {
        match classify(line) {
            LogLine::Noise => {}
            LogLine::Failure(QueryErrorKind::Timeout { .. }) => self.timed_out = true,
            LogLine::Failure(failure) => self.fail(failure),
            // In quotes: what the server logs can be written by an endpoint or a query.
            LogLine::Warning(text) => self.warn(format!("the server's log says {text:?}")),
        }
    }

    /// Adds a warning of our own or of the server's, once.
    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.warnings.contains(&text) {
            return;
        }
        if self.warnings.len() < KEPT {
            self.warnings.push(text);
        } else {
            self.omitted += 1;
        }
    }

    /// Keeps a failure, unless it says again what is known: a line per row is usual, and an
    /// unknown plugin gives two, of which the second holds the suggestion.
    fn fail(&mut self, failure: QueryErrorKind) {
        use QueryErrorKind::UnknownSymbol;
        for known in &mut self.failures {
            match (known, &failure) {
                (
                    UnknownSymbol { symbol: known, hint: known_hint, .. },
                    UnknownSymbol { symbol, hint, .. },
                ) if known == symbol => {
                    if known_hint.is_none() {
                        known_hint.clone_from(hint);
                    }
                    return;
                }
                (known, failure) if known == failure => return,
                _ => {}
            }
        }
        if self.failures.len() < KEPT {
            self.failures.push(failure);
        } else {
            self.omitted += 1;
        }
    }

    pub(crate) fn failures(&self) -> &[QueryErrorKind] {
        &self.failures
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether the server said that its time limit ended the query.
    pub(crate) const fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// The failures and the warnings; where lines were left out, the last warning says so.
    pub(crate) fn into_parts(mut self) -> (Vec<QueryErrorKind>, Vec<String>) {
        if self.omitted > 0 {
            self.warnings.push(format!("{} further log lines were left out", self.omitted));
        }
        (self.failures, self.warnings)
    }
}
