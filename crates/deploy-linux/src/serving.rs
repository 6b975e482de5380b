//! A server's unit that is well.

use std::net::SocketAddr;
use std::time::Duration;

use deploy_core::server::{Probes, Vault, served};
use deploy_core::{Found, StepCx, StepError};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::on::On;
use crate::ports::listeners;
use crate::unit::{Running, UnitSpec};
use crate::user;

/// How long the last of four ports may take once the others answer.
const LAST: Duration = Duration::from_secs(10);

/// A server's unit, and how it is seen to be well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The unit.
    pub unit: UnitSpec,
    /// Where it is probed.
    pub probes: Probes,
    /// Where it listens. A port that it does not get is only a line in its log.
    pub listen: [SocketAddr; 4],
    /// As whom it listens.
    pub user: String,
    /// How long it may take to be well.
    pub within: Duration,
}

impl Serving {
    pub(crate) async fn look(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Found, StepError> {
        match self.unit.look(on).await? {
            Found::Done => {}
            other => return Ok(other),
        }
        let name = &self.unit.name;
        if !served::is_current(cx, vault).await? {
            let left = format!("unit {name} (started with an earlier configuration)");
            return Ok(Found::Half { left: vec![left] });
        }
        let signs = self.probes.look(cx, vault).await?;
        let mut ill: Vec<String> =
            signs.iter().filter(|sign| !sign.well).map(ToString::to_string).collect();
        ill.extend(self.deaf(on).await?);
        if ill.is_empty() {
            return Ok(Found::Done);
        }
        Ok(Found::Half { left: vec![format!("unit {name} (not well: {})", ill.join("; "))] })
    }

    pub(crate) async fn make(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<(), StepError> {
        let there = self.unit.look(on).await? == Found::Done;
        let ran = there && served::is_current(cx, vault).await?;
        if there && !ran {
            self.unit.restart(on).await?;
        }
        self.unit.make(on).await?;
        let mut ill = self.ill(on, cx, vault).await?;
        if let Some(why) = ill.as_ref().filter(|_| ran) {
            // One that ran before may be stuck. Once only: what it does not mend, it never will.
            cx.say(&format!("starting {} again: {why}", self.unit.name));
            self.unit.restart(on).await?;
            ill = self.ill(on, cx, vault).await?;
        }
        match ill {
            Some(why) => Err(why),
            None => served::note(cx, vault).await,
        }
    }

    /// Waits until it is well and listens itself at each port, and says why it is not.
    async fn ill(
        &self,
        on: On<'_>,
        cx: &StepCx<'_>,
        vault: &Vault,
    ) -> Result<Option<StepError>, StepError> {
        let running = Running { unit: &self.unit, on };
        if let Some(ill) = self.probes.ill(cx, vault, self.within, &running).await? {
            return Ok(Some(ill));
        }
        let begun = Instant::now();
        loop {
            let deaf = self.deaf(on).await?;
            if deaf.is_empty() {
                return Ok(None);
            }
            if begun.elapsed() >= LAST {
                let log = self.unit.log(on).await;
                return Ok(Some(StepError::failed(
                    format!("{}; its journal ends: {log}", deaf.join("; ")),
                    "look who has the port (ss -ltnp), then plan it with another one",
                )));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn remove(&self, on: On<'_>, cx: &StepCx<'_>) -> Result<(), StepError> {
        served::forget(cx);
        self.unit.remove(on).await
    }

    /// Ports at which it does not listen itself.
    async fn deaf(&self, on: On<'_>) -> Result<Vec<String>, StepError> {
        let uid = user::existing(on, &self.user).await?.uid;
        let all = listeners(on.host).await?;
        let deaf = self.listen.iter().filter_map(|at| {
            let mut there = all.iter().filter(|listener| listener.takes(*at));
            match there.next() {
                None => Some(format!("nobody listens at {at}")),
                Some(other) if other.uid != uid => {
                    Some(format!("user {} listens at {at}, not {uid}", other.uid))
                }
                Some(_) => None,
            }
        });
        Ok(deaf.collect())
    }
}
