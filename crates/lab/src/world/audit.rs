//! The audit log: who changed what.

use jiff::Timestamp;

use super::Org;
use crate::value::{Dict, row};

/// One entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    time: Timestamp,
    operation: &'static str,
    principal: String,
    details: Dict,
}

impl Entry {
    pub(crate) const fn time(&self) -> Timestamp {
        self.time
    }

    /// The row of `Server.Audit.Logs`.
    pub(crate) fn row(&self) -> Dict {
        row! {
            "operation" => self.operation,
            "principal" => &self.principal,
            "details" => self.details.clone(),
            "_Source" => &self.principal,
            "_ts" => self.time.as_millisecond(),
        }
    }
}

impl Org {
    /// Adds an entry.
    pub(crate) fn record(&mut self, operation: &'static str, principal: &str, details: Dict) {
        self.audit.push(Entry {
            time: Timestamp::now(),
            operation,
            principal: principal.to_owned(),
            details,
        });
    }
}
