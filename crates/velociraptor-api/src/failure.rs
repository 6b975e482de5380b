//! Failures out of log lines and statuses.
//!
//! Velociraptor reports a failed query with status OK and a line of log text, mostly without a
//! level word. This module tells noise, remarks and failures apart, by text, because there is
//! nothing else. The rules follow the cases that were recorded from a live 0.77.2 server; all of
//! them are in the tests. `docs/design/errors.md` has the table.
//!
//! What it cannot do: some failures leave no line at all (an unknown name in WHERE, an unknown
//! flow). Only reading back tells those.

mod callee;
mod denial;
mod engine;
mod level;
mod log;
mod status;

use level::Level;

pub(crate) use log::QueryLog;
pub(crate) use status::Refusal;

use crate::error::QueryErrorKind;

/// What a log line means.
#[derive(Clone, Debug, PartialEq)]
pub enum LogLine {
    /// Accompanies every query.
    Noise,
    /// Worth telling the caller; the rows are as the server meant them.
    Warning(String),
    /// The query, or a part of it, failed: the rows are not what was asked for.
    Failure(QueryErrorKind),
}

/// Classifies one log line.
///
/// Lines that a query writes itself with `log()` always start with a level word, and are never
/// failures: their text is the author's, whatever it says. Only an `ERROR:` line in one of the
/// forms that the engine uses is one.
pub fn classify(line: &str) -> LogLine {
    let (level, text) = level::split(line.trim());
    let failure = match level {
        Level::Debug => return LogLine::Noise,
        Level::Remark => None,
        Level::Error => engine::with_level(text).or_else(|| callee::failure(text)),
        Level::None if engine::is_noise(text) => return LogLine::Noise,
        Level::None => engine::bare(text).or_else(|| callee::failure(text)),
    };
    failure.map_or_else(|| LogLine::Warning(text.to_owned()), LogLine::Failure)
}

#[cfg(test)]
mod tests;
