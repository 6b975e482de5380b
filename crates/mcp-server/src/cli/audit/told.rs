//! What `audit verify` says, and what `show` and `export` say of a record that does not hold.

use std::fmt::Write as _;

use guard::audit::{CopyTold, Fault, Report};

use crate::clock;

/// More faults are not told above entries: `verify` has them all.
const FIRST: usize = 5;

/// The report of `verify`.
pub(super) fn report(report: &Report, key_was_given: bool) -> String {
    let mut lines: Vec<String> = report.faults.iter().map(fault).collect();
    let end = report
        .tip
        .map_or_else(|| String::from("no entry"), |tip| format!("{}:{}", tip.seq, tip.hash));
    let whose = if key_was_given { "as given" } else { "by the record's own word" };
    lines.push(format!(
        "{}: {} calls and {} decisions in {} entries, {} files; {} checkpoints, {} torn ends",
        if report.is_sound() { "sound" } else { "NOT SOUND" },
        report.calls,
        report.decisions,
        report.lines,
        report.files,
        report.checkpoints,
        report.torn,
    ));
    lines.push(match report.emergency {
        0 => String::from("     emergency.jsonl was read too: nothing is in it"),
        n => format!(
            "     emergency.jsonl was read too: {n} emergency entries that the record could not take"
        ),
    });
    lines.push(format!("key  {} ({whose})", report.key));
    lines.push(format!("head {end}"));
    if let Some(CopyTold { time, to, state }) = &report.copy {
        lines.push(format!("copy {state}: {to}, {}", clock::to_second(*time)));
    }
    if report.unsigned() > 0 {
        lines.push(format!(
            "     the last {} entries are not signed for: the process still runs, or was killed \
             within a second of them; whether others stood after them cannot be told",
            report.unsigned()
        ));
    }
    lines.join("\n")
}

/// A place that does not hold, with what stands around it and what was most likely done.
fn fault(fault: &Fault) -> String {
    let mut out = fault.to_string();
    let near = [
        ("before", &fault.near.before),
        ("there", &fault.near.there),
        ("after", &fault.near.after),
    ];
    for (label, line) in near {
        if let Some(line) = line {
            let now = if label == "there" { "now " } else { "" };
            let _ = write!(out, "\n    {label:<7} {now}{line}");
        }
    }
    let _ = write!(out, "\n    likely  {}", fault.likely);
    out
}

/// Above and below the entries of a record that does not hold; `None` where it does.
pub(super) fn warning(report: &Report) -> Option<String> {
    if report.is_sound() {
        return None;
    }
    let mut out = format!(
        "NOT SOUND: this record was changed in {} places; what it says is no proof. Entries with \
         a ! have a line that does not hold",
        report.faults.len()
    );
    for fault in report.faults.iter().take(FIRST) {
        let _ = write!(out, "\n  {fault}");
    }
    if report.faults.len() > FIRST {
        let _ = write!(out, "\n  and {} more", report.faults.len() - FIRST);
    }
    out.push_str(
        "\nmegaraptor audit verify says what stands around each, and what was likely done",
    );
    Some(out)
}
