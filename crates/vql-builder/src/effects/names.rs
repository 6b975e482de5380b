//! What names stand for: variables of the server, and what the text itself binds.

use std::collections::{HashMap, HashSet};

use super::table::lookup;
use super::{Effect, EffectSet, Kind};
use crate::ast::{
    ArgValue, Argument, BinaryOp, ColumnValue, Expr, ExprKind, Ident, LetValue, Program, Select,
    Statement,
};

/// Members of the variable `config` that are no secrets: agents show them to anybody on the network.
const OPEN_CONFIG: &[&str] =
    &["ca_certificate", "pinned_server_name", "server_urls", "server_version", "version"];

/// How many bindings are followed from one name to another.
const MAX_STEPS: usize = 8;

/// What reading a variable of the server's scope can do; `None` for an ordinary name.
pub(super) fn variable(path: &[&str]) -> Option<(EffectSet, &'static str)> {
    match path {
        ["config" | "server_config", member, ..] if OPEN_CONFIG.contains(member) => None,
        ["config" | "server_config", ..] => {
            Some((Effect::Secret.into(), "the client configuration holds the enrolment nonce"))
        }
        ["Artifact"] => Some((Effect::Unknown.into(), "which artifact is only known at run time")),
        [name, ..] if name.starts_with('$') => {
            Some((Effect::Unknown.into(), "an object of the engine, whose methods can be called"))
        }
        _ => None,
    }
}

/// What a text binds names to, wherever: LET, its parameters, arguments of what LET defines, aliases.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    callable: HashSet<String>,
    values: HashMap<String, Vec<Value>>,
}

/// What is known of an expression without running it.
#[derive(Debug, Default)]
pub(super) struct Value {
    /// The strings that it can be.
    literals: Vec<String>,
    /// The names whose values it can be.
    names: Vec<String>,
    /// It can be something else too.
    open: bool,
    /// Every name in it.
    mentions: Vec<String>,
}

impl Bindings {
    /// Whether LET defines the name, so that it can be called.
    pub(super) fn is_callable(&self, name: &str) -> bool {
        self.callable.contains(name)
    }

    pub(super) fn program(&mut self, program: &Program) {
        for statement in &program.statements {
            match statement {
                Statement::Select(select) => self.select(select),
                Statement::Let(binding) => {
                    self.callable.insert(binding.name.name.clone());
                    for parameter in binding.parameters.iter().flatten() {
                        if let Some(default) = &parameter.default {
                            self.bind(&parameter.name, default);
                        }
                    }
                    match &binding.value {
                        LetValue::Select(select) => self.select(select),
                        LetValue::Expr(value) => {
                            self.bind_expr(&binding.name, value);
                            self.expr(value);
                        }
                    }
                }
            }
        }
    }

    /// A variable that is set from outside, with what it is where nobody sets it.
    pub(super) fn parameter(&mut self, name: &str, default: &str) {
        let value = Value { literals: vec![default.to_owned()], ..Value::default() };
        self.values.entry(name.to_owned()).or_default().push(value);
    }

    /// The strings that an expression can be; `None` where that cannot be told.
    pub(super) fn strings(&self, expr: &Expr) -> Option<Vec<String>> {
        let mut found = Vec::new();
        self.follow(&Value::of(expr), MAX_STEPS, &mut found).then_some(found)
    }

    fn follow(&self, value: &Value, steps: usize, found: &mut Vec<String>) -> bool {
        if value.open || steps == 0 {
            return false;
        }
        found.extend(value.literals.iter().cloned());
        value.names.iter().all(|name| {
            self.values.get(name).is_some_and(|values| {
                values.iter().all(|value| self.follow(value, steps - 1, found))
            })
        })
    }

