//! What an approval is good for, and every way in which it is not.

use std::fs;

use serde_json::json;

use super::*;
use crate::approver::bob;
use crate::asked::{Asked, Clients, example};
use crate::audit::testing::{kept, lines};
use crate::permit::Where;
use crate::policy::Rule;
use crate::record::testing::{Hand, at};

const LIFE: Duration = Duration::from_secs(600);

struct Bench {
    audit: Audit,
    home: tempfile::TempDir,
    hand: Hand,
    approvals: Approvals,
}

fn bench() -> Bench {
    let home = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let approvals = Approvals::open(home.path(), hand.clock()).unwrap();
    Bench { audit: kept(home.path()), home, hand, approvals }
}

fn question(asked: &Asked) -> Question {
    Question::new(asked, asked.effect, Rule::example(), Where::Outside, false)
}

fn host() -> Host {
    Host {
        id: example::client(0x18f2),
        name: "FIN-WS07".into(),
        system: "windows".into(),
        last_seen: Some(at(-12)),
        protected: false,
    }
}

fn plan(hosts: Hosts) -> Plan {
    Plan {
        weight: None,
        grants: Vec::new(),
        hosts,
        effect: "blocks all but Velociraptor, DNS, DHCP".into(),
        steps: Vec::new(),
        notes: Vec::new(),
        others: vec!["hunt H.C9 (bob) touches this host".into()],
        undo: "release; nothing automatic".into(),
        proof: "policy row, server reachable, target blocked".into(),
        cost: None,
        reason: Some("beaconing".into()),
    }
}

impl Bench {
    fn ask(&self, asked: &Asked) -> Approval {
        let hosts = asked.clients.ids.iter().map(|id| Host { id: id.clone(), ..host() }).collect();
        self.approvals.ask(&question(asked), plan(Hosts::Each(hosts)), LIFE).unwrap()
    }

    fn approve(&self, approval: &Approval) -> Approval {
        let digits = &approval.digest.to_string()[..4];
        self.approvals.approve(approval.confirm(digits).unwrap(), bob(), &self.audit).unwrap()
    }

    /// What becomes of running it now.
    fn run(&self, asked: &Asked) -> Result<Authority, NotApproved> {
        self.approvals.carry_out(&question(asked)).map(|permit| permit.spend(asked).unwrap())
    }

    fn refusal(&self, asked: &Asked) -> NotApproved {
        self.run(asked).unwrap_err()
    }

    /// As another process sees it.
    fn reopened(&self) -> Approvals {
        Approvals::open(self.home.path(), self.hand.clock()).unwrap()
    }
}

