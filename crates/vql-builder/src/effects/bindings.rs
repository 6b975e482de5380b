//! What a text itself binds names to.

use std::collections::{HashMap, HashSet};

use super::Kind;
use super::table::{Rule, lookup};
use crate::ast::{
    ArgValue, Argument, BinaryOp, ColumnValue, Expr, ExprKind, Ident, LetValue, Program, Select,
    Statement,
};

/// Arguments of plugins that pass rows on which give none themselves.
const NOT_ROWS: &[&str] = &[
    "async",
    "batch_func",
    "batch_size",
    "buffer_size",
    "condition",
    "copy_env",
    "cpu_limit",
    "delay",
    "env",
    "exclude",
    "exit",
    "flush",
    "include",
    "inherit",
    "iops_limit",
    "key",
    "max_age",
    "max_rows",
    "n",
    "org_id",
    "period",
    "progress_timeout",
    "runas",
    "size",
    "timeout",
    "workers",
];

/// How many names are followed to what they are bound to.
const MAX_NAMES: usize = 64;

/// What a text binds names to, wherever: LET, its parameters, arguments of what LET defines, aliases.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    callable: HashSet<String>,
    /// What LET binds to a query.
    queries: HashSet<String>,
    /// What LET binds to the scope itself: `LET S = scope()`.
    scopes: HashSet<String>,
    values: HashMap<String, Vec<Value>>,
    /// What rows are taken from by name; whether it is a query may be known later only.
    sources: HashSet<String>,
    /// Some rows have columns whose names come from data.
    open_columns: bool,
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
                        LetValue::Select(select) => {
                            self.queries.insert(binding.name.name.clone());
                            self.select(select);
                        }
                        LetValue::Expr(value) => {
                            if is_scope_call(value) {
                                self.scopes.insert(binding.name.name.clone());
                            }
                            self.bind_expr(&binding.name, value);
                            self.expr(value);
                        }
                    }
                }
            }
        }
    }

    /// Whether LET binds the name to a query, everywhere.
    pub(super) fn is_query(&self, name: &str) -> bool {
        self.queries.contains(name) && !self.values.contains_key(name)
    }

    /// Whether LET binds the name to the scope itself.
    pub(super) fn is_scope(&self, name: &str) -> bool {
        self.scopes.contains(name)
    }

    /// Whether data, such as a file's, can decide what a name means: rows whose columns are named
    /// by data hide what LET binds.
    pub(super) fn data_can_hide(&self) -> bool {
        self.open_columns || self.sources.iter().any(|name| !self.is_query(name))
    }

    /// A variable that is set from outside, with what it is where nobody sets it.
    pub(super) fn parameter(&mut self, name: &str, default: &str) {
        let value = Value { literals: vec![default.to_owned()], ..Value::default() };
        self.values.entry(name.to_owned()).or_default().push(value);
    }

    /// The strings that an expression can be; `None` where that cannot be told.
    pub(super) fn strings(&self, expr: &Expr) -> Option<Vec<String>> {
        let mut found = Vec::new();
        self.follow(&Value::of(expr), &mut HashSet::new(), &mut found).then_some(found)
    }

    fn follow(&self, value: &Value, seen: &mut HashSet<String>, found: &mut Vec<String>) -> bool {
        if value.open || seen.len() > MAX_NAMES {
            return false;
        }
        found.extend(value.literals.iter().cloned());
        // `f(A=A)` binds a name to itself, which adds nothing.
        value.names.iter().all(|name| {
            !seen.insert(name.clone())
                || self.values.get(name).is_some_and(|values| {
                    values.iter().all(|value| self.follow(value, seen, found))
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
        self.source(&select.from.path, select.from.arguments.as_deref());
        self.arguments(&select.from.path, Kind::Plugin, arguments);
        select.filter.iter().chain(&select.group_by).for_each(|value| self.expr(value));
    }

    /// Where rows come from decides who names their columns.
    fn source(&mut self, path: &[Ident], arguments: Option<&[Argument]>) {
        let [name] = path else {
            self.open_columns = true;
            return;
        };
        let entry = arguments.and_then(|_| lookup(Kind::Plugin, &name.name));
        let Some(entry) = entry else {
            self.sources.insert(name.name.clone());
            return;
        };
        if entry.rules.contains(&Rule::Passes) {
            for argument in arguments.unwrap_or_default() {
                match &argument.value {
                    ArgValue::Expr(Expr { kind: ExprKind::Name(path), .. }) if path.len() == 1 => {
                        if !NOT_ROWS.contains(&argument.name.name.as_str()) {
                            self.sources.insert(path[0].name.clone());
                        }
                    }
                    ArgValue::Select(_) => {}
                    _ if NOT_ROWS.contains(&argument.name.name.as_str()) => {}
                    // It may be VQL in a string, whose own sources are looked at.
                    ArgValue::Expr(Expr { kind: ExprKind::Str(_), .. })
                        if entry.name == "query" => {}
                    _ => self.open_columns = true,
                }
            }
        } else if !entry.rules.contains(&Rule::Columns) {
            self.open_columns = true;
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) {
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
            // One of a dict's values, or of those that get() takes from it.
            ExprKind::Call { path, arguments } if matches!(&path[..], [name] if matches!(name.name.as_str(), "dict" | "get")) =>
            {
                let is_get = path[0].name == "get";
                self.open |= is_get && !arguments.iter().any(|a| a.name.name == "item");
                for argument in arguments {
                    match &argument.value {
                        _ if is_get
                            && matches!(argument.name.name.as_str(), "member" | "field") => {}
                        ArgValue::Expr(value) if argument.name.name != "**" => self.add(value),
                        _ => self.open = true,
                    }
                }
            }
            ExprKind::Null => self.literals.push(String::new()),
            _ => self.open = true,
        }
    }
}

/// Whether an expression is `scope()`.
pub(super) fn is_scope_call(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Call { path, arguments } => {
            arguments.is_empty() && matches!(&path[..], [name] if name.name == "scope")
        }
        _ => false,
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