    /// The first name in an expression for which `wanted` holds, also through LET.
    pub(super) fn mentioned(&self, expr: &Expr, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let mut queue = Value::of(expr).mentions;
        let mut seen = HashSet::new();
        while let Some(name) = queue.pop() {
            if wanted(&name) {
                return Some(name);
            }
            for value in self.values.get(&name).into_iter().flatten() {
                queue.extend(value.mentions.iter().cloned());
            }
            if !seen.insert(name) || seen.len() > 1000 {
                queue.retain(|name| !seen.contains(name));
            }
        }
        None
    }

    fn bind(&mut self, name: &Ident, value: &ArgValue) {
        match value {
            ArgValue::Expr(value) => {
                self.bind_expr(name, value);
                self.expr(value);
            }
            ArgValue::Array(items) => items.iter().for_each(|item| self.expr(item)),
            ArgValue::Select(select) => self.select(select),
        }
    }

    fn bind_expr(&mut self, name: &Ident, value: &Expr) {
        self.values.entry(name.name.clone()).or_default().push(Value::of(value));
    }

    fn arguments(&mut self, path: &[Ident], kind: Kind, arguments: &[Argument]) {
        let ours = matches!(path, [name] if lookup(kind, &name.name).is_none());
        for argument in arguments {
            match &argument.value {
                ArgValue::Expr(value) => {
                    if ours {
                        self.bind_expr(&argument.name, value);
                    }
                    self.expr(value);
                }
                ArgValue::Array(items) => items.iter().for_each(|item| self.expr(item)),
                ArgValue::Select(select) => self.select(select),
            }
        }
    }

    fn select(&mut self, select: &Select) {
        for column in &select.columns {
            match &column.value {
                ColumnValue::Star => {}
                ColumnValue::Select(inner) => self.select(inner),
                ColumnValue::Expr(value) => {
                    if let Some(alias) = &column.alias {
                        self.bind_expr(alias, value);
                    }
                    self.expr(value);
                }
            }
        }
        let arguments = select.from.arguments.as_deref().unwrap_or_default();
        self.arguments(&select.from.path, Kind::Plugin, arguments);
        select.filter.iter().chain(&select.group_by).for_each(|value| self.expr(value));
    }

    fn expr(&mut self, expr: &Expr) {
        if let ExprKind::Call { path, arguments } = &expr.kind {
            self.arguments(path, Kind::Function, arguments);
        } else {
            expr.children().into_iter().for_each(|child| self.expr(child));
        }
    }
}

impl Value {
    fn of(expr: &Expr) -> Self {
        let mut value = Self::default();
        value.add(expr);
        mentions(expr, &mut value.mentions);
        value
    }

    fn add(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Str(text) => self.literals.push(text.clone()),
            ExprKind::Group(inner) => self.add(inner),
            ExprKind::Name(path) if path.len() == 1 => self.names.push(path[0].name.clone()),
            ExprKind::Binary { op: BinaryOp::OrValue, left, right } => {
                self.add(left);
                self.add(right);
            }
            ExprKind::Call { path, arguments } if matches!(&path[..], [name] if name.name == "if") => {
                for argument in arguments {
                    match (argument.name.name.as_str(), &argument.value) {
                        ("condition", _) => {}
                        ("then" | "else", ArgValue::Expr(value)) => self.add(value),
                        _ => self.open = true,
                    }
                }
            }
            ExprKind::Null => self.literals.push(String::new()),
            _ => self.open = true,
        }
    }
}

fn mentions(expr: &Expr, found: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Name(path) => found.extend(path.first().map(|name| name.name.clone())),
        ExprKind::Call { path, arguments } => {
            found.extend(path.first().map(|name| name.name.clone()));
            for argument in arguments {
                match &argument.value {
                    ArgValue::Expr(value) => mentions(value, found),
                    ArgValue::Array(items) => items.iter().for_each(|item| mentions(item, found)),
                    ArgValue::Select(_) => {}
                }
            }
        }
        _ => expr.children().into_iter().for_each(|child| mentions(child, found)),
    }
}
