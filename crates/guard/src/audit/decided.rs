//! What a person decides apart from any call: an answer to a request that waits, a grant, a token.
//!
//! It stands in the record before it holds. Where it cannot be written it is not made, and where it
//! was written and could not be made, a second line says so.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::mpsc::sync_channel;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approver::Approver;
use crate::asked;
use crate::digest::Digest;
use crate::effect::Effect;

use super::error::AuditError;
use super::line::event::Event;
use super::record::{Audit, bounds};
use super::writer::{Request, Waiting};

/// What a person did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Approved a request that waits.
    Approve,
    /// Refused one, or took an approval back.
    Deny,
    /// Gave a case grant.
    Grant,
    /// Took one back.
    RevokeGrant,
    /// Made a token.
    CreateToken,
    /// Ended one.
    RevokeToken,
}

impl Act {
    /// The word for reading, and in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Grant => "grant",
            Self::RevokeGrant => "revoke_grant",
            Self::CreateToken => "create_token",
            Self::RevokeToken => "revoke_token",
        }
    }
}

/// A person's decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// What was done.
    pub act: Act,
    /// To which request, grant or token.
    pub id: String,
    /// By whom.
    pub by: Approver,
    /// The digest of the request that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The tool of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What it may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<asked::Caller>,
    /// The configured server that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The org that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// Until when it holds; nothing where it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was decided about: the arguments of the request, the terms of the grant, the scope of
    /// the token. Secrets are masked before it is written.
    pub terms: Value,
    /// Why the decision does not hold although a line before this one has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_made: Option<String>,
}

impl Decided {
    /// A decision about something of that name, with nothing else said yet.
    pub(crate) const fn new(act: Act, id: String, by: Approver) -> Self {
        Self {
            act,
            id,
            by,
            digest: None,
            tool: None,
            effect: None,
            asked_by: None,
            server: None,
            org: None,
            until: None,
            reason: None,
            terms: Value::Null,
            not_made: None,
        }
    }
}

impl Audit {
    /// Puts a decision onto the disk, then makes it. It blocks for as long as a flush takes.
    ///
    /// # Errors
    /// The record cannot be written: then nothing was made. Or what `make` says: then a second line
    /// says that the decision does not hold.
    pub(crate) fn decide<T, E: From<AuditError> + Display>(
        &self,
        decided: Decided,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let decided = bounds::fit_decided(decided);
        self.decided(&decided)?;
        make().inspect_err(|error| {
            let not_made = Some(error.to_string());
            let id = decided.id.clone();
            let undone = bounds::fit_decided(Decided { not_made, ..decided });
            if let Err(error) = self.decided(&undone) {
                tracing::error!(id, %error, "a decision that was not made stands in the record");
            }
        })
    }

    fn decided(&self, decided: &Decided) -> Result<(), AuditError> {
        let body = self.body(&Event::Decided(Cow::Borrowed(decided)))?;
        // Not a channel of the runtime: whoever decides may be on one of its threads.
        let (done, wait) = sync_channel(1);
        let done = Some(Waiting::Thread(done));
        self.send(Request::Line { body, flush: true, done })?;
        wait.recv().map_err(|_| AuditError::Closed)?
    }
}
