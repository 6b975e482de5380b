//! The walk over everything that a text may evaluate.
//!
//! The engine resolves a called single name among its own functions or plugins first, and only then
//! in the scope; a name that is not called, and one with dots, in the scope only. So LET cannot
//! hide a builtin, and what LET defines is looked at where it is defined, called or not.

use std::borrow::Cow;
use std::collections::HashSet;

use super::bindings::{Bindings, is_scope_call};
use super::names;
use super::report::{Finding, Kind, Report};
use super::table::lookup;
use super::text::{Outer, Text};
use super::{Analyser, Effect, EffectSet};
use crate::ast::{
    ArgValue, Argument, ColumnValue, Expr, ExprKind, Ident, LetValue, Program, Select, Span,
    Statement,
};
use crate::diagnostic::Code;
use crate::parse::{Parse, parse};

/// More warnings than this are not made by the linter, which might then have missed one.
const MANY_WARNINGS: usize = 100;

/// One analysis: of a text, or of an artifact with all its texts.
pub(super) struct Run<'a> {
    pub(super) analyser: &'a Analyser<'a>,
    /// The artifacts that are being looked into, outermost first.
    pub(super) stack: &'a mut Vec<String>,
    /// The lowest place of the stack that was referred back to, so that what was found depends on it.
    pub(super) refers_to: usize,
    pub(super) bindings: Bindings,
    /// Variables that whoever runs the artifact sets.
    pub(super) parameters: HashSet<String>,
    pub(super) imported: HashSet<String>,
    /// It is an artifact that endpoints run.
    pub(super) on_endpoint: bool,
    /// The findings about code that was taken by a name.
    by_name: Vec<usize>,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(analyser: &'a Analyser<'a>, stack: &'a mut Vec<String>) -> Self {
        Self {
            analyser,
            stack,
            refers_to: usize::MAX,
            bindings: Bindings::default(),
            parameters: HashSet::new(),
            imported: HashSet::new(),
            on_endpoint: false,
            by_name: Vec::new(),
            report: Report::default(),
        }
    }

    /// The report; what depends on the whole is decided now.
    pub(super) fn finish(mut self) -> Report {
        // On an endpoint the data is the endpoint's own, which can do there what it likes.
        let harmless = self.on_endpoint && !self.report.is_read();
        if !self.by_name.is_empty() && !harmless && self.bindings.data_can_hide() {
            for at in std::mem::take(&mut self.by_name) {
                let finding = &mut self.report.findings[at];
                finding.effects = finding.effects.with(Effect::Unknown.into());
                finding.why = Cow::Borrowed(
                    "code is taken by a name, which a column of rows that data names would hide",
                );
                self.report.effects = self.report.effects.with(finding.effects);
            }
        }
        self.report
    }

    /// Notes that code was taken by the name that LET binds to it.
    pub(super) fn by_name(&mut self, text: &Text<'_>, span: Span, name: &str) {
        self.by_name.push(self.report.findings.len());
        let why = "code that is taken by its name";
        self.found(text, span, Kind::Code, name, Effect::Meta.into(), why);
    }

    pub(super) fn names_other_org(&mut self) {
        self.report.other_orgs = true;
    }

    pub(super) fn found(
        &mut self,
        text: &Text<'_>,
        span: Span,
        kind: Kind,
        name: impl Into<String>,
        effects: EffectSet,
        why: impl Into<Cow<'static, str>>,
    ) {
        self.report.effects = self.report.effects.with(effects);
        let place = text.place(span);
        self.report.findings.push(Finding {
            effects,
            kind,
            name: name.into(),
            place,
            why: why.into(),
        });
    }

    /// Looks at a text of statements.
    pub(super) fn text(&mut self, text: &str, part: Option<&str>, outer: &Outer) {
        self.texts(&[(part.map(str::to_owned), text)], outer);
    }

    /// Looks at texts that share one scope.
    pub(super) fn texts(&mut self, texts: &[(Option<String>, &str)], outer: &Outer) {
        let mut programs = Vec::new();
        for (part, text) in texts {
            let parsed = parse(text);
            let text = Text::new(text, part.as_deref(), outer.clone());
            match parsed.program() {
                Ok(program) => {
                    self.dropped(&text, &parsed);
                    self.bindings.program(&program);
                    programs.push((text, program));
                }
                Err(error) => {
                    let why = format!("it cannot be read: {error}");
                    self.found(&text, error.span, Kind::Text, "text", Effect::Unknown.into(), why);
                }
            }
        }
        for (text, program) in &programs {
            self.program(text, program);
        }
    }

    /// The typed tree lacks what the engine is known to drop; nothing is built on that.
    fn dropped(&mut self, text: &Text<'_>, parsed: &Parse<'_>) {
        let warnings = parsed.warnings();
        let dropped = warnings.iter().find(|warning| warning.code == Code::Dropped);
        let span = match dropped {
            Some(warning) => warning.span,
            None if warnings.len() >= MANY_WARNINGS => warnings[0].span,
            None => return,
        };
        let why = "a part of it is accepted and dropped by the engine; write it without that part";
        self.found(text, span, Kind::Text, "text", Effect::Unknown.into(), why);
    }

    fn program(&mut self, text: &Text<'_>, program: &Program) {
        for statement in &program.statements {
            match statement {
                Statement::Select(query) => self.select(text, query),
                Statement::Let(binding) => {
                    let defaults = binding.parameters.iter().flatten();
                    defaults
                        .filter_map(|parameter| parameter.default.as_ref())
                        .for_each(|default| self.argument(text, default));
                    match &binding.value {
                        LetValue::Select(query) => self.select(text, query),
                        // What the name is used for is looked at where it is used.
                        LetValue::Expr(value) if is_scope_call(value) => {}
                        LetValue::Expr(value) => self.expr(text, value),
                    }
                }
            }
        }
    }

    fn select(&mut self, text: &Text<'_>, query: &Select) {
        for column in &query.columns {
            match &column.value {
                ColumnValue::Star => {}
                ColumnValue::Select(inner) => self.select(text, inner),
                ColumnValue::Expr(value) => self.expr(text, value),
            }
        }
        let source = &query.from;
        match &source.arguments {
            Some(arguments) => self.call(text, Kind::Plugin, &source.path, arguments, source.span),
            None => self.name(text, &source.path, source.span),
        }
        query.filter.iter().chain(&query.group_by).for_each(|value| self.expr(text, value));
    }

    fn argument(&mut self, text: &Text<'_>, value: &ArgValue) {
        match value {
            ArgValue::Select(query) => self.select(text, query),
            ArgValue::Array(items) => items.iter().for_each(|item| self.expr(text, item)),
            ArgValue::Expr(value) => self.expr(text, value),
        }
    }

    pub(super) fn expr(&mut self, text: &Text<'_>, value: &Expr) {
        match &value.kind {
            ExprKind::Name(path) => self.name(text, path, value.span),
            ExprKind::Call { path, arguments } => {
                self.call(text, Kind::Function, path, arguments, value.span);
            }
            ExprKind::Member { .. } => match member_of_scope(value) {
                Some(path) => self.path(text, &path, value.span),
                None => value.children().into_iter().for_each(|child| self.expr(text, child)),
            },
            _ => value.children().into_iter().for_each(|child| self.expr(text, child)),
        }
    }

    fn call(
        &mut self,
        text: &Text<'_>,
        kind: Kind,
        path: &[Ident],
        arguments: &[Argument],
        span: Span,
    ) {
        match path {
            [] => {}
            [name] => self.call_name(text, kind, &name.name, arguments, span),
            [head, rest @ ..] if head.name == "Artifact" => {
                self.expand(text, &dotted(rest), span);
            }
            [head, rest @ ..] if self.stands_for_scope(text, &head.name) => {
                let path: Vec<&str> = rest.iter().map(|part| part.name.as_str()).collect();
                self.path(text, &path, span);
            }
            _ => {
                let why = "what a name with dots stands for is only known at run time";
                self.found(text, span, kind, dotted(path), Effect::Unknown.into(), why);
            }
        }
        for argument in arguments {
            if !self.is_settled(text, kind, path, argument) {
                self.argument(text, &argument.value);
            }
        }
    }

    /// Whether nothing is left to be said of an argument.
    fn is_settled(&self, text: &Text<'_>, kind: Kind, path: &[Ident], argument: &Argument) -> bool {
        let [callee] = path else { return false };
        match argument.name.name.as_str() {
            // get() was asked what it takes from the scope.
            "item" => callee.name == "get" && self.is_scope(text, &argument.value),
            // What reads by the name of an artifact takes it for a string: here it is a variable.
            // Functions that only compute may give it back.
            "artifact" => {
                let is_name = |value: &Expr| match &value.kind {
                    ExprKind::Name(path) => matches!(&path[..], [name] if name.name == "Artifact"),
                    _ => false,
                };
                let reads = lookup(kind, &callee.name)
                    .is_some_and(|entry| entry.effects.strongest() >= Effect::Read);
                reads && matches!(&argument.value, ArgValue::Expr(value) if is_name(value))
            }
            _ => false,
        }
    }

    /// Whether a value is the scope itself.
    pub(super) fn is_scope(&self, text: &Text<'_>, value: &ArgValue) -> bool {
        match value {
            ArgValue::Expr(value) => match &value.kind {
                ExprKind::Name(path) => {
                    matches!(&path[..], [name] if self.stands_for_scope(text, &name.name))
                }
                _ => is_scope_call(value),
            },
            _ => false,
        }
    }

    fn stands_for_scope(&self, text: &Text<'_>, name: &str) -> bool {
        text.is_scope_name(name) || self.bindings.is_scope(name)
    }

    fn call_name(
        &mut self,
        text: &Text<'_>,
        kind: Kind,
        name: &str,
        arguments: &[Argument],
        span: Span,
    ) {
        if let Some(entry) = lookup(kind, name) {
            self.judge(text, entry, arguments, span);
        } else if self.bindings.is_scope(name) {
            let why = "the scope as a value reaches every variable";
            self.found(text, span, kind, name, Effect::Unknown.into(), why);
        } else if !self.bindings.is_callable(name) {
            let other = if kind == Kind::Plugin { Kind::Function } else { Kind::Plugin };
            let (effect, why) = match lookup(other, name) {
                // Nothing that it can be is worse.
                Some(twin) if twin.effects.contains(Effect::Exec) => {
                    let (is, not) = (other.as_str(), kind.as_str());
                    (Effect::Exec, format!("taken for the {is} of this name; no {not} is known"))
                }
                Some(_) => {
                    let (is, not) = (other.as_str(), kind.as_str());
                    (Effect::Unknown, format!("there is a {is} of this name, but no {not}"))
                }
                None => {
                    let not = kind.as_str();
                    (
                        Effect::Unknown,
                        format!("no {not} of this name is known, and no LET defines it"),
                    )
                }
            };
            self.found(text, span, kind, name, effect.into(), why);
        }
    }

    fn name(&mut self, text: &Text<'_>, path: &[Ident], span: Span) {
        let path: Vec<&str> = path.iter().map(|part| part.name.as_str()).collect();
        self.path(text, &path, span);
    }

    /// Looks at a name that is read from the scope.
    pub(super) fn path(&mut self, text: &Text<'_>, path: &[&str], span: Span) {
        match path {
            [] => {
                let why = "the scope as a value reaches every variable";
                self.found(text, span, Kind::Variable, "scope", Effect::Unknown.into(), why);
            }
            [head, rest @ ..] if self.stands_for_scope(text, head) => self.path(text, rest, span),
            // An artifact that is not called here can be called elsewhere, by another name.
            ["Artifact", rest @ ..] if !rest.is_empty() => {
                self.expand(text, &rest.join("."), span);
            }
            _ => {
                if let Some((effects, why)) = names::variable(path) {
                    self.found(text, span, Kind::Variable, path.join("."), effects, why);
                }
            }
        }
    }
}

/// The path after `scope()` in `scope().a.b`.
fn member_of_scope(mut expr: &Expr) -> Option<Vec<&str>> {
    let mut path = Vec::new();
    loop {
        match &expr.kind {
            ExprKind::Member { value, name } => {
                path.push(name.name.as_str());
                expr = value;
            }
            ExprKind::Call { path: callee, arguments }
                if arguments.is_empty()
                    && matches!(&callee[..], [name] if name.name == "scope") =>
            {
                path.reverse();
                return Some(path);
            }
            _ => return None,
        }
    }
}

fn dotted(path: &[Ident]) -> String {
    path.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".")
}
