//! The judgement of each client of a hunt: parts that sum to the scope.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::applies::Looked;
use crate::flows::{Bound, FlowState};
use crate::hunts::Hunt;
use crate::hunts::members::Member;
use crate::ids::{ClientId, FlowId};
use crate::os::Os;

/// What is established about one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// It has rows.
    Hit,
    /// It was looked, and there is nothing.
    None,
    /// The artifacts do not apply to it: their preconditions, or another system.
    NotApplicable,
    /// It ended well and without rows, and whether it looked cannot be told. Nothing is established.
    NotKnown,
    /// It was scheduled and has not ended. Nothing is established.
    Running,
    /// It ended badly. Nothing is established, although rows may have come.
    Failed,
    /// Somebody ended its flow. Nothing is established, although rows may have come.
    Cancelled,
    /// A limit of rows, bytes or time ended it early: there may be more.
    Cut,
    /// It was never asked. Nothing is established.
    NeverScheduled,
}

impl Part {
    /// Whether the question of the hunt is answered for the client.
    pub const fn is_established(self) -> bool {
        matches!(self, Self::Hit | Self::None | Self::NotApplicable)
    }
}

/// How many clients are in each part. The parts sum to the scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the fields are the parts, which are documented")]
pub struct Parts {
    pub hit: u64,
    pub none: u64,
    pub not_applicable: u64,
    pub not_known: u64,
    pub running: u64,
    pub failed: u64,
    pub cancelled: u64,
    pub cut: u64,
    pub never_scheduled: u64,
}

impl Parts {
    /// The sum.
    pub const fn total(&self) -> u64 {
        self.hit
            + self.none
            + self.not_applicable
            + self.not_known
            + self.running
            + self.failed
            + self.cancelled
            + self.cut
            + self.never_scheduled
    }

    /// For how many clients nothing is established, or not all.
    pub const fn open(&self) -> u64 {
        self.not_known
            + self.running
            + self.failed
            + self.cancelled
            + self.cut
            + self.never_scheduled
    }

    fn add(&mut self, part: Part) {
        *match part {
            Part::Hit => &mut self.hit,
            Part::None => &mut self.none,
            Part::NotApplicable => &mut self.not_applicable,
            Part::NotKnown => &mut self.not_known,
            Part::Running => &mut self.running,
            Part::Failed => &mut self.failed,
            Part::Cancelled => &mut self.cancelled,
            Part::Cut => &mut self.cut,
            Part::NeverScheduled => &mut self.never_scheduled,
        } += 1;
    }
}

/// One client of a hunt.
#[derive(Clone, Debug, Serialize, PartialEq)]
pub struct HostOutcome {
    /// The client.
    pub client_id: ClientId,
    /// Its host name; none where the client is known no more.
    pub hostname: Option<String>,
    /// What is established.
    pub part: Part,
    /// Rows in all tables of its flow.
    pub rows: u64,
    /// Why it failed or was cut, or why it is not known whether it looked.
    pub reason: Option<String>,
    /// Its flow, where it was scheduled.
    pub flow_id: Option<FlowId>,
    /// When it was last seen.
    pub last_seen: Option<Timestamp>,
    /// Whether it was seen within fifteen minutes, by the server's own clock.
    pub online: bool,
    /// Whether it enrolled after the hunt was started.
    pub joined: bool,
}

/// How far a hunt has got.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// The hunt.
    pub hunt: Hunt,
    /// The table that was judged, where it is one; otherwise all of them together.
    pub table: Option<String>,
    /// How many clients the hunt means now: those that fit, and those that were scheduled.
    pub scope: u64,
    /// Those of them that were there when it was started.
    pub at_start: u64,
    /// Those of them that enrolled later.
    pub joined: u64,
    /// How many fit but for a label that is excluded. They are not in the scope.
    pub excluded: u64,
    /// The parts of the scope.
    pub parts: Parts,
    /// Every client of the scope, those for whom nothing is established first.
    pub hosts: Vec<HostOutcome>,
}

/// A client that the condition means.
#[derive(Clone, Debug)]
pub(super) struct Meant {
    pub(super) client_id: ClientId,
    pub(super) hostname: Option<String>,
    pub(super) os: Option<Os>,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) last_seen: Option<Timestamp>,
    pub(super) online: bool,
}

/// What the judgement rests on.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) hunt: Hunt,
    pub(super) table: Option<String>,
    pub(super) meant: Vec<Meant>,
    pub(super) excluded: u64,
    pub(super) members: Vec<Member>,
    /// Which clients that answered without rows were looked at; those that are not among them were.
    pub(super) looked: HashMap<ClientId, Looked>,
}

