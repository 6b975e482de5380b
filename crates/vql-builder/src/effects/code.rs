//! Strings that are run as code.

use super::Effect;
use super::report::Kind;
use super::text::Text;
use super::walk::Run;
use crate::ast::{ArgValue, Expr, ExprKind, Span};
use crate::parse::parse_lambda;

const TOO_DEEP: &str = "code in strings in strings, too deep to follow";

/// What a string is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// A lambda.
    Lambda,
    /// A lambda whose parameter is the scope.
    ScopeLambda,
    /// Statements.
    Vql,
    /// A profile of the binary parser: its strings may be lambdas.
    Profile,
    /// Sigma rules, which may hold lambdas and VQL.
    Rules,
}

impl Language {
    const fn name(self) -> &'static str {
        match self {
            Self::Lambda | Self::ScopeLambda => "lambda",
            Self::Vql => "VQL",
            Self::Profile => "profile",
            Self::Rules => "rules",
        }
    }
}

impl Run<'_> {
    /// Looks at an argument that is run as code: one string, or a list or dict of them.
    pub(super) fn code(&mut self, text: &Text<'_>, value: &ArgValue, language: Language) {
        match value {
            ArgValue::Array(items) => {
                items.iter().for_each(|item| self.code_expr(text, item, language))
            }
            ArgValue::Expr(value) => self.code_expr(text, value, language),
            // It runs as the query that it is, and is looked at as one.
            ArgValue::Select(_) if language == Language::Vql => {}
            ArgValue::Select(query) => {
                let why = "a string that is run as code is computed by a query";
                self.unknown_code(text, query.span, language, why);
            }
        }
    }

    fn code_expr(&mut self, text: &Text<'_>, value: &Expr, language: Language) {
        match &value.kind {
            ExprKind::Null => {}
            ExprKind::Str(code) => self.literal_code(text, code, value.span, language),
            ExprKind::Group(inner) => self.code_expr(text, inner, language),
            ExprKind::Array(items) => {
                items.iter().for_each(|item| self.code_expr(text, item, language))
            }
            ExprKind::Call { path, arguments }
                if matches!(&path[..], [name] if name.name == "dict")
                    && arguments.iter().all(|argument| argument.name.name != "**") =>
            {
                arguments.iter().for_each(|argument| self.code(text, &argument.value, language));
            }
            _ => self.computed_code(text, value, language),
        }
    }

    /// Code that is not written where it is run: exec where a parameter of the artifact is in it.
    fn computed_code(&mut self, text: &Text<'_>, value: &Expr, language: Language) {
        let parameters = &self.parameters;
        if let Some(name) = self.bindings.mentioned(value, |name| parameters.contains(name)) {
            let why = "whoever collects the artifact gives the code that it runs";
            return self.found(text, value.span, Kind::Code, name, Effect::Exec.into(), why);
        }
        let name = match &value.kind {
            ExprKind::Name(path) if path.len() == 1 => path[0].name.as_str(),
            _ => language.name(),
        };
        if language == Language::Vql && self.bindings.is_query(name) {
            return self.by_name(text, value.span, name);
        }
        if let Some(candidates) = self.bindings.strings(value) {
            self.by_name(text, value.span, name);
            for code in candidates {
                self.literal_code(text, &code, value.span, language);
            }
            return;
        }
        self.unknown_code(text, value.span, language, "a string that is run as code is computed");
    }

    fn literal_code(&mut self, text: &Text<'_>, code: &str, span: Span, language: Language) {
        if code.trim().is_empty() {
            return;
        }
        match language {
            Language::Lambda | Language::ScopeLambda => self.lambda(text, code, span, language),
            Language::Vql => match text.inner(span) {
                Some(outer) => self.text(code, None, &outer),
                None => self.unknown_code(text, span, language, TOO_DEEP),
            },
            Language::Profile => self.profile(text, code, span),
            Language::Rules => {
                if code.contains("=>") || code.to_ascii_lowercase().contains("vql") {
                    let why = "rules that hold VQL are not looked into";
                    self.unknown_code(text, span, language, why);
                }
            }
        }
    }

    pub(super) fn unknown_code(
        &mut self,
        text: &Text<'_>,
        span: Span,
        language: Language,
        why: &'static str,
    ) {
        self.found(text, span, Kind::Code, language.name(), Effect::Unknown.into(), why);
    }

    pub(super) fn lambda(&mut self, text: &Text<'_>, lambda: &str, span: Span, language: Language) {
        let Some(mut outer) = text.inner(span) else {
            return self.unknown_code(text, span, language, TOO_DEEP);
        };
        match parse_lambda(lambda) {
            Ok(parsed) => {
                let names = parsed.parameters.iter().map(|name| name.name.clone());
                outer.bind(names, language == Language::ScopeLambda);
                self.bindings.expr(&parsed.body);
                self.expr(&Text::new(lambda, None, outer), &parsed.body);
            }
            Err(error) => {
                let why = format!("the lambda cannot be read: {error}");
                self.found(text, span, Kind::Code, "lambda", Effect::Unknown.into(), why);
            }
        }
    }
}
