//! The proof that the eyes are open: the same calls, allowed, are seen.

use std::time::Duration;

use anyhow::ensure;

use super::{ALLOWED, Bench};
use crate::real::{Files, Role, ServerState};
use crate::wait;

/// Calls whose effect is in the state and in the files. Quarantine is not among them: it would cut
/// this machine off as soon as an agent comes back.
const SEEN: &[&str] = &["label_client", "create_hunt", "collect_artifact"];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<()> {
    let server = &bench.stage.server;
    let mut child = bench.stage.ready(&[Role::Administrator], ALLOWED).await?;
    let inputs = bench.standing.honest();
    let mut tried = 0;
    for (name, wish) in inputs.into_iter().filter(|(name, _)| SEEN.contains(name)) {
        let (state, files) = (ServerState::of(server).await?, Files::of(server)?);
        let hashes = files.hashes()?;
        child.call_ok(name, wish).await?;
        wait::until(&format!("{name} to be seen"), Duration::from_secs(30), || async {
            let now = Files::of(server)?;
            ensure!(!files.difference(&now).is_empty(), "no file has changed");
            ensure!(now.hashes()? != hashes, "the content of all files is the same");
            let differs = state.difference(&ServerState::of(server).await?);
            ensure!(!differs.is_empty(), "the server says that nothing has changed");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        tried += 1;
    }
    ensure!(tried == SEEN.len(), "{tried} of {SEEN:?} were tried");
    super::super::mcp_stdio::ended_well(child).await
}
