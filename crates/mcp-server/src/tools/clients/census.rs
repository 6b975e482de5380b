//! Clients counted: what `list_clients` says of them with detail summary.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use velociraptor_api::census::{Clients, Label, Seen};

use crate::table;

/// Most labels and versions that are named.
const NAMED: usize = 20;

/// How many clients there are of which kind.
#[derive(Debug, Serialize)]
pub(super) struct Census {
    pub(super) clients: u64,
    online: u64,
    systems: Vec<System>,
    /// Those that are not online, by when they were last seen.
    offline: Offline,
    /// By version, the commonest first.
    agents: Vec<Agent>,
    /// The commonest first.
    labels: Vec<Labelled>,
    #[serde(skip_serializing_if = "is_zero")]
    further_labels: u64,
}

#[derive(Debug, Serialize)]
struct System {
    os: String,
    clients: u64,
    online: u64,
}

#[derive(Debug, Default, Serialize)]
struct Offline {
    within_a_day: u64,
    within_a_week: u64,
    longer_ago: u64,
    never: u64,
}

#[derive(Debug, Serialize)]
struct Agent {
    version: String,
    clients: u64,
}

#[derive(Debug, Serialize)]
struct Labelled {
    label: String,
    clients: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Census {
    pub(super) fn of(found: &[Clients], labels: Vec<Label>) -> Self {
        let sum = |wanted: &dyn Fn(&Clients) -> bool| {
            found.iter().filter(|some| wanted(some)).map(|some| some.count).sum::<u64>()
        };
        let unknown = |word: Option<&str>| word.unwrap_or("unknown").to_owned();
        let (mut systems, mut agents) = (BTreeMap::new(), BTreeMap::new());
        for some in found {
            let of_system: &mut (u64, u64) =
                systems.entry(unknown(some.os.as_deref())).or_default();
            of_system.0 += some.count;
            of_system.1 += if some.seen == Seen::Online { some.count } else { 0 };
            *agents.entry(unknown(some.version.as_deref())).or_insert(0) += some.count;
        }
        let system = |(os, (clients, online))| System { os, clients, online };
        let mut systems: Vec<System> = systems.into_iter().map(system).collect();
        systems.sort_by_key(|system| std::cmp::Reverse(system.clients));
        let agent = |(version, clients)| Agent { version, clients };
        let mut agents: Vec<Agent> = agents.into_iter().map(agent).collect();
        agents.sort_by_key(|agent| std::cmp::Reverse(agent.clients));
        let further_labels = labels.len().saturating_sub(NAMED) as u64;
        let labelled = |Label { label, count }| Labelled { label, clients: count };
        let seen = |wanted: Seen| sum(&|some| some.seen == wanted);
        Self {
            clients: sum(&|_| true),
            online: seen(Seen::Online),
            systems,
            offline: Offline {
                within_a_day: seen(Seen::Day),
                within_a_week: seen(Seen::Week),
                longer_ago: seen(Seen::Older),
                never: seen(Seen::Never),
            },
            agents,
            labels: labels.into_iter().take(NAMED).map(labelled).collect(),
            further_labels,
        }
    }

    pub(super) fn write(&self, out: &mut String) {
        let clients = if self.clients == 1 { "client" } else { "clients" };
        let Offline { within_a_day, within_a_week, longer_ago, never } = self.offline;
        // Writing into a string cannot fail.
        let _ = write!(out, "{} {clients}: {} online", self.clients, self.online);
        for (count, when) in [
            (within_a_day, "seen within a day"),
            (within_a_week, "seen within a week"),
            (longer_ago, "seen longer ago"),
            (never, "never seen"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {count} {when}");
            }
        }
        if self.clients == 0 {
            return;
        }
        out.push('\n');
        let rows = self.systems.iter().map(|System { os, clients, online }| {
            vec![os.clone(), clients.to_string(), online.to_string()]
        });
        table::write(out, &["system", "clients", "online"], rows);
        let agents: Vec<String> = self
            .agents
            .iter()
            .take(NAMED)
            .map(|agent| format!("{} {}", table::line_of(&agent.version), agent.clients))
            .collect();
        let _ = write!(out, "\nagents: {}", agents.join(", "));
        if self.agents.len() > NAMED {
            let _ = write!(out, ", and {} further versions", self.agents.len() - NAMED);
        }
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|label| format!("{} {}", table::line_of(&label.label), label.clients))
            .collect();
        let labels = if labels.is_empty() { String::from("none") } else { labels.join(", ") };
        let _ = write!(out, "\nlabels: {labels}");
        if self.further_labels > 0 {
            let _ = write!(out, ", and {} further labels", self.further_labels);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_read_as_counts() {
        let some = |os: &str, seen, count| Clients {
            os: Some(os.to_owned()).filter(|os| !os.is_empty()),
            version: Some(String::from("0.77.2")).filter(|_| !os.is_empty()),
            seen,
            count,
        };
        let found = [
            some("linux", Seen::Online, 5),
            some("windows", Seen::Online, 14),
            some("windows", Seen::Older, 2),
            some("", Seen::Never, 1),
        ];
        let labels = vec![Label { label: String::from("dmz"), count: 3 }];
        let mut out = String::new();
        Census::of(&found, labels).write(&mut out);
        insta::assert_snapshot!(out, @r"
        22 clients: 19 online, 2 seen longer ago, 1 never seen
        system   clients  online
        windows  16       14
        linux    5        5
        unknown  1        0
        agents: 0.77.2 21, unknown 1
        labels: dmz 3
        ");
        let mut out = String::new();
        Census::of(&[], Vec::new()).write(&mut out);
        assert_eq!(out, "0 clients: 0 online");
    }
}
