//! How the results of a hunt read: the counts, the hosts that are not established, the rows.

use std::fmt::Write;

use velociraptor_api::hunt_results::Part;

use super::{Open, Output, word};
use crate::answer::Render;
use crate::{rows, table};

/// Most hosts that are written in one line; the data has more.
const SHOWN: usize = 30;

/// The columns that say where a row comes from; the server puts them behind all others.
const ORIGIN: &[&str] = &["Fqdn", "ClientId"];

impl Render for Output {
    fn render(&self, out: &mut String) {
        let counts = &self.coverage;
        out.push_str(&self.hunt.line());
        let _ = write!(out, "\nscope {}: hit {}, none {}", counts.scope, counts.hit, counts.none);
        for (count, word) in [
            (counts.not_applicable, "not applicable"),
            (counts.not_known, "not known"),
            (counts.failed, "failed"),
            (counts.cancelled, "cancelled"),
            (counts.cut, "cut"),
            (counts.running, "running"),
            (counts.never_scheduled, "never asked"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {word} {count}");
            }
        }
        if counts.excluded > 0 {
            let _ = write!(out, "; outside the scope by label {}", counts.excluded);
        }
        if !self.hits.is_empty() {
            let shown: Vec<String> =
                self.hits.iter().take(SHOWN).map(|host| table::line_of(host)).collect();
            let _ = write!(out, "\nHIT {}", shown.join(" "));
            if self.hits.len() > SHOWN {
                let _ = write!(out, " and {} more", self.hits.len() - SHOWN);
            }
        }
        self.render_open(out);
        for table in self.tables.iter().filter(|table| table.rows > 0) {
            let (rows, word) = (table.rows, table::word(table.rows));
            let _ = write!(out, "\n{rows:>8} {word:<4}  {}", table.handle);
        }
        self.summaries.iter().for_each(|summary| summary.write(out));
        if self.rows.is_empty() {
            return;
        }
        let _ = write!(out, "\n\n{}", self.table.as_deref().unwrap_or_default());
        out.push('\n');
        rows::write(out, &hosts_first(&self.columns), &self.rows);
        self.lean.write(out);
    }
}

impl Output {
    /// The verdict: for how many hosts nothing is established, which, and why.
    fn render_open(&self, out: &mut String) {
        let counts = &self.coverage;
        let ended = counts.not_known + counts.failed + counts.cancelled + counts.cut;
        let open = ended + counts.running + counts.never_scheduled;
        if counts.not_applicable > 0 {
            let _ = write!(
                out,
                "\nnot looked at, because the artifact does not apply there: {} hosts",
                counts.not_applicable
            );
        }
        if open == 0 {
            if counts.not_applicable == 0 {
                out.push_str("\nevery host in the scope is established");
            }
            return;
        }
        let _ = write!(out, "\nNOT ESTABLISHED for {open} of {} hosts:", counts.scope);
        let parts = [
            Part::NotKnown,
            Part::Failed,
            Part::Cancelled,
            Part::Cut,
            Part::Running,
            Part::NeverScheduled,
        ];
        for part in parts {
            let of_part: Vec<&Open> =
                self.not_established.iter().filter(|host| host.part == word(part)).collect();
            if of_part.is_empty() {
                continue;
            }
            let _ = write!(out, "\n  {}: ", word(part));
            for (index, host) in of_part.iter().take(SHOWN).enumerate() {
                let separator = if index == 0 { "" } else { ", " };
                let place = if host.online { "" } else { " (offline)" };
                let _ = write!(out, "{separator}{}{place}", table::line_of(&host.host));
                if let Some(reason) = &host.reason {
                    let _ = write!(out, " ({})", table::line_of(reason));
                }
            }
            if of_part.len() > SHOWN {
                let _ = write!(out, " and {} more", of_part.len() - SHOWN);
            }
        }
        if open > self.not_established.len() as u64 {
            let _ = write!(out, "\n  and {} more", open - self.not_established.len() as u64);
        }
    }
}

/// The columns with the host first, since not all of them are written.
fn hosts_first(columns: &[String]) -> Vec<String> {
    let (mut first, others): (Vec<String>, Vec<String>) =
        columns.iter().cloned().partition(|column| ORIGIN.contains(&column.as_str()));
    first.sort_by_key(|column| ORIGIN.iter().position(|name| name == column));
    first.extend(others);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_among_the_columns_that_are_written() {
        let mut columns: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
        columns.extend(["FlowId", "ClientId", "Fqdn"].map(String::from));
        let ordered = hosts_first(&columns);
        assert_eq!(ordered[..3], ["Fqdn", "ClientId", "c0"]);
        assert_eq!((ordered.len(), ordered.last()), (23, Some(&String::from("FlowId"))));
    }
}
