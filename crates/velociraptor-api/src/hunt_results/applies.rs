//! Whether the artifacts of a hunt looked at a client that answered without rows.

use vql_builder::words;

use crate::artifacts::Definition;
use crate::flows::told::Told;
use crate::hunts::members::Member;
use crate::os::Os;

/// Whether a client that answered without rows was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// It was: there is nothing.
    Yes,
    /// It was not: what decides whether anything runs there said no.
    No,
    /// It cannot be told, and why.
    Unclear(String),
}

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

/// The conditions of what is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// All parts of the hunt: it looked where one of them ran.
    Whole(Vec<Condition>),
    /// One table, which is filled where the condition holds. Its source runs apart, or with all
    /// others of the artifact.
    Table { table: String, condition: Condition, is_apart: bool },
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
    fn holds(&self, os: Option<Os>) -> Option<bool> {
        match self {
            Self::Always => Some(true),
            Self::Systems(systems) => os.map(|os| systems.contains(&os)),
            Self::Other => None,
        }
    }
}

impl Judged {
    /// One table of an artifact, by its definition, where it is still known. The sources run apart
    /// only where the artifact has no condition and one of them has: 0.77.2, `launcher.go`.
    pub(super) fn table(table: &str, definition: Option<&Definition>) -> Self {
        let source = table.split_once('/').map(|(_, source)| source);
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.trim().is_empty());
        let (condition, is_apart) = match definition {
            None => (Condition::Other, false),
            Some(one) if has(&one.precondition) => {
                (Condition::of(one.precondition.as_deref()), false)
            }
            Some(one) => {
                let filled = one.sources.iter().find(|other| other.name.as_deref() == source);
                let own = filled.and_then(|source| source.precondition.as_deref());
                (Condition::of(own), one.sources.iter().any(|source| has(&source.precondition)))
            }
        };
        Self::Table { table: table.to_owned(), condition, is_apart }
    }

    /// What the conditions alone tell of a client; none where its log has to tell.
    pub(super) fn by_system(&self, os: Option<Os>) -> Option<Looked> {
        let hold = match self {
            Self::Whole(conditions) => any(conditions.iter().map(|one| one.holds(os))),
            Self::Table { condition, .. } => condition.holds(os),
        };
        hold.map(|looked| if looked { Looked::Yes } else { Looked::No })
    }

    /// What the log of a client's flow tells. A part writes that it is skipped before it writes that
    /// it has ended: one that ended and did not write the former ran.
    pub(super) fn by_log(&self, member: &Member, told: &Told) -> Looked {
        let parts = if matches!(self, Self::Whole(_)) { member.queries } else { 1 };
        let missing = member.logs.saturating_sub(told.lines);
        if told.skipped(|name| self.is_of(name)) >= parts {
            Looked::No
        } else if missing == 0 || told.ran(|name| self.is_of(name)) {
            Looked::Yes
        } else {
            Looked::Unclear(format!(
                "{missing} of {} lines of its log are missing, and they may say that it did not look; \
                 where asking again does not help, collect from it again",
                member.logs
            ))
        }
    }

    /// Whether a part is judged.
    fn is_of(&self, part: &str) -> bool {
        let artifact = |name: &str| name.split('/').next().unwrap_or_default().to_owned();
        match self {
            Self::Whole(_) => true,
            Self::Table { table, is_apart: true, .. } => part == table,
            Self::Table { table, .. } => artifact(part) == artifact(table),
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

/// True where one is, false where all are false, none otherwise.
fn any(each: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = Some(false);
    for one in each {
        match one {
            Some(true) => return one,
            Some(false) => {}
            None => known = None,
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::FlowState;
    use crate::ids::{ClientId, FlowId};

    fn member(queries: u64, logs: u64) -> Member {
        Member {
            client_id: ClientId::parse("C.0000000000000001").unwrap(),
            flow_id: FlowId::parse("F.X.H").unwrap(),
            state: FlowState::Finished,
            status: None,
            rows: 0,
            tables: Vec::new(),
            queries,
            logs,
            stats: Vec::new(),
        }
    }

    /// A log that says this, and so many lines that say nothing of the kind.
    fn told(others: u64, told: &[&str]) -> Told {
        let mut log = Told::default();
        log.add("", others);
        told.iter().for_each(|line| log.add(line, 1));
        log
    }

    fn unclear(looked: &Looked) -> bool {
        matches!(looked, Looked::Unclear(_))
    }

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

    #[test]
    fn a_hunt_looked_where_one_part_ran_and_a_table_where_its_condition_holds() {
        let windows = || Condition::Systems(vec![Os::Windows]);
        let whole = |each: &[Condition]| Judged::Whole(each.to_vec());
        let table =
            |condition| Judged::Table { table: String::from("A"), condition, is_apart: false };
        let (linux, on_windows) = (Some(Os::Linux), Some(Os::Windows));
        assert_eq!(whole(&[windows(), Condition::Always]).by_system(linux), Some(Looked::Yes));
        assert_eq!(whole(&[windows(), Condition::Other]).by_system(linux), None);
        assert_eq!(whole(&[windows()]).by_system(linux), Some(Looked::No));
        assert_eq!(whole(&[windows()]).by_system(None), None);
        assert_eq!(table(windows()).by_system(linux), Some(Looked::No));
        assert_eq!(table(windows()).by_system(on_windows), Some(Looked::Yes));
        assert_eq!(table(Condition::Other).by_system(on_windows), None);
    }

    #[test]
    fn a_log_that_lacks_lines_establishes_nothing() {
        let whole = Judged::Whole(Vec::new());
        assert_eq!(whole.by_log(&member(1, 3), &told(2, &["ended A"])), Looked::Yes);
        assert_eq!(whole.by_log(&member(1, 3), &told(1, &["skipped A", "ended A"])), Looked::No);
        // That it said so is enough, whatever is missing behind it.
        assert_eq!(whole.by_log(&member(1, 3), &told(1, &["skipped A"])), Looked::No);
        assert!(unclear(&whole.by_log(&member(1, 3), &told(1, &[]))));
        assert!(unclear(&whole.by_log(&member(1, 3), &told(0, &[]))));
        // One of three parts ran, whatever the others did.
        let some = told(3, &["skipped A/B", "ended A/B", "ended A/C"]);
        assert_eq!(whole.by_log(&member(3, 9), &some), Looked::Yes);
        let skipped = told(3, &["skipped A/B", "ended A/B"]);
        assert!(unclear(&whole.by_log(&member(3, 9), &skipped)));
    }

    #[test]
    fn a_table_is_told_by_the_lines_of_its_own_part() {
        let table = |is_apart| Judged::Table {
            table: String::from("A/Two"),
            condition: Condition::Other,
            is_apart,
        };
        let other = told(2, &["skipped B", "ended B"]);
        assert_eq!(table(true).by_log(&member(2, 4), &other), Looked::Yes);
        assert!(unclear(&table(true).by_log(&member(2, 5), &other)));
        // Sources that run together have the name of the first.
        let first = told(2, &["skipped A/One", "ended A/One"]);
        assert_eq!(table(false).by_log(&member(1, 4), &first), Looked::No);
        assert_eq!(table(true).by_log(&member(2, 4), &first), Looked::Yes);
        let own = told(2, &["skipped A/Two", "ended A/One"]);
        assert_eq!(table(true).by_log(&member(2, 9), &own), Looked::No);
        let ran = told(2, &["ended A/Two"]);
        assert_eq!(table(true).by_log(&member(2, 9), &ran), Looked::Yes);
    }
}
