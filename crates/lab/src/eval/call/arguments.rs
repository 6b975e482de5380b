//! Arguments: what a callee declares, the check that the engine makes, and what it then reads.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use vql_builder::Lambda;
use vql_builder::ast::{ArgValue, Argument};

use super::run_rows;
use crate::eval::expr::{eval, eval_argument, rows_of};
use crate::eval::scope::{Binding, Scope, Variables};
use crate::eval::{Failure, Sink, time_from};
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

/// Checks the arguments of a call against the callee's declaration, in the engine's order: what
/// is declared first, then what is left over.
pub(super) fn check<'a>(
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
