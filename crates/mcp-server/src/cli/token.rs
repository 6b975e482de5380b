//! `megaraptor token`: who may speak over HTTP.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use guard::effect::Effect;
use guard::tokens::{NewToken, Scope, Token};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::serve::{cannot_keep, store, tokens_home};
use super::{Form, Global, configured, output, person};
use crate::clock;
use crate::tool_error::ToolError;

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token. It is shown this once, on standard output, and kept nowhere
    Create(CreateArgs),
    /// List the tokens that were made, without the tokens themselves
    List,
    /// End a token at once, on running servers too
    Revoke {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// Who will speak with it, as the record is to have it
    name: String,
    /// What its calls may do: read, collect, respond, deploy, destroy
    #[arg(long, value_delimiter = ',', value_parser = effect, default_value = "read")]
    effects: Vec<Effect>,
    /// The servers that it sees, by their configured names [default: all]
    #[arg(long, value_delimiter = ',', value_name = "SERVER")]
    servers: Option<Vec<String>>,
    /// The orgs that it sees, by id [default: all that are configured]
    #[arg(long, value_delimiter = ',', value_name = "ORG")]
    orgs: Option<Vec<String>>,
    /// How long it lives: 90m, 12h, 30d, or never
    #[arg(long, value_name = "TIME", value_parser = life, default_value = "30d")]
    expires: Life,
}

/// How long a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    For(Duration),
    Never,
}

fn effect(word: &str) -> Result<Effect, String> {
    Effect::ALL.into_iter().find(|effect| effect.as_str() == word).ok_or_else(|| {
        let words: Vec<_> = Effect::ALL.iter().map(|effect| effect.as_str()).collect();
        format!("there is no effect {word:?}; there are {}", words.join(", "))
    })
}

fn life(text: &str) -> Result<Life, String> {
    if text == "never" {
        return Ok(Life::Never);
    }
    let bad = || format!("{text:?} is no length of time; expected such as 90m, 12h, 30d, or never");
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(bad()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    // A century is as good as never, and leaves the calendar alone.
    match number.checked_mul(seconds).filter(|s| (1..=36_500 * 86_400).contains(s)) {
        Some(seconds) => Ok(Life::For(Duration::from_secs(seconds))),
        None => Err(bad()),
    }
}

pub(super) fn run(global: &Global, command: TokenCommand) -> Result<ExitCode, ToolError> {
    let form = global.output;
    match command {
        TokenCommand::Create(args) => {
            let servers = args.servers.as_deref().unwrap_or_default();
            configured::check(global, servers, args.orgs.as_deref().unwrap_or_default())?;
            create(global, args, form)
        }
        TokenCommand::List => list(form),
        TokenCommand::Revoke { name } => revoke(global, &name, form),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(global: &Global, args: CreateArgs, form: Form) -> Result<(), ToolError> {
    let now = clock::now();
    let expires = match args.expires {
        Life::For(time) => Some(now.checked_add(time).map_err(|error| {
            ToolError::invalid(format!("the token would outlive the calendar: {error}"))
        })?),
        Life::Never => None,
    };
    let mut effects = args.effects;
    effects.sort_unstable();
    effects.dedup();
    let scope = Scope { effects, servers: args.servers, orgs: args.orgs };
    let new = NewToken { name: args.name, scope, expires };
    let audit = global.record(&tokens_home()?)?;
    let made = store()?.create(new, now, person::who(), &audit);
    let (token, secret) = made.map_err(|error| cannot_keep(&error))?;
    match form {
        Form::Text => {
            output::error(&line(&token, now));
            output::error("the token, which is shown this once:");
            output::passed(secret.expose());
            Ok(())
        }
        Form::Json => {
            let mut value = shown(&token, now);
            value["secret"] = Value::from(secret.expose().as_str());
            output::passed_json(&value)
        }
    }
}

fn list(form: Form) -> Result<(), ToolError> {
    let now = clock::now();
    let tokens = store()?.list().map_err(|error| cannot_keep(&error))?;
    match form {
        Form::Text if tokens.is_empty() => {
            output::result("no token was ever made: megaraptor token create NAME");
        }
        Form::Text => {
            let lines: Vec<_> = tokens.iter().map(|token| line(token, now)).collect();
            output::result(&lines.join("\n"));
        }
        Form::Json => {
            let shown: Vec<_> = tokens.iter().map(|token| shown(token, now)).collect();
            output::json(&json!({ "tokens": shown }))?;
        }
    }
    Ok(())
}

fn revoke(global: &Global, name: &str, form: Form) -> Result<(), ToolError> {
    let now = clock::now();
    let audit = global.record(&tokens_home()?)?;
    let revoked = store()?.revoke(name, now, person::who(), &audit);
    let revoked = revoked.map_err(|error| cannot_keep(&error))?;
    match form {
        Form::Text => {
            let lines: Vec<_> = revoked.iter().map(|token| line(token, now)).collect();
            output::result(&lines.join("\n"));
            Ok(())
        }
        Form::Json => {
            let shown: Vec<_> = revoked.iter().map(|token| shown(token, now)).collect();
            output::json(&json!({ "revoked": shown }))
        }
    }
}

/// A token for reading, without the token itself.
fn line(token: &Token, now: Timestamp) -> String {
    let effects: Vec<_> = token.scope.effects.iter().map(|effect| effect.as_str()).collect();
    let list = |list: &Option<Vec<String>>| match list {
        None => String::from("all"),
        Some(names) => names.join(","),
    };
    let expires = token.expires.map_or_else(
        || String::from("never expires"),
        |end| format!("until {}", clock::dated(now, Some(end))),
    );
    format!(
        "{}  {}  {}  effects {}  servers {}  orgs {}  {expires}",
        token.name,
        token.id,
        token.state(now).as_str(),
        effects.join(","),
        list(&token.scope.servers),
        list(&token.scope.orgs),
    )
}

/// The same for a program.
fn shown(token: &Token, now: Timestamp) -> Value {
    json!({
        "name": token.name,
        "id": token.id,
        "state": token.state(now).as_str(),
        "effects": token.scope.effects,
        "servers": token.scope.servers,
        "orgs": token.scope.orgs,
        "created": token.created,
        "expires": token.expires,
        "revoked": token.revoked,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_read() {
        for (text, seconds) in [("90m", 5400), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(life(text), Ok(Life::For(Duration::from_secs(seconds))));
        }
        assert_eq!(life("never"), Ok(Life::Never));
        for bad in ["", "d", "0d", "-1d", "30", "30 d", "1y", "1.5h", "99999999d", "5µ", "ü"] {
            assert!(life(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn effects_are_named() {
        assert_eq!(effect("collect"), Ok(Effect::Collect));
        let error = effect("write").unwrap_err();
        assert!(error.contains("read, collect, respond, deploy, destroy"), "{error}");
    }
}
