//! What may run, what is asked for, and what is refused.
//!
//! [`Policy::judge`] is the one place where that is decided. Each answer names the setting that
//! decided and where that setting was made.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use velociraptor_api::ClientId;

use crate::asked::Asked;
use crate::effect::Effect;
use crate::permit::{Authority, Permit, Question, Where};

mod error;
mod glob;
mod load;
mod rate;
mod settings;
mod show;
mod vql;

pub use error::{PolicyError, Problem};
pub use glob::Glob;
pub use load::{Known, PREFIX, Sources, parse_bytes};
pub use settings::{KEYS, Key, Mode, Origin, Rule};
pub use show::Shown;

use rate::Rate;
use settings::{ProtectedId, Set, Settings};
use vql::Needs;

/// The tool that no policy stops: it only ends what was begun.
pub const EMERGENCY_STOP: &str = "emergency_stop";

/// What may run.
#[derive(Debug)]
pub struct Policy {
    settings: Settings,
    rate: Rate,
}

/// The answer to "may this run?".
#[derive(Debug)]
#[must_use = "a decision that nobody looks at guards nothing"]
pub enum Decision {
    /// It may.
    Allow {
        /// The heaviest effect in it: the tool's, or that of its VQL.
        needed: Effect,
        /// The setting that allows it.
        rule: Rule,
        /// What lets it run.
        permit: Permit,
    },
    /// Somebody has to be asked, or a grant covers it.
    Ask {
        /// The setting that asks.
        rule: Rule,
        /// Where the answer may be given.
        place: Where,
        /// The question.
        question: Question,
    },
    /// It may not.
    Deny(Denial),
}

/// Why something may not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The setting that refuses it.
    pub rule: Rule,
    /// What about the call is refused.
    pub cause: String,
    /// What can be done.
    pub next: String,
}

impl Default for Policy {
    /// The policy of a process to which nothing was said: reading runs, the rest is asked for.
    fn default() -> Self {
        Self { settings: Settings::default(), rate: Rate::default() }
    }
}

impl Policy {
    /// Puts a policy together.
    ///
    /// # Errors
    ///
    /// [`PolicyError`]: then nothing may be started.
    pub fn load(sources: &Sources, known: Known<'_>) -> Result<Self, PolicyError> {
        Ok(Self { settings: sources.settings(known)?, rate: Rate::default() })
    }

    /// Whether only reading is allowed.
    pub const fn read_only(&self) -> bool {
        self.settings.read_only.value
    }

    /// What the policy says about an effect, `read_only` included.
    pub fn mode(&self, effect: Effect) -> (Mode, Rule) {
        let settings = &self.settings;
        let mode = settings.mode(effect);
        if settings.read_only.value && effect != Effect::Read {
            return (Mode::Deny, settings.read_only.rule("read_only"));
        }
        (mode.value, mode.rule(format!("{effect} = {}", mode.value.as_str())))
    }

    /// Whether a client is on the list of protected ones.
    pub fn protects(&self, id: &ClientId) -> bool {
        self.settings.protected.value.contains(&ProtectedId::of(id))
    }

    /// On whose word something is read that is no tool.
    pub fn reading(&self) -> Authority {
        Authority::Policy { rule: self.mode(Effect::Read).1 }
    }

    /// On whose word an emergency stop runs.
    pub fn stopping(&self) -> Authority {
        Authority::Policy { rule: stop_rule() }
    }

    /// Whether a tool is listed at all: not where every call of it would be refused.
    pub fn shows(&self, tool: &str, effect: Effect) -> bool {
        tool == EMERGENCY_STOP
            || (self.mode(effect).0 != Mode::Deny
                && !self.settings.tools_deny.value.iter().any(|name| name == tool))
    }

    /// Judges a call, and counts it.
    pub fn judge(&self, asked: &Asked) -> Decision {
        self.judge_at(asked, Instant::now())
    }

    fn judge_at(&self, asked: &Asked, now: Instant) -> Decision {
        if stops(asked) {
            return allowed(asked, asked.effect, stop_rule());
        }
        match self.verdict(asked, now) {
            Err(denial) => Decision::Deny(*denial),
            Ok(Verdict { mode: Mode::Allow, rule, needed, .. }) => allowed(asked, needed, rule),
            Ok(Verdict { needed, rule, protected, weight, .. }) => {
                let place = self.place(asked, needed, protected);
                let question =
                    Question::new(asked, needed, rule.clone(), place, protected).weighing(weight);
                Decision::Ask { rule, place, question }
            }
        }
    }

