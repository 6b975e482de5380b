//! Every string of a JSON value, with its place.

use std::borrow::Cow;

use serde_json::Value;

use super::notes::{Notes, SecretKind};
use super::secrets::names;

/// What is deeper is left out: the reader's parser has a bound as well.
const DEEPEST: usize = 120;

const TOO_DEEP: &str = "[left out: nested too deeply]";

/// What is done with a string: its text, its place, where to note what was seen.
type Rule = for<'a> fn(&'a str, &str, &mut Notes) -> Cow<'a, str>;

/// Applies a rule to every string and every member's name, and masks what a name says is secret.
pub(super) fn each(value: &mut Value, notes: &mut Notes, rule: Rule) {
    Walk { notes, rule, place: String::new(), depth: 0 }.value(value);
}

struct Walk<'n> {
    notes: &'n mut Notes,
    rule: Rule,
    /// The JSON pointer of the value.
    place: String,
    depth: usize,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(new) = (self.rule)(text, &self.place, self.notes) {
                    *text = new;
                }
            }
            Value::Array(_) | Value::Object(_) if self.depth == DEEPEST => {
                self.notes.left_out(&self.place);
                *value = TOO_DEEP.into();
            }
            Value::Array(items) => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.inside(&number.to_string(), |walk| walk.value(item));
                }
            }
            Value::Object(members) => {
                self.names(members);
                for (name, value) in members.iter_mut() {
                    let kind = names::kind(name);
                    self.inside(name, |walk| match kind {
                        Some(kind) => walk.secret(value, kind),
                        None => walk.value(value),
                    });
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The names of members are evidence as well.
    fn names(&mut self, members: &mut serde_json::Map<String, Value>) {
        let changes = members
            .keys()
            .any(|name| matches!((self.rule)(name, "", &mut Notes::default()), Cow::Owned(_)));
        if changes {
            *members = std::mem::take(members)
                .into_iter()
                .map(|(name, value)| {
                    ((self.rule)(&name, &self.place, self.notes).into_owned(), value)
                })
                .collect();
        }
    }

    /// A value whose name says that it is secret.
    fn secret(&mut self, value: &mut Value, kind: SecretKind) {
        match value {
            Value::String(text) if names::plausible(kind, text) => {
                self.notes.masked(&self.place, kind, text);
                kind.mask().clone_into(text);
            }
            Value::Number(number) if kind == SecretKind::Password => {
                self.notes.masked(&self.place, kind, &number.to_string());
                *value = kind.mask().into();
            }
            Value::Array(items) if self.depth < DEEPEST => {
                for (number, item) in items.iter_mut().enumerate() {
                    self.inside(&number.to_string(), |walk| match item {
                        Value::String(_) => walk.secret(item, kind),
                        other => walk.value(other),
                    });
                }
            }
            other => self.value(other),
        }
    }

    fn inside(&mut self, name: &str, act: impl FnOnce(&mut Self)) {
        let length = self.place.len();
        self.place.push('/');
        if name.contains(['~', '/']) {
            self.place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        } else {
            self.place.push_str(name);
        }
        self.depth += 1;
        act(self);
        self.depth -= 1;
        self.place.truncate(length);
    }
}
