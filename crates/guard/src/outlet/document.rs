//! A serialised value, taken apart where something is to be done.
//!
//! One pass over the bytes finds where to look ([`Marks`]); mostly there is nothing, and the text
//! is given back. Else the value is walked through once, only strings with a mark in them are
//! decoded, and what changes is put in their place. All other bytes stay, so that numbers keep
//! their spelling.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

use super::marks::{DEEPEST, Marks};
use super::notes::{Notes, SecretKind, Seen};
use super::place::{Place, Step, decode};
use super::secrets::names as secret_names;
use super::{LONGEST, Rule, names};

const TOO_DEEP: &str = "[left out: nested too deeply]";

/// It is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// Applies a rule to every string and every member's name, and masks what a name says is secret.
pub(super) fn rewrite<'a>(
    text: &'a str,
    notes: &mut Notes,
    rule: Rule,
) -> Result<Cow<'a, str>, Malformed> {
    match Marks::find(text) {
        Some(marks) => Walk::through(text, marks, None, notes, rule),
        None => Ok(Cow::Borrowed(text)),
    }
}

/// The same for the value of a member whose name says that it is secret.
pub(super) fn rewrite_under<'a>(
    text: &'a str,
    kind: SecretKind,
    notes: &mut Notes,
    rule: Rule,
) -> Result<Cow<'a, str>, Malformed> {
    let marks = Marks::find(text).unwrap_or_default();
    Walk::through(text, marks, Some(kind), notes, rule)
}

struct Walk<'a, 'n> {
    text: &'a str,
    marks: Marks,
    /// How many marks lie behind.
    seen: usize,
    notes: &'n mut Notes,
    rule: Rule,
    steps: Vec<Step<'a>>,
    /// What is put where, in order.
    edits: Vec<(Range<usize>, String)>,
}

impl<'a, 'n> Walk<'a, 'n> {
    fn through(
        text: &'a str,
        marks: Marks,
        kind: Option<SecretKind>,
        notes: &'n mut Notes,
        rule: Rule,
    ) -> Result<Cow<'a, str>, Malformed> {
        // What is no JSON after all is noted as the text that it is.
        let mut found = Notes::default();
        let mut walk = Walk {
            text,
            marks,
            seen: 0,
            notes: &mut found,
            rule,
            steps: Vec::new(),
            edits: Vec::new(),
        };
        let start = walk.space(0);
        let end = walk.value(start, kind)?;
        if walk.space(end) != text.len() {
            return Err(Malformed);
        }
        let edits = walk.edits;
        notes.absorb(found);
        if edits.is_empty() {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::with_capacity(text.len() + 256);
        let mut from = 0;
        for (range, new) in edits {
            out.push_str(&text[from..range.start]);
            out.push_str(&new);
            from = range.end;
        }
        out.push_str(&text[from..]);
        Ok(Cow::Owned(out))
    }

    /// Walks through the value that begins at a place, and gives where it ends. `kind` is what the
    /// name above it says that it is.
    fn value(&mut self, at: usize, kind: Option<SecretKind>) -> Result<usize, Malformed> {
        let first = *self.text.as_bytes().get(at).ok_or(Malformed)?;
        match first {
            b'"' => self.string(at, kind),
            b'[' | b'{' if self.steps.len() == DEEPEST => {
                let end = skip(self.text, at)?;
                self.notes.add(&Place::of(&self.steps), Seen::LeftOut);
                self.edit(at..end, TOO_DEEP);
                Ok(end)
            }
            b'[' | b'{' => match kind {
                Some(kind) if kind.is_whole() => self.whole(at, kind),
                _ if first == b'[' => self.array(at, kind),
                _ => self.object(at, kind),
            },
            _ => {
                let end = scalar(self.text, at)?;
                if kind == Some(SecretKind::Password) && (first == b'-' || first.is_ascii_digit()) {
                    let number = &self.text[at..end];
                    self.notes.masked(&Place::of(&self.steps), SecretKind::Password, number);
                    self.edit(at..end, SecretKind::Password.mask());
                }
                Ok(end)
            }
        }
    }

    fn string(&mut self, at: usize, kind: Option<SecretKind>) -> Result<usize, Malformed> {
        let end = string_end(self.text, at)?;
        let serialised = &self.text[at..end];
        if let Some(kind) = kind {
            let text = decode(serialised);
            if secret_names::plausible(kind, &text) {
                self.notes.masked(&Place::of(&self.steps), kind, &text);
                self.edit(at..end, kind.mask());
                return Ok(end);
            }
        }
        if self.is_marked(at..end) {
            let text = decode(serialised);
            if let Cow::Owned(new) = (self.rule)(&text, &Place::of(&self.steps), self.notes) {
                self.edit(at..end, &new);
            }
        }
        Ok(end)
    }

    /// A value that is masked as one, whatever it holds, where it holds anything.
    fn whole(&mut self, at: usize, kind: SecretKind) -> Result<usize, Malformed> {
        let end = skip(self.text, at)?;
        if self.text[at + 1..end - 1].trim().is_empty() {
            return Ok(end);
        }
        let value: Value = serde_json::from_str(&self.text[at..end]).map_err(|_| Malformed)?;
        self.notes.masked(&Place::of(&self.steps), kind, "");
        each_text(&value, &mut |text| self.notes.remember(kind, text));
        self.edit(at..end, kind.mask());
        Ok(end)
    }