/// Judges every client.
pub(super) fn judge(facts: Facts) -> Coverage {
    let Facts { hunt, table, meant, excluded, members, looked } = facts;
    let by_client: HashMap<&ClientId, &Member> =
        members.iter().map(|member| (&member.client_id, member)).collect();
    let known: HashSet<ClientId> = meant.iter().map(|client| client.client_id.clone()).collect();
    let mut clients = meant;
    for member in &members {
        if !known.contains(&member.client_id) {
            let client_id = member.client_id.clone();
            let unknown = (None, None, None, None);
            let (hostname, os, first_seen, last_seen) = unknown;
            let online = false;
            clients.push(Meant { client_id, hostname, os, first_seen, last_seen, online });
        }
    }
    let mut parts = Parts::default();
    let mut hosts: Vec<HostOutcome> = clients
        .into_iter()
        .map(|client| {
            let member = by_client.get(&client.client_id).copied();
            let looked = looked.get(&client.client_id).unwrap_or(&Looked::Yes);
            let part = member
                .map_or(Part::NeverScheduled, |member| part_of(member, table.as_deref(), looked));
            let unclear = match (part, looked) {
                (Part::NotKnown, Looked::Unclear(why)) => Some(why.clone()),
                _ => None,
            };
            parts.add(part);
            let joined = matches!((client.first_seen, hunt.started), (Some(a), Some(b)) if a > b);
            HostOutcome {
                part,
                rows: member.map_or(0, |member| member.rows),
                reason: unclear.or_else(|| member.and_then(reason)),
                flow_id: member.map(|member| member.flow_id.clone()),
                client_id: client.client_id,
                hostname: client.hostname,
                last_seen: client.last_seen,
                online: client.online,
                joined,
            }
        })
        .collect();
    hosts.sort_by(|a, b| {
        let key = |host: &HostOutcome| {
            (host.part.is_established(), host.part, host.hostname.clone(), host.client_id.clone())
        };
        key(a).cmp(&key(b))
    });
    let scope = hosts.len() as u64;
    let joined = hosts.iter().filter(|host| host.joined).count() as u64;
    Coverage { hunt, table, scope, at_start: scope - joined, joined, excluded, parts, hosts }
}

fn part_of(member: &Member, table: Option<&str>, looked: &Looked) -> Part {
    let has_rows = table.map_or(member.rows > 0, |table| member.fills(table));
    match member.state {
        FlowState::Finished if has_rows => Part::Hit,
        FlowState::Finished => match looked {
            Looked::Yes => Part::None,
            Looked::No => Part::NotApplicable,
            Looked::Unclear(_) => Part::NotKnown,
        },
        FlowState::Error if bound_of(member).is_some() => Part::Cut,
        FlowState::Error => Part::Failed,
        FlowState::Cancelled => Part::Cancelled,
        _ => Part::Running,
    }
}

fn bound_of(member: &Member) -> Option<Bound> {
    Bound::reached(member.state, member.status.as_deref(), &member.stats)
}

