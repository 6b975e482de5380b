//! What a grant covers, and what it does not.

use super::*;
use crate::approver::bob;
use crate::asked::{Clients, example};
use crate::audit::testing::{kept, lines};
use crate::permit::Where;
use crate::policy::Rule;
use crate::record::testing::{Hand, at};

const LIFE: Duration = Duration::from_secs(3600);

fn bench() -> (tempfile::TempDir, Hand, Grants) {
    let home = tempfile::tempdir().unwrap();
    let hand = Hand::default();
    let grants = Grants::open(home.path(), hand.clock()).unwrap();
    (home, hand, grants)
}

fn terms() -> Terms {
    Terms {
        case: "INC-7".into(),
        server: "acme-prod".into(),
        org: "ACME".into(),
        artifacts: vec![Glob::new("Windows.Sys.*")],
        hosts: GrantHosts::Ids([example::client(1), example::client(2)].into()),
        bytes: 2_500,
        collections: 10,
    }
}

fn cover_of(grants: &Grants, asked: &Asked, needed: Effect, protected: bool) -> String {
    let question = Question::new(asked, needed, Rule::example(), Where::InChat, protected);
    match grants.cover(&question, &Labels::new()).unwrap() {
        Cover::Covered(permit) => match permit.spend(asked).unwrap() {
            Authority::Grant { id, .. } => id,
            other => format!("{other:?}"),
        },
        Cover::Not(why) => why.iter().map(|one| one.why.clone()).collect::<Vec<_>>().join("; "),
    }
}

fn cover(grants: &Grants, asked: &Asked) -> String {
    cover_of(grants, asked, Effect::Collect, false)
}

#[test]
fn a_grant_covers_collections_within_it_until_its_bytes_are_used() {
    let (home, hand, grants) = bench();
    let asked = example::collection();
    assert_eq!(cover(&grants, &asked), "");
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    assert_eq!(cover(&grants, &asked), "G1");
    // Another process sees what is left.
    let again = Grants::open(home.path(), hand.clock()).unwrap();
    assert_eq!(cover(&again, &asked), "G1");
    assert_eq!(
        cover(&again, &asked),
        "the call may bring in 1000 bytes, and of its 2500 bytes only 500 bytes are left"
    );
    let kept = grants.list().unwrap();
    assert_eq!((kept[0].used_bytes, kept[0].used_collections), (2_000, 2));
}

#[test]
fn what_a_call_did_not_use_is_given_back() {
    let (home, _, grants) = bench();
    let asked = example::collection();
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    assert_eq!(cover(&grants, &asked), "G1");
    grants.settle("G1", 1_000, 300).unwrap();
    let kept = grants.list().unwrap();
    assert_eq!((kept[0].used_bytes, kept[0].left_bytes()), (300, 2_200));
    assert_eq!(kept[0].left_collections(), 9, "a collection is used up whatever it brought in");
    // More than was taken off was never the grant's to give.
    grants.settle("G1", 1_000, 5_000).unwrap();
    assert_eq!(grants.list().unwrap()[0].used_bytes, 300);
    grants.settle("G1", 9_000, 0).unwrap();
    assert_eq!(grants.list().unwrap()[0].used_bytes, 0, "never less than nothing");
    assert!(grants.settle("G2", 2, 1).is_err());
}

#[test]
fn a_grant_that_is_over_and_would_have_covered_it_is_told() {
    let (home, hand, grants) = bench();
    let asked = example::collection();
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    grants.give(terms(), LIFE * 3, bob(), &kept(home.path())).unwrap();
    let other = Terms { artifacts: vec![Glob::new("Linux.*")], ..terms() };
    grants.give(other, LIFE, bob(), &kept(home.path())).unwrap();
    grants.revoke("G2", bob(), &kept(home.path())).unwrap();
    hand.set(2 * 3600);
    let told = cover(&grants, &asked);
    assert!(told.starts_with("it was revoked by ") && told.contains("; it expired at "), "{told}");
    assert_eq!(told.matches("; ").count(), 1, "G3 would not have covered it: {told}");
    assert_eq!(cover_of(&grants, &asked, Effect::Respond, false), "");
    hand.set(3 * 24 * 3600);
    assert_eq!(cover(&grants, &asked), "", "what ended days ago is no news");
}