    /// The chat is enough for collections and small hunts.
    fn place(&self, asked: &Asked, needed: Effect, protected: bool) -> Where {
        let most = self.settings.in_chat_clients.value.unwrap_or(u64::MAX);
        if needed <= Effect::Collect && !protected && asked.clients.count() <= most {
            Where::InChat
        } else {
            Where::Outside
        }
    }

    fn verdict(&self, asked: &Asked, now: Instant) -> Result<Verdict, Box<Denial>> {
        let settings = &self.settings;
        let (needed, weight) = self.needed(asked)?;
        if settings.tools_deny.value.contains(&asked.tool) {
            return deny(
                &settings.tools_deny,
                "tools_deny",
                format!("{} may not be used", asked.tool),
                "use another tool",
            );
        }
        let (mut mode, mut rule) = self.mode(needed);
        if mode == Mode::Deny {
            let cause = if needed > asked.effect {
                format!("{} is a call to {needed}: its VQL does that", asked.tool)
            } else {
                format!("{} is a call to {needed}", asked.tool)
            };
            let next = format!("a person can change {}", rule.setting);
            return Err(Box::new(Denial { rule, cause, next }));
        }
        self.within_lists(asked)?;
        let protected = self.protected(asked, needed)?;
        self.within_limits(asked)?;
        let rate = &settings.calls_per_minute;
        if let Some(most) = rate.value
            && let Err(wait) = self.rate.count(&asked.caller.subject, most, now)
        {
            return deny(
                rate,
                "limits.calls_per_minute",
                format!("{} made {most} calls within a minute", asked.caller.subject),
                format!("call again in {} s", wait.as_secs().max(1)),
            );
        }
        if mode == Mode::Allow && settings.tools_ask.value.contains(&asked.tool) {
            (mode, rule) = (Mode::Ask, settings.tools_ask.rule("tools_ask"));
        }
        if protected {
            (mode, rule) = (Mode::Ask, settings.protected.rule("protected_clients"));
        }
        Ok(Verdict { needed, mode, rule, protected, weight })
    }

    /// The heaviest effect in a call, and what in its VQL makes it heavier than the tool.
    fn needed(&self, asked: &Asked) -> Result<(Effect, Option<String>), Box<Denial>> {
        let Settings { vql_server, vql_endpoint, read_only, .. } = &self.settings;
        let (mut needed, mut heaviest) = (asked.effect, None);
        if asked.vql.other_orgs && !vql_server.value.iter().any(|word| word == vql::OTHER_ORGS) {
            return deny(
                vql_server,
                "vql_server",
                "the query may reach another org than the one that the call names",
                format!(
                    "name the org in the call; or a person names {:?} in vql_server",
                    vql::OTHER_ORGS
                ),
            );
        }
        for found in &asked.vql.calls {
            match vql::needs(found, &vql_server.value, &vql_endpoint.value) {
                Needs::Effect(effect) if effect > needed => {
                    (needed, heaviest) = (effect, Some(found));
                }
                Needs::Effect(_) => {}
                // What changes something is refused for being that, before anything else is said.
                Needs::Word(_) if read_only.value => {
                    return deny(
                        read_only,
                        "read_only",
                        format!("{} does more than read: {}", found.call, found.effect),
                        "ask for what only reads",
                    );
                }
                Needs::Word(word) => {
                    let (what, instead) = vql::why_not(found.effect);
                    return deny(
                        vql_server,
                        "vql_server",
                        format!("{} on the server ({}): {what}", found.call, found.effect),
                        format!("{instead}a person can name {word:?} in vql_server"),
                    );
                }
            }
        }
        Ok((needed, heaviest.map(|found| vql::weight(found, needed))))
    }

