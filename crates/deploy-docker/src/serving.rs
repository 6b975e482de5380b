//! A server's container that is well.

use std::time::Duration;

use async_trait::async_trait;
use deploy_core::server::{Alive, Probes, Vault, served};
use deploy_core::{Found, StepCx, StepError};
use serde::{Deserialize, Serialize};

use crate::container::ContainerSpec;
use crate::daemon::Daemon;
use crate::owner::Owner;

/// A server's container, and how it is seen to be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The container.
    pub container: ContainerSpec,
    /// Where it is probed.
    pub probes: Probes,
    /// How long it may take to be well.
    pub within: Duration,
}

impl Serving {
    pub(crate) async fn look(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        match self.container.look(daemon, owner).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        let signs = self.probes.look(cx, vault).await?;
        let ill: Vec<String> =
            signs.iter().filter(|sign| !sign.well).map(ToString::to_string).collect();
        let name = &self.container.name;
        if !served::is_current(cx, vault).await? {
            let left = format!("container {name} (started with an earlier configuration)");
            return Ok(Found::Half { left: vec![left] });
        }
        if ill.is_empty() {
            return Ok(Found::Done);
        }
        Ok(Found::Half { left: vec![format!("container {name} (not well: {})", ill.join("; "))] })
    }

    pub(crate) async fn make(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<(), StepError> {
        if !served::is_current(cx, vault).await? {
            self.container.remove(daemon, owner).await?;
        }
        let ran = self.container.look(daemon, owner).await? == Found::Done;
        self.container.make(daemon, owner).await?;
        let running = Running { container: &self.container, daemon };
        let mut ill = self.probes.ill(cx, vault, self.within, &running).await?;
        if let Some(why) = ill.as_ref().filter(|_| ran) {
            // One that ran before may be stuck. Once only: what it does not mend, it never will.
            cx.say(&format!("starting {} again: {why}", self.container.name));
            self.container.remove(daemon, owner).await?;
            self.container.make(daemon, owner).await?;
            ill = self.probes.ill(cx, vault, self.within, &running).await?;
        }
        match ill {
            Some(why) => Err(why),
            None => served::note(cx, vault).await,
        }
    }

    pub(crate) async fn remove(
        &self,
        daemon: &Daemon,
        owner: &Owner,
        cx: &StepCx<'_>,
    ) -> Result<(), StepError> {
        served::forget(cx);
        self.container.remove(daemon, owner).await
    }
}

struct Running<'a> {
    container: &'a ContainerSpec,
    daemon: &'a Daemon,
}

#[async_trait]
impl Alive for Running<'_> {
    async fn ended(&self) -> Result<Option<String>, StepError> {
        self.container.ended(self.daemon).await
    }

    async fn log(&self) -> String {
        self.container.log(self.daemon).await
    }
}
