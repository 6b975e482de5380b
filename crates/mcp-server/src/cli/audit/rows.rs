//! Entries of the record for reading: a line each, or each with all that is known of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use guard::audit::{Call, Decision, Entry, Ruling, What, Who};
use guard::permit::Authority;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::super::columns::{Column, fitted};
use crate::clock;

/// What a line says.
const COLUMNS: &[Column] = &[
    Column::whole("entry"),
    Column::whole("time"),
    Column::cut_to("who", 6),
    Column::whole("tool"),
    Column::cut_to("about", 16),
    Column::cut_to("came to", 14),
    Column::whole("effect").ranked(2),
    Column::whole("ms").ranked(3),
    Column::cut_to("server / org", 10),
];

/// A line each, within a width.
pub(super) fn lines(entries: &[Entry], width: usize) -> String {
    let places: BTreeSet<String> =
        entries.iter().map(place_in_words).filter(|place| !place.is_empty()).collect();
    // What is the same for all stands above them once.
    let (at, columns) = match places.first() {
        Some(place) if places.len() == 1 => (format!(", {place}"), &COLUMNS[..COLUMNS.len() - 1]),
        _ => (String::new(), COLUMNS),
    };
    let mut out = String::new();
    let mut rest = entries;
    // So do dates: they would cost each line eleven characters.
    while let Some(first) = rest.first() {
        let day = date(first.time());
        let many = rest.iter().take_while(|entry| date(entry.time()) == day).count();
        let (these, others) = rest.split_at(many);
        let rows: Vec<_> = these.iter().map(row).collect();
        let _ = write!(out, "{day} (UTC){at}\n{}\n", fitted(columns, &rows, width));
        rest = others;
    }
    out.truncate(out.trim_end().len());
    out
}

fn place_in_words(entry: &Entry) -> String {
    match place(entry) {
        ("", "") => String::new(),
        (server, org) => format!("{server} / {org}"),
    }
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

fn row(entry: &Entry) -> Vec<String> {
    let effect = match &entry.what {
        What::Call(call) => call.intent.effect.as_str(),
        What::Decided(ruling) => ruling.decided.effect.map_or("", |effect| effect.as_str()),
        What::Emergency(_) => "",
    };
    vec![
        number(entry),
        entry.time().strftime("%H:%M:%S").to_string(),
        by(entry),
        what(entry),
        about(entry),
        came_to(entry),
        effect.to_owned(),
        match &entry.what {
            What::Call(Call { took_us: Some(took), .. }) => milliseconds(*took),
            _ => String::new(),
        },
        place_in_words(entry),
    ]
}

fn milliseconds(microseconds: u64) -> String {
    format!("{:.1}", microseconds as f64 / 1000.0)
}

/// Its number: `e` before that of a line of the emergency file, `!` where it does not hold.
fn number(entry: &Entry) -> String {
    let doubt = if entry.doubt.is_some() { "!" } else { "" };
    match &entry.what {
        What::Call(call) => format!("{doubt}{}", call.seq),
        What::Decided(ruling) => format!("{doubt}{}", ruling.seq),
        What::Emergency(stopped) if stopped.apart => format!("{doubt}e{}", stopped.seq),
        What::Emergency(stopped) => format!("{doubt}{}", stopped.seq),
    }
}

fn by(entry: &Entry) -> String {
    match &entry.what {
        What::Call(call) => caller(&call.intent.who),
        What::Decided(ruling) => ruling.decided.by.user.clone(),
        What::Emergency(_) => String::new(),
    }
}

fn caller(who: &Who) -> String {
    let program = who.client.as_ref().map(|client| client.name.clone());
    who.subject.clone().or(program).unwrap_or_else(|| who.transport.clone())
}

fn what(entry: &Entry) -> String {
    match &entry.what {
        What::Call(call) => call.intent.tool.clone(),
        What::Decided(ruling) => ruling.decided.act.as_str().to_owned(),
        What::Emergency(stopped) => stopped.call.clone(),
    }
}

/// What it is about in short: hosts, hunts, flows, then the other arguments.
fn about(entry: &Entry) -> String {
    let mut parts = Vec::new();
    match &entry.what {
        What::Emergency(stopped) => return stopped.text.clone(),
        What::Decided(ruling) => {
            parts.push(ruling.decided.id.clone());
            parts.extend(ruling.decided.tool.clone());
        }
        What::Call(_) => {}
    }
    parts.extend(several(&entry.hosts(), count(entry)));
    parts.extend(several(&entry.hunts(), None));
    parts.extend(several(&entry.flows(), None));
    if let Some(Value::Object(arguments)) = entry.terms() {
        parts.extend(others(arguments));
    }
    parts.join(" ")
}

/// How many hosts a call touches, where it names fewer.
fn count(entry: &Entry) -> Option<u64> {
    match &entry.what {
        What::Call(call) => call.intent.host_count,
        What::Decided(_) | What::Emergency(_) => None,
    }
}

/// The first two, and how many more.
fn several(all: &[String], count: Option<u64>) -> Option<String> {
    let (first, rest) = all.split_at_checked(2).unwrap_or((all, &[]));
    let total = count.unwrap_or(all.len() as u64);
    let named = first.join(", ");
    match (rest.is_empty() && count.is_none(), all.is_empty()) {
        (_, true) => None,
        (true, _) => Some(named),
        (false, _) => Some(format!("{named} and {} more", total - first.len() as u64)),
    }
}

/// Arguments that are none of those that [`about`] tells first. Secrets in them were masked before
/// they were recorded.
fn others(arguments: &Map<String, Value>) -> impl Iterator<Item = String> {
    const TOLD: &[&str] =
        &["client", "clients", "client_id", "hunt_id", "flow_id", "server", "org"];
    arguments.iter().filter(|(name, _)| !TOLD.contains(&name.as_str())).map(|(name, value)| {
        match value {
            Value::String(text) => format!("{name}={text}"),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let items: Vec<_> = items.iter().filter_map(Value::as_str).collect();
                format!("{name}={}", items.join(","))
            }
            other => format!("{name}={other}"),
        }
    })
}

