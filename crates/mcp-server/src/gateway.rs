//! The one way to a tool.
//!
//! Whoever calls, by MCP or on the command line, comes through [`Gateway::call`]. It finds out what
//! the call is about to do ([`Work`]), judges it by the policy, asks a person where the policy says
//! so, records it before it runs and after, and only then lets it run. A tool cannot be called
//! around it: a call takes a [`Passage`], and nobody else can make one.
//!
//! What a program over this crate may write:
//!
//! ```
//! use mcp_server::{context::ToolCx, gateway::Passage, tool::ToolDef};
//!
//! fn beside(cx: ToolCx<'_>, tool: &ToolDef, passage: &Passage<'_>) {
//!     let _ = (cx, tool.name, passage);
//! }
//! ```
//!
//! and the one line more that does not compile, even for whoever had a passage:
//!
//! ```compile_fail
//! use mcp_server::{context::ToolCx, gateway::Passage, tool::ToolDef};
//!
//! fn around(cx: ToolCx<'_>, tool: &ToolDef, passage: &Passage<'_>) {
//!     let _ = tool.call(cx, serde_json::Map::new(), passage);
//! }
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use guard::audit::{AuditError, Decision, Intent, Outcome, Who};
use guard::policy::Mode;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::context::{Progress, Queries, ToolCx};
use crate::services::Services;
use crate::tool::{Effect, Finished, Place};
use crate::tool_error::{Code, ToolError};
use crate::tools::FAMILIES;

mod guardian;
pub mod kept;
mod overdue;
mod passage;
pub mod programs;
mod voice;
mod work;

pub use guardian::Guardian;
pub use passage::{Go, Halt, Passage};
pub(crate) use passage::{Opening, everywhere};
pub use programs::contains;
pub use voice::{Mute, Said, Voice};
pub use work::Work;

/// Services behind their guard, for one caller or several.
#[derive(Clone, Debug)]
pub struct Gateway {
    services: Arc<Services>,
    guardian: Arc<Guardian>,
    /// Numbers the calls of this process.
    calls: Arc<AtomicU64>,
}

/// Why a call did not run to its end.
#[derive(Debug)]
pub enum Stop {
    /// It failed, or may not run.
    Error(ToolError),
    /// The person is asked, and the word comes with the next call.
    Ask(Box<Asking>),
}

/// A question for the person in the chat.
#[derive(Debug)]
pub struct Asking {
    /// What would be done, to be read before the answer.
    pub card: String,
    /// Comes back with the answer.
    pub state: String,
}

impl From<ToolError> for Stop {
    fn from(error: ToolError) -> Self {
        Self::Error(error)
    }
}

/// One call, as its caller makes it.
pub struct Request<'a> {
    /// Who calls.
    pub caller: &'a Caller,
    /// Cancelled when the caller no longer wants the answer.
    pub cancel: CancellationToken,
    /// Where progress is told.
    pub progress: &'a dyn Progress,
    /// How the caller's person is asked.
    pub voice: &'a dyn Voice,
}

impl Gateway {
    /// Puts a guard before services.
    pub fn new(services: Arc<Services>, guardian: Arc<Guardian>) -> Self {
        Self { services, guardian, calls: Arc::default() }
    }

    /// What is behind it.
    pub const fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// The records: audit, approvals, grants.
    pub fn guardian(&self) -> &Guardian {
        &self.guardian
    }

    /// The same guard before what a narrower caller may see.
    #[must_use]
    pub fn before(&self, services: Arc<Services>) -> Self {
        Self { services, ..self.clone() }
    }

    /// Calls a tool.
    ///
    /// # Errors
    ///
    /// [`Stop::Error`] with what the tool says, or `denied`, `approval_required`, `not_recorded`;
    /// [`Stop::Ask`] where the question goes back with this answer.
    pub async fn call(
        &self,
        request: &Request<'_>,
        name: &str,
        mut arguments: Map<String, Value>,
    ) -> Result<Finished, Stop> {
        let whole = arguments.clone();
        let tool = match self.services.tool(name) {
            Ok(tool) => tool,
            Err(error) => {
                let all = FAMILIES.iter().flat_map(|family| family.tools);
                let effect = all.into_iter().find(|tool| tool.name == name);
                let effect = effect.map_or(Effect::Read, |tool| tool.effect);
                self.refused(request, name, effect, whole, &error).await?;
                return Err(error.into());
            }
        };
        let cancel = request.cancel.clone();
        // What stops is for every server: one that is named would be passed over.
        let mut everywhere = Map::new();
        let named = if tool.stops { &mut everywhere } else { &mut arguments };
        let placed = match tool.place {
            Place::Here => Ok(ToolCx::here(&self.services, cancel, request.progress)),
            Place::Server => ToolCx::of(&self.services, named, cancel, request.progress),
        };
        let mut cx = match placed {
            Ok(cx) => cx,
            Err(error) => {
                self.refused(request, name, tool.effect, whole, &error).await?;
                return Err(error.into());
            }
        };
        let subject = request.caller.as_asked().subject;
        cx.queries = Some(Queries::of(&self.guardian.spool, subject));
        let place = (cx.server.name().to_owned(), cx.org.to_string());
        let passage = Passage::new(self, request, self.number(), tool, arguments.clone(), place);
        let done = tool.call(cx, arguments, &passage).await;
        passage.close(done).await
    }

