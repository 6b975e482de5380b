//! Whether the artifacts of a hunt looked at a client that answered without rows.

use super::condition::Condition;
use crate::artifacts::Definition;
use crate::flows::told::{Ends, Told, artifact_of};
use crate::hunts::members::Member;
use crate::hunts::{Compiled, Hunt};
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

/// What is judged of a hunt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// All parts of these artifacts, with their conditions: it looked where one of them ran.
    Whole { artifacts: Vec<String>, conditions: Vec<Condition> },
    /// One table, which is filled where the condition holds.
    Table { table: String, condition: Condition, runs: Runs },
}

/// How the source of a table runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runs {
    /// With all others of its artifact.
    Together,
    /// By itself, as each of so many sources.
    Apart(u64),
    /// One or the other: the artifact was defined anew.
    Unknown,
}

impl Judged {
    /// All of a hunt.
    pub(super) fn whole(hunt: &Hunt, compiled: &Compiled) -> Self {
        let each = compiled.filling().map(|part| Condition::of(part.precondition.as_deref()));
        Self::Whole { artifacts: hunt.artifacts.clone(), conditions: each.collect() }
    }

    /// One table of a hunt, by the definitions of its artifacts as they are now, where those have the
    /// conditions of what the hunt runs.
    pub(super) fn table(
        table: &str,
        (hunt, compiled): (&Hunt, &Compiled),
        definitions: &[Definition],
    ) -> Self {
        let artifact = artifact_of(table);
        let now = definitions
            .iter()
            .find(|one| one.name == artifact)
            .filter(|_| compiled.has_conditions_of(definitions))
            .map(|one| (one, one.conditions()));
        let (condition, runs) = match &now {
            Some((one, conditions)) => match conditions.as_slice() {
                [all] => (Condition::of(*all), Runs::Together),
                each => {
                    let name = table.split_once('/').map(|(_, source)| source);
                    let at = one.sources.iter().position(|source| source.name.as_deref() == name);
                    let own = at.and_then(|at| each.get(at)).map(|own| Condition::of(*own));
                    (own.unwrap_or(Condition::Other), Runs::Apart(each.len() as u64))
                }
            },
            // No artifact of the hunt has more than one part.
            None if compiled.parts.len() == hunt.artifacts.len() => {
                (Condition::Other, Runs::Together)
            }
            None => (Condition::Other, Runs::Unknown),
        };
        Self::Table { table: table.to_owned(), condition, runs }
    }

    /// Whether a condition names systems: then no name of an artifact has to.
    pub(super) fn names_systems(&self) -> bool {
        let names = |one: &Condition| matches!(one, Condition::Systems(_));
        match self {
            Self::Whole { conditions, .. } => conditions.iter().any(names),
            Self::Table { condition, .. } => names(condition),
        }
    }

    /// What the conditions alone tell of a client; none where its log has to tell.
    pub(super) fn by_system(&self, os: Option<Os>) -> Option<Looked> {
        let hold = match self {
            Self::Whole { conditions, .. } if conditions.is_empty() => None,
            Self::Whole { conditions, .. } => any(conditions.iter().map(|one| one.holds(os))),
            Self::Table { condition, .. } => condition.holds(os),
        };
        hold.map(|looked| if looked { Looked::Yes } else { Looked::No })
    }

    /// What the log of a client's flow tells. A part writes that it is skipped before it writes that
    /// it has ended: one that ended and did not write the former ran.
    pub(super) fn by_log(&self, member: &Member, told: &Told) -> Looked {
        if told.has_skipped_inside() {
            return Looked::Unclear(String::from(
                "an artifact that is called inside of it did not apply, by its log",
            ));
        }
        let looked = match self {
            Self::Whole { artifacts, conditions } => {
                let parts =
                    if conditions.is_empty() { member.queries } else { conditions.len() as u64 };
                match told.ran(artifacts) {
                    true => Some(Looked::Yes),
                    false => (told.skipped(artifacts) >= parts).then_some(Looked::No),
                }
            }
            Self::Table { table, runs, .. } => at_table(table, *runs, member, told),
        };
        let missing = member.logs.saturating_sub(told.lines);
        looked.unwrap_or_else(|| {
            Looked::Unclear(match missing {
                0 => String::from("its log does not say whether it looked"),
                _ => format!(
                    "{missing} of {} lines of its log are missing, and they may say that it did not \
                     look; where asking again does not help, collect from it again",
                    member.logs
                ),
            })
        })
    }
}