    fn array(&mut self, at: usize, kind: Option<SecretKind>) -> Result<usize, Malformed> {
        let mut at = self.space(at + 1);
        if self.byte(at) == Some(b']') {
            return Ok(at + 1);
        }
        for number in 0.. {
            self.steps.push(Step::Item(number));
            at = self.value(at, kind)?;
            self.steps.pop();
            at = self.space(at);
            match self.byte(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b']') => break,
                _ => return Err(Malformed),
            }
        }
        Ok(at + 1)
    }

    fn object(&mut self, start: usize, kind: Option<SecretKind>) -> Result<usize, Malformed> {
        let mut at = self.space(start + 1);
        if self.byte(at) == Some(b'}') {
            return Ok(at + 1);
        }
        let mut shown: Option<Vec<String>> = None;
        for number in 0.. {
            if self.byte(at) != Some(b'"') {
                return Err(Malformed);
            }
            let end = string_end(self.text, at)?;
            let serialised = &self.text[at..end];
            self.steps.push(Step::Member(serialised));
            let mut inner = kind;
            // The name of a secret has a mark as well.
            if self.is_marked(at..end) {
                let name = decode(serialised);
                let new = (self.rule)(&name, &Place::name(&self.steps), self.notes);
                inner = secret_names::kind(&name).or_else(|| secret_names::kind(&new)).or(kind);
                if new != name {
                    if shown.is_none() {
                        let all = member_names(self.text, start)?;
                        shown = Some(names::shown(all.iter().map(AsRef::as_ref), self.rule));
                    }
                    let new = shown.as_ref().and_then(|shown| shown.get(number));
                    let new = new.ok_or(Malformed)?.clone();
                    self.edit(at..end, &new);
                }
            }
            at = self.space(end);
            if self.byte(at) != Some(b':') {
                return Err(Malformed);
            }
            at = self.space(at + 1);
            at = self.value(at, inner)?;
            self.steps.pop();
            at = self.space(at);
            match self.byte(at) {
                Some(b',') => at = self.space(at + 1),
                Some(b'}') => break,
                _ => return Err(Malformed),
            }
        }
        Ok(at + 1)
    }

    fn edit(&mut self, range: Range<usize>, text: &str) {
        self.edits.push((range, Value::from(text).to_string()));
    }

    /// Whether a mark lies in a string, or it is too long. Strings are asked for in order.
    fn is_marked(&mut self, range: Range<usize>) -> bool {
        self.seen = self.marks.before(range.start, self.seen);
        self.marks.get(self.seen).is_some_and(|mark| mark < range.end) || range.len() > LONGEST
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn space(&self, at: usize) -> usize {
        space(self.text, at)
    }
}

fn each_text(value: &Value, act: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => act(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, act)),
        Value::Object(members) => members.values().for_each(|value| each_text(value, act)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The names of the members of the object that begins at a place.
fn member_names(text: &str, start: usize) -> Result<Vec<Cow<'_, str>>, Malformed> {
    let mut names = Vec::new();
    let mut at = space(text, start + 1);
    loop {
        let end = string_end(text, at)?;
        names.push(decode(&text[at..end]));
        // After the colon.
        at = skip(text, space(text, space(text, end) + 1))?;
        at = space(text, at);
        match text.as_bytes().get(at) {
            Some(b',') => at = space(text, at + 1),
            _ => return Ok(names),
        }
    }
}

fn space(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).count()
}

/// Where the string that begins at a place ends, its quote included.
fn string_end(text: &str, at: usize) -> Result<usize, Malformed> {
    let bytes = text.as_bytes();
    let mut from = at + 1;
    loop {
        let rest = bytes.get(from..).ok_or(Malformed)?;
        let next = from + memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
        if bytes[next] == b'"' {
            return Ok(next + 1);
        }
        from = next + 2;
    }
}

/// Where a number, a truth value or null ends.
fn scalar(text: &str, at: usize) -> Result<usize, Malformed> {
    let rest = &text.as_bytes()[at..];
    let belongs = |b: &&u8| b.is_ascii_alphanumeric() || matches!(**b, b'-' | b'+' | b'.');
    match rest.iter().take_while(belongs).count() {
        0 => Err(Malformed),
        length => Ok(at + length),
    }
}

/// Where the value that begins at a place ends.
fn skip(text: &str, at: usize) -> Result<usize, Malformed> {
    let bytes = text.as_bytes();
    match bytes.get(at) {
        Some(b'"') => return string_end(text, at),
        Some(b'[' | b'{') => {}
        Some(_) => return scalar(text, at),
        None => return Err(Malformed),
    }
    let (mut at, mut depth) = (at, 0_usize);
    loop {
        match bytes.get(at).ok_or(Malformed)? {
            b'"' => at = string_end(text, at)? - 1,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Ok(at);
        }
    }
}
