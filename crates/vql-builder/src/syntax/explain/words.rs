//! Words of other languages, and misspelt ones.

/// What to write in VQL instead of a word of SQL; the word in upper case.
pub(super) fn instead_of(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_uppercase().as_str() {
        "LIKE" | "ILIKE" | "RLIKE" | "REGEXP" | "MATCHES" | "CONTAINS" => {
            "use =~ with a regular expression; it ignores case and matches anywhere"
        }
        "JOIN" | "INNER" | "OUTER" | "LEFT" | "RIGHT" | "CROSS" => {
            "there is no JOIN: use foreach(row={SELECT …}, query={SELECT …})"
        }
        "OFFSET" => {
            "there is no OFFSET: filter with WHERE, or page with start_row where a plugin has it"
        }
        "DISTINCT" => "there is no DISTINCT: GROUP BY the column",
        "HAVING" => {
            "there is no HAVING: LET Grouped = SELECT … GROUP BY …, then SELECT … FROM Grouped WHERE …"
        }
        "CASE" | "WHEN" => "there is no CASE: use if(condition=…, then=…, else=…)",
        "UNION" | "INTERSECT" | "EXCEPT" => {
            "there is no UNION: use chain(a={SELECT …}, b={SELECT …})"
        }
        "BETWEEN" => "there is no BETWEEN: write x >= low AND x <= high",
        "ASC" | "ASCENDING" => "ascending is the default: leave it out",
        "DESCENDING" => "write DESC",
        "IS" => "compare with = NULL or != NULL",
        "ISNULL" => "compare with = NULL",
        "WITH" => "name a query with LET Name = SELECT …",
        "SET" | "VAR" | "DECLARE" | "DEFINE" => "bind a name with LET Name = …",
        "INSERT" | "UPDATE" | "DELETE" | "CREATE" | "DROP" | "ALTER" => {
            "VQL has queries only: changes are made by functions, such as label() or hunt()"
        }
        "EQUALS" | "EQ" | "IQ" => "write =",
        "TOP" | "FETCH" | "TAKE" => "use LIMIT at the end of the query",
        "GROUP" | "ORDER" => "the word BY must follow",
        "MOD" => "there is no remainder operator",
        _ => return None,
    })
}

/// The candidate that a misspelt word was meant to be: at most two letters off, and fewer than
/// half of them.
pub(super) fn closest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    const LONGEST: usize = 12;
    if word.len() < 2 || word.len() > LONGEST || !word.is_ascii() {
        return None;
    }
    let word = word.to_ascii_uppercase();
    candidates
        .iter()
        .map(|candidate| (distance(word.as_bytes(), candidate.as_bytes()), *candidate))
        .filter(|(off, candidate)| *off <= 2 && off * 2 < candidate.len().min(word.len() + 1))
        .min_by_key(|(off, _)| *off)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, drop, replace, or neighbours to swap.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let plain = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                if swapped { plain.min(rows[i - 2][j - 2] + 1) } else { plain }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_keywords_are_recognised() {
        for (word, meant) in [
            ("SELCT", Some("SELECT")),
            ("slect", Some("SELECT")),
            ("FORM", Some("FROM")),
            ("Name", None),
            ("x", None),
            ("letter", None),
        ] {
            assert_eq!(closest(word, &["SELECT", "LET", "FROM", "WHERE"]), meant, "{word}");
        }
    }
}
