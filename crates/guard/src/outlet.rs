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
//! [`raw`] filters an answer that is serialised: it looks at the bytes, and only what needs it is
//! written anew. What is masked by the name of its member in the data has no name in a rendering
//! for reading: [`rendering`] masks it there.

use std::borrow::Cow;

use serde_json::Value;

mod blobs;
mod document;
pub mod hostile;
mod marks;
mod names;
mod notes;
mod place;
mod prompts;
mod secrets;

pub use names::name_columns;
pub use notes::{Note, Notes, SecretKind, Seen};
use place::Place;

/// The longest string that leaves, in bytes, what says that it was cut included.
pub const LONGEST: usize = 1024 * 1024;

/// What is done with a string: its text, its place, where to note what was seen.
type Rule = for<'a> fn(&'a str, &Place<'_>, &mut Notes) -> Cow<'a, str>;

/// Filters a text.
pub fn text(text: &str) -> (Cow<'_, str>, Notes) {
    let mut notes = Notes::default();
    let filtered = filter(text, &Place::NONE, &mut notes);
    (filtered, notes)
}

/// Filters a rendering of data that was filtered with these notes. They take in what is found here
/// only.
pub fn rendering(text: &str, notes: &mut Notes) -> String {
    let mut found = Notes::default();
    let filtered = filter(text, &Place::TEXT, &mut found).into_owned();
    let filtered = notes.mask_in(filtered);
    notes.absorb(found);
    filtered
}

/// Filters every string of a value, the names of members included.
pub fn json(value: &mut Value) -> Notes {
    let mut notes = Notes::default();
    replace(value, &mut notes, filter);
    notes
}

/// Filters a serialised JSON value. Only what needs it is written anew; where nothing does, it is
/// given back as it is. What is no JSON is filtered as a text.
pub fn raw(serialised: &str) -> (Cow<'_, str>, Notes) {
    let mut notes = Notes::default();
    match document::rewrite(serialised, &mut notes, filter) {
        Ok(filtered) => (filtered, notes),
        Err(document::Malformed) => text(serialised),
    }
}

/// The beginning of a text, of so many characters or fewer: no secret is cut in two, so that each
/// is still known as one.
pub fn beginning(text: &str, characters: usize) -> &str {
    let Some((cut, _)) = text.char_indices().nth(characters) else { return text };
    let secrets = secrets::find(text).secrets;
    let split = secrets.iter().find(|s| s.range.start < cut && cut < s.range.end);
    &text[..split.map_or(cut, |secret| secret.range.start)]
}

/// Masks the secrets of a text, and does nothing else.
pub fn mask_text(text: &str) -> Cow<'_, str> {
    mask(text, &Place::NONE, &mut Notes::default())
}

/// Masks the secrets of a value, and does nothing else.
pub fn mask_json(value: &mut Value) {
    replace(value, &mut Notes::default(), mask);
}

/// Masks the secrets of a serialised JSON value, and does nothing else.
pub fn mask_raw(serialised: &str) -> Cow<'_, str> {
    document::rewrite(serialised, &mut Notes::default(), mask)
        .unwrap_or_else(|document::Malformed| mask_text(serialised))
}

/// What stands in place of a member's value, where its name says that it is secret.
#[derive(Clone, Copy, Debug)]
pub struct SecretName(SecretKind);

impl SecretName {
    /// Nothing where the name is no secret's.
    pub fn of(name: &str) -> Option<Self> {
        secrets::names::kind(name).map(Self)
    }

    /// The mask, where the value is one that is masked as a whole.
    pub fn mask(self, value: &Value) -> Option<&'static str> {
        let kind = self.0;
        let whole = match value {
            Value::String(text) => secrets::names::plausible(kind, text),
            Value::Number(_) => kind == SecretKind::Password,
            Value::Array(items) => kind.is_whole() && !items.is_empty(),
            Value::Object(members) => kind.is_whole() && !members.is_empty(),
            Value::Null | Value::Bool(_) => false,
        };
        whole.then(|| kind.mask())
    }

    /// A serialised value under this name with its secrets masked, and nothing else changed.
    pub fn mask_raw(self, serialised: &str) -> Cow<'_, str> {
        document::rewrite_under(serialised, self.0, &mut Notes::default(), mask)
            .unwrap_or_else(|document::Malformed| mask_text(serialised))
    }
}

fn replace(value: &mut Value, notes: &mut Notes, rule: Rule) {
    let serialised = value.to_string();
    // A value's own text is JSON, and so is what becomes of it.
    if let Ok(Cow::Owned(new)) = document::rewrite(&serialised, notes, rule)
        && let Ok(new) = serde_json::from_str(&new)
    {
        *value = new;
    }
}

fn mask<'a>(text: &'a str, at: &Place<'_>, notes: &mut Notes) -> Cow<'a, str> {
    if !secrets::has_anchor(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    mask_found(text, &secrets::find(text), at, notes)
}

fn mask_found<'a>(
    text: &'a str,
    places: &secrets::Places,
    at: &Place<'_>,
    notes: &mut Notes,
) -> Cow<'a, str> {
    for secret in &places.secrets {
        notes.masked(at, secret.kind, &text[secret.range.clone()]);
    }
    secrets::mask(text, &places.secrets)
}

fn filter<'a>(text: &'a str, at: &Place<'_>, notes: &mut Notes) -> Cow<'a, str> {
    let places = if secrets::has_anchor(text.as_bytes()) {
        secrets::find(text)
    } else {
        secrets::Places::default()
    };
    for run in blobs::find(text.as_bytes()) {
        notes.add(at, Seen::Encoded { bytes: run.len() });
    }
    let mut out = mask_found(text, &places, at, notes);
    if hostile::is_in(text) {
        // Invisible characters are put in to hide the words, so the words are read without them.
        let seen: String = text.chars().filter(|c| !hostile::is_hostile(*c)).collect();
        let seen_places = secrets::find(&seen);
        flag(&seen, &seen_places.prompts, at, notes);
        let shown = hostile::escape(&out).into_owned();
        // What stands beside an escaped character may only now look like a secret.
        out = Cow::Owned(mask(&shown, at, notes).into_owned());
    } else {
        flag(text, &places.prompts, at, notes);
    }
    if out.len() > LONGEST {
        notes.add(at, Seen::Cut { bytes: out.len() });
        let says = format!(" [cut: of {} bytes]", out.len());
        let kept = out.floor_char_boundary(LONGEST - says.len());
        out = Cow::Owned(format!("{}{says}", &out[..kept]));
    }
    out
}

/// Flags what speaks to a model, each rule once, and leaves it as it is.
fn flag(text: &str, anchors: &[usize], at: &Place<'_>, notes: &mut Notes) {
    let mut told = Vec::new();
    for place in anchors {
        if let Some(rule) = prompts::rule_at(text, *place)
            && !told.contains(&rule)
        {
            told.push(rule);
            notes.add(at, Seen::AddressesModel { rule });
        }
    }
}

#[cfg(test)]
mod tests;
