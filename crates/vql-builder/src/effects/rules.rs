//! What the arguments of a call add to what its name can do.

use std::borrow::Cow;

use super::report::Kind;
use super::table::{Entry, Rule};
use super::text::Text;
use super::walk::Run;
use super::{Effect, EffectSet};
use crate::ast::{ArgValue, Argument, Expr, ExprKind, Span};

/// Numbers up to this are no endless work.
const SMALL: i64 = 1_000_000;

impl Run<'_> {
    /// Judges a call of a known function or plugin.
    pub(super) fn judge(
        &mut self,
        text: &Text<'_>,
        entry: &'static Entry,
        arguments: &[Argument],
        span: Span,
    ) {
        let mut effects = entry.effects;
        let mut why = Cow::Borrowed(entry.remark);
        let replaced = arguments.iter().any(|argument| argument.name.name == "**");
        if replaced && !entry.rules.is_empty() {
            effects = effects.with(Effect::Unknown.into());
            why = Cow::Borrowed("`**` replaces its arguments by computed ones");
        }
        for rule in &entry.rules {
            let added = self.rule(text, *rule, arguments, span);
            if !added.1.is_empty() {
                why = added.1;
            }
            effects = effects.with(added.0);
        }
        // Its place in the list is before what its arguments do; they are looked at afterwards.
        self.found(text, span, entry.kind, entry.name, effects, why);
    }

    fn rule(
        &mut self,
        text: &Text<'_>,
        rule: Rule,
        arguments: &[Argument],
        span: Span,
    ) -> (EffectSet, Cow<'static, str>) {
        const NOTHING: (EffectSet, Cow<'static, str>) = (EffectSet::NONE, Cow::Borrowed(""));
        let unknown = |why: &'static str| (Effect::Unknown.into(), Cow::Borrowed(why));
        match rule {
            Rule::Accessor => self.accessor(text, arguments),
            Rule::Lambda(name) => {
                given(arguments, name).for_each(|value| self.lambdas(text, value, false));
                NOTHING
            }
            Rule::ScopeLambda(name) => {
                let gets_scope = given(arguments, "args").next().is_none();
                given(arguments, name).for_each(|value| self.lambdas(text, value, gets_scope));
                NOTHING
            }
            Rule::Vql(name) => {
                given(arguments, name).for_each(|value| self.vql(text, value));
                NOTHING
            }
            Rule::Code(name) => {
                given(arguments, name).for_each(|value| self.foreign_code(text, value));
                NOTHING
            }
            Rule::Profile(name) => {
                given(arguments, name).for_each(|value| self.profile(text, value));
                NOTHING
            }
            Rule::Template(name) => {
                if given(arguments, name).all(|value| literal(value).is_some_and(is_plain_template))
                {
                    NOTHING
                } else {
                    let effects = [Effect::Net, Effect::Secret, Effect::Unknown];
                    (
                        effects.into_iter().collect(),
                        Cow::Borrowed("its template is more than fields"),
                    )
                }
            }
            Rule::Sql(name) => {
                if given(arguments, name).all(|value| literal(value).is_some_and(is_plain_select)) {
                    NOTHING
                } else {
                    (Effect::Write.into(), Cow::Borrowed("its SQL is not one plain SELECT"))
                }
            }
            Rule::Import(name) => {
                for value in given(arguments, name) {
                    match literal(value) {
                        Some(artifact) => self.import(text, artifact, span),
                        None => {
                            return unknown("which artifact it imports is only known at run time");
                        }
                    }
                }
                NOTHING
            }
            Rule::Member(name) => {
                let of_scope = given(arguments, "item").next().is_none();
                for value in given(arguments, name).filter(|_| of_scope) {
                    let Some(member) = literal(value) else {
                        return unknown("which variable it reads is only known at run time");
                    };
                    self.path(text, &member.split('.').collect::<Vec<_>>(), span);
                }
                NOTHING
            }
            Rule::Small(name) => {
                let small = |value: &ArgValue| match value {
                    ArgValue::Expr(Expr { kind: ExprKind::Int(number), .. }) => *number <= SMALL,
                    _ => false,
                };
                if given(arguments, name).all(small) {
                    NOTHING
                } else {
                    (
                        Effect::Dos.into(),
                        Cow::Borrowed("how long it runs is not bounded by a small number"),
                    )
                }
            }
            Rule::Given(name, effects) => {
                if given(arguments, name).next().is_some() {
                    (effects, Cow::Owned(format!("because of its argument {name}")))
                } else {
                    NOTHING
                }
            }
            Rule::Org(name) => {
                if given(arguments, name).next().is_some() {
                    self.names_other_org();
                }
                NOTHING
            }
            Rule::Orgs => {
                self.names_other_org();
                NOTHING
            }
            Rule::Variable => NOTHING,
            Rule::Scope => unknown("the scope as a value reaches every variable"),
        }
    }

    /// What runs a string that is not a literal: exec where a parameter of the artifact is in it.
    pub(super) fn computed_code(&mut self, text: &Text<'_>, value: &Expr) {
        let parameters = &self.parameters;
        let from = self.bindings.mentioned(value, |name| parameters.contains(name));
        match from {
            Some(name) => {
                let why = "whoever collects the artifact gives the code that it runs";
                self.found(text, value.span, Kind::Code, name, Effect::Exec.into(), why);
            }
            None => {
                let why = "a string that is run as code is computed";
                self.found(text, value.span, Kind::Code, "string", Effect::Unknown.into(), why);
            }
        }
    }
}

