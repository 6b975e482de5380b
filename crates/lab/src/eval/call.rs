//! Calls: finding the callee, checking its arguments as the engine does, and running it.

mod arguments;

use std::sync::Arc;

use vql_builder::ast::{ArgValue, Argument, Expr, Ident, Source};

use super::expr::{callable, eval_argument, eval_stored, join, rows_of};
use super::functions;
use super::plugins;
use super::refused;
use super::scope::{Binding, Scope, Stored, Variables};
use super::select::{run_select, run_stored, run_value};
use arguments::check;
pub(crate) use arguments::{Arg, Call, Kind, Rows};

use super::Sink;
use crate::value::{Value, display};

/// Runs a query argument, or gives the rows of a value.
pub(crate) fn run_rows(scope: &Scope<'_>, rows: &Rows<'_>, sink: &mut Sink<'_>) {
    match rows {
        Rows::Code(ArgValue::Select(select)) => run_select(scope, select, sink),
        Rows::Code(code) => run_value(scope, eval_argument(scope, code), sink),
        Rows::Value(value) => run_value(scope, value.clone(), sink),
    }
}

/// Calls a function: a built-in one, else a LET.
pub(crate) fn call_function(
    scope: &Scope<'_>,
    expr: &Expr,
    path: &[Ident],
    arguments: &[Argument],
) -> Value {
    let name = join(path);
    let own = path.len() == 1;
    if own && let Some(stored) = callable(scope, &name) {
        return call_stored(scope, &stored, arguments);
    }
    let Some(function) = functions::find(&name, &scope.run.host) else {
        match refused::function(scope.run, &name) {
            Some(failure) => scope.run.log(format!("{name}: {failure}")),
            None => unknown_function(scope, &name),
        }
        return Value::Null;
    };
    let place = std::ptr::from_ref(expr).addr();
    let result = (|| {
        for permission in function.permissions {
            scope.run.require(*permission)?;
        }
        let call = check(scope, place, function.args, function.free, arguments)?;
        (function.call)(&call)
    })();
    result.unwrap_or_else(|failure| {
        scope.run.log(format!("{}: {failure}", function.name));
        Value::Null
    })
}

fn unknown_function(scope: &Scope<'_>, name: &str) {
    if scope.quiet {
        scope.run.log(format!("ERROR:Symbol {name} is not a function but it is being called."));
    } else {
        scope
            .run
            .log(format!("ERROR:Symbol {name} not found. Current Scope is {}", scope.describe()));
    }
}

/// Calls a definition: its parameters hold the arguments, or their defaults.
fn call_stored(scope: &Scope<'_>, stored: &Arc<Stored>, arguments: &[Argument]) -> Value {
    let frame = parameters(scope, stored, arguments);
    let inner = scope.with(&frame);
    if stored.is_query() {
        super::select::collect_stored(&inner, stored)
    } else {
        rows_of(&inner, eval_stored(&inner, stored))
    }
}

fn parameters(scope: &Scope<'_>, stored: &Stored, arguments: &[Argument]) -> Variables {
    let frame = Variables::default();
    for parameter in stored.parameters().unwrap_or_default() {
        if let Some(default) = &parameter.default {
            let value = eval_argument(&scope.reading(&stored.text), default);
            frame.set(&parameter.name.name, Binding::Value(value));
        }
    }
    for argument in arguments {
        let value = eval_argument(scope, &argument.value);
        frame.set(&argument.name.name, Binding::Value(value));
    }
    frame
}

/// Runs what stands after FROM: a stored query, a value, an artifact or a plugin.
pub(crate) fn call_plugin(scope: &Scope<'_>, source: &Source, sink: &mut Sink<'_>) {
    let name = join(&source.path);
    let arguments = source.arguments.as_deref().unwrap_or_default();
    if let [first] = source.path.as_slice()
        && let Some(binding) = scope.lookup(&first.name)
        && !(matches!(binding, Binding::Value(_)) && source.arguments.is_some())
    {
        match binding {
            Binding::Stored(stored) => {
                let frame = parameters(scope, &stored, arguments);
                run_stored(&scope.with(&frame), &stored, sink);
            }
            Binding::Value(value) => run_value(scope, value, sink),
        }
        return;
    }
    if let Some(artifact) = name.strip_prefix("Artifact.") {
        let result = check(scope, 0, &[], true, arguments)
            .and_then(|call| plugins::run_artifact(&call, artifact, sink));
        if let Err(failure) = result {
            scope.run.log(failure);
        }
        return;
    }
    if source.arguments.is_none()
        && source.path.len() > 1
        && let Some(mut value) = scope.value(&source.path[0].name)
    {
        for ident in &source.path[1..] {
            value = rows_of(scope, value).member(&ident.name).unwrap_or_default();
        }
        run_value(scope, value, sink);
        return;
    }
    let Some(plugin) = plugins::find(&name, &scope.run.host) else {
        let accessor = arguments
            .iter()
            .find(|argument| argument.name.name == "accessor")
            .map(|argument| display(&eval_argument(scope, &argument.value)));
        match refused::plugin(scope.run, &name, accessor.as_deref()) {
            Some(failure) => scope.run.log(format!("{name}: {failure}")),
            None => unknown_plugin(scope, &name),
        }
        return;
    };
    let place = std::ptr::from_ref(source).addr();
    let result = (|| {
        for permission in plugin.permissions {
            scope.run.require(*permission)?;
        }
        let call = check(scope, place, plugin.args, plugin.free, arguments)?;
        (plugin.call)(&call, sink)
    })();
    if let Err(failure) = result {
        scope.run.log(format!("{}: {failure}", plugin.name));
    }
}

fn unknown_plugin(scope: &Scope<'_>, name: &str) {
    if let Some(text) = plugins::elsewhere(name) {
        scope.run.log(text);
        return;
    }
    scope.run.log(format!("ERROR:Plugin {name} not found. Current Scope is {}", scope.describe()));
    let similar: Vec<&str> = plugins::all()
        .map(|plugin| plugin.name)
        .filter(|known| known.contains(name) || name.contains(known))
        .collect();
    let hint = if similar.is_empty() {
        String::new()
    } else {
        format!("Did you mean {}? ", similar.join(" "))
    };
    let function = if functions::find(name, &scope.run.host).is_some() {
        format!(
            "There is a VQL function called \"{name}\" - did you mean to call this function instead?"
        )
    } else {
        String::new()
    };
    scope.run.log(format!("ERROR:Plugin {name} not found. {hint}{function}"));
}
