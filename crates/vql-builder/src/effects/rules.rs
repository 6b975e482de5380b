//! What the arguments of a call add to what its name can do.

use std::borrow::Cow;

use super::code::Language;
use super::names::is_harmless_prefix;
use super::table::{Entry, Rule};
use super::text::Text;
use super::walk::Run;
use super::{Effect, EffectSet};
use crate::ast::{ArgValue, Argument, BinaryOp, Expr, ExprKind, Span};

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
        if replaced && entry.depends() {
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
            Rule::Lambda(name) => self.all_code(text, arguments, name, Language::Lambda),
            Rule::ScopeLambda(name) => {
                let gets_scope = may_lack(arguments, "args");
                let language = if gets_scope { Language::ScopeLambda } else { Language::Lambda };
                self.all_code(text, arguments, name, language)
            }
            Rule::Vql(name) => self.all_code(text, arguments, name, Language::Vql),
            Rule::Code(name) => self.all_code(text, arguments, name, Language::Rules),
            Rule::Profile(name) => self.all_code(text, arguments, name, Language::Profile),
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
                let of_scope = may_lack(arguments, "item")
                    || given(arguments, "item").any(|item| self.is_scope(text, item));
                for value in given(arguments, name).filter(|_| of_scope) {
                    if let Some(member) = literal(value) {
                        self.path(text, &member.split('.').collect::<Vec<_>>(), span);
                    } else if !is_harmless_prefix(prefix(value)) {
                        return unknown("which variable it reads is only known at run time");
                    }
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
            Rule::Variable | Rule::Columns | Rule::Passes => NOTHING,
            Rule::Scope => unknown("the scope as a value reaches every variable"),
        }
    }

    fn all_code(
        &mut self,
        text: &Text<'_>,
        arguments: &[Argument],
        name: &str,
        language: Language,
    ) -> (EffectSet, Cow<'static, str>) {
        given(arguments, name).for_each(|value| self.code(text, value, language));
        (EffectSet::NONE, Cow::Borrowed(""))
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

/// Whether an argument is missing, or may be: of two of one name, the last counts.
pub(super) fn may_lack(arguments: &[Argument], name: &str) -> bool {
    let all = arguments.iter().filter(|argument| argument.name.name == name).count();
    all == 0 || given(arguments, name).count() < all
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

/// The text with which a sum of strings begins.
fn prefix(value: &ArgValue) -> &str {
    let ArgValue::Expr(value) = value else { return "" };
    let mut value = value;
    loop {
        match &value.kind {
            ExprKind::Binary { op: BinaryOp::Add, left, .. } => value = left,
            _ => return literal_expr(value).unwrap_or_default(),
        }
    }
}

/// Whether each action of a Go template is nothing but fields and loops: `{{ .Name }}`.
fn is_plain_template(template: &str) -> bool {
    let is_plain = |word: &str| {
        let field = |rest: &str| {
            rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        };
        matches!(word, "range" | "if" | "else" | "with" | "end" | ":=" | "-")
            || word.strip_prefix(['.', '$']).is_some_and(field)
    };
    template.split("{{").skip(1).all(|action| {
        action.split_once("}}").is_some_and(|(action, _)| action.split_whitespace().all(is_plain))
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
        assert!(is_plain_template("{{ range $i := .Rows }}{{ $i.Name }}{{ end }}"));
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
