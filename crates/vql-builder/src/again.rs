//! A text whose rows are to be worked on: its last SELECT, bound to a name that others use.

use crate::ast::{Program, Statement};
use crate::name::PRIVATE_PREFIX;
use crate::query::RawVql;

/// The name to which the last SELECT is bound.
const ROWS: &str = "MR_Rows";

/// Why nothing can be put around the rows of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAgain {
    /// There are no rows.
    #[error("its last statement is no SELECT")]
    NoSelect,
    /// The rows of several statements are one list.
    #[error("it has several SELECT statements")]
    Several,
    /// It asks how a query is run.
    #[error("it begins with EXPLAIN")]
    Explain,
    /// It uses names that the statements around it use.
    #[error("it uses a name with MR_, which is kept for queries around it")]
    Private,
}

/// The same statements, with the last SELECT bound to `MR_Rows` instead of run. `program` is what
/// `text` parses to.
///
/// ```
/// let text = "LET A = 1 SELECT A FROM scope() LIMIT 5 -- five";
/// let again = vql_builder::again(text, &vql_builder::parse(text).program()?);
/// assert_eq!(again.unwrap().as_str(), "LET A = 1 LET MR_Rows = SELECT A FROM scope() LIMIT 5");
/// # Ok::<(), vql_builder::Diagnostic>(())
/// ```
///
/// # Errors
///
/// [`NotAgain`].
pub fn again(text: &str, program: &Program) -> Result<RawVql, NotAgain> {
    let selects = program.statements.iter().filter(|one| matches!(one, Statement::Select(_)));
    let several = selects.count() > 1;
    let Some(Statement::Select(select)) = program.statements.last() else {
        return Err(NotAgain::NoSelect);
    };
    if several {
        return Err(NotAgain::Several);
    }
    if select.explain {
        return Err(NotAgain::Explain);
    }
    if text.contains(PRIVATE_PREFIX) {
        return Err(NotAgain::Private);
    }
    let span = select.span.range();
    let (before, own) = (&text[..span.start], &text[span]);
    Ok(RawVql::from_caller(format!("{before}LET {ROWS} = {own}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, NotAgain> {
        let again = again(text, &crate::parse(text).program().unwrap())?;
        let parse = crate::parse(again.as_str());
        assert!(parse.errors().is_empty(), "{}", again.as_str());
        Ok(again.as_str().to_owned())
    }

    #[test]
    fn statements_before_stay_and_the_last_select_is_bound() {
        let text =
            "/* x */ LET A <= 'é SELECT'\nSELECT A, { SELECT 1 FROM scope() } FROM scope()\n";
        let expected = "/* x */ LET A <= 'é SELECT'\nLET MR_Rows = SELECT A, { SELECT 1 FROM scope() } FROM scope()";
        assert_eq!(of(text).unwrap(), expected);
    }

    #[test]
    fn what_has_no_rows_of_one_query_is_refused() {
        for (text, why) in [
            ("LET A = 1", NotAgain::NoSelect),
            ("SELECT 1 FROM scope() LET A = 1", NotAgain::NoSelect),
            ("SELECT 1 FROM scope() SELECT 2 FROM scope()", NotAgain::Several),
            ("EXPLAIN SELECT 1 FROM scope()", NotAgain::Explain),
            ("LET MR_Rows = 1 SELECT MR_Rows FROM scope()", NotAgain::Private),
        ] {
            assert_eq!(of(text).unwrap_err(), why, "{text}");
        }
    }
}