#[test]
fn what_is_beyond_a_grant_is_told() {
    let (home, _, grants) = bench();
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    let with = |change: fn(&mut Asked)| {
        let mut asked = example::collection();
        change(&mut asked);
        cover(&grants, &asked)
    };
    let told = [
        with(|asked| asked.server = "acme-test".into()),
        with(|asked| asked.org = "root".into()),
        with(|asked| asked.artifacts = example::quarantine().artifacts),
        with(|asked| asked.artifacts.extend(example::quarantine().artifacts)),
        with(|asked| asked.artifacts.clear()),
        with(|asked| asked.clients = Clients::exactly([example::client(1), example::client(3)])),
        with(|asked| asked.clients = Clients::exactly([ClientId::server()])),
        with(|asked| asked.clients = Clients::none()),
        with(|asked| asked.clients = Clients::hunt_by("label x", [example::client(1)])),
        with(|asked| asked.bounds.bytes = None),
        cover_of(&grants, &example::collection(), Effect::Respond, false),
        cover_of(&grants, &example::collection(), Effect::Read, false),
        cover_of(&grants, &example::collection(), Effect::Collect, true),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    it is for acme-prod / ACME
    it is for acme-prod / ACME
    Windows.Remediation.Quarantine is none of its artifacts
    Windows.Remediation.Quarantine is none of its artifacts
    the call names no artifact
    C.0000000000000003 is none of its hosts
    server is none of its hosts
    the call names no client
    the clients are chosen by a rule, which others may come to fit
    the call has no bound of bytes
    grants cover collections, and this is a call to respond
    grants cover collections, and this is a call to read
    a protected client is among the clients
    "#);
    assert_eq!(grants.list().unwrap()[0].used_collections, 0);
    assert_eq!(cover(&grants, &example::collection()), "G1");
}

#[test]
fn a_grant_by_label_looks_at_the_labels_of_now() {
    let (home, _, grants) = bench();
    grants
        .give(
            Terms { hosts: GrantHosts::Label("case7".into()), ..terms() },
            LIFE,
            bob(),
            &kept(home.path()),
        )
        .unwrap();
    let asked = example::collection();
    let covered = |labelled: &[u64]| {
        let labels = labelled
            .iter()
            .map(|number| (example::client(*number), BTreeSet::from(["case7".to_owned()])))
            .collect();
        let question =
            Question::new(&asked, Effect::Collect, Rule::example(), Where::InChat, false);
        matches!(grants.cover(&question, &labels).unwrap(), Cover::Covered(_))
    };
    assert!(!covered(&[]));
    assert!(!covered(&[1]));
    assert!(covered(&[1, 2]));
}

#[test]
fn grants_end_by_time_by_count_and_by_hand() {
    let (home, hand, grants) = bench();
    let asked = example::collection();
    grants.give(Terms { collections: 1, ..terms() }, LIFE, bob(), &kept(home.path())).unwrap();
    assert_eq!(cover(&grants, &asked), "G1");
    assert_eq!(cover(&grants, &asked), "all of its 1 collections are used");
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    assert_eq!(cover(&grants, &asked), "G2");
    grants.revoke("g2", bob(), &kept(home.path())).unwrap();
    assert!(!cover(&grants, &asked).contains("G2"));
    assert!(matches!(
        grants.revoke("G2", bob(), &kept(home.path())),
        Err(GrantError::Ended { .. })
    ));
    assert!(matches!(
        grants.revoke("G9", bob(), &kept(home.path())),
        Err(GrantError::Unknown { .. })
    ));
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    hand.set(3600);
    let over = cover(&grants, &asked);
    assert!(over.starts_with("it expired at "), "{over}");
    // A clock that is set back does not bring it back.
    hand.set(3599);
    assert_eq!(cover(&grants, &asked), over);
    hand.set(0);
    assert_eq!(cover(&grants, &asked), over);
    let ends: Vec<_> = grants.list().unwrap().into_iter().map(|grant| grant.ended).collect();
    assert!(matches!(ends[1], Some(GrantEnd::Revoked { at: when, .. }) if when == at(0)));
    assert!(matches!(ends[2], Some(GrantEnd::Expired { why: Ended::TimeOver, .. })));
}

#[test]
fn many_at_once_never_take_more_than_there_is() {
    let (home, _, grants) = bench();
    grants.give(terms(), LIFE, bob(), &kept(home.path())).unwrap();
    let asked = example::collection();
    let covered = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| cover(&grants, &asked) == "G1")).collect();
        threads.into_iter().map(|one| one.join().unwrap()).filter(|covered| *covered).count()
    });
    assert_eq!(covered, 2);
}

