//! What the filter and the record cost, as figures of one run.
//!
//! `cargo bench -p guard`. Each filter is set beside the serialisation of the same answer.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use guard::audit::{Audit, Decision, Expected, Intent, Options, Outcome, Who, verify};
use guard::effect::Effect;
use guard::outlet;
use serde_json::{Value, json};

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    let mut report = String::new();
    filter(&mut report);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("no runtime: {error}"));
    for at_once in [1, 4, 16, 64] {
        runtime.block_on(record(at_once, &mut report));
    }
    println!("{report}");
}

/// An answer of process rows, as the tools give them.
fn answer(command: &str) -> Value {
    let row = |n: u64| {
        json!({
            "Pid": n, "Ppid": 4, "Name": "svchost.exe", "Username": "NT AUTHORITY\\SYSTEM",
            "CommandLine": format!("{command} -k netsvcs -p -s Schedule {n}"),
            "CreateTime": "2026-01-02T03:04:05Z", "Exe": "C:\\Windows\\System32\\svchost.exe",
            "Hash": "d41d8cd98f00b204e9800998ecf8427e", "Authenticode": {"Trusted": "trusted"},
        })
    };
    json!({"server": "acme", "rows": (0..2000).map(row).collect::<Vec<_>>()})
}

fn best(mut act: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let start = Instant::now();
        act();
        best = best.min(start.elapsed());
    }
    best
}

fn filter(report: &mut String) {
    let rate = |bytes: usize, took: Duration| bytes as f64 / took.as_secs_f64() / 1e6;
    for (name, command) in [
        ("nothing found", "C:\\Windows\\System32\\svchost.exe"),
        ("Cyrillic", "C:\\Пользователи\\служба.exe"),
        ("a password in each row", "net use \\\\srv\\share password=Summer2026!"),
    ] {
        let value = answer(command);
        let serialised = value.to_string();
        let bytes = serialised.len();
        let serialising = best(|| drop(black_box(value.to_string())));
        let raw = best(|| drop(black_box(outlet::raw(&serialised))));
        let typed = {
            let mut best = Duration::MAX;
            for _ in 0..20 {
                let mut value = value.clone();
                let start = Instant::now();
                black_box(outlet::json(&mut value));
                best = best.min(start.elapsed());
            }
            best
        };
        let _ = writeln!(
            report,
            "filter, {name}, {} kB: serialising {:.0} MB/s, raw {:.0} MB/s, typed {:.0} MB/s",
            bytes / 1000,
            rate(bytes, serialising),
            rate(bytes, raw),
            rate(bytes, typed),
        );
    }
}

fn intent(call: u64) -> Intent {
    let who = Who { transport: "stdio".into(), ..Who::default() };
    let arguments = json!({"search": "host:fin-ws07", "limit": 50});
    let decision = Decision::Refused { rule: None, why: "a benchmark".into() };
    let intent =
        Intent::new(call.to_string(), who, "list_clients", arguments, Effect::Read, decision)
            .at(Some("acme".into()), Some("root".into()));
    Intent { identity: Some("reader".into()), ..intent }
}

async fn record(at_once: u64, report: &mut String) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
    let audit = Audit::open(&Options::new(folder.path()))
        .unwrap_or_else(|error| panic!("no record: {error}"));
    let each = 400 / at_once.min(8);
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..at_once {
        let audit = audit.clone();
        tasks.spawn(async move {
            let mut begins = Duration::ZERO;
            for number in 0..each {
                let start = Instant::now();
                let begun = audit.begin(intent(task * each + number)).await?;
                begins += start.elapsed();
                begun.end(Outcome::without_answer("ok")).await?;
            }
            Ok::<_, guard::audit::AuditError>(begins)
        });
    }
    let mut begins = Duration::ZERO;
    for done in tasks.join_all().await {
        begins += done.unwrap_or_else(|error| panic!("not recorded: {error}"));
    }
    let calls = at_once * each;
    let took = start.elapsed();
    let closed = audit.close().await;
    closed.unwrap_or_else(|error| panic!("not closed: {error}"));
    let start = Instant::now();
    let found = verify(folder.path(), &Expected::default())
        .unwrap_or_else(|error| panic!("not verified: {error}"));
    assert!(found.is_sound() && found.calls == calls, "{found:?}");
    let _ = writeln!(
        report,
        "record, {at_once} at once: {:.0} calls/s, {:.2} ms to begin one; verify {:.0} lines/ms",
        calls as f64 / took.as_secs_f64(),
        begins.as_secs_f64() * 1e3 / calls as f64,
        found.lines as f64 / start.elapsed().as_secs_f64() / 1e3,
    );
}