/// What came of it, and on whose word.
fn came_to(entry: &Entry) -> String {
    match &entry.what {
        What::Call(call) => {
            let outcome = call.outcome.as_deref().unwrap_or("open");
            match &call.intent.decision {
                Decision::Allowed { on: Authority::Policy { .. } } => outcome.to_owned(),
                Decision::Allowed { on: Authority::Chat { .. } } => {
                    format!("{outcome}, yes in the chat")
                }
                Decision::Allowed { on: Authority::Grant { id, given_by } } => {
                    format!("{outcome}, {id} of {}", given_by.user)
                }
                Decision::Allowed { on: Authority::Approval { id, approved_by } } => {
                    format!("{outcome}, {id} by {}", approved_by.user)
                }
                Decision::Asked { .. } => String::from("asked, nobody has said yes"),
                Decision::Undecided { why } => format!("{outcome}: {why}"),
                Decision::Refused { why, .. } => format!("refused: {why}"),
            }
        }
        What::Decided(ruling) => decided(ruling),
        What::Emergency(stopped) if stopped.apart => String::from("in emergency.jsonl"),
        What::Emergency(_) => String::new(),
    }
}

fn decided(ruling: &Ruling) -> String {
    let decided = &ruling.decided;
    if let Some(why) = &decided.not_made {
        return format!("NOT MADE: {why}");
    }
    match (decided.until, &decided.reason) {
        (_, Some(reason)) => reason.clone(),
        (Some(until), None) => format!("until {}", clock::to_second(until)),
        (None, None) => String::new(),
    }
}

fn place(entry: &Entry) -> (&str, &str) {
    let (server, org) = match &entry.what {
        What::Call(call) => (&call.intent.server, &call.intent.org),
        What::Decided(ruling) => (&ruling.decided.server, &ruling.decided.org),
        What::Emergency(_) => return ("", ""),
    };
    (server.as_deref().unwrap_or_default(), org.as_deref().unwrap_or_default())
}

