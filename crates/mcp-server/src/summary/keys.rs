//! The columns by which a table is best told: their commonest and rarest values.

use std::collections::HashSet;
use std::fmt::Write;

use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use velociraptor_api::results::{self, ColumnName, Group, GroupPage, GroupQuery};
use velociraptor_api::{Fault, Limits, Session};
use vql_builder::Direction;

use super::columns::Seen;
use super::{AT_ONCE, MOST, Subject, TIME, told, within};
use crate::evidence::{SecretName, quoted};
use crate::page::Row;
use crate::table;
use crate::tool_error::ToolError;

/// Columns that are told.
const TOLD: usize = 4;

/// Columns that are counted, so that there are some left when constant ones are passed over.
const COUNTED: usize = 6;

/// Values at either end.
const ENDS: usize = 3;

/// Groups that are read at once: where these are all, one query tells both ends.
const GROUPS: u32 = 500;

/// What matters in an investigation, first things first.
const NAMES: &[&str] = &[
    "name",
    "exe",
    "image",
    "process",
    "commandline",
    "cmdline",
    "username",
    "user",
    "eventid",
    "hash",
    "sha256",
    "sha1",
    "md5",
    "path",
    "ospath",
    "fullpath",
    "fqdn",
    "remoteaddress",
    "raddr",
    "service",
    "status",
    "company",
    "signer",
];

/// A column and the ends of its values.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    column: String,
    distinct: u64,
    commonest: Vec<Counted>,
    /// What is not among the commonest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rarest: Vec<Counted>,
    /// How many occur as rarely as the rarest, where those are more than are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    equally_rare: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct Counted {
    value: Value,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosts: Option<u64>,
}

/// Counts the values of the columns that tell most.
pub(super) async fn count(
    session: &Session<'_>,
    subject: Subject<'_>,
    (seen, read): (&[Seen], &[Row]),
    not_looked: &mut Vec<String>,
) -> Result<Vec<Key>, ToolError> {
    let columns = candidates(seen, read);
    let mut asking = Vec::new();
    for column in &columns {
        asking.push(async move { (column, ends(session, subject, column).await) });
    }
    let counted: Vec<_> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    let mut keys = Vec::new();
    for (column, ends) in counted {
        let column = column.as_str();
        let late =
            || not_looked.push(format!("the values of {}: counting took too long", quoted(column)));
        let Some((first, last)) = within(ends, late)? else { continue };
        let rows = subject.rows.filter(|_| subject.filter.is_none());
        let constant = first.total < 2;
        let unique = Some(first.total) == rows.map(|rows| rows.min(u64::from(MOST)));
        if constant || unique || keys.len() == TOLD {
            continue;
        }
        let commonest: Vec<Counted> =
            first.groups.iter().take(ENDS).map(|group| Counted::of(column, group)).collect();
        let rest = first.total.saturating_sub(commonest.len() as u64);
        let tied = first.rarest.map_or(0, |rarest| rarest.groups);
        // Where all are equally common, the rarest are the commonest once more.
        let rest = if tied == first.total { 0 } else { rest };
        let told: Vec<_> = first.groups.iter().take(ENDS).map(|group| &group.values).collect();
        let rarest = last.iter().filter(|group| !told.contains(&&group.values));
        let rarest = rarest.take(ENDS.min(usize::try_from(rest).unwrap_or(ENDS)));
        let rarest: Vec<Counted> = rarest.map(|group| Counted::of(column, group)).collect();
        let shown = if rest == 0 { commonest.len() } else { rarest.len() };
        keys.push(Key {
            column: column.to_owned(),
            distinct: first.total,
            equally_rare: Some(tied).filter(|tied| *tied > shown as u64),
            rarest,
            commonest,
        });
    }
    Ok(keys)
}

/// The groups of a column from the commonest on, and those from the rarest on.
async fn ends(
    session: &Session<'_>,
    subject: Subject<'_>,
    column: &ColumnName,
) -> Result<(GroupPage, Vec<Group>), Fault> {
    let common = GroupQuery {
        filter: subject.filter.cloned(),
        count: GROUPS,
        most: Some(MOST),
        limits: Limits::READ.time(TIME).bytes(1_000_000),
        ..GroupQuery::of(vec![column.clone()])
    };
    let first = results::groups(session, subject.place, &common).await?;
    if first.next.is_none() {
        let mut last = first.groups.clone();
        // Stable, so that equally rare ones stand as they do in a stack.
        last.sort_by_key(|group| group.count);
        return Ok((first, last));
    }
    // Some of them can be among the commonest.
    let count = u32::try_from(2 * ENDS).unwrap_or(u32::MAX);
    let rare = GroupQuery { order: Direction::Ascending, count, ..common };
    let last = results::groups(session, subject.place, &rare).await?;
    Ok((first, last.groups))
}