    fn within_lists(&self, asked: &Asked) -> Result<(), Box<Denial>> {
        let settings = &self.settings;
        for (list, setting, given) in
            [(&settings.servers, "servers", &asked.server), (&settings.orgs, "orgs", &asked.org)]
        {
            if let Some(only) = &list.value
                && !only.contains(given)
            {
                let next = format!("use one of: {}", only.join(", "));
                return deny(list, setting, format!("{given:?} is not among {setting}"), next);
            }
        }
        for (name, definition) in &asked.artifacts {
            let mut all = std::iter::once(name).chain(definition.dependencies.keys());
            let denied = &settings.artifacts_deny;
            let hit = all.find_map(|called| {
                let pattern = denied.value.iter().find(|glob| glob.matches_any_case(called))?;
                Some((called, pattern))
            });
            if let Some((called, pattern)) = hit {
                let by =
                    if called == name { String::new() } else { format!(", called by {name},") };
                let cause = format!("{called}{by} fits {:?}", pattern.as_str());
                return deny(denied, "artifacts_deny", cause, "use another artifact");
            }
            if let Some(only) = &settings.artifacts_allow.value
                && !only.iter().any(|glob| glob.matches(name))
            {
                let patterns: Vec<_> = only.iter().map(Glob::as_str).collect();
                let next = format!("artifacts that fit: {}", patterns.join(", "));
                let cause = format!("{name} fits no pattern");
                return deny(&settings.artifacts_allow, "artifacts_allow", cause, next);
            }
        }
        Ok(())
    }

    /// Whether a protected client is touched by more than a look at what the server has.
    fn protected(&self, asked: &Asked, needed: Effect) -> Result<bool, Box<Denial>> {
        let list = &self.settings.protected;
        if list.value.is_empty() || needed == Effect::Read {
            return Ok(false);
        }
        let mut ids = asked.clients.ids.iter();
        let Some(id) = ids.find(|id| list.value.contains(&ProtectedId::of(id))) else {
            return Ok(false);
        };
        if needed > Effect::Collect {
            return deny(
                list,
                "protected_clients",
                format!("{id} is protected: nothing that is a call to {needed} touches it"),
                "leave it out; or a person takes it off the list",
            );
        }
        Ok(true)
    }

    fn within_limits(&self, asked: &Asked) -> Result<(), Box<Denial>> {
        let settings = &self.settings;
        let (most, setting) = if asked.clients.hunt {
            (&settings.hunt_clients, "hunt_clients")
        } else {
            (&settings.clients, "clients")
        };
        let count = asked.clients.count();
        if let Some(limit) = most.value
            && count > limit
        {
            return deny(
                most,
                &format!("limits.{setting} = {limit}"),
                format!("{count} clients are more than {limit}"),
                "narrow it down",
            );
        }
        // A call that runs nothing brings nothing in: to stop a flow needs no bound of bytes.
        let brings_in = !asked.artifacts.is_empty() || !asked.vql.is_empty();
        let bounds = &asked.bounds;
        for (limit, setting, given) in [
            (&settings.bytes, "bytes", bounds.bytes),
            (&settings.rows, "rows", bounds.rows),
            (&settings.seconds, "seconds", bounds.seconds),
        ] {
            let Some(most) = limit.value else { continue };
            let cause = match given {
                Some(given) if given <= most => continue,
                Some(given) => format!("{given} {setting} are more than {most}"),
                None if !brings_in => continue,
                None => format!("the call has no bound of {setting}, and {most} are allowed"),
            };
            let over = if setting == "seconds" { "on each" } else { "over all clients together" };
            let next = format!("ask for at most {most} {setting} {over}");
            return deny(limit, &format!("limits.{setting} = {most}"), cause, next);
        }
        Ok(())
    }
}

/// A call that passed everything that refuses.
struct Verdict {
    needed: Effect,
    mode: Mode,
    rule: Rule,
    protected: bool,
    /// What in the VQL makes it heavier than the tool.
    weight: Option<String>,
}

/// Whether the call is the emergency stop and nothing else beside it.
fn stops(asked: &Asked) -> bool {
    asked.tool == EMERGENCY_STOP && asked.artifacts.is_empty() && asked.vql.is_empty()
}

fn stop_rule() -> Rule {
    Rule { setting: EMERGENCY_STOP.to_owned(), origin: Origin::Default }
}

fn allowed(asked: &Asked, needed: Effect, rule: Rule) -> Decision {
    let permit = Permit::new(asked.digest(), Authority::Policy { rule: rule.clone() });
    Decision::Allow { needed, rule, permit }
}

fn deny<T, R>(
    set: &Set<T>,
    setting: &str,
    cause: impl Into<String>,
    next: impl Into<String>,
) -> Result<R, Box<Denial>> {
    Err(Box::new(Denial { rule: set.rule(setting), cause: cause.into(), next: next.into() }))
}

#[cfg(test)]
mod tests;
