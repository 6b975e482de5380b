//! The outcomes for reading: one line for each client, and its first rows below.

use std::fmt::Write;

use super::Output;
use super::outcome::{Outcome, TableRows, Word};
use crate::answer::Render;
use crate::{rows, table};

impl Render for Output {
    fn render(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = write_all(&self.outcomes, out);
    }
}

fn write_all(outcomes: &[Outcome], out: &mut String) -> std::fmt::Result {
    if outcomes.len() > 1 {
        let count = |word: Word| outcomes.iter().filter(|outcome| outcome.state == word).count();
        let words = [
            Word::Finished,
            Word::Failed,
            Word::Cancelled,
            Word::Cut,
            Word::Pending,
            Word::Offline,
            Word::NotApplicable,
            Word::Unproved,
            Word::Refused,
        ];
        let parts: Vec<String> = words
            .into_iter()
            .filter(|word| count(*word) > 0)
            .map(|word| format!("{} {}", count(word), word.as_str().to_lowercase()))
            .collect();
        writeln!(out, "{} clients: {}", outcomes.len(), parts.join(", "))?;
    }
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        write_one(outcome, out)?;
    }
    Ok(())
}

fn write_one(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    write!(out, "{}", outcome.hostname)?;
    if let Some(id) = outcome.client_id.as_ref().filter(|id| **id != outcome.hostname) {
        write!(out, " {id}")?;
    }
    write!(out, "  {}", outcome.state.as_str())?;
    if let Some(flow) = &outcome.flow_id {
        write!(out, "  {flow}")?;
    }
    let ran = [Word::Finished, Word::Failed, Word::Cancelled, Word::Cut, Word::Pending];
    if ran.contains(&outcome.state) {
        write!(out, "  {}", table::rows(outcome.rows))?;
        if outcome.uploads > 0 {
            write!(out, ", {} files", outcome.uploads)?;
        }
        if outcome.seconds > 0.0 {
            write!(out, " in {} s", outcome.seconds)?;
        }
    }
    if let Some(reason) = &outcome.reason {
        write!(out, "\n  {}", reason.replace(['\n', '\r'], " "))?;
    }
    for table in &outcome.tables {
        write_table(table, out)?;
    }
    Ok(())
}

fn write_table(found: &TableRows, out: &mut String) -> std::fmt::Result {
    let (first, all) = (found.first.len() as u64, found.rows);
    if first < all {
        writeln!(out, "\n{}, first {first} of {}", found.table, table::rows(all))?;
        writeln!(out, "HANDLE {}", found.handle)?;
    } else {
        writeln!(out, "\n{}, {}", found.table, table::rows(all))?;
    }
    rows::write(out, &found.columns, &found.first);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::outcome::plain;
    use super::*;

    #[test]
    fn outcomes_read_client_by_client() {
        let row = json!({"Pid": 4, "Name": "System", "Empty": null}).as_object().unwrap().clone();
        let finished = Outcome {
            client_id: Some(String::from("C.0123456789abcdef")),
            hostname: String::from("FIN-WS07"),
            flow_id: Some(String::from("F.1")),
            rows: 41,
            seconds: 0.412,
            tables: vec![TableRows {
                table: String::from("Windows.System.Pslist"),
                rows: 41,
                handle: String::from("flow:C.0123456789abcdef/F.1/Windows.System.Pslist"),
                cut: Vec::new(),
                columns: ["Pid", "Name", "Empty"].map(String::from).to_vec(),
                first: vec![row],
            }],
            ..plain(Word::Finished)
        };
        let refused = Outcome {
            hostname: String::from("NOSUCH"),
            reason: Some(String::from("no client is known as \"NOSUCH\"")),
            ..plain(Word::Refused)
        };
        let mut out = String::new();
        Output { outcomes: vec![finished, refused] }.render(&mut out);
        insta::assert_snapshot!(out, @r#"
        2 clients: 1 finished, 1 refused
        FIN-WS07 C.0123456789abcdef  FINISHED  F.1  41 rows in 0.412 s
        Windows.System.Pslist, first 1 of 41 rows
        HANDLE flow:C.0123456789abcdef/F.1/Windows.System.Pslist
        Pid  Name
        4    System
        empty: Empty
        NOSUCH  REFUSED
          no client is known as "NOSUCH"
        "#);
    }
}