#[test]
fn the_card_says_what_a_person_wants_to_know() {
    let bench = bench();
    let approval = bench.ask(&example::quarantine());
    insta::assert_snapshot!(approval.card(at(0)), @r#"
    RESPOND quarantine_client                      void after 14:23:20Z
    where   acme-prod / ACME, as ADMINISTRATOR (megaraptor-adm)
    host    FIN-WS07 C.00000000000018f2  windows, seen 12 s ago, not protected
    with    action=isolate, client=FIN-WS07
    runs    Windows.Remediation.Quarantine  sha256 09e3971c…
    can     exec on the endpoint (execve)
    effect  blocks all but Velociraptor, DNS, DHCP
    limits  1000 bytes, 100 rows, 60 s on each
    others  hunt H.C9 (bob) touches this host
    undo    release; nothing automatic
    proof   policy row, server reachable, target blocked
    asked   alice / claude; reason given: "beaconing"
    rule    collect = ask, by the default
    digest  f910a359                           approve outside the chat
    "#);
}

#[test]
fn the_card_of_a_hunt_counts() {
    let bench = bench();
    let ids = (0..1204).map(example::client);
    let mut asked = Asked {
        tool: "create_hunt".into(),
        clients: Clients::hunt_by("label web", ids),
        ..example::collection()
    };
    asked.expires_after = Some(3600);
    let counts = Counts {
        by_system: [("windows".to_owned(), 1000), ("linux".to_owned(), 204)].into(),
        online: 900,
        protected: 2,
    };
    let mut wanted = plan(Hosts::Many(counts));
    wanted.cost = Some("about 3 s and 2 MB on each".into());
    wanted.others.clear();
    wanted.reason = None;
    let approval = bench.approvals.ask(&question(&asked), wanted, LIFE).unwrap();
    insta::assert_snapshot!(bench.approve(&approval).card(at(86_400 * 2)), @r#"
    COLLECT create_hunt                 void after 2026-09-21T14:23:20Z
    where   acme-prod / ACME, as INVESTIGATOR (megaraptor-inv)
    hosts   1204: 204 linux, 1000 windows; 900 online, 2 protected
    by      label web; whoever comes to fit it joins
    with    clients=["WS-1","WS-2"], artifacts=["Windows.Sys.Users"]
    runs    Windows.Sys.Users  sha256 b127eee9…, and 1 that it calls
    can     host on the endpoint (users)
    effect  blocks all but Velociraptor, DNS, DHCP
    limits  1000 bytes, 100 rows, 60 s on each, waits for endpoints for 1 h
    cost    about 3 s and 2 MB on each
    undo    release; nothing automatic
    proof   policy row, server reachable, target blocked
    asked   alice / claude; no reason given
    rule    collect = ask, by the default
    digest  76eaa510                approved by bob@soc-1 on /dev/pts/3
    "#);
}

#[test]
fn nothing_on_the_card_can_pass_for_another_line_of_it() {
    let bench = bench();
    let mut wanted =
        plan(Hosts::Each(vec![Host { name: "X\nundo    by itself\u{202e}".into(), ..host() }]));
    wanted.reason = Some(format!("ok\"\ndigest  00000000\u{1b}[2J{}", "x".repeat(5000)));
    let mut asked = example::quarantine();
    asked.arguments.insert("message".into(), "a\nhost    Y".repeat(500).into());
    let approval = bench.approvals.ask(&question(&asked), wanted, LIFE).unwrap();
    let card = approval.card(at(0));
    assert!(card.contains("(cut: megaraptor approvals show"), "{card}");
    let begins = |label: &str| card.lines().filter(|line| line.starts_with(label)).count();
    assert_eq!((begins("undo"), begins("digest"), begins("host")), (1, 1, 1), "{card}");
    assert!(!card.contains(['\u{1b}', '\u{202e}']), "{card}");
    assert!(card.len() < 3000, "{}", card.len());
}

#[test]
fn what_is_agreed_to_is_read_to_its_end() {
    let bench = bench();
    let long = |end: &str| format!("starts {} {end}", "x".repeat(400));
    let mut wanted = plan(Hosts::Each(vec![host()]));
    (wanted.effect, wanted.undo) = (long("effect's end"), long("undo's end"));
    (wanted.steps, wanted.notes) = (vec![long("step's end")], vec![long("note's end")]);
    let approval = bench.approvals.ask(&question(&example::quarantine()), wanted, LIFE).unwrap();
    let card = approval.card(at(0));
    for end in ["effect's end", "undo's end", "step's end", "note's end"] {
        assert!(card.contains(end), "{end}: {card}");
    }
}

#[test]
fn an_approval_is_used_once() {
    let bench = bench();
    let asked = example::quarantine();
    assert!(matches!(bench.refusal(&asked), NotApproved::NotAsked));
    let approval = bench.ask(&asked);
    assert!(matches!(bench.refusal(&asked), NotApproved::Pending { .. }));
    assert_eq!(bench.ask(&asked), approval, "asked again, it is another one");
    bench.approve(&approval);
    // Another process finds it.
    let permit = bench.reopened().carry_out(&question(&asked)).unwrap();
    let authority = permit.spend(&asked).unwrap();
    assert_eq!(authority, Authority::Approval { id: approval.id(), approved_by: bob() });
    let used = bench.refusal(&asked);
    assert!(matches!(&used, NotApproved::Used { id, .. } if *id == approval.id()), "{used}");
    // It can be asked for again, and that is another one.
    assert_ne!(bench.ask(&asked).id(), approval.id());
}

#[test]
fn of_many_at_once_one_gets_it() {
    let bench = bench();
    let asked = example::quarantine();
    bench.approve(&bench.ask(&asked));
    let runs = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..8).map(|_| scope.spawn(|| bench.run(&asked).is_ok())).collect();
        handles.into_iter().map(|one| one.join().unwrap()).filter(|ran| *ran).count()
    });
    assert_eq!(runs, 1);
}

#[test]
fn a_denied_request_does_not_run_and_an_approval_can_be_taken_back() {
    let bench = bench();
    let asked = example::quarantine();
    let approval = bench.approve(&bench.ask(&asked));
    bench.approvals.deny(&approval, bob(), Some("not that host".into()), &bench.audit).unwrap();
    let refusal = bench.refusal(&asked);
    assert!(refusal.to_string().contains("not that host"), "{refusal}");
    let again = bench.approvals.approve(
        approval.confirm(&approval.digest.short()[..4]).unwrap(),
        bob(),
        &bench.audit,
    );
    assert!(matches!(again, Err(ApprovalError::NotPending { .. })), "{again:?}");
}

