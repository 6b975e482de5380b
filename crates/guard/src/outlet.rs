//! The one filter that each answer passes on the way out.
//!
//! Text from endpoints is written by an adversary, and any answer can hold what nobody meant to
//! show. The filter
//!
//! - masks secrets: private keys, enrolment nonces, tokens, passwords, by shape and by name;
//! - shows characters that trick a reader as `\u{…}` ([`hostile`]);
//! - flags text that speaks to a model, and long encoded runs, and leaves both as they are;
//! - cuts what is too long;
//!
//! and says in [`Notes`] what it did and where. A second pass changes nothing.
//!
//! [`json`] filters an answer before it is serialised, [`raw`] one that is: it looks at the bytes
//! and takes them apart only where something is to be done. What is masked by the name of its
//! member in the data has no name in a rendering for reading: pass that through
//! [`Notes::mask_in`] as well.

use std::borrow::Cow;

use serde_json::Value;

mod blobs;
pub mod hostile;
mod notes;
mod prompts;
mod secrets;
mod walk;

pub use notes::{Note, Notes, SecretKind, Seen};

/// The longest string that leaves, in bytes, what says that it was cut included.
pub const LONGEST: usize = 1024 * 1024;

/// Filters a text.
pub fn text(text: &str) -> (Cow<'_, str>, Notes) {
    let mut notes = Notes::default();
    let filtered = filter(text, "", &mut notes);
    (filtered, notes)
}

/// Filters every string of a value, the names of members included.
pub fn json(value: &mut Value) -> Notes {
    let mut notes = Notes::default();
    walk::each(value, &mut notes, filter);
    notes
}

/// Filters a serialised JSON value. Where nothing is to be done, it is given back as it is. What is
/// no JSON is filtered as a text.
pub fn raw(serialised: &str) -> (Cow<'_, str>, Notes) {
    if is_plain(serialised) {
        return (Cow::Borrowed(serialised), Notes::default());
    }
    let Ok(mut value) = serde_json::from_str(serialised) else { return text(serialised) };
    let notes = json(&mut value);
    if notes.changed() {
        (Cow::Owned(value.to_string()), notes)
    } else {
        (Cow::Borrowed(serialised), notes)
    }
}

/// Masks the secrets of a text, and does nothing else.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    mask(text, "", &mut Notes::default())
}

/// Masks the secrets of a value, and does nothing else.
pub fn mask_json(value: &mut Value) {
    walk::each(value, &mut Notes::default(), mask);
}

/// Whether nothing in a serialised value has to be looked at.
fn is_plain(serialised: &str) -> bool {
    let bytes = serialised.as_bytes();
    !hostile::is_in(serialised)
        && !secrets::has_anchor(bytes)
        && !blobs::are_in(bytes)
        && !has_escapes(bytes)
        && (bytes.len() <= LONGEST || !has_long_string(bytes))
}

/// Whether a string is spelled so that the bytes do not show its characters: `\u`, `\/`, and the
/// control characters with a letter of their own. `\n`, `\t`, `\"` and `\\` hide nothing.
fn has_escapes(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(next) = memchr::memchr(b'\\', &bytes[at..]) {
        if matches!(bytes.get(at + next + 1), Some(b'u' | b'/' | b'r' | b'b' | b'f')) {
            return true;
        }
        at = (at + next + 2).min(bytes.len());
    }
    false
}

fn has_long_string(bytes: &[u8]) -> bool {
    let mut last = 0;
    memchr::memchr_iter(b'"', bytes).chain([bytes.len()]).any(|quote| {
        let long = quote - last > LONGEST;
        last = quote;
        long
    })
}

fn mask<'a>(text: &'a str, at: &str, notes: &mut Notes) -> Cow<'a, str> {
    if !secrets::has_anchor(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let found = secrets::find(text).secrets;
    for secret in &found {
        notes.masked(at, secret.kind, &text[secret.range.clone()]);
    }
    secrets::mask(text, &found)
}

fn filter<'a>(text: &'a str, at: &str, notes: &mut Notes) -> Cow<'a, str> {
    let hostile = hostile::count(text);
    flag(text, hostile > 0, at, notes);
    let mut out = mask(text, at, notes);
    if hostile > 0 {
        notes.escaped += hostile;
        let shown = hostile::escape(&out).into_owned();
        // What stands beside an escaped character may only now look like a secret.
        out = Cow::Owned(mask(&shown, at, notes).into_owned());
    }
    if out.len() > LONGEST {
        notes.add(at, Seen::Cut { bytes: out.len() });
        let says = format!(" [cut: of {} bytes]", out.len());
        let kept = out.floor_char_boundary(LONGEST - says.len());
        out = Cow::Owned(format!("{}{says}", &out[..kept]));
    }
    out
}

/// Flags what is left as it is.
fn flag(text: &str, hostile: bool, at: &str, notes: &mut Notes) {
    for bytes in blobs::find(text.as_bytes()) {
        notes.add(at, Seen::Encoded { bytes });
    }
    let seen: Cow<'_, str> = if hostile {
        text.chars().filter(|c| !hostile::is_hostile(*c)).collect::<String>().into()
    } else {
        text.into()
    };
    let mut told = Vec::new();
    for place in prompts::anchors(&seen) {
        if let Some(rule) = prompts::rule_at(&seen, place)
            && !told.contains(&rule)
        {
            told.push(rule);
            notes.add(at, Seen::PromptLike { rule });
        }
    }
}

#[cfg(test)]
mod tests;