impl Counted {
    /// What the name of the column says is secret is masked here: the value stands without it.
    fn of(column: &str, group: &Group) -> Self {
        let value = group.values.first().cloned().unwrap_or_default();
        let mut row = Row::from_iter([(column.to_owned(), value)]);
        crate::rows::cut(std::slice::from_mut(&mut row));
        let value = row.shift_remove(column).unwrap_or_default();
        let mask = SecretName::of(column).and_then(|secret| secret.mask(&value));
        let value = mask.map_or(value, Value::from);
        Self { value, count: group.count, hosts: group.hosts }
    }
}

/// The columns whose values differ and come more than once, as far as a few rows tell.
fn candidates(seen: &[Seen], read: &[Row]) -> Vec<ColumnName> {
    let mut ranked: Vec<(usize, usize, ColumnName)> = seen
        .iter()
        .enumerate()
        .filter(|(_, one)| matches!(one.kind.as_str(), "text" | "number" | "truth" | "number/text"))
        .filter_map(|(at, one)| {
            let name = one.column.to_ascii_lowercase();
            let known = NAMES.iter().position(|known| *known == name);
            let values: HashSet<String> =
                read.iter().map(|row| told(row.get(&one.column).unwrap_or(&Value::Null))).collect();
            // Numbers of no known name are mostly sizes and ids.
            let telling = values.len() > 1
                && values.len() * 2 <= read.len()
                && (one.kind != "number" || values.len() <= 20);
            let rank = known.or_else(|| telling.then_some(NAMES.len()))?;
            Some((rank, at, ColumnName::new(&one.column).ok()?))
        })
        .collect();
    ranked.sort_by_key(|(rank, at, _)| (*rank, *at));
    ranked.into_iter().take(COUNTED).map(|(_, _, column)| column).collect()
}

impl Key {
    pub(super) fn write(&self, out: &mut String) {
        let _ = write!(out, "\n{}: {} values", table::line_of(&self.column), self.distinct);
        let equal = self.equally_rare == Some(self.distinct);
        if equal {
            out.push_str(", all equally often");
        }
        let common = if equal { "first by their text" } else { "commonest" };
        for (what, values) in [(common, &self.commonest), ("rarest", &self.rarest)] {
            for (at, Counted { value, count, hosts }) in values.iter().enumerate() {
                let before = if at == 0 { format!("\n  {what}: ") } else { String::from(", ") };
                let hosts = hosts.map_or_else(String::new, |hosts| format!(" on {hosts}"));
                let _ = write!(out, "{before}{} {count}x{hosts}", told(value));
            }
        }
        if let Some(tied) = self.equally_rare.filter(|_| !equal) {
            let _ = write!(out, "; {tied} are as rare, these by the order of their text");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::columns::seen;
    use super::*;

    #[test]
    fn what_is_equally_common_is_told_once_and_what_is_empty_is_seen() {
        let some = |value: Value, count| Counted { value, count, hosts: None };
        let mut key = Key {
            column: String::from("User"),
            distinct: 24,
            commonest: vec![some(json!(""), 21), some(Value::Null, 21)],
            rarest: Vec::new(),
            equally_rare: Some(24),
        };
        let mut out = String::new();
        key.write(&mut out);
        let told =
            "\nUser: 24 values, all equally often\n  first by their text: \"\" 21x, NULL 21x";
        assert_eq!(out, told);
        key.rarest = vec![some(json!("x"), 1)];
        key.equally_rare = Some(7);
        out.clear();
        key.write(&mut out);
        assert!(out.ends_with("rarest: x 1x; 7 are as rare, these by the order of their text"));
    }

    #[test]
    fn the_values_of_a_column_that_is_named_as_a_secret_are_masked() {
        let group = Group { values: vec![json!("hunter2 of ours")], count: 3, hosts: None };
        assert_eq!(Counted::of("password", &group).value, "[masked: password]");
        assert_eq!(Counted::of("Name", &group).value, "hunter2 of ours");
    }

    #[test]
    fn columns_that_tell_something_are_chosen_and_known_names_first() {
        let rows: Vec<Row> = (0..100)
            .map(|n| {
                let row = json!({
                    "Size": n * 37, "State": if n % 2 == 0 { "on" } else { "off" }, "Host": "x",
                    "Id": format!("id-{n}"), "Name": format!("proc-{n}"), "a`b": n % 3,
                    "Username": "SYSTEM", "Level": n % 4,
                });
                row.as_object().unwrap().clone()
            })
            .collect();
        let columns: Vec<String> = rows[0].keys().cloned().collect();
        let chosen = candidates(&seen(&columns, &rows), &rows);
        let names: Vec<&str> = chosen.iter().map(ColumnName::as_str).collect();
        assert_eq!(names, ["Name", "Username", "State", "Level"]);
    }
}
