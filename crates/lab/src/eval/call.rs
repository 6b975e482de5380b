//! Calls: finding the callee, checking its arguments as the engine does, and running it.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use vql_builder::Lambda;
use vql_builder::ast::{ArgValue, Argument, Expr, Ident, Source};

use super::expr::{callable, eval, eval_argument, eval_stored, join, rows_of};
use super::functions;
use super::plugins;
use super::refused;
use super::scope::{Binding, Scope, Stored, Variables};
use super::select::{run_select, run_stored, run_value};
use super::{Failure, Sink, time_from};
use crate::value::{Dict, Value, display};

/// What an argument has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Str,
    Strings,
    Int,
    Float,
    Bool,
    Dict,
    Any,
    Time,
    /// A query, or rows.
    Rows,
    /// Evaluated by the callee, if at all.
    Lazy,
}

/// A declared argument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arg {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

impl Arg {
    pub(crate) const fn needed(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }
}

/// An argument that has not been evaluated.
#[derive(Clone)]
pub(crate) enum Rows<'a> {
    Code(&'a ArgValue),
    Value(Value),
}

/// A call whose arguments have passed the check.
pub(crate) struct Call<'a> {
    pub(crate) scope: &'a Scope<'a>,
    /// Tells this place in the code from every other, for counters.
    pub(crate) place: usize,
    values: HashMap<&'a str, Value>,
    lazy: HashMap<&'a str, Rows<'a>>,
    /// All arguments in order, where the callee takes any.
    pub(crate) free: Dict,
}

impl<'a> Call<'a> {
    /// The argument, NULL where it was left out.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.lazy.contains_key(name)
    }

    /// The argument as text, empty where it was left out.
    pub(crate) fn text(&self, name: &str) -> String {
        self.values.get(name).map(display).unwrap_or_default()
    }

    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.values.get(name)?.as_int()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(Value::truthy)
    }

    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        self.value(name).into_items().iter().map(display).collect()
    }

    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        time_from(self.values.get(name)?)
    }

    /// Evaluates a lazy argument now.
    pub(crate) fn eval(&self, name: &str) -> Value {
        match self.lazy.get(name) {
            Some(Rows::Code(code)) => eval_argument(self.scope, code),
            Some(Rows::Value(value)) => value.clone(),
            None => Value::Null,
        }
    }

    /// The lazy arguments in the order of the call.
    pub(crate) fn rows(&self, name: &str) -> Option<&Rows<'a>> {
        self.lazy.get(name)
    }

    /// Applies a lambda to one value.
    pub(crate) fn apply(&self, lambda: &Lambda, value: &Value) -> Value {
        let frame = Variables::default();
        if let Some(first) = lambda.parameters.first() {
            frame.set(&first.name, Binding::Value(value.clone()));
        }
        eval(&self.scope.with(&frame), &lambda.body)
    }

    /// Runs the rows of an argument into a sink.
    pub(crate) fn each(&self, scope: &Scope<'_>, name: &str, sink: &mut Sink<'_>) {
        if let Some(rows) = self.lazy.get(name) {
            run_rows(scope, rows, sink);
        }
    }
}

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

/// Checks the arguments of a call against the callee's declaration, in the engine's order: what
/// is declared first, then what is left over.
fn check<'a>(
    scope: &'a Scope<'a>,
    place: usize,
    declared: &'a [Arg],
    free: bool,
    arguments: &'a [Argument],
) -> Result<Call<'a>, Failure> {
    let mut call =
        Call { scope, place, values: HashMap::new(), lazy: HashMap::new(), free: Dict::new() };
    // A mapping under the name `**` stands for all the arguments.
    let expanded: Option<Value> = arguments
        .iter()
        .find(|argument| argument.name.name == "**")
        .map(|argument| eval_argument(scope, &argument.value));
    let mut given: HashMap<String, Rows<'a>> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    if let Some(Value::Dict(dict)) = &expanded {
        for (name, value) in dict.iter() {
            order.push(name.to_string());
            given.insert(name.to_string(), Rows::Value(value.clone()));
        }
    } else {
        for argument in arguments {
            order.push(argument.name.name.clone());
            given.insert(argument.name.name.clone(), Rows::Code(&argument.value));
        }
    }
    for arg in declared {
        let Some(value) = given.remove(arg.name) else {
            if arg.required {
                return Err(format!("Field {} is required", arg.name));
            }
            continue;
        };
        if matches!(arg.kind, Kind::Lazy | Kind::Rows) {
            call.lazy.insert(arg.name, value);
            continue;
        }
        let value = match value {
            Rows::Code(code) => eval_argument(scope, code),
            Rows::Value(value) => value,
        };
        let value = convert(arg, rows_of(scope, value))?;
        call.values.insert(arg.name, value);
    }
    for name in order {
        if let Some(value) = given.remove(&name) {
            if !free {
                return Err(format!("Unexpected arg {name}"));
            }
            let value = match value {
                Rows::Code(code) => eval_argument(scope, code),
                Rows::Value(value) => value,
            };
            call.free.insert(Arc::from(name.as_str()), rows_of(scope, value));
        }
    }
    Ok(call)
}

fn convert(arg: &Arg, value: Value) -> Result<Value, Failure> {
    let wrong = |wanted: &str, value: &Value| {
        Err(format!("Field {} should be {wanted} not {}.", arg.name, value.type_name()))
    };
    Ok(match arg.kind {
        Kind::Str => match &value {
            Value::Array(items) if items.len() == 1 => Value::str(display(&items[0])),
            Value::Bytes(_) | Value::Str(_) => value,
            other => Value::str(display(other)),
        },
        Kind::Strings => Value::strings(value.into_items().iter().map(|item| match item {
            Value::Null => String::from("Null"),
            other => display(other),
        })),
        Kind::Int => match value.as_int() {
            Some(number) => Value::Int(number),
            None => return wrong("an int", &value),
        },
        Kind::Float => match value.as_float() {
            Some(number) => Value::Float(number),
            None => return wrong("a float", &value),
        },
        Kind::Bool => Value::Bool(value.truthy()),
        Kind::Dict => match value {
            Value::Dict(_) => value,
            Value::Array(items) if items.len() == 1 && matches!(items[0], Value::Dict(_)) => {
                items[0].clone()
            }
            other => return wrong("a dict", &other),
        },
        Kind::Time => time_from(&value).map_or(Value::Null, Value::Time),
        Kind::Any | Kind::Rows | Kind::Lazy => value,
    })
}
