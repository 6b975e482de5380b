//! What the ledger knows, whatever happened to its file.

use super::*;
use crate::asked::example;
use crate::record::testing::{Hand, at};

fn bench() -> (tempfile::TempDir, Ledger) {
    let home = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(home.path(), Hand::default().clock()).unwrap();
    (home, ledger)
}

fn flow(number: u64) -> Work {
    Work::Flow {
        client: example::client(number),
        flow: FlowId::parse(&format!("F.{number}")).unwrap(),
    }
}

fn hunt(number: u64) -> Work {
    Work::Hunt { hunt: HuntId::parse(&format!("H.{number}")).unwrap() }
}

fn start(ledger: &Ledger, works: &[Work]) {
    let starting = ledger.starting(&example::collection()).unwrap();
    for work in works {
        starting.started(work.clone()).unwrap();
    }
    starting.settled().unwrap();
}

fn works(ledger: &Ledger) -> Vec<Work> {
    ledger.standing().unwrap().started.into_iter().map(|started| started.work).collect()
}

#[test]
fn what_was_started_stands_until_it_ended() {
    let (home, ledger) = bench();
    assert_eq!(ledger.standing().unwrap(), Standing::default());
    start(&ledger, &[flow(1), flow(2)]);
    start(&ledger, &[hunt(1)]);
    let again = Ledger::open(home.path(), Hand::default().clock()).unwrap();
    let standing = again.standing().unwrap();
    assert_eq!(works(&again), [flow(1), flow(2), hunt(1)]);
    assert_eq!((standing.unknown.len(), standing.torn), (0, 0));
    let first = &standing.started[0];
    assert_eq!((first.server.as_str(), first.org.as_str()), ("acme-prod", "ACME"));
    assert_eq!((first.tool.as_str(), first.at), ("collect_artifact", at(0)));
    again.ended(first, "finished").unwrap();
    again.ended(&standing.started[2], "paused").unwrap();
    assert_eq!(works(&ledger), [flow(2)]);
    // A hunt that was paused and started again stands again, once.
    start(&ledger, &[hunt(1)]);
    start(&ledger, &[hunt(1)]);
    assert_eq!(works(&ledger), [flow(2), hunt(1)]);
}

/// It runs, and an emergency stop that finds nothing of it would say that nothing runs.
#[test]
fn a_start_whose_flow_could_not_be_written_down_is_not_settled() {
    let (_home, ledger) = bench();
    let starting = ledger.starting(&example::collection()).unwrap();
    let aside = ledger.folder.join("aside");
    fs::rename(ledger.path(), &aside).unwrap();
    fs::create_dir(ledger.path()).unwrap();
    starting.started(flow(1)).unwrap_err();
    fs::remove_dir(ledger.path()).unwrap();
    fs::rename(&aside, ledger.path()).unwrap();
    starting.settled().unwrap();
    assert_eq!(ledger.standing().unwrap().unknown.len(), 1);
}

#[test]
fn the_same_id_on_another_server_is_something_else() {
    let (_home, ledger) = bench();
    start(&ledger, &[hunt(1)]);
    let mut elsewhere = ledger.standing().unwrap().started[0].clone();
    elsewhere.server = "acme-test".into();
    ledger.ended(&elsewhere, "stopped").unwrap();
    assert_eq!(works(&ledger), [hunt(1)]);
}

#[test]
fn a_start_that_was_not_settled_is_known_as_one_of_unknown_outcome() {
    let (_home, ledger) = bench();
    let starting = ledger.starting(&example::collection()).unwrap();
    starting.started(flow(1)).unwrap();
    drop(starting);
    let standing = ledger.standing().unwrap();
    assert_eq!(standing.started.len(), 1);
    assert_eq!(standing.unknown.len(), 1);
    assert_eq!(standing.unknown[0].clients, [example::client(1), example::client(2)]);
}

#[test]
fn wherever_the_last_line_is_torn_the_others_stand() {
    let (_home, ledger) = bench();
    start(&ledger, &[flow(1)]);
    let before = fs::read(ledger.path()).unwrap();
    let starting = ledger.starting(&example::collection()).unwrap();
    starting.started(flow(2)).unwrap();
    drop(starting);
    let whole = fs::read(ledger.path()).unwrap();
    for cut in before.len()..whole.len() {
        fs::write(ledger.path(), &whole[..cut]).unwrap();
        let standing = ledger.standing().unwrap();
        assert!(standing.torn <= 1, "cut at {cut}");
        assert_eq!(standing.started[0].work, flow(1), "cut at {cut}");
        // The next line is whole.
        start(&ledger, &[flow(3)]);
        assert!(works(&ledger).contains(&flow(3)), "cut at {cut}");
    }
}

#[test]
fn lines_that_are_no_lines_are_counted() {
    let (_home, ledger) = bench();
    start(&ledger, &[flow(1)]);
    let mut text = fs::read(ledger.path()).unwrap();
    text.splice(0..0, *b"\0\0\0\n{\"line\":\"other\"}\n\n");
    fs::write(ledger.path(), text).unwrap();
    let standing = ledger.standing().unwrap();
    assert_eq!((standing.torn, standing.started.len()), (2, 1));
}

#[test]
fn what_ended_leaves_the_file_and_what_stands_stays() {
    let (_home, mut ledger) = bench();
    ledger.compact_beyond = 8 << 10;
    start(&ledger, &[hunt(7)]);
    drop(ledger.starting(&example::collection()).unwrap());
    for number in 1..=60 {
        start(&ledger, &[flow(number)]);
        let standing = ledger.standing().unwrap();
        ledger.ended(standing.started.last().unwrap(), "finished").unwrap();
    }
    let length = fs::metadata(ledger.path()).unwrap().len();
    assert!(length < 10 << 10, "{length}");
    let standing = ledger.standing().unwrap();
    assert_eq!(works(&ledger), [hunt(7)]);
    assert_eq!((standing.unknown.len(), standing.torn), (1, 0));
}

#[test]
fn what_cannot_be_written_is_not_started() {
    let (_home, ledger) = bench();
    fs::create_dir(ledger.path()).unwrap();
    assert!(matches!(ledger.starting(&example::collection()), Err(RecordError::Io { .. })));
}

#[test]
fn lines_of_many_writers_do_not_mix() {
    let (_home, ledger) = bench();
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let ledger = &ledger;
            scope.spawn(move || {
                for number in 0..5 {
                    start(ledger, &[flow(writer * 100 + number)]);
                }
            });
        }
    });
    let standing = ledger.standing().unwrap();
    assert_eq!((standing.started.len(), standing.unknown.len(), standing.torn), (20, 0, 0));
}
