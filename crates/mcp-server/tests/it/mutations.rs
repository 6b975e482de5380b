//! What changes something is marked as such in the catalogue: it is never sent twice by itself.

use velociraptor_api::queries;

/// Functions and plugins of the server that change something.
const CHANGING: &[&str] = &[
    "cancel_flow(",
    "client_delete(",
    "client_set_metadata(",
    "collect_client(",
    "delete_flow(",
    "hunt(",
    "hunt_add(",
    "hunt_delete(",
    "hunt_update(",
    "label(",
];

fn calls(text: &str, callee: &str) -> bool {
    text.match_indices(callee).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.')
    })
}

#[test]
fn d13_every_query_that_changes_something_is_marked() {
    let mut changing = 0;
    for query in queries::ALL.iter().chain(mcp_server::queries::ALL) {
        let changes = CHANGING.iter().any(|callee| calls(query.text, callee));
        assert_eq!(changes, query.mutates, "{}", query.name);
        changing += usize::from(changes);
    }
    assert!(changing >= 5, "only {changing} queries change something");
}
