//! What changes something is marked as such in the catalogue: it is never sent twice by itself.

use velociraptor_api::queries;
use vql_builder::effects::{self, Effect, NoArtifacts};

/// What a repetition would do a second time.
const CHANGING: [Effect; 3] = [Effect::Mutate, Effect::Write, Effect::Exec];

/// What stands for the pieces that are put into a text: each kind only computes.
const PIECES: [(&str, &str); 7] = [
    ("$columns", "*"),
    ("$column", "A"),
    ("$key", "(A,)"),
    ("$filter", "TRUE"),
    ("$order", ""),
    ("$limit", "1"),
    ("$most", "1"),
];

/// What stands for the text of a caller, which is judged by itself.
const ROWS: &str = "LET MR_Rows = SELECT * FROM scope()\n";

#[test]
fn d13_every_query_that_changes_something_is_marked() {
    let mut changing = 0;
    for query in queries::ALL.iter().chain(mcp_server::queries::ALL) {
        let text = PIECES.iter().fold(format!("{ROWS}{}", query.text), |text, (piece, value)| {
            text.replace(piece, value)
        });
        let report = effects::analyse(&text, &NoArtifacts);
        let strongest = report.strongest();
        assert_ne!(strongest, Effect::Unknown, "{}: {report:?}", query.name);
        assert_eq!(CHANGING.contains(&strongest), query.mutates, "{}: {report:?}", query.name);
        changing += usize::from(query.mutates);
    }
    assert!(changing >= 5, "only {changing} queries change something");
}
