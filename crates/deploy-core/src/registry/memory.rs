//! Records in memory, for tests and for programs that keep theirs elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{Claim, RegistryError, StateRegistry};
use crate::id::DeploymentId;
use crate::record::{Generation, Record};

/// Keeps records for as long as it lives.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    records: Arc<Mutex<BTreeMap<DeploymentId, Record>>>,
    claimed: Arc<Mutex<BTreeSet<DeploymentId>>>,
}

struct Held {
    id: DeploymentId,
    claimed: Arc<Mutex<BTreeSet<DeploymentId>>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        lock(&self.claimed).remove(&self.id);
    }
}

#[async_trait]
impl StateRegistry for Memory {
    async fn claim(&self, id: &DeploymentId) -> Result<Claim, RegistryError> {
        if !lock(&self.claimed).insert(id.clone()) {
            return Err(RegistryError::Claimed(id.clone()));
        }
        Ok(Claim::holding(Held { id: id.clone(), claimed: Arc::clone(&self.claimed) }))
    }

    async fn load(&self, id: &DeploymentId) -> Result<Option<Record>, RegistryError> {
        Ok(lock(&self.records).get(id).cloned())
    }

    async fn store(&self, expected: Generation, next: &Record) -> Result<(), RegistryError> {
        let mut records = lock(&self.records);
        let found = records.get(&next.id).map_or_else(Generation::default, |old| old.generation);
        if found != expected {
            return Err(RegistryError::Stale { id: next.id.clone(), expected, found });
        }
        records.insert(next.id.clone(), next.clone());
        Ok(())
    }

    async fn list(&self) -> Result<Vec<DeploymentId>, RegistryError> {
        Ok(lock(&self.records).keys().cloned().collect())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
