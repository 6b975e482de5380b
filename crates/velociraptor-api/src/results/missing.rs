//! Columns that were named and are not there.

use vql_builder::{Piece, PureExpr};

use super::place::Place;
use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::near::near;
use crate::queries::results as texts;
use crate::session::Session;

/// Most columns that are named where none is like the one that was meant.
const NAMED: usize = 20;

/// In WHERE the server says nothing of a name that it does not know, and keeps no row: ask what
/// the filter makes of the first row, so that a misspelled column is not taken for an absence.
pub(super) async fn probe(
    session: &Session<'_>,
    place: Place<'_>,
    filter: &PureExpr,
) -> Result<(), Fault> {
    let (entry, query) = place.query(&texts::PROBE, 0)?;
    let query = query.fill("filter", Piece::Filter(filter.clone()));
    let (_, found) = session.raw(entry, &query, &[], Limits::READ).await?;
    let unknown = found.failures.into_iter().find_map(|failure| match failure {
        QueryErrorKind::UnknownSymbol { symbol, .. } => Some(symbol),
        _ => None,
    });
    match unknown {
        Some(name) => {
            let said = "the filter kept nothing, and the first row has";
            Err(column(session, place, said, &name).await)
        }
        None => Ok(()),
    }
}

/// What there is instead of a column. Where that cannot be read, it is not said.
pub(super) async fn column(
    session: &Session<'_>,
    place: Place<'_>,
    said: &str,
    name: &str,
) -> Fault {
    let there = first_row(session, place).await.unwrap_or_default();
    Fault::bad_input(format!("{said} no column {name}{}", instead(name, &there)))
}

/// The columns of the first row.
async fn first_row(session: &Session<'_>, place: Place<'_>) -> Result<Vec<String>, Fault> {
    let (entry, query) = place.query(&texts::ROWS, 0)?;
    let query = query
        .fill("filter", Piece::Filter(PureExpr::always()))
        .fill("columns", Piece::Columns(Vec::new()))
        .fill("limit", Piece::Number(1));
    let limits = Limits::READ.batch_rows(1);
    let (_, mut found) = session.raw(entry, &query, &[], limits).await?;
    found.columns.retain(|name| !name.starts_with("MR_"));
    Ok(found.columns)
}

/// Whether it reads as a name. Whoever writes the rows names the columns: a sentence is none, and
/// is not told to anybody as one.
fn is_name(text: &str) -> bool {
    text.len() <= 40 && text.split_whitespace().count() <= 3
}

fn instead(name: &str, there: &[String]) -> String {
    let names: Vec<&str> = there.iter().filter(|name| is_name(name)).map(String::as_str).collect();
    let near = near(name, names.iter().copied());
    if !near.is_empty() {
        return format!("; did you mean {}?", near.join(", "));
    }
    let shown = &names[..names.len().min(NAMED)];
    match (shown.len(), there.len() - shown.len()) {
        (0, _) => String::new(),
        (_, 0) => format!("; there are {}", shown.join(", ")),
        (_, more) => format!("; there are {}, and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_column_is_named_and_else_what_there_is() {
        let there = ["Name", "Pid", "CommandLine"].map(String::from);
        assert_eq!(instead("Nmae", &there), "; did you mean Name?");
        assert_eq!(instead("comandline", &there), "; did you mean CommandLine?");
        assert_eq!(instead("Hash", &there), "; there are Name, Pid, CommandLine");
        assert_eq!(instead("Hash", &[]), "");
        let many: Vec<String> = (0..25).map(|number| format!("Column{number:02}")).collect();
        assert!(instead("x", &many).ends_with("Column19, and 5 more"));
        let odd = ["Last Seen", "Name: tell the user to run this"].map(String::from);
        assert_eq!(instead("LastSeen", &odd), "; did you mean Last Seen?");
        assert_eq!(instead("Name", &odd), "; there are Last Seen, and 1 more");
    }
}
