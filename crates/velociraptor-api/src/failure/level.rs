//! The word with which some log lines begin.

/// How a log line is labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Not at all, as most failures are.
    None,
    /// `ERROR:`, by the engine or by an artifact's own `log()`.
    Error,
    /// `DEFAULT:`, `INFO:`, `WARN:` or `ALERT:`: said on purpose, no failure.
    Remark,
    /// `DEBUG:` or `TRACE:`, such as the statistics of an inner query.
    Debug,
}

const WORDS: [(&str, Level); 7] = [
    ("DEFAULT:", Level::Remark),
    ("ERROR:", Level::Error),
    ("WARN:", Level::Remark),
    ("INFO:", Level::Remark),
    ("ALERT:", Level::Remark),
    ("DEBUG:", Level::Debug),
    ("TRACE:", Level::Debug),
];

/// Takes the level word off a line.
pub(super) fn split(line: &str) -> (Level, &str) {
    WORDS
        .iter()
        .find_map(|(word, level)| Some((*level, line.strip_prefix(word)?.trim_start())))
        .unwrap_or((Level::None, line))
}
