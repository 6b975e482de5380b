//! Everything that a tool of Megaraptor could change, by the server's own account.

use anyhow::ensure;
use serde_json::Value;

use super::{RealServer, Role};

/// What is asked, as administrator of the root org.
pub const QUERIES: &[&str] = &[
    "SELECT client_id, labels, client_metadata(client_id=client_id) AS M FROM clients() ORDER BY client_id",
    "SELECT client_id, { SELECT session_id, state, total_collected_rows, request.artifacts AS A \
     FROM flows(client_id=client_id) } AS F \
     FROM chain(a={ SELECT client_id FROM clients() }, b={ SELECT 'server' AS client_id FROM scope() })",
    "SELECT hunt_id, state, hunt_description, tags, expires, condition, artifacts, \
     stats.total_clients_scheduled AS N FROM hunts()",
    "SELECT name, raw, metadata FROM artifact_definitions() ORDER BY name",
    "SELECT name, roles, _policy FROM gui_users() ORDER BY name",
    "SELECT get_client_monitoring() AS C, get_server_monitoring() AS S FROM scope()",
    "SELECT name, url, hash, serve_locally FROM inventory() ORDER BY name",
    "SELECT notebook_id, name, modified_time FROM notebooks(all=TRUE)",
    "SELECT server_metadata() AS M FROM scope()",
    "SELECT OrgId, Name FROM orgs()",
    "SELECT * FROM secrets()",
];

/// The answers to [`QUERIES`].
#[derive(Clone, Debug, PartialEq)]
pub struct ServerState(Vec<Vec<Value>>);

impl ServerState {
    /// What the server says now.
    ///
    /// # Errors
    /// It does not answer, or knows of no client, hunt or artifact: nothing would be proved.
    pub async fn of(server: &RealServer) -> anyhow::Result<Self> {
        let mut state: Vec<Vec<Value>> = Vec::new();
        for query in QUERIES {
            let rows = server.query(Role::Administrator, "root", query, &[]).await?.rows;
            state.push(rows.into_iter().map(Value::Object).collect());
        }
        ensure!(
            !state[0].is_empty() && !state[2].is_empty() && state[3].len() > 400,
            "too little state"
        );
        Ok(Self(state))
    }

    /// What is different in `after`: the query, and both answers.
    pub fn difference(&self, after: &Self) -> Vec<String> {
        let mut differs = Vec::new();
        for (query, (before, after)) in QUERIES.iter().zip(self.0.iter().zip(&after.0)) {
            let gone: Vec<_> = before.iter().filter(|row| !after.contains(row)).collect();
            let new: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
            if !gone.is_empty() || !new.is_empty() || before.len() != after.len() {
                differs.push(format!("{query}: was {gone:?}, is {new:?}"));
            }
        }
        differs
    }
}