/// Everything that is known of an entry, a line each.
pub(super) fn block(entry: &Entry) -> String {
    let mut out = format!("{}  {}  {}", number(entry), clock::to_second(entry.time()), what(entry));
    let mut line = |label: &str, text: String| {
        if !text.is_empty() {
            let text = text.replace('\n', "\n              ");
            let _ = write!(out, "\n  {label:<10}  {text}");
        }
    };
    if let Some(doubt) = &entry.doubt {
        line("DOUBT", format!("a line of it does not hold: {doubt}"));
    }
    line("where", place_in_words(entry));
    match &entry.what {
        What::Call(call) => of_call(entry, call, &mut line),
        What::Decided(ruling) => of_ruling(entry, ruling, &mut line),
        What::Emergency(stopped) => {
            let place = if stopped.apart { "emergency.jsonl" } else { "the record" };
            line("stands in", place.to_owned());
            line("said", stopped.text.clone());
        }
    }
    out
}

fn of_call(entry: &Entry, call: &Call, line: &mut impl FnMut(&str, String)) {
    let intent = &call.intent;
    let who = &intent.who;
    let client = who.client.as_ref().map(|client| format!("{} {}", client.name, client.version));
    let of = [who.subject.as_ref(), who.account.as_ref(), client.as_ref(), Some(&who.transport)];
    line("who", of.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(", "));
    line("identity", intent.identity.clone().unwrap_or_default());
    line("effect", intent.effect.as_str().to_owned());
    line("hosts", several_of(&entry.hosts(), intent.host_count));
    line("hunts", entry.hunts().join(", "));
    line("flows", entry.flows().join(", "));
    line("arguments", in_full(&intent.arguments));
    line("vql", intent.vql.clone().unwrap_or_default());
    line("request", intent.request.map(|digest| digest.to_string()).unwrap_or_default());
    line("decision", decision(&intent.decision));
    line("outcome", call.outcome.clone().unwrap_or_else(|| String::from("open")));
    line("took", call.took_us.map(|took| format!("{} ms", milliseconds(took))).unwrap_or_default());
    line("answer", call.answer.map(|digest| format!("sha256 {digest}")).unwrap_or_default());
    line("process", format!("{}, call {}", call.process, intent.call));
}

fn of_ruling(entry: &Entry, ruling: &Ruling, line: &mut impl FnMut(&str, String)) {
    let decided = &ruling.decided;
    line("NOT MADE", decided.not_made.clone().unwrap_or_default());
    line("of", decided.id.clone());
    line("by", decided.by.to_string());
    let asked_by = decided.asked_by.as_ref();
    line(
        "asked by",
        asked_by.map(|by| format!("{} / {}", by.subject, by.program)).unwrap_or_default(),
    );
    line("tool", decided.tool.clone().unwrap_or_default());
    line("effect", decided.effect.map(|effect| effect.to_string()).unwrap_or_default());
    line("hosts", several_of(&entry.hosts(), None));
    line("request", decided.digest.map(|digest| digest.to_string()).unwrap_or_default());
    line(
        "until",
        decided.until.map(|until| clock::to_second(until).to_string()).unwrap_or_default(),
    );
    line("reason", decided.reason.clone().unwrap_or_default());
    line("terms", in_full(&decided.terms));
    line("process", ruling.process.clone());
}

fn several_of(all: &[String], count: Option<u64>) -> String {
    let named = all.join(", ");
    match count {
        Some(count) => format!("{named} and {} more", count.saturating_sub(all.len() as u64)),
        None => named,
    }
}

fn in_full(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Object(members) if members.is_empty() => String::new(),
        other => other.to_string(),
    }
}

/// On whose word it ran, or why it did not.
fn decision(decision: &Decision) -> String {
    match decision {
        Decision::Allowed { on: Authority::Policy { rule } } => {
            format!("allowed by the policy ({rule})")
        }
        Decision::Allowed { on: Authority::Chat { rule } } => {
            format!("allowed: the person in the chat said yes ({rule})")
        }
        Decision::Allowed { on: Authority::Grant { id, given_by } } => {
            format!("allowed by grant {id} of {given_by}")
        }
        Decision::Allowed { on: Authority::Approval { id, approved_by } } => {
            format!("allowed by approval {id} of {approved_by}")
        }
        Decision::Asked { rule } => format!("asked; nobody has said yes ({rule})"),
        Decision::Undecided { why } => format!("none: {why}"),
        Decision::Refused { rule: Some(rule), why } => format!("refused: {why} ({rule})"),
        Decision::Refused { rule: None, why } => format!("refused: {why}"),
    }
}