/// The values of an argument, without those that mean that it is not given.
pub(super) fn given<'x>(
    arguments: &'x [Argument],
    name: &str,
) -> impl Iterator<Item = &'x ArgValue> {
    arguments.iter().filter(move |argument| argument.name.name == name).filter_map(|argument| {
        let absent = match &argument.value {
            ArgValue::Expr(value) => match &value.kind {
                ExprKind::Null | ExprKind::Bool(false) => true,
                ExprKind::Str(text) => text.is_empty(),
                _ => false,
            },
            _ => false,
        };
        (!absent).then_some(&argument.value)
    })
}

pub(super) fn literal(value: &ArgValue) -> Option<&str> {
    match value {
        ArgValue::Expr(value) => literal_expr(value),
        // The engine takes the only element of a list for the list.
        ArgValue::Array(items) => match &items[..] {
            [item] => literal_expr(item),
            _ => None,
        },
        ArgValue::Select(_) => None,
    }
}

fn literal_expr(value: &Expr) -> Option<&str> {
    match &value.kind {
        ExprKind::Str(text) => Some(text),
        ExprKind::Group(inner) => literal_expr(inner),
        _ => None,
    }
}

/// Whether each action of a Go template is nothing but a field: `{{ .Name }}`.
fn is_plain_template(template: &str) -> bool {
    template.split("{{").skip(1).all(|action| {
        let Some((action, _)) = action.split_once("}}") else { return false };
        let field = action.trim_matches(['-', ' ']);
        field.starts_with('.')
            && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
    })
}

/// Whether SQL is one statement that reads: SQLite has no function that writes.
fn is_plain_select(sql: &str) -> bool {
    let sql = sql.trim();
    let first = sql.get(..6).unwrap_or_default();
    first.eq_ignore_ascii_case("SELECT") && !sql.trim_end_matches(';').contains(';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_and_sql() {
        assert!(is_plain_template("Hello {{ .Name }}, {{- .A.B_1 -}}!"));
        for template in ["{{ Get \"config\" }}", "{{ .X | html }}", "{{ .X", "{{ (Scope).Close }}"]
        {
            assert!(!is_plain_template(template), "{template}");
        }
        assert!(is_plain_select(" select * from moz_places; "));
        for sql in ["DELETE FROM a", "SELECT 1; DROP TABLE a", "", "WITH x AS (DELETE) SELECT 1"] {
            assert!(!is_plain_select(sql), "{sql}");
        }
    }
}
