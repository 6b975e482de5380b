//! Names and what they stand for: a chain of frames, innermost first.
//!
//! Scoping is dynamic, as in the real engine: a stored query sees the names of whoever runs it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use vql_builder::ast::{Let, LetValue, Parameter};

use super::Run;
use super::expr::eval_stored;
use super::select::Aggregates;
use crate::value::{Dict, Value};

/// The right side of a LET that is not materialised.
pub(crate) struct Stored {
    pub(crate) statement: Let,
    /// The text that the statement's spans point into.
    pub(crate) text: Arc<str>,
}

impl Stored {
    pub(crate) fn parameters(&self) -> Option<&[Parameter]> {
        self.statement.parameters.as_deref()
    }

    pub(crate) const fn is_query(&self) -> bool {
        matches!(self.statement.value, LetValue::Select(_))
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LET {}", self.statement.name.name)
    }
}

/// What a name stands for.
#[derive(Clone)]
pub(crate) enum Binding {
    Value(Value),
    Stored(Arc<Stored>),
}

/// A frame: some names.
pub(crate) trait Names {
    /// The binding of a name, where this frame has it.
    fn lookup(&self, name: &str) -> Option<Binding>;

    /// The names, for the message about a name that is not found. `None` leaves the frame out.
    fn names(&self) -> Option<Vec<String>>;
}

/// Bindings that a program adds to: environment, LET, arguments.
#[derive(Default)]
pub(crate) struct Variables {
    bindings: RefCell<HashMap<Arc<str>, Binding>>,
    order: RefCell<Vec<String>>,
}

impl Variables {
    pub(crate) fn set(&self, name: &str, binding: Binding) {
        if self.bindings.borrow_mut().insert(Arc::from(name), binding).is_none() {
            self.order.borrow_mut().push(name.to_owned());
        }
    }
}

impl Names for Variables {
    fn lookup(&self, name: &str) -> Option<Binding> {
        self.bindings.borrow().get(name).cloned()
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.order.borrow().clone()).filter(|names| !names.is_empty())
    }
}

impl Names for Dict {
    fn lookup(&self, name: &str) -> Option<Binding> {
        self.get(name).cloned().map(Binding::Value)
    }

    fn names(&self) -> Option<Vec<String>> {
        Some(self.keys().map(ToString::to_string).collect())
    }
}

/// Where an expression is evaluated.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) run: &'a Run,
    /// The text that the spans of the evaluated code point into.
    pub(crate) text: &'a str,
    pub(crate) aggregates: &'a Aggregates,
    /// In WHERE and GROUP BY the engine says nothing about a name that it does not know.
    pub(crate) quiet: bool,
    frame: &'a dyn Names,
    parent: Option<&'a Self>,
    depth: u32,
}

/// Definitions may call themselves: deeper than this they give NULL.
const DEPTH_LIMIT: u32 = 100;

impl<'a> Scope<'a> {
    /// The outermost scope.
    pub(crate) fn root(run: &'a Run, aggregates: &'a Aggregates, frame: &'a dyn Names) -> Self {
        Self { run, text: "", aggregates, quiet: false, frame, parent: None, depth: 0 }
    }

    /// A scope within this one.
    pub(crate) fn with<'b>(&'b self, frame: &'b dyn Names) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { frame, parent: Some(self), ..*self }
    }

    /// The same scope for code of another text.
    pub(crate) const fn reading<'b>(&self, text: &'b str) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { text, ..*self }
    }

    /// The same scope with other counters.
    pub(crate) const fn counting<'b>(&self, aggregates: &'b Aggregates) -> Scope<'b>
    where
        'a: 'b,
    {
        Scope { aggregates, ..*self }
    }

    /// One call deeper; `None` where that is too deep.
    pub(crate) const fn deeper(&self) -> Option<Self> {
        if self.depth >= DEPTH_LIMIT {
            return None;
        }
        Some(Self { depth: self.depth + 1, ..*self })
    }

    /// The binding of a name.
    pub(crate) fn lookup(&self, name: &str) -> Option<Binding> {
        let mut scope = self;
        loop {
            if let Some(found) = scope.frame.lookup(name) {
                return Some(found);
            }
            scope = scope.parent?;
        }
    }

    /// The value of a name: what a LET stands for is evaluated here.
    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        match self.lookup(name)? {
            Binding::Value(value) => Some(value),
            Binding::Stored(stored) if stored.is_query() => Some(Value::Query(stored)),
            Binding::Stored(stored) => Some(eval_stored(self, &stored)),
        }
    }

    /// All names, as the engine lists them when one is not found.
    pub(crate) fn describe(&self) -> String {
        let mut frames = Vec::new();
        let mut scope = Some(self);
        while let Some(at) = scope {
            frames.extend(at.frame.names().map(|names| format!("[{}]", names.join(", "))));
            scope = at.parent;
        }
        frames.push(String::from("[NULL]"));
        frames.reverse();
        frames.join(", ")
    }
}