    /// The server and the org that arguments name, for the record.
    pub fn place(&self, mut named: Map<String, Value>) -> Option<(String, String)> {
        let (target, org) = self.services.target(&mut named).ok()?;
        Some((target.server.name().to_owned(), org.to_string()))
    }

    /// Reads something that is no tool: a resource, a prompt, a completion, at that server and org.
    /// `told` gives what of the answer is recorded: its bytes, and who asked where that is known.
    ///
    /// # Errors
    ///
    /// What `read` says, or `not_recorded`.
    pub async fn reading<T>(
        &self,
        request: &Request<'_>,
        what: &str,
        (arguments, place): (Map<String, Value>, Option<(String, String)>),
        read: impl Future<Output = Result<T, ToolError>>,
        told: impl FnOnce(&T) -> (Vec<u8>, Option<String>),
    ) -> Result<T, ToolError> {
        let (server, org) = place.unzip();
        let decision = match self.services.policy().mode(Effect::Read) {
            (Mode::Allow, _) => Decision::Allowed { on: self.services.policy().reading() },
            (_, rule) => {
                let why = format!("{what} reads, and the policy does not allow that at once");
                let error = ToolError::new(Code::Denied, format!("{why} ({rule})"));
                self.refused(request, what, Effect::Read, arguments, &error).await?;
                return Err(error.next("a person can change read in the policy"));
            }
        };
        let (by, asked) = (who(request.caller), Value::Object(arguments));
        let intent = Intent::new(self.number(), by, what, asked, Effect::Read, decision);
        let intent = intent.at(server, org);
        let begun = self.guardian.audit.begin(intent).await.map_err(unrecorded)?;
        let done = read.await;
        let outcome = match &done {
            Ok(answer) => {
                let (bytes, identity) = told(answer);
                Outcome::answered("ok", &bytes).by(identity)
            }
            Err(error) => Outcome::without_answer(error.code.as_str()),
        };
        // Nothing was changed, so it can be withheld: an answer that is not on record is none.
        begun.end(outcome).await.map_err(|error| {
            let message =
                format!("what was read is withheld, since it cannot be recorded: {error}");
            ToolError::new(Code::NotRecorded, message).next(MEND)
        })?;
        done
    }

    /// Records a call that was refused before it was known what it is about.
    async fn refused(
        &self,
        request: &Request<'_>,
        name: &str,
        effect: Effect,
        arguments: Map<String, Value>,
        error: &ToolError,
    ) -> Result<(), ToolError> {
        let (by, asked) = (who(request.caller), Value::Object(arguments));
        let intent = Intent::new(self.number(), by, name, asked, effect, undone(error));
        let begun = self.guardian.audit.begin(intent).await.map_err(unrecorded)?;
        begun.end(Outcome::without_answer(error.code.as_str())).await.map_err(unrecorded)?;
        Ok(())
    }

    fn number(&self) -> String {
        (self.calls.fetch_add(1, Ordering::Relaxed) + 1).to_string()
    }
}

/// Who calls, as the record has it.
pub(crate) fn who(caller: &Caller) -> Who {
    Who {
        account: caller.subject.is_none().then(|| caller.as_asked().subject),
        client: caller.client.as_ref().map(|client| guard::audit::ClientName {
            name: client.name.clone(),
            version: client.version.clone(),
        }),
        transport: caller.transport.as_str().to_owned(),
        subject: caller.subject.as_ref().map(|subject| subject.name.clone()),
    }
}

/// What was decided about a call that failed before the policy judged it: it was refused, or it
/// did not come that far.
fn undone(error: &ToolError) -> Decision {
    let why = error.message.clone();
    match error.code {
        Code::Denied => Decision::Refused { rule: None, why },
        _ => Decision::Undecided { why },
    }
}

/// A call that cannot be recorded does not run.
fn unrecorded(error: AuditError) -> ToolError {
    let message = format!("the call is not run, since it cannot be recorded: {error}");
    ToolError::new(Code::NotRecorded, message).next(MEND)
}

/// What is done about a record that cannot be kept.
pub(crate) const MEND: &str = "a person makes room or mends the record (megaraptor audit verify says what is \
    wrong); megaraptor emergency-stop works all the same";
