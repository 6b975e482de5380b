//! How paths are opened.

use std::borrow::Cow;

use super::report::Kind;
use super::rules::{given, literal, may_lack};
use super::table::{Rule, lookup};
use super::text::Text;
use super::walk::Run;
use super::{Effect, EffectSet};
use crate::ast::{ArgValue, Argument, Expr, ExprKind};

/// The arguments that hold paths, in whatever call.
const PATHS: &[&str] = &["file", "filename", "filenames", "files", "globs", "path", "root"];

impl Run<'_> {
    /// What opening the paths of a call can do.
    pub(super) fn accessor(
        &mut self,
        text: &Text<'_>,
        arguments: &[Argument],
    ) -> (EffectSet, Cow<'static, str>) {
        let mut effects = EffectSet::NONE;
        let mut why = Cow::Borrowed("");
        if may_lack(arguments, "accessor") {
            effects = Effect::Host.into();
            why = Cow::Borrowed("it opens files of the machine");
        }
        for value in given(arguments, "accessor") {
            let (names, sure) = match value {
                _ if literal(value).is_some() => {
                    (literal(value).map(|name| vec![name.to_owned()]), true)
                }
                ArgValue::Expr(value) => (self.bindings.strings(value), false),
                ArgValue::Array(_) | ArgValue::Select(_) => (None, false),
            };
            let Some(names) = names else {
                effects = effects.with(Effect::Unknown.into());
                why = Cow::Borrowed("its accessor is computed");
                continue;
            };
            if !sure {
                // A column of the same name would win.
                effects = effects.with(Effect::Host.into());
            }
            for name in &names {
                let added = self.opened_by(text, name, arguments);
                if !added.is_read() {
                    why = Cow::Owned(format!("by the accessor {name}"));
                }
                effects = effects.with(added);
            }
        }
        (effects, why)
    }

    fn opened_by(&mut self, text: &Text<'_>, name: &str, arguments: &[Argument]) -> EffectSet {
        if name.is_empty() {
            return Effect::Host.into();
        }
        let Some(entry) = lookup(Kind::Accessor, name) else { return Effect::Unknown.into() };
        let mut effects = entry.effects;
        if entry.rules.contains(&Rule::Variable) {
            for argument in arguments.iter().filter(|a| PATHS.contains(&a.name.name.as_str())) {
                match (&argument.value, literal(&argument.value)) {
                    (ArgValue::Expr(Expr { span, .. }), Some(path)) => {
                        self.path(text, &path.split('.').collect::<Vec<_>>(), *span);
                    }
                    (ArgValue::Expr(Expr { kind: ExprKind::Null, .. }), _) => {}
                    _ => effects = effects.with(Effect::Unknown.into()),
                }
            }
        }
        effects
    }
}
