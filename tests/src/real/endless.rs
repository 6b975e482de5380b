//! A query that runs until it is stopped, and that can be seen running.
//!
//! The server lists the queries that it works on, but of those that came through the API only what
//! stands in an artifact. So the endless one does.

use super::{RealServer, Role};

/// It never ends by itself.
pub const QUERY: &str = "SELECT * FROM Artifact.Custom.Harness.Endless()";

/// Stands in the text of what runs: for [`RealServer::wait_running`].
pub const WORD: &str = "HarnessEndless";

const ARTIFACT: &str = "name: Custom.Harness.Endless
sources:
- query: |
    SELECT *, 1 AS HarnessEndless FROM clock(period=1)
";

/// Makes the artifact known to the server, for all users.
///
/// # Errors
/// The server refuses.
pub async fn define(server: &RealServer) -> anyhow::Result<()> {
    let vql = "LET A <= artifact_set(definition=HarnessArtifact) SELECT A.name FROM scope()";
    let env = [("HarnessArtifact", ARTIFACT)];
    server.query(Role::Administrator, "root", vql, &env).await.map(drop)
}
