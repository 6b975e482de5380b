//! The plan card: an approval as a person reads it before they decide.
//!
//! Host names and reasons are written by others: each stays on its line, with whatever could trick
//! a reader shown escaped.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use vql_builder::effects::Effect;

use super::plan::{Host, Hosts};
use super::state::{Approval, State};
use crate::asked::{Fetched, Place, VqlFound};
use crate::outlet::hostile;
use crate::permit::Where;
use crate::size;

/// How wide the first and the last line are.
const WIDTH: usize = 67;
/// The longest text of others in a line.
const LONGEST: usize = 200;
/// The longest argument.
const LONGEST_ARGUMENT: usize = 1000;
/// What stands in place of the rest of one.
const CUT_ARGUMENT: &str = " … (cut: megaraptor approvals show --output json has the whole)";
/// Most hosts that are named.
const NAMED: usize = 10;

impl Approval {
    /// The card.
    pub fn card(&self, now: Timestamp) -> String {
        let asked = &self.asked;
        let mut card = Card(String::new());
        let title = format!("{} {}", self.needed.as_str().to_uppercase(), one_line(&asked.tool));
        card.ends(&title, &self.until(now));
        card.line(
            "where",
            format!(
                "{} / {}, as {}",
                one_line(&asked.server),
                one_line(&asked.org),
                one_line(&asked.identity.to_string())
            ),
        );
        card.line_unless_empty(
            "because",
            self.plan.weight.as_deref().map(one_line).unwrap_or_default(),
        );
        self.hosts(&mut card, now);
        if let Some(condition) = &asked.clients.condition {
            let condition = one_line(condition);
            card.line("by", format!("{condition}; whoever comes to fit it joins"));
        }
        let with: Vec<String> = asked
            .arguments
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                other => format!("{name}={other}"),
            })
            .collect();
        let joined = with.join(", ");
        if joined.chars().count() <= WIDTH {
            card.line_unless_empty("with", one_line(&joined));
        } else {
            // What an argument does may stand at its end: more of it is shown than of other texts.
            for argument in &with {
                card.line("with", bounded(argument, LONGEST_ARGUMENT, CUT_ARGUMENT));
            }
        }
        for (name, definition) in &asked.artifacts {
            let called = match definition.dependencies.len() {
                0 => String::new(),
                1 => String::from(", and 1 that it calls"),
                n => format!(", and {n} that it calls"),
            };
            let sha256 = definition.sha256.short();
            card.line("runs", format!("{}  sha256 {sha256}…{called}", one_line(name)));
            if let Some(kept) = &definition.kept {
                card.line("", "as it was when the hunt was made");
                let redefined: Vec<&str> = kept.redefined.iter().map(String::as_str).collect();
                if !redefined.is_empty() {
                    let names = one_line(&redefined.join(", "));
                    card.line("", format!("DEFINED ANEW SINCE: {names}; the hunt runs the old"));
                }
            }
        }
        let tools = asked.artifacts.values().flat_map(|definition| &definition.tools);
        for (name, tool) in tools.collect::<BTreeMap<_, _>>() {
            card.line("fetches", fetched(name, tool));
        }
        card.line_unless_empty("can", can(&asked.vql));
        card.line("effect", whole(&self.plan.effect));
        for (number, step) in self.plan.steps.iter().enumerate() {
            card.line(
                if number == 0 { "steps" } else { "" },
                format!("{}. {}", number + 1, whole(step)),
            );
        }
        for note in &self.plan.notes {
            card.line("note", whole(note));
        }
        card.line_unless_empty("limits", self.limits());
        if let Some(cost) = &self.plan.cost {
            card.line("cost", one_line(cost));
        }
        for other in &self.plan.others {
            card.line("others", one_line(other));
        }
        card.line("undo", whole(&self.plan.undo));
        card.line("proof", whole(&self.plan.proof));
        let reason = self.plan.reason.as_ref().map_or_else(
            || String::from("no reason given"),
            |reason| format!("reason given: \"{}\"", one_line(reason)),
        );
        let caller = &asked.caller;
        card.line(
            "asked",
            format!("{} / {}; {reason}", one_line(&caller.subject), one_line(&caller.program)),
        );
        card.line("rule", self.rule.to_string());
        for grant in &self.plan.grants {
            card.line("grant", one_line(grant));
        }
        let how = match (&self.state, self.place) {
            (State::Pending, Where::Outside) => String::from("approve outside the chat"),
            (State::Pending, Where::InChat) => String::from("approve in the chat, or outside"),
            (State::Approved { by, .. }, _) => format!("approved by {by}"),
            (State::Denied { by, .. }, _) => format!("denied by {by}"),
            (State::Expired { .. }, _) => String::from("expired"),
            (State::Used { by, .. }, _) => format!("used; approved by {by}"),
        };
        card.ends(&format!("{:<7} {}", "digest", self.digest.short()), &how);
        card.0
    }

    fn until(&self, now: Timestamp) -> String {
        let day = |time: Timestamp| time.to_zoned(TimeZone::UTC).date();
        let end = self.void_after.to_zoned(TimeZone::UTC);
        if day(self.void_after) == day(now) {
            format!("void after {}Z", end.strftime("%H:%M:%S"))
        } else {
            format!("void after {}Z", end.strftime("%Y-%m-%dT%H:%M:%S"))
        }
    }

    fn hosts(&self, card: &mut Card, now: Timestamp) {
        match &self.plan.hosts {
            Hosts::None => {}
            Hosts::Each(hosts) => {
                for host in hosts.iter().take(NAMED) {
                    card.line("host", of_host(host, now));
                }
                if let Some(more @ 1..) = hosts.len().checked_sub(NAMED) {
                    let protected = hosts.iter().filter(|host| host.protected).count();
                    card.line("", format!("and {more} more; {protected} of all are protected"));
                }
            }
            Hosts::Many(counts) => {
                let systems: Vec<_> = counts
                    .by_system
                    .iter()
                    .map(|(system, count)| format!("{count} {}", one_line(system)))
                    .collect();
                card.line(
                    "hosts",
                    format!(
                        "{}: {}; {} online, {} protected",
                        self.asked.clients.count(),
                        systems.join(", "),
                        counts.online,
                        counts.protected
                    ),
                );
            }
        }
    }

    fn limits(&self) -> String {
        let bounds = &self.asked.bounds;
        let all = [
            bounds.bytes.map(size::at_most),
            bounds.rows.map(|rows| format!("{rows} rows")),
            bounds.seconds.map(|seconds| format!("{seconds} s on each")),
            self.asked
                .expires_after
                .map(|seconds| format!("waits for endpoints for {} h", seconds.div_ceil(3600))),
        ];
        all.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn of_host(host: &Host, now: Timestamp) -> String {
    let seen = host.last_seen.map_or_else(
        || String::from("never seen"),
        |seen| format!("seen {} ago", span(now.duration_since(seen).as_secs().max(0))),
    );
    let protected = if host.protected { "PROTECTED" } else { "not protected" };
    let (name, system) = (one_line(&host.name), one_line(&host.system));
    format!("{name} {}  {system}, {seen}, {protected}", host.id)
}

/// A program with where it comes from. An address is not cut in its middle: what it ends in counts.
fn fetched(name: &str, tool: &Fetched) -> String {
    let from = if tool.url.is_empty() {
        String::from("an address that the server does not know")
    } else {
        bounded(&tool.url, LONGEST_ARGUMENT, CUT_ARGUMENT)
    };
    let by = if tool.by_server { ", through the server" } else { "" };
    let hash = tool.sha256.as_ref().map_or_else(
        || String::from("NO HASH IS KNOWN: whatever is there is run"),
        |sha256| format!("sha256 {}…", one_line(sha256).chars().take(8).collect::<String>()),
    );
    format!("{} from {from}{by}; {hash}", one_line(name))
}

/// A length of time in one unit, rounded down.
fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// What the VQL can do, with the calls that do it.
fn can(vql: &VqlFound) -> String {
    let mut by_effect: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for found in vql.calls.iter().filter(|found| found.effect != Effect::Pure) {
        by_effect.entry((found.place, found.effect)).or_default().push(&found.call);
    }
    let mut out = String::new();
    for ((place, effect), calls) in by_effect {
        let place = match place {
            Place::Server => "server",
            Place::Endpoint => "endpoint",
        };
        let between = if out.is_empty() { "" } else { "; " };
        // Writing to a text does not fail.
        let _ = write!(out, "{between}{effect} on the {place} ({})", one_line(&calls.join(", ")));
    }
    if vql.other_orgs {
        out.push_str("; may reach other orgs");
    }
    out
}

/// A text of others on one line: bounded, escaped, without line ends.
fn one_line(text: &str) -> String {
    bounded(text, LONGEST, "…")
}

/// A text of the plan itself, with the names in it: it is cut where no step or note of ours ends.
fn whole(text: &str) -> String {
    bounded(text, LONGEST_ARGUMENT, CUT_ARGUMENT)
}

fn bounded(text: &str, longest: usize, rest: &str) -> String {
    let end = text.char_indices().nth(longest).map_or(text.len(), |(end, _)| end);
    let mut shown = hostile::escape(&text[..end]).replace('\n', "\\n").replace('\t', "\\t");
    if end < text.len() {
        shown.push_str(rest);
    }
    shown
}

struct Card(String);

impl Card {
    fn line(&mut self, label: &str, text: impl AsRef<str>) {
        let _ = writeln!(self.0, "{label:<7} {}", text.as_ref());
    }

    fn line_unless_empty(&mut self, label: &str, text: String) {
        if !text.is_empty() {
            self.line(label, text);
        }
    }

    /// A line with one text at its beginning and one at its end.
    fn ends(&mut self, left: &str, right: &str) {
        let space = WIDTH.saturating_sub(left.chars().count() + right.chars().count()).max(2);
        let _ = writeln!(self.0, "{left}{:space$}{right}", "");
    }
}
