//! What decides whether a part of a hunt runs on a client.

use vql_builder::words;

use crate::os::Os;

/// What decides whether a part of a hunt runs on a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing: it runs everywhere.
    Always,
    /// The system alone.
    Systems(Vec<Os>),
    /// Something that only the client can tell.
    Other,
}

impl Condition {
    /// Reads a precondition. The engine keeps one with other quotes and blanks, and in a hunt with
    /// what parameters need before it.
    pub(super) fn of(text: Option<&str>) -> Self {
        let words = words(text.unwrap_or_default());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if words.is_empty() {
            return Self::Always;
        }
        let Some(at) = words.iter().rposition(|word| *word == "SELECT") else { return Self::Other };
        let (before, query) = words.split_at(at);
        let ["SELECT", "*" | "OS", "FROM", "info", "WHERE", tests @ ..] = query else {
            return Self::Other;
        };
        if !only_sets(before) {
            return Self::Other;
        }
        let mut systems = Vec::new();
        for test in tests.split(|word| *word == "OR") {
            let names: Vec<&str> = match test {
                ["OS", "=", name] => text_of(name).into_iter().collect(),
                ["OS", "=~", pattern] => {
                    text_of(pattern).into_iter().flat_map(|one| one.split('|')).collect()
                }
                _ => Vec::new(),
            };
            if names.is_empty() {
                return Self::Other;
            }
            for name in names {
                match Os::from_name(name).filter(|os| os.as_str() == name) {
                    Some(os) => systems.push(os),
                    None => return Self::Other,
                }
            }
        }
        Self::Systems(systems)
    }

    /// Whether it holds on a client of the system; none where only the client can tell.
    pub(super) fn holds(&self, os: Option<Os>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Systems(systems) => os.map(|os| systems.contains(&os)),
            Self::Other => None,
        }
    }
}

/// The text of a word that is one, and no name.
fn text_of(word: &str) -> Option<&str> {
    word.strip_prefix('\'')
}

/// Whether these words only set values, and not what a system is told by.
fn only_sets(words: &[&str]) -> bool {
    let is_inner = |at: usize| at > 0 && matches!(words[at - 1], "=" | "<=" | "{");
    let mut selects = words.iter().enumerate().filter(|(_, word)| **word == "SELECT");
    words.first().is_none_or(|first| *first == "LET")
        && !matches!(words.last(), Some(&("=" | "<=" | "{")))
        && !words.iter().any(|word| matches!(*word, "info" | "OS"))
        && selects.all(|(at, _)| is_inner(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_condition_on_the_system_alone_is_told_by_the_system() {
        let systems = Condition::Systems;
        for (text, expected) in [
            ("", Condition::Always),
            ("-- nothing", Condition::Always),
            ("SELECT OS From info() where OS = 'windows'", systems(vec![Os::Windows])),
            (
                "SELECT * FROM info() WHERE (OS =~ \"linux|darwin\")",
                systems(vec![Os::Linux, Os::Darwin]),
            ),
            (
                "SELECT OS From info() where OS = 'linux' OR OS = 'darwin'",
                systems(vec![Os::Linux, Os::Darwin]),
            ),
            ("SELECT * FROM info() WHERE OS = 'windows' AND AlsoUpload", Condition::Other),
            ("SELECT * FROM info() WHERE NOT OS = 'windows'", Condition::Other),
            ("SELECT * FROM info() WHERE OS = 'plan9'", Condition::Other),
            ("SELECT * FROM info() WHERE OS = windows", Condition::Other),
            ("SELECT * FROM info() WHERE OS = `windows`", Condition::Other),
            ("SELECT * FROM info()", Condition::Other),
            ("SELECT OS FROM info() WHERE OS = 'linux' LIMIT 0", Condition::Other),
            ("SELECT * FROM info() WHERE OS = 'Windows'", Condition::Other),
            ("SELECT * FROM info() WHERE OS =~ 'win'", Condition::Other),
            (
                "LET A <= int(int=A)SELECT OS FROM info() WHERE OS = 'linux'",
                systems(vec![Os::Linux]),
            ),
            (
                "LET info() = SELECT 1 FROM scope() SELECT OS FROM info() WHERE OS = 'linux'",
                Condition::Other,
            ),
            ("LET X = SELECT OS FROM info() WHERE OS = 'linux'", Condition::Other),
            ("SELECT 1 FROM scope() SELECT OS FROM info() WHERE OS = 'linux'", Condition::Other),
        ] {
            assert_eq!(Condition::of(Some(text)), expected, "{text}");
        }
    }
}
