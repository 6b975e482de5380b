//! Reading one page from where the rows are: rows, groups of them, or how many there are.

use serde_json::json;
use velociraptor_api::results::{self, ColumnName, Group, GroupQuery, Place, Rarest, RowQuery};
use velociraptor_api::{Limits, Session};
use vql_builder::Direction;

use super::{Handed, Lean, Reading, TIME, cut, hand_over, single};
use crate::page::{self, Row, Rows};
use crate::tool::Detail;
use crate::tool_error::ToolError;

/// Sorting by a name that no row has gives rows in no order, and says nothing: ask the first row.
///
/// # Errors
///
/// `invalid_input` naming the column.
pub async fn check_order(
    session: &Session<'_>,
    place: Place<'_>,
    wanted: &RowQuery,
) -> Result<(), ToolError> {
    let Some((column, _)) = &wanted.order else { return Ok(()) };
    let first = RowQuery { columns: vec![column.clone()], count: 1, ..RowQuery::default() };
    results::rows(session, place, &first).await?;
    Ok(())
}

/// How rows are handed over.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// How many bytes they may have.
    pub budget: usize,
    /// How a row can be read that is too large for that.
    pub alone: &'a str,
    /// How much of them.
    pub detail: Detail,
    /// Whether the columns were asked for by name.
    pub named: bool,
}

/// Reads one page.
///
/// # Errors
///
/// What the wish asks for that no row has, and whatever the server says.
pub async fn read(
    session: &Session<'_>,
    place: Place<'_>,
    reading: &Reading,
    wanted: &RowQuery,
    how: &How<'_>,
) -> Result<Handed, ToolError> {
    match reading {
        Reading::Rows => {
            let mut found = results::rows(session, place, wanted).await?;
            if let Some(single) = single(&found, wanted) {
                found = results::rows(session, place, &single).await?;
            }
            hand_over(found, how)
        }
        Reading::Groups(columns, order) => {
            groups(session, place, (columns, *order), wanted, how).await
        }
        Reading::Count => {
            let limits = Limits::READ.time(TIME);
            let count = results::count(session, place, wanted.filter.as_ref(), limits).await?;
            let columns = vec![String::from("Count")];
            let row = Row::from_iter([(columns[0].clone(), json!(count))]);
            let (rows, warnings, lean) = (Rows::of(vec![row])?, Vec::new(), Lean::default());
            Ok(Handed { columns, rows, next: None, warnings, lean })
        }
    }
}

async fn groups(
    session: &Session<'_>,
    place: Place<'_>,
    (columns, order): (&[ColumnName], Direction),
    wanted: &RowQuery,
    how: &How<'_>,
) -> Result<Handed, ToolError> {
    let query = GroupQuery {
        filter: wanted.filter.clone(),
        order,
        from: wanted.from,
        count: wanted.count,
        limits: wanted.limits,
        ..GroupQuery::of(columns.to_vec())
    };
    let found = results::groups(session, place, &query).await?;
    let mut names: Vec<String> = columns.iter().map(|name| name.as_str().to_owned()).collect();
    let [count, hosts] = ["Count", "Hosts"].map(|name| beside(&names, name));
    let row = |group: &Group| {
        let mut row: Row = names.iter().cloned().zip(group.values.iter().cloned()).collect();
        row.insert(count.clone(), json!(group.count));
        if let Some(number) = group.hosts {
            row.insert(hosts.clone(), json!(number));
        }
        row
    };
    let mut rows: Vec<Row> = found.groups.iter().map(row).collect();
    let mut lean = Lean::default();
    if how.detail != Detail::Full {
        lean.cut = cut(&mut rows);
    }
    let kept = page::fit(rows, how.budget)?;
    let next = if kept.more { Some(wanted.from + kept.rows.len() as u64) } else { found.next };
    let mut warnings = vec![in_all(columns.len(), found.total)];
    if order == Direction::Ascending {
        warnings.extend(found.rarest.and_then(|rarest| ties(rarest, found.total)));
    }
    warnings.extend(kept.warning(how.alone));
    names.push(count);
    if found.groups.iter().any(|group| group.hosts.is_some()) {
        names.push(hosts);
    }
    Ok(Handed { columns: names, rows: kept.rows, next, warnings, lean })
}

/// How many groups there are.
fn in_all(columns: usize, total: u64) -> String {
    let what = if columns == 1 { "value" } else { "combination" };
    match total {
        1 => format!("1 {what} in all"),
        total => format!("{total} different {what}s in all"),
    }
}

/// Where several are equally rare, none of them is the rarest: how many, and which come first.
fn ties(rarest: Rarest, total: u64) -> Option<String> {
    let times = match rarest.count {
        1 => String::from("once"),
        count => format!("{count} times"),
    };
    (rarest.groups > 1).then(|| {
        format!(
            "{} of {total} occur {times}, which is the least; they come first, in the order of \
             their text",
            rarest.groups
        )
    })
}

/// A name for a column of ours that no column of the rows has.
fn beside(names: &[String], name: &str) -> String {
    let mut free = name.to_owned();
    while names.contains(&free) {
        free.push('_');
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_several_and_ties_are_told() {
        assert_eq!(in_all(1, 1), "1 value in all");
        assert_eq!(in_all(2, 1), "1 combination in all");
        assert_eq!(in_all(2, 0), "0 different combinations in all");
        assert_eq!(ties(Rarest { count: 1, groups: 1 }, 9), None);
        let told = ties(Rarest { count: 1, groups: 7 }, 9).unwrap();
        assert!(told.starts_with("7 of 9 occur once, which is the least"), "{told}");
        assert!(ties(Rarest { count: 3, groups: 2 }, 2).unwrap().contains("occur 3 times"));
    }
}
