//! What goes wrong around a deployment, on real counterparts: each fault is named as it is, with the
//! next step; what was not made is not on record, and what is kept is kept.

use deploy_docker::{Daemon, DaemonError, DockerHost};

use crate::home::Home;
use crate::suite::{Cases, Halt, Running, Suite};

mod asked;
mod daemons;
mod dockerd;
mod kept;
mod proxy;
mod stopped;

pub(super) const SUITE: Suite = Suite {
    name: "faults",
    about: "what goes wrong around a deployment: wrong orders, other daemons, a daemon that stops, a disk that fills, files that were changed",
    run,
};

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(async move {
        match Daemon::connect(DockerHost::default()).await {
            Ok(_) => {}
            Err(error @ DaemonError::Down { .. }) => return Err(Halt::Skip(error.to_string())),
            Err(error) => return Err(error.into()),
        }
        drop(Home::new()?);
        asked::cases(cases).await;
        daemons::cases(cases).await;
        kept::cases(cases).await;
        stopped::cases(cases).await;
        Ok(())
    })
}

/// A home, where a case cannot be skipped any more.
fn home() -> anyhow::Result<Home> {
    Home::new().map_err(|halt| match halt {
        Halt::Skip(reason) => anyhow::anyhow!(reason),
        Halt::Fail(error) => error,
    })
}

impl Home {
    /// No deployment is on record, and no secret is kept.
    async fn is_empty(&self) -> anyhow::Result<()> {
        let listed = self.json(&["deployments", "list", "--all"]).await?;
        anyhow::ensure!(listed["state"] == "empty", "on record: {listed}");
        let secrets = self.json(&["credential", "list"]).await?;
        anyhow::ensure!(secrets["total"] == 0, "secrets are left: {secrets}");
        Ok(())
    }
}