/// What a log tells of the part that fills a table; none where it tells nothing.
fn at_table(table: &str, runs: Runs, member: &Member, told: &Told) -> Option<Looked> {
    let artifact = artifact_of(table);
    let all = |ends: Ends, parts: u64| match ends {
        Ends { skipped, .. } if skipped >= parts => Some(Looked::No),
        Ends { skipped: 0, ended } if ended >= parts => Some(Looked::Yes),
        _ => None,
    };
    // Under its own name, else under that of all parts, else under none.
    all(told.of(table), 1)
        .or_else(|| match runs {
            Runs::Together => {
                let artifacts = [artifact.to_owned()];
                match (told.skipped(&artifacts), told.ran(&artifacts)) {
                    (1.., _) => Some(Looked::No),
                    (_, true) => Some(Looked::Yes),
                    _ => None,
                }
            }
            Runs::Apart(sources) if artifact != table => all(told.of(artifact), sources),
            Runs::Apart(_) | Runs::Unknown => None,
        })
        .or_else(|| all(told.of(""), member.queries))
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

    fn whole(conditions: &[Condition]) -> Judged {
        Judged::Whole { artifacts: vec![String::from("A")], conditions: conditions.to_vec() }
    }

    fn table(table: &str, runs: Runs) -> Judged {
        Judged::Table { table: table.to_owned(), condition: Condition::Other, runs }
    }

    #[test]
    fn a_hunt_looked_where_one_part_ran_and_a_table_where_its_condition_holds() {
        let windows = || Condition::Systems(vec![Os::Windows]);
        let table =
            |condition| Judged::Table { table: String::from("A"), condition, runs: Runs::Together };
        let (linux, on_windows) = (Some(Os::Linux), Some(Os::Windows));
        assert_eq!(whole(&[windows(), Condition::Always]).by_system(linux), Some(Looked::Yes));
        assert_eq!(whole(&[windows(), Condition::Other]).by_system(linux), None);
        assert_eq!(whole(&[windows()]).by_system(linux), Some(Looked::No));
        assert_eq!(whole(&[windows()]).by_system(None), None);
        assert_eq!(whole(&[]).by_system(linux), None);
        assert_eq!(table(windows()).by_system(linux), Some(Looked::No));
        assert_eq!(table(windows()).by_system(on_windows), Some(Looked::Yes));
        assert_eq!(table(Condition::Other).by_system(on_windows), None);
    }

    #[test]
    fn a_log_that_does_not_say_it_establishes_nothing() {
        let one = whole(&[Condition::Other]);
        assert_eq!(one.by_log(&member(1, 3), &told(2, &["ended A"])), Looked::Yes);
        assert_eq!(one.by_log(&member(1, 3), &told(1, &["skipped A", "ended A"])), Looked::No);
        // That it said so is enough, whatever is missing behind it.
        assert_eq!(one.by_log(&member(1, 3), &told(1, &["skipped A"])), Looked::No);
        for silent in [told(1, &[]), told(0, &[]), told(3, &[]), told(2, &["ended B"])] {
            assert!(unclear(&one.by_log(&member(1, 3), &silent)), "{silent:?}");
        }
        // One of three parts ran, whatever the others did; a line can be there twice.
        let three = whole(&[Condition::Other, Condition::Other, Condition::Other]);
        let some = told(3, &["skipped A/B", "ended A/B", "ended A/C"]);
        assert_eq!(three.by_log(&member(3, 9), &some), Looked::Yes);
        let twice = told(3, &["skipped A/B", "ended A/B", "ended A/B"]);
        assert!(unclear(&three.by_log(&member(3, 9), &twice)));
        // A hunt of which the server does not say what it runs, and an agent that writes no names.
        let old = told(2, &["skipped ", "ended ", "ended "]);
        assert_eq!(whole(&[]).by_log(&member(2, 5), &old), Looked::Yes);
        let old = told(2, &["skipped ", "ended "]);
        assert_eq!(whole(&[]).by_log(&member(1, 4), &old), Looked::No);
        // What it called was skipped inside of it.
        assert!(unclear(&one.by_log(&member(1, 3), &told(1, &["skipped ", "ended A"]))));
    }

    #[test]
    fn a_table_is_told_by_the_lines_of_its_own_part() {
        let (apart, together) = (table("A/Two", Runs::Apart(2)), table("A/Two", Runs::Together));
        let unknown = table("A/Two", Runs::Unknown);
        let other = told(2, &["skipped B", "ended B"]);
        assert!(unclear(&apart.by_log(&member(2, 4), &other)));
        // Sources that run together have the name of the first.
        let first = told(2, &["skipped A/One", "ended A/One"]);
        assert_eq!(together.by_log(&member(1, 4), &first), Looked::No);
        assert!(unclear(&apart.by_log(&member(2, 4), &first)));
        assert!(unclear(&unknown.by_log(&member(2, 4), &first)));
        let own = told(2, &["skipped A/Two", "ended A/One"]);
        assert_eq!(apart.by_log(&member(2, 9), &own), Looked::No);
        for judged in [&apart, &together, &unknown] {
            assert_eq!(judged.by_log(&member(2, 9), &told(2, &["ended A/Two"])), Looked::Yes);
        }
        // A server that does not compress: both have the name of the artifact.
        let bare = told(2, &["skipped A", "ended A", "ended A"]);
        assert!(unclear(&apart.by_log(&member(2, 5), &bare)));
        let ran = told(2, &["ended A", "ended A"]);
        assert_eq!(apart.by_log(&member(2, 4), &ran), Looked::Yes);
        let skipped = told(2, &["skipped A", "skipped A", "ended A"]);
        assert_eq!(apart.by_log(&member(2, 9), &skipped), Looked::No);
    }
}
