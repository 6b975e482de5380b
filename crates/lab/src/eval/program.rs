//! Programs: statements in order, in one scope.

use std::ops::ControlFlow;
use std::sync::Arc;

use vql_builder::ast::{Let, LetValue, Program, Statement};
use vql_builder::{Code, Diagnostic};

use super::expr::{eval, rows_of};
use super::scope::{Binding, Scope, Stored, Variables};
use super::select::{Aggregates, collect_select, run_select};
use super::{Run, Sink, functions};
use crate::value::{Dict, Value, row};

/// A parsed text.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) source: Arc<str>,
    pub(crate) program: Program,
}

impl Text {
    /// Parses a text.
    ///
    /// # Errors
    /// The first mistake, as `line:column: …` in the engine's manner.
    pub(crate) fn parse(source: &str) -> Result<Self, String> {
        let program =
            vql_builder::parse(source).program().map_err(|error| complaint(source, &error))?;
        Ok(Self { source: Arc::from(source), program })
    }
}

/// What a program does, in order.
pub(crate) enum Event {
    /// A SELECT begins; its index in the text.
    Begin(u64),
    /// A row of it.
    Row(Dict),
    /// It is over.
    End,
}

/// Runs the statements of a text. The names that it defines stay in `frame` for the next text.
///
/// A query that is stopped does not keep later statements from running: their side effects happen.
pub(crate) fn run_program(
    run: &Run,
    frame: &Variables,
    text: &Text,
    emit: &mut dyn FnMut(Event) -> ControlFlow<()>,
) {
    let aggregates = Aggregates::default();
    let builtins = builtins(run);
    let root = Scope::root(run, &aggregates, &builtins);
    let scope = root.with(frame);
    let scope = scope.reading(&text.source);
    for (index, statement) in text.program.statements.iter().enumerate() {
        match statement {
            Statement::Let(definition) => define(&scope, frame, &text.source, definition),
            Statement::Select(select) => {
                if emit(Event::Begin(index as u64)).is_continue() {
                    run_select(&scope, select, &mut |row| emit(Event::Row(row)));
                }
                // The next statement runs whether or not anybody listens.
                let _ = emit(Event::End);
            }
        }
    }
}

/// Runs an artifact's source with its parameters bound.
pub(crate) fn run_artifact_source(
    run: &Run,
    parameters: &[(String, Value)],
    text: &Text,
    sink: &mut Sink<'_>,
) {
    let aggregates = Aggregates::default();
    let builtins = builtins(run);
    let frame = environment(parameters.iter().cloned());
    let root = Scope::root(run, &aggregates, &builtins);
    run_source(&root.with(&frame), text, sink);
}

/// Runs one text whose rows are wanted without ceremony, such as an artifact's source.
pub(crate) fn run_source(scope: &Scope<'_>, text: &Text, sink: &mut Sink<'_>) {
    let frame = Variables::default();
    let scope = scope.with(&frame);
    let scope = scope.reading(&text.source);
    let mut ended = false;
    for statement in &text.program.statements {
        match statement {
            Statement::Let(definition) => define(&scope, &frame, &text.source, definition),
            Statement::Select(select) if !ended => {
                run_select(&scope, select, &mut |row| {
                    let flow = sink(row);
                    ended = flow.is_break();
                    flow
                });
            }
            Statement::Select(_) => {}
        }
    }
}

/// The frame of an environment: strings under their names.
pub(crate) fn environment(env: impl IntoIterator<Item = (String, Value)>) -> Variables {
    let frame = Variables::default();
    for (name, value) in env {
        frame.set(&name, Binding::Value(value));
    }
    frame
}

/// Names that the server puts into every scope.
pub(crate) fn builtins(run: &Run) -> Variables {
    let frame = Variables::default();
    let config = row! {
        "Version" => row! {
            "Name" => crate::SIMULATED,
            "name" => crate::SIMULATED,
            "version" => run.world.version(),
            "commit" => "simulated",
            "build_time" => "2026-08-10T07:21:44Z",
        },
        "server_urls" => Value::strings(["https://lab.invalid:8000/"]),
        "nonce" => "",
    };
    let names = ["_SessionId", "$device_manager", "$acl", "Artifact", "$repository", "$root"];
    for (at, name) in names.iter().enumerate() {
        if at == 2 {
            frame.set("config", Binding::Value(Value::from(config.clone())));
        }
        frame.set(name, Binding::Value(Value::Null));
    }
    frame
}

fn define(scope: &Scope<'_>, frame: &Variables, source: &Arc<str>, definition: &Let) {
    let name = &definition.name.name;
    if functions::find(name, &scope.run.host).is_some() {
        scope.run.log(format!("WARN:LET expression is masking a built in function {name}"));
    }
    let binding = if definition.materialised && definition.parameters.is_none() {
        Binding::Value(match &definition.value {
            LetValue::Select(select) => collect_select(scope, select),
            LetValue::Expr(expr) => rows_of(scope, eval(scope, expr)),
        })
    } else {
        let stored = Stored { statement: definition.clone(), text: Arc::clone(source) };
        Binding::Stored(Arc::new(stored))
    };
    frame.set(name, binding);
}

/// What the engine says about a text that it does not accept.
fn complaint(source: &str, error: &Diagnostic) -> String {
    let place = format!("{}:{}", error.line, error.column);
    let found = source.get(error.span.range()).unwrap_or_default();
    let start = error.span.start as usize;
    if matches!(error.code, Code::InvalidCharacter | Code::Unterminated) {
        // The engine shows ten characters on either side, where there are so many.
        let before: Vec<char> = source.get(..start).unwrap_or_default().chars().collect();
        let before: String = before[before.len().saturating_sub(10)..].iter().collect();
        let after: String = source.get(start..).unwrap_or_default().chars().take(10).collect();
        let after = if after.chars().count() < 10 { "" } else { after.as_str() };
        let token = match found.chars().next() {
            Some(quote @ ('\'' | '\\')) => format!("\\{quote}"),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        return format!("{before}|{after}: {place}: invalid token '{token}'");
    }
    let token = if found.is_empty() { "<EOF>" } else { found };
    let first = source.get(..start).is_some_and(|before| !before.contains(char::is_alphanumeric));
    let expected = if first { " (expected <select>)" } else { "" };
    format!("{place}: unexpected token \"{token}\"{expected}")
}