#[test]
fn each_decision_is_on_record_when_it_is_made() {
    let bench = bench();
    let approval = bench.approve(&bench.ask(&example::quarantine()));
    // A denial that nobody comes back for has its line as well.
    bench.approvals.deny(&approval, bob(), Some("password=hunter2".into()), &bench.audit).unwrap();
    let found = lines(bench.home.path(), "decided");
    let acts: Vec<_> = found.iter().map(|line| line["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["approve", "deny"]);
    for line in &found {
        assert_eq!(line["id"], json!(approval.id()));
        assert_eq!(line["digest"], json!(approval.digest));
        assert_eq!(line["by"]["user"], "bob");
        assert_eq!(line["asked_by"]["subject"], "alice");
        assert_eq!(
            (&line["tool"], &line["effect"]),
            (&json!("quarantine_client"), &json!("respond"))
        );
        assert_eq!((&line["server"], &line["until"]), (&json!("acme-prod"), &json!(at(600))));
        assert_eq!(line["terms"]["action"], "isolate");
    }
    assert_eq!(found[1]["reason"], "password=[masked: password]");
}

#[test]
fn what_cannot_be_recorded_is_not_decided() {
    let bench = bench();
    let waits = bench.ask(&example::quarantine());
    let approved = bench.approve(&bench.ask(&example::collection()));
    fs::remove_file(bench.home.path().join("audit/audit-00000001.jsonl")).unwrap();
    let seen = waits.confirm(&waits.digest.short()[..4]).unwrap();
    let refused = bench.approvals.approve(seen, bob(), &bench.audit);
    assert!(matches!(refused, Err(ApprovalError::Unrecorded(_))), "{refused:?}");
    let refused = bench.approvals.deny(&approved, bob(), None, &bench.audit);
    assert!(matches!(refused, Err(ApprovalError::Unrecorded(_))), "{refused:?}");
    let states: Vec<_> = bench.approvals.list().unwrap();
    let states: Vec<_> = states.iter().map(|one| one.state.as_str()).collect();
    assert_eq!(states, ["pending", "approved"]);
}

#[test]
fn an_approval_ends_with_its_life() {
    let bench = bench();
    let asked = example::quarantine();
    let approval = bench.approve(&bench.ask(&asked));
    assert_eq!(approval.void_after, at(600));
    bench.hand.set(600);
    let refusal = bench.refusal(&asked);
    assert!(matches!(refusal, NotApproved::Expired { why: Ended::TimeOver, .. }), "{refusal}");
    // Pending ones, too, cannot be approved any more.
    let late = bench.ask(&example::collection());
    bench.hand.set(1200);
    let late = bench.approvals.approve(
        late.confirm(&late.digest.short()[..4]).unwrap(),
        bob(),
        &bench.audit,
    );
    assert!(matches!(late, Err(ApprovalError::NotPending { .. })), "{late:?}");
}

#[test]
fn a_clock_that_is_set_back_brings_nothing_back_to_life() {
    for (back_to, seen_at) in [(599, 600), (0, 600), (-100_000, 600), (0, 5000)] {
        let bench = bench();
        let asked = example::quarantine();
        bench.approve(&bench.ask(&asked));
        bench.hand.set(seen_at);
        bench.approvals.list().unwrap();
        bench.hand.set(back_to);
        let refusal = bench.refusal(&asked);
        assert!(matches!(refusal, NotApproved::Expired { .. }), "{back_to}: {refusal}");
    }
    // What was alive is not trusted after a large jump: nobody knows how old it is.
    let bench = bench();
    let asked = example::quarantine();
    bench.approve(&bench.ask(&asked));
    bench.hand.set(-3600);
    let refusal = bench.refusal(&asked);
    assert!(matches!(refusal, NotApproved::Expired { why: Ended::ClockWentBack, .. }), "{refusal}");
    // What is asked for afterwards lives by the new time.
    let approval = bench.approve(&bench.ask(&asked));
    assert_eq!(approval.void_after, at(-3000));
    bench.hand.set(-3001);
    assert!(bench.run(&asked).is_ok());
}

#[test]
fn what_changed_since_is_told_and_nothing_runs() {
    let bench = bench();
    let asked = example::quarantine();
    bench.approve(&bench.ask(&asked));
    let told = |change: fn(&mut Asked)| {
        let mut now = asked.clone();
        change(&mut now);
        bench.refusal(&now).to_string()
    };
    let redefined = told(|asked| {
        for definition in asked.artifacts.values_mut() {
            definition.sha256 = crate::digest::Digest::of("definition", &"evil");
        }
    });
    assert!(redefined.contains("Windows.Remediation.Quarantine was redefined"), "{redefined}");
    let clients = told(|asked| asked.clients = Clients::exactly([example::client(9)]));
    assert!(clients.contains("the list of clients changed (1 came, 1 went"), "{clients}");
    let identity = told(|asked| asked.identity.user = "root".into());
    assert!(identity.contains("as ADMINISTRATOR (root) and not as"), "{identity}");
    // Other arguments, another caller: that is another request.
    for change in [
        |asked: &mut Asked| asked.caller.subject = "mallory".into(),
        |asked: &mut Asked| asked.caller.program = "other".into(),
        |asked: &mut Asked| asked.server = "acme-test".into(),
        |asked: &mut Asked| asked.org = "root".into(),
        |asked: &mut Asked| {
            asked.arguments.insert("action".into(), "release".into());
        },
    ] {
        let mut other = asked.clone();
        change(&mut other);
        assert!(matches!(bench.refusal(&other), NotApproved::NotAsked));
    }
    // And in the old state it still runs.
    assert!(bench.run(&asked).is_ok());
}

#[test]
fn only_what_was_seen_is_approved() {
    let bench = bench();
    let approval = bench.ask(&example::quarantine());
    for typed in ["", "7c", "yes", &approval.digest.to_string()] {
        assert!(approval.confirm(typed).is_err(), "{typed}");
    }
    let digits = approval.digest.short()[..4].to_uppercase();
    assert!(approval.confirm(&format!(" {digits}\n")).is_ok());
}

#[test]
fn a_record_that_was_changed_by_hand_approves_nothing() {
    let bench = bench();
    let asked = example::quarantine();
    bench.approve(&bench.ask(&asked));
    let path = bench.home.path().join("approvals/00000001.json");
    let text = fs::read_to_string(&path).unwrap();
    let other = text.replace("00000000000018f2", "0000000000000001");
    assert_ne!(text, other);
    fs::write(&path, other).unwrap();
    let refusal = bench.refusal(&asked);
    assert!(matches!(refusal, NotApproved::Failed(ApprovalError::Altered { .. })), "{refusal}");
}

#[test]
fn a_plan_shows_the_hosts_of_the_request() {
    let bench = bench();
    let asked = example::quarantine();
    let wrong = [
        Hosts::None,
        Hosts::Each(vec![Host { id: example::client(1), ..host() }]),
        Hosts::Each(vec![host(), host()]),
        Hosts::Many(Counts {
            by_system: [("windows".to_owned(), 2)].into(),
            online: 0,
            protected: 0,
        }),
    ];
    for hosts in wrong {
        let refused = bench.approvals.ask(&question(&asked), plan(hosts), LIFE);
        assert!(matches!(refused, Err(ApprovalError::Plan(_))), "{refused:?}");
    }
    for life in [Duration::ZERO, LONGEST + Duration::from_secs(1)] {
        let refused = bench.approvals.ask(&question(&asked), plan(Hosts::Each(vec![host()])), life);
        assert!(matches!(refused, Err(ApprovalError::Life { .. })), "{refused:?}");
    }
}

#[test]
fn the_list_stays_short_enough_to_be_read() {
    let bench = bench();
    let numbered = |number: usize| {
        let mut asked = example::quarantine();
        asked.arguments.insert("message".into(), number.into());
        asked
    };
    for number in 0..MOST_PENDING {
        bench.ask(&numbered(number));
    }
    let one_more =
        bench.approvals.ask(&question(&numbered(999)), plan(Hosts::Each(vec![host()])), LIFE);
    assert!(matches!(one_more, Err(ApprovalError::TooMany { pending: 50 })), "{one_more:?}");
}

#[test]
fn requests_are_found_by_id_and_by_digest() {
    let bench = bench();
    let approval = bench.ask(&example::quarantine());
    let digest = approval.digest.to_string();
    for name in [&approval.id(), &digest, &digest[..8], &digest[..4]] {
        assert_eq!(bench.approvals.find(name).unwrap(), approval);
    }
    for name in ["", &digest[..3], "ffffffff-1"] {
        assert!(matches!(bench.approvals.find(name), Err(ApprovalError::Unknown { .. })), "{name}");
    }
}