/// Why a flow ended early. Where a bound did it the query that reached it tells more than the
/// flow, which may say no more than that it was cancelled.
fn reason(member: &Member) -> Option<String> {
    let errors = || member.stats.iter().filter_map(|query| query.error.as_deref());
    let told = bound_of(member).and_then(|bound| {
        let mut texts = member.status.as_deref().into_iter().chain(errors());
        texts.find(|text| Bound::named_by(text) == Some(bound))
    });
    told.map(str::to_owned).or_else(|| member.status.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::QueryStat;
    use crate::hunts::{HuntScope, HuntState, HuntStats};
    use crate::ids::HuntId;

    fn id(number: u8) -> ClientId {
        ClientId::parse(&format!("C.{number:016x}")).unwrap()
    }

    fn meant(number: u8, os: Os, enrolled: i64) -> Meant {
        Meant {
            client_id: id(number),
            hostname: Some(format!("host-{number}")),
            os: Some(os),
            first_seen: Some(Timestamp::from_second(enrolled).unwrap()),
            last_seen: None,
            online: number == 1,
        }
    }

    fn member(number: u8, state: FlowState, rows: u64, status: &str) -> Member {
        Member {
            client_id: id(number),
            flow_id: FlowId::parse("F.X.H").unwrap(),
            state,
            status: (!status.is_empty()).then(|| status.to_owned()),
            rows,
            tables: if rows > 0 { vec![String::from("A/One")] } else { Vec::new() },
            queries: 1,
            logs: 2,
            stats: Vec::new(),
        }
    }

    fn facts() -> Facts {
        let hunt = Hunt {
            hunt_id: HuntId::parse("H.X").unwrap(),
            description: String::new(),
            state: HuntState::Running,
            creator: String::new(),
            created: None,
            started: Some(Timestamp::from_second(1000).unwrap()),
            expires: None,
            artifacts: vec![String::from("A")],
            tables: vec![String::from("A/One"), String::from("A/Two")],
            tags: Vec::new(),
            scope: HuntScope::Clients(Vec::new()),
            stats: HuntStats::default(),
            as_of: None,
        };
        Facts {
            hunt,
            table: None,
            meant: vec![
                meant(1, Os::Windows, 10),
                meant(2, Os::Windows, 10),
                meant(3, Os::Linux, 10),
                meant(4, Os::Windows, 10),
                meant(5, Os::Windows, 10),
                meant(6, Os::Windows, 10),
                meant(7, Os::Windows, 2000),
                meant(8, Os::Windows, 10),
                meant(11, Os::Windows, 10),
            ],
            excluded: 4,
            members: vec![
                member(1, FlowState::Finished, 3, ""),
                member(2, FlowState::Finished, 0, ""),
                member(3, FlowState::Finished, 0, ""),
                member(4, FlowState::InProgress, 1, ""),
                member(5, FlowState::Error, 9, "Something broke"),
                member(6, FlowState::Error, 1, "Rows 3 exceeded limit 1 for flow F.X. Cancelling."),
                member(8, FlowState::Finished, 0, ""),
                member(11, FlowState::Finished, 0, ""),
                member(10, FlowState::Cancelled, 2, "Cancelled by VQL query"),
                // Known no more, or added by hand.
                member(9, FlowState::Finished, 1, ""),
            ],
            looked: HashMap::from([
                (id(3), Looked::No),
                (id(8), Looked::No),
                (id(11), Looked::Unclear(String::from("its log says nothing"))),
            ]),
        }
    }

    #[test]
    fn the_parts_sum_to_the_scope() {
        let coverage = judge(facts());
        let expected = Parts {
            hit: 2,
            none: 1,
            not_applicable: 2,
            not_known: 1,
            running: 1,
            failed: 1,
            cancelled: 1,
            cut: 1,
            never_scheduled: 1,
        };
        assert_eq!(coverage.parts, expected);
        assert_eq!((coverage.scope, coverage.parts.total()), (11, 11));
        assert_eq!((coverage.at_start, coverage.joined, coverage.excluded), (10, 1, 4));
        assert_eq!(coverage.parts.open(), 6);
        let open: Vec<&str> = coverage.hosts[..6]
            .iter()
            .map(|host| host.hostname.as_deref().unwrap_or_default())
            .collect();
        assert_eq!(open, ["host-11", "host-4", "host-5", "", "host-6", "host-7"]);
    }

    #[test]
    fn a_single_table_is_judged_by_its_own_rows() {
        let table = Some(String::from("A/Two"));
        let coverage = judge(Facts { table, ..facts() });
        assert_eq!((coverage.parts.hit, coverage.parts.total()), (0, 11));
    }

    #[test]
    fn a_client_of_which_it_is_not_known_says_why() {
        let coverage = judge(facts());
        let open = coverage.hosts.iter().find(|host| host.part == Part::NotKnown).unwrap();
        assert_eq!(open.reason.as_deref(), Some("its log says nothing"));
        assert!(!open.part.is_established());
    }

    #[test]
    fn rows_of_a_flow_that_failed_establish_nothing() {
        let coverage = judge(facts());
        let failed = coverage.hosts.iter().find(|host| host.part == Part::Failed).unwrap();
        assert_eq!((failed.rows, failed.reason.as_deref()), (9, Some("Something broke")));
        assert!(!failed.part.is_established());
    }

    /// The server cancels a flow with the query that reached its limit, and says only that.
    #[test]
    fn a_limit_that_only_a_query_tells_of_cuts_as_well() {
        let error = |text: &str| {
            let stats = vec![
                QueryStat { error: Some(String::from("Cancelled")), ..QueryStat::default() },
                QueryStat { error: Some(text.to_owned()), ..QueryStat::default() },
            ];
            Member { stats, ..member(1, FlowState::Error, 4, "Cancelled") }
        };
        let coverage = |member| judge(Facts { members: vec![member], ..facts() });
        for text in [
            "Rows 9 exceeded limit 5 for flow F.X. Cancelling.",
            "Upload limit of 1 exceeded",
            "Query timed out after 3 seconds",
        ] {
            let judged = coverage(error(text));
            let host = judged.hosts.iter().find(|host| host.flow_id.is_some()).unwrap();
            assert_eq!((host.part, host.reason.as_deref()), (Part::Cut, Some(text)));
        }
        let judged = coverage(error("no such file"));
        let host = judged.hosts.iter().find(|host| host.flow_id.is_some()).unwrap();
        assert_eq!((host.part, host.reason.as_deref()), (Part::Failed, Some("Cancelled")));
    }
}
