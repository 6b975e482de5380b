//! Strings that are run as code.

use serde_json::Value;

use super::report::Kind;
use super::rules::literal;
use super::table::lookup;
use super::text::Text;
use super::walk::Run;
use super::{Effect, EffectSet};
use crate::ast::{ArgValue, Expr, ExprKind, Span};
use crate::parse::parse_lambda;

const TOO_DEEP: &str = "code in strings in strings, too deep to follow";

impl Run<'_> {
    /// One lambda, or several in a list or a dict.
    pub(super) fn lambdas(&mut self, text: &Text<'_>, value: &ArgValue, gets_scope: bool) {
        match value {
            ArgValue::Array(items) => {
                items.iter().for_each(|item| self.lambda_expr(text, item, gets_scope));
            }
            ArgValue::Expr(value) => self.lambda_expr(text, value, gets_scope),
            ArgValue::Select(query) => {
                let why = "lambdas that a query computes";
                self.found(text, query.span, Kind::Code, "lambda", Effect::Unknown.into(), why);
            }
        }
    }

    fn lambda_expr(&mut self, text: &Text<'_>, value: &Expr, gets_scope: bool) {
        match &value.kind {
            ExprKind::Null => {}
            ExprKind::Str(lambda) => self.lambda(text, lambda, value.span, gets_scope),
            ExprKind::Group(inner) => self.lambda_expr(text, inner, gets_scope),
            ExprKind::Array(items) => {
                items.iter().for_each(|item| self.lambda_expr(text, item, gets_scope));
            }
            ExprKind::Call { path, arguments }
                if matches!(&path[..], [name] if name.name == "dict")
                    && arguments.iter().all(|argument| argument.name.name != "**") =>
            {
                for argument in arguments {
                    self.lambdas(text, &argument.value, gets_scope);
                }
            }
            _ => self.computed_code(text, value),
        }
    }

    fn lambda(&mut self, text: &Text<'_>, lambda: &str, span: Span, gets_scope: bool) {
        let Some(mut outer) = text.inner(span) else {
            return self.found(text, span, Kind::Code, "lambda", Effect::Unknown.into(), TOO_DEEP);
        };
        match parse_lambda(lambda) {
            Ok(parsed) => {
                outer.bind(parsed.parameters.iter().map(|name| name.name.clone()), gets_scope);
                self.expr(&Text::new(lambda, None, outer), &parsed.body);
            }
            Err(error) => {
                let why = format!("the lambda cannot be read: {error}");
                self.found(text, span, Kind::Code, "lambda", Effect::Unknown.into(), why);
            }
        }
    }

    /// A query, or VQL in a string.
    pub(super) fn vql(&mut self, text: &Text<'_>, value: &ArgValue) {
        if let Some(vql) = literal(value) {
            let span = match value {
                ArgValue::Expr(value) => value.span,
                ArgValue::Array(items) => items[0].span,
                ArgValue::Select(query) => query.span,
            };
            match text.inner(span) {
                Some(outer) => self.text(vql, None, &outer),
                None => {
                    self.found(text, span, Kind::Code, "VQL", Effect::Unknown.into(), TOO_DEEP);
                }
            }
            return;
        }
        // A sub-query is looked at as an argument.
        if let ArgValue::Expr(value) = value {
            self.computed_code(text, value);
        } else if let ArgValue::Array(items) = value {
            items.iter().for_each(|item| self.computed_code(text, item));
        }
    }

    /// A text in another language that may hold VQL: Sigma rules.
    pub(super) fn foreign_code(&mut self, text: &Text<'_>, value: &ArgValue) {
        match (literal(value), value) {
            (Some(rules), _) if !rules.contains("=>") && !rules.contains("vql") => {}
            (None, ArgValue::Expr(value)) => self.computed_code(text, value),
            (None, ArgValue::Array(items)) => {
                for item in items {
                    self.foreign_code(text, &ArgValue::Expr(item.clone()));
                }
            }
            (_, ArgValue::Select(query)) => {
                let why = "rules that a query computes";
                self.found(text, query.span, Kind::Code, "rules", Effect::Unknown.into(), why);
            }
            (Some(_), ArgValue::Expr(Expr { span, .. })) => {
                let why = "rules that hold VQL are not looked into";
                self.found(text, *span, Kind::Code, "rules", Effect::Unknown.into(), why);
            }
            (Some(_), ArgValue::Array(items)) => {
                let why = "rules that hold VQL are not looked into";
                self.found(text, items[0].span, Kind::Code, "rules", Effect::Unknown.into(), why);
            }
        }
    }

    /// A profile of the binary parser: its strings may be lambdas.
    pub(super) fn profile(&mut self, text: &Text<'_>, value: &ArgValue) {
        let ArgValue::Expr(value) = value else {
            return self.vql(text, value);
        };
        match &value.kind {
            ExprKind::Str(profile) => self.profile_text(text, profile, value.span),
            _ => self.computed_code(text, value),
        }
    }

    fn profile_text(&mut self, text: &Text<'_>, profile: &str, span: Span) {
        if let Ok(profile) = serde_json::from_str::<Value>(profile) {
            return self.profile_lambdas(text, &profile, span);
        }
        // It is YAML. An escape could hide a name; without one, each name that a lambda could
        // call stands in it as it is.
        let mut effects = EffectSet::NONE;
        if profile.contains('\\') {
            effects = Effect::Unknown.into();
        }
        let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '$';
        for word in profile.split(|letter| !is_name(letter)).filter(|word| !word.is_empty()) {
            let known = [Kind::Function, Kind::Plugin]
                .into_iter()
                .filter_map(|kind| lookup(kind, word))
                .any(|entry| !entry.effects.is_read() || !entry.rules.is_empty());
            if known || super::names::variable(&[word]).is_some() {
                effects = Effect::Unknown.into();
            }
        }
        if effects != EffectSet::NONE {
            let why = "a profile that is no JSON and may hold calls";
            self.found(text, span, Kind::Code, "profile", effects, why);
        }
    }

    fn profile_lambdas(&mut self, text: &Text<'_>, profile: &Value, span: Span) {
        match profile {
            Value::String(lambda) if lambda.contains("=>") => {
                self.lambda(text, lambda, span, false);
            }
            Value::Array(items) => {
                items.iter().for_each(|item| self.profile_lambdas(text, item, span));
            }
            Value::Object(members) => {
                members.values().for_each(|item| self.profile_lambdas(text, item, span));
            }
            _ => {}
        }
    }
}
