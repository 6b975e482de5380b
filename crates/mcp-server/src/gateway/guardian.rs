//! What the guard keeps: the record of calls, approvals, grants.

use std::path::{Path, PathBuf};

use guard::approval::Approvals;
use guard::audit::Audit;
use guard::grant::Grants;
use guard::ledger::Ledger;
use guard::record::Clock;
use guard::seal::Sealer;
use guard::spool::Spool;

use crate::keeping::Keeping;
use crate::tool_error::{Code, ToolError};

/// The records of a state folder, open.
#[derive(Debug)]
pub struct Guardian {
    pub(super) audit: Audit,
    pub(super) approvals: Approvals,
    pub(super) grants: Grants,
    pub(super) ledger: Ledger,
    pub(super) sealer: Sealer,
    pub(super) spool: Spool,
    home: PathBuf,
}

impl Guardian {
    /// Opens the records of a state folder, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// `not_recorded` where they cannot be kept: then no tool may run.
    pub fn open(home: &Path) -> Result<Self, ToolError> {
        Self::open_as(home, &Keeping::default())
    }

    /// The same, with the record of calls kept in that way.
    ///
    /// # Errors
    ///
    /// As [`Guardian::open`].
    pub fn open_as(home: &Path, keeping: &Keeping) -> Result<Self, ToolError> {
        let unkept = |error: &dyn std::error::Error| {
            ToolError::new(
                Code::NotRecorded,
                format!("nothing can be recorded in {}: {error}", home.display()),
            )
            .next("a person mends it, or names another folder in MEGARAPTOR_HOME")
        };
        guard::home::make(home).map_err(|error| unkept(&error))?;
        let clock = Clock::of_the_machine;
        Ok(Self {
            audit: Audit::open(&keeping.options(home)).map_err(|error| unkept(&error))?,
            approvals: Approvals::open(home, clock()).map_err(|error| unkept(&error))?,
            grants: Grants::open(home, clock()).map_err(|error| unkept(&error))?,
            ledger: Ledger::open(home, clock()).map_err(|error| unkept(&error))?,
            sealer: Sealer::new().map_err(|error| unkept(&error))?,
            spool: Spool::open(home, clock()).map_err(|error| unkept(&error))?,
            home: home.to_owned(),
        })
    }

    /// The record of calls.
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    /// What waits for a person, and what was decided.
    pub const fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// What was granted beforehand.
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What was started.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The state folder.
    pub fn home(&self) -> &Path {
        &self.home
    }
}
