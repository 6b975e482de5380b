//! Failures out of log lines.
//!
//! Velociraptor reports a failed query with status OK and a line of log text, mostly without a
//! level word. This module tells noise, warnings and failures apart, by text, because there is
//! nothing else. The cases are those recorded from a live 0.77.2 server.

use crate::error::QueryErrorKind;
use crate::permission::Permission;

/// What a log line means.
#[derive(Debug)]
pub enum LogLine {
    /// Accompanies every query.
    Noise,
    /// Worth telling the caller; the rows are as the server meant them.
    Warning(String),
    /// The query, or a part of it, failed: the rows are not what was asked for.
    Failure(QueryErrorKind),
}

/// Classifies one log line.
pub fn classify(line: &str) -> LogLine {
    let line = line.trim_end();
    let (level, text) = split_level(line);
    if is_noise(level, text) {
        return LogLine::Noise;
    }
    let detail = || text.to_owned();
    if let Some(rest) = text.strip_prefix("VQL Error: ") {
        return LogLine::Failure(QueryErrorKind::Parse {
            place: place(rest),
            detail: rest.to_owned(),
        });
    }
    if text.contains("Timeout Error:") {
        return LogLine::Failure(QueryErrorKind::Timeout { seconds: seconds(text) });
    }
    let lower = text.to_ascii_lowercase();
    if lower.contains("permission denied") || lower.contains("permissiondenied") {
        return LogLine::Failure(denied(text));
    }
    if let Some(symbol) = unknown_symbol(text) {
        return LogLine::Failure(QueryErrorKind::UnknownSymbol {
            symbol,
            detail: first_sentence(text),
        });
    }
    if is_bad_argument(text) {
        return LogLine::Failure(QueryErrorKind::BadArgument { detail: detail() });
    }
    if is_not_found(&lower) {
        return LogLine::Failure(QueryErrorKind::NotFound { detail: detail() });
    }
    match level {
        // An artifact's own log(level="ERROR") arrives like this: the artifact's words, not ours.
        Level::Error | Level::Warn | Level::Alert => LogLine::Warning(detail()),
        Level::Info | Level::Default | Level::Debug => LogLine::Noise,
        Level::None if is_callee_message(text) => {
            LogLine::Failure(QueryErrorKind::Failed { detail: detail() })
        }
        Level::None => LogLine::Warning(detail()),
    }
}

/// Names the permission in a denial, where there is one.
pub(crate) fn denied(text: &str) -> QueryErrorKind {
    let permission = text
        .split(|c: char| !(c.is_ascii_uppercase() || c == '_'))
        .filter(|word| word.len() > 3)
        .find_map(Permission::from_name);
    QueryErrorKind::Denied { permission, detail: text.trim().to_owned() }
}

#[derive(Clone, Copy)]
enum Level {
    None,
    Default,
    Error,
    Warn,
    Info,
    Debug,
    Alert,
}

fn split_level(line: &str) -> (Level, &str) {
    const WORDS: [(&str, Level); 6] = [
        ("DEFAULT:", Level::Default),
        ("ERROR:", Level::Error),
        ("WARN:", Level::Warn),
        ("INFO:", Level::Info),
        ("DEBUG:", Level::Debug),
        ("ALERT:", Level::Alert),
    ];
    for (word, level) in WORDS {
        if let Some(rest) = line.strip_prefix(word) {
            return (level, rest.trim_start());
        }
    }
    (Level::None, line)
}

fn is_noise(level: Level, text: &str) -> bool {
    matches!(level, Level::Debug)
        || text.is_empty()
        || text == "Starting query execution."
        || (text.starts_with("Time ") && text.contains(": Sending response part "))
}

fn place(text: &str) -> Option<(u32, u32)> {
    // The place stands first, or after a quotation of the text: `SELECT |'abc : 1:8: invalid …`.
    text.split(' ').find_map(|word| {
        let (line, column) = word.strip_suffix(':')?.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?))
    })
}

fn seconds(text: &str) -> u64 {
    text.rsplit_once("after ")
        .and_then(|(_, rest)| rest.split(['.', 's']).next()?.parse().ok())
        .unwrap_or_default()
}

fn unknown_symbol(text: &str) -> Option<String> {
    let after = |prefix: &str| text.strip_prefix(prefix)?.split_whitespace().next();
    let name = if let Some(rest) = text.strip_prefix("While resolving ") {
        rest.split_whitespace().next()
    } else if text.contains(" not found. ") || text.contains("is not a function but") {
        after("Plugin ").or_else(|| after("Symbol "))
    } else if text.contains("is not implemented for this architecture") {
        after("VQL Plugin ").or_else(|| after("VQL Function "))
    } else if text.starts_with("Artifact ") && text.ends_with(" not found") {
        after("Artifact ")
    } else {
        None
    };
    name.map(|name| name.trim_end_matches("()").to_owned())
}

fn is_bad_argument(text: &str) -> bool {
    text.contains("Unexpected arg ")
        || (text.contains("Field ")
            && (text.contains(" is required") || text.contains(" should be ")))
        || text.contains("Expecting a path arg type")
        || text.starts_with("Compile regexp:")
        || text.contains("Invalid search operator")
        || text.contains("refers to an unknown artifact")
        || text.contains("ClientId is not valid")
}

fn is_not_found(lower: &str) -> bool {
    lower.contains("notfounderror")
        || lower.ends_with("not found")
        || lower.contains("not found: ")
        || lower.contains("unknown artifact ")
        || lower.ends_with(" not known")
        || lower.contains("not known in this org")
}

/// Function and plugin failures arrive as `name: message` without a level word.
fn is_callee_message(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

fn first_sentence(text: &str) -> String {
    text.split(" Current Scope is").next().unwrap_or(text).to_owned()
}
