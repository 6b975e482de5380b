//! Networks.

use std::collections::HashMap;

use bollard::models::{NetworkCreateRequest, NetworkInspect};
use deploy_core::{Found, StepError};
use serde::{Deserialize, Serialize};

use crate::daemon::{Daemon, present};
use crate::owner::Owner;

/// Containers on the bridge reach other networks through this.
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";

/// A network of a deployment's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its name.
    pub name: String,
    /// Nothing outside is reached from inside. Ports are published all the same: so this is no
    /// `internal` network, which refuses that, but a bridge without masquerading.
    pub isolated: bool,
}

impl NetworkSpec {
    /// How it stands.
    ///
    /// # Errors
    ///
    /// Where the daemon does not say.
    pub async fn look(&self, daemon: &Daemon, owner: &Owner) -> Result<Found, StepError> {
        let Some(network) = self.inspect(daemon).await? else { return Ok(Found::Absent) };
        if !owner.owns(network.labels.as_ref()) {
            return Ok(owner.foreign("network", &self.name));
        }
        let options = network.options.unwrap_or_default();
        let masquerades = options.get(MASQUERADE).is_none_or(|value| value == "true");
        if masquerades == self.isolated {
            let left = format!("network {} (isolated: {})", self.name, !masquerades);
            return Ok(Found::Half { left: vec![left] });
        }
        Ok(Found::Done)
    }

    /// Makes it. One that is there with other settings is made anew.
    ///
    /// # Errors
    ///
    /// What the daemon says.
    pub async fn make(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        match self.look(daemon, owner).await? {
            Found::Done => return Ok(()),
            Found::Half { .. } => self.remove(daemon, owner).await?,
            Found::Absent | Found::Refused { .. } => {}
        }
        let masquerade = (!self.isolated).to_string();
        let request = NetworkCreateRequest {
            name: self.name.clone(),
            driver: Some(String::from("bridge")),
            options: Some(HashMap::from([(MASQUERADE.to_owned(), masquerade)])),
            labels: Some(owner.labels()),
            ..NetworkCreateRequest::default()
        };
        let doing = format!("making the network {}", self.name);
        daemon.docker.create_network(request).await.map(drop).map_err(daemon.failed(&doing))
    }

    /// Removes it where it is ours.
    ///
    /// # Errors
    ///
    /// What the daemon says, as where a container is still on it.
    pub async fn remove(&self, daemon: &Daemon, owner: &Owner) -> Result<(), StepError> {
        let Some(network) = self.inspect(daemon).await? else { return Ok(()) };
        if !owner.owns(network.labels.as_ref()) {
            return Ok(());
        }
        let doing = format!("removing the network {}", self.name);
        let removed = daemon.docker.remove_network(&self.name).await;
        present(removed).map(drop).map_err(daemon.failed(&doing))
    }

    async fn inspect(&self, daemon: &Daemon) -> Result<Option<NetworkInspect>, StepError> {
        let doing = format!("looking at the network {}", self.name);
        // By name: an id that begins so would be taken, too.
        let found = present(daemon.docker.inspect_network(&self.name, None).await);
        let found = found.map_err(daemon.failed(&doing))?;
        Ok(found.filter(|network| network.name.as_deref() == Some(self.name.as_str())))
    }
}
