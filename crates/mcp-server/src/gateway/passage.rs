//! One call on its way through: judged, asked about, recorded.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use guard::asked::{AsWhom, Asked};
use guard::audit::{Begun, Decision};
use guard::permit::Permit;
use guard::policy::Denial;
use serde_json::{Map, Value};

use super::{Gateway, Request, Stop, Work};
use crate::caller::account;
use crate::context::ToolCx;
use crate::services::Services;
use crate::tool::{Effect, Place, ToolDef};
use crate::tool_error::{Code, ToolError};

mod go;
mod recorded;
mod word;

pub use go::{Go, Halt};
use word::Word;

/// A call on its way to its tool. Made by the [`Gateway`] only.
pub struct Passage<'a> {
    gateway: &'a Gateway,
    request: &'a Request<'a>,
    call: String,
    tool: &'a ToolDef,
    arguments: Map<String, Value>,
    /// The server and the org that it names.
    place: (String, String),
    begun: Mutex<Option<Begun>>,
    /// The record knows of the call, or is being told.
    told: AtomicBool,
}

/// How far a passage is open.
pub(crate) enum Opening {
    /// It may be done.
    Go(Go),
    /// A person was waited for and agreed, to what was found before.
    Agreed(Permit, Effect),
}

impl<'a> Passage<'a> {
    pub(super) const fn new(
        gateway: &'a Gateway,
        request: &'a Request<'a>,
        call: String,
        tool: &'a ToolDef,
        arguments: Map<String, Value>,
        place: (String, String),
    ) -> Self {
        Self {
            gateway,
            request,
            call,
            tool,
            arguments,
            place,
            begun: Mutex::new(None),
            told: AtomicBool::new(false),
        }
    }

    /// Judges the work, asks where somebody has to be asked, and records that it begins.
    ///
    /// # Errors
    ///
    /// Where it may not run, or not yet.
    pub(crate) async fn open(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Opening, Stop> {
        use guard::policy::Decision as Judged;
        let asked = self.asked(cx, work).await?;
        let (permit, needed) = match self.gateway.services.policy().judge(&asked) {
            Judged::Allow { permit, needed, .. } => {
                self.in_scope(&asked, work, needed).await?;
                (permit, needed)
            }
            Judged::Deny(denial) => {
                let why = Decision::Refused {
                    rule: Some(denial.rule.clone()),
                    why: denial.cause.clone(),
                };
                self.record(&asked, work, asked.effect, why).await?;
                return Err(denied(&denial, work.instead.as_deref()).into());
            }
            Judged::Ask { rule, place, question } => {
                let needed = question.needed();
                self.in_scope(&asked, work, needed).await?;
                match self.ask(cx, question, place, &rule, work).await {
                    Ok(Word::Given(permit)) => (permit, needed),
                    // It took the person a while: what would run is looked at again.
                    Ok(Word::Awaited(permit)) => return Ok(Opening::Agreed(permit, needed)),
                    Err(stop) => {
                        let decision = match &stop {
                            Stop::Error(error) if error.code == Code::Denied => {
                                Decision::Refused { rule: Some(rule), why: error.message.clone() }
                            }
                            _ => Decision::Asked { rule },
                        };
                        self.record(&asked, work, needed, decision).await?;
                        return Err(stop);
                    }
                }
            }
        };
        self.go(&asked, work, permit, needed).await.map(Opening::Go)
    }

    /// Goes on after a word that was awaited, with the work as it is found now.
    ///
    /// # Errors
    ///
    /// Where it is no longer what the person saw.
    pub(crate) async fn go_on(
        &self,
        cx: &ToolCx<'_>,
        work: &Work,
        (permit, needed): (Permit, Effect),
    ) -> Result<Go, Stop> {
        let asked = self.asked(cx, work).await?;
        self.go(&asked, work, permit, needed).await
    }

    async fn go(
        &self,
        asked: &Asked,
        work: &Work,
        permit: Permit,
        needed: Effect,
    ) -> Result<Go, Stop> {
        let authority = match permit.spend(asked) {
            Ok(authority) => authority,
            Err(error) => {
                let why = format!("it is no longer what the person was shown: {error}");
                let decision = Decision::Refused { rule: None, why: why.clone() };
                self.record(asked, work, needed, decision).await?;
                return Err(ToolError::new(Code::Denied, format!("nothing was done: {why}"))
                    .next("make the call again, to be asked about it as it is now")
                    .into());
            }
        };
        self.record(asked, work, needed, Decision::Allowed { on: authority.clone() }).await?;
        Ok(Go::begin(&self.gateway.guardian, asked, needed, authority).await?)
    }

    /// Refuses what the token of the caller does not cover: what a call does can weigh more than
    /// its tool.
    async fn in_scope(&self, asked: &Asked, work: &Work, needed: Effect) -> Result<(), Stop> {
        if self.gateway.services.in_scope(needed) {
            return Ok(());
        }
        let why = format!(
            "the token of this connection does not cover {needed}, and that is what this call to \
             {} comes to",
            asked.tool
        );
        let decision = Decision::Refused { rule: None, why: why.clone() };
        self.record(asked, work, needed, decision).await?;
        Err(ToolError::new(Code::Denied, why)
            .next("a person can make another with megaraptor token create NAME --effects")
            .into())
    }

    /// The call as it is judged.
    async fn asked(&self, cx: &ToolCx<'_>, work: &Work) -> Result<Asked, ToolError> {
        let asks_nobody = self.tool.place == Place::Here;
        let only_reads = self.tool.effect == Effect::Read && work.vql.is_empty();
        let identity = if asks_nobody {
            // The account that runs this, and nobody of a server.
            AsWhom { kind: String::from("account"), user: account() }
        } else if only_reads {
            AsWhom { kind: String::new(), user: String::new() }
        } else {
            let own = work.needs.as_deref().unwrap_or(self.tool.needs);
            let needs = [own, work.further.as_slice()].concat();
            let identity = cx.identity(&needs).await?;
            let profile = cx.server.profile(identity, &cx.org, &cx.cancel).await?;
            AsWhom { kind: profile.kind().to_string(), user: profile.user.clone() }
        };
        let mut arguments = self.arguments.clone();
        arguments.extend(work.bound.clone());
        Ok(Asked {
            caller: self.request.caller.as_asked(),
            tool: self.tool.name.to_owned(),
            effect: match work.effect {
                _ if work.looks_only => Effect::Read,
                Some(effect) => effect.max(self.tool.effect),
                None => self.tool.effect,
            },
            arguments,
            server: cx.server.name().to_owned(),
            org: cx.org.to_string(),
            identity,
            clients: work.clients.clone(),
            artifacts: work.artifacts.clone(),
            vql: work.vql.clone(),
            bounds: work.bounds,
            expires_after: work.expires_after,
        })
    }
}

/// The names of every server and org that a caller sees.
pub(crate) fn everywhere(services: &Services) -> (String, String) {
    let mut servers = Vec::new();
    let mut orgs = BTreeSet::new();
    for target in services.targets() {
        servers.push(target.server.name().to_owned());
        orgs.extend(target.orgs.iter().map(ToString::to_string));
    }
    (servers.join(", "), orgs.into_iter().collect::<Vec<_>>().join(", "))
}

fn denied(denial: &Denial, instead: Option<&str>) -> ToolError {
    let next = match instead {
        Some(instead) => format!("{instead}; {}", denial.next),
        None => denial.next.clone(),
    };
    ToolError::new(Code::Denied, format!("{} ({})", denial.cause, denial.rule)).next(next)
}
