//! How many rows a table of a flow has, found by looking at single rows: the server goes straight to
//! any row, while counting reads them all (a million takes it seconds).

use vql_builder::Piece;

use super::place::Place;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::queries::results::PAGE;
use crate::session::Session;

/// The number of rows of a table, which is probably not above `guess`.
pub(crate) async fn size(
    session: &Session<'_>,
    place: Place<'_>,
    guess: u64,
) -> Result<u64, Fault> {
    let mut bounds = Bounds::from_guess(guess);
    while let Some(row) = bounds.ask() {
        let (entry, query) = place.query(&PAGE, row)?;
        let query =
            query.fill("columns", Piece::Columns(Vec::new())).fill("limit", Piece::Number(1));
        let limits = Limits::READ.rows(1).batch_rows(1);
        let (_, found) = session.raw(entry, &query, &[], limits).await?;
        bounds.told(row, !found.rows.is_empty());
    }
    Ok(bounds.size())
}

/// What is known of a size: at least `least`, and below `beyond` where that is known.
#[derive(Debug)]
struct Bounds {
    least: u64,
    beyond: Option<u64>,
    guess: u64,
}

impl Bounds {
    const fn from_guess(guess: u64) -> Self {
        Self { least: 0, beyond: None, guess }
    }

    /// The number of the row that is to be looked for next; none where the size is known.
    const fn ask(&self) -> Option<u64> {
        match self.beyond {
            Some(beyond) if beyond == self.least + 1 => None,
            Some(beyond) => Some(self.least + (beyond - self.least) / 2 - 1),
            // The guess is mostly right or an upper bound: is there a row behind it?
            None if self.least == 0 && self.guess > 0 => Some(self.guess),
            None => Some(if self.least < 2 { 1 } else { self.least * 2 - 1 }),
        }
    }

    /// Row `row`, counted from 0, exists or does not.
    const fn told(&mut self, row: u64, exists: bool) {
        if exists {
            self.least = row + 1;
        } else {
            self.beyond = Some(row + 1);
        }
    }

    const fn size(&self) -> u64 {
        self.least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_is_found_whatever_the_guess() {
        for size in [0, 1, 2, 3, 4, 7, 8, 9, 1000, 10_003, 1_000_000] {
            for guess in [0, 1, size / 2, size, size + 3, size * 10] {
                let mut bounds = Bounds::from_guess(guess);
                let mut asked = 0;
                while let Some(row) = bounds.ask() {
                    bounds.told(row, row < size);
                    asked += 1;
                    assert!(asked < 80, "size {size}, guess {guess}: {bounds:?}");
                }
                assert_eq!(bounds.size(), size, "guess {guess}");
            }
        }
    }
}