#[test]
fn a_grant_of_nothing_or_of_everything_cannot_be_given() {
    let (home, _, grants) = bench();
    let refused = |terms: Terms, life: Duration| {
        grants.give(terms, life, bob(), &kept(home.path())).unwrap_err()
    };
    let told = [
        refused(Terms { case: " ".into(), ..terms() }, LIFE),
        refused(Terms { artifacts: vec![], ..terms() }, LIFE),
        refused(Terms { artifacts: vec![Glob::new("*.*")], ..terms() }, LIFE),
        refused(Terms { hosts: GrantHosts::Ids([].into()), ..terms() }, LIFE),
        refused(Terms { hosts: GrantHosts::Label(String::new()), ..terms() }, LIFE),
        refused(Terms { hosts: GrantHosts::Ids([ClientId::server()].into()), ..terms() }, LIFE),
        refused(Terms { bytes: 0, ..terms() }, LIFE),
        refused(Terms { collections: 0, ..terms() }, LIFE),
        refused(terms(), Duration::ZERO),
        refused(terms(), LONGEST + LIFE),
    ]
    .map(|error| error.to_string());
    insta::assert_snapshot!(told.join("\n"), @r#"
    such a grant cannot be given: it names no case
    such a grant cannot be given: it names no artifact
    such a grant cannot be given: a pattern that fits every artifact
    such a grant cannot be given: it names no host
    such a grant cannot be given: it names no host
    such a grant cannot be given: the server itself is no host of a case
    such a grant cannot be given: it allows no bytes
    such a grant cannot be given: it allows no collection
    such a grant cannot be given: it has no life
    such a grant cannot be given: it lives longer than 7 days
    "#);
    assert_eq!(grants.list().unwrap(), []);
}

#[test]
fn what_is_given_and_taken_back_is_on_record_or_not_done() {
    let (home, _, grants) = bench();
    let audit = kept(home.path());
    let grant = grants.give(terms(), LIFE, bob(), &audit).unwrap();
    grants.revoke("G1", bob(), &audit).unwrap();
    let found = lines(home.path(), "decided");
    let acts: Vec<_> = found.iter().map(|line| line["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["grant", "revoke_grant"]);
    for line in &found {
        assert_eq!((&line["id"], &line["reason"]), (&json!("G1"), &json!("INC-7")));
        assert_eq!(
            (&line["by"]["user"], &line["until"]),
            (&json!("bob"), &json!(grant.void_after))
        );
        assert_eq!(line["terms"]["artifacts"][0], "Windows.Sys.*");
        assert_eq!(line["terms"]["hosts"]["ids"][0], json!(example::client(1)));
    }
    grants.give(terms(), LIFE, bob(), &audit).unwrap();
    std::fs::remove_file(home.path().join("audit/audit-00000001.jsonl")).unwrap();
    let refused = grants.give(terms(), LIFE, bob(), &audit);
    assert!(matches!(refused, Err(GrantError::Unrecorded(_))), "{refused:?}");
    let refused = grants.revoke("G2", bob(), &audit);
    assert!(matches!(refused, Err(GrantError::Unrecorded(_))), "{refused:?}");
    let living: Vec<_> = grants.list().unwrap();
    let living: Vec<_> = living.iter().filter(|one| one.ended.is_none()).map(Grant::id).collect();
    assert_eq!(living, ["G2"]);
}
