//! Secrets that are known by the name before them: `password=…`, `"nonce": "…"`, `--token …`.

use super::super::notes::SecretKind;
use super::{Found, has_digit, names, run};

/// Longest quoted value.
const LONGEST: usize = 4096;

/// The value that is given to the name of which a part stands at `start..end`.
pub(super) fn value(text: &str, start: usize, end: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let before = bytes[..start].iter().rev().take(64).take_while(|b| in_name(**b)).count();
    let name_start = start - before;
    let name_end = end + run(text, end, in_name);
    let written = &text[name_start..name_end];
    let kind = names::kind(written.trim_matches(['-', '.']))?;
    // A quote ends a quoted name; it may itself be escaped, inside a JSON text.
    let after_name = name_end + run(text, name_end, |b| matches!(b, b'"' | b'\'' | b'\\'));
    let at = after_name + run(text, after_name, |b| b == b' ').min(3);
    let (at, strong) = match bytes.get(at) {
        Some(b'=') => (at + 1 + usize::from(bytes.get(at + 1) == Some(&b'>')), true),
        Some(b':') => (at + 1, false),
        // An option and its value: `--password x`.
        _ if written.starts_with('-') && at > after_name => (at, true),
        _ => return None,
    };
    let at = at + run(text, at, |b| matches!(b, b' ' | b'\t')).min(4);
    let (range, quoted) = operand(text, at)?;
    let value = &text[range.clone()];
    let fits = names::plausible(kind, value)
        && !value.eq_ignore_ascii_case(written)
        && (quoted
            || !names_another(text, range.end, value)
                && spoken_for(text, range.end, value, strong, kind));
    fits.then_some(Found { range, kind })
}

/// The value at a place, and whether it stands in quotes.
fn operand(text: &str, at: usize) -> Option<(std::ops::Range<usize>, bool)> {
    let rest = &text[at..];
    for quote in ["\\\"", "\"", "'"] {
        if let Some(inner) = rest.strip_prefix(quote) {
            let from = at + quote.len();
            let inner = &inner[..inner.floor_char_boundary(LONGEST)];
            let length = inner.find(quote).filter(|end| !inner[..*end].contains('\n'));
            // A quote that is not closed: what follows up to a space.
            let length = length.unwrap_or_else(|| word(inner));
            return (length > 0).then_some((from..from + length, true));
        }
    }
    let length = word(&rest[..rest.floor_char_boundary(LONGEST)]);
    (length > 0).then_some((at..at + length, false))
}

fn word(text: &str) -> usize {
    text.find(|c: char| {
        c.is_whitespace() || matches!(c, ',' | ';' | '&' | '"' | '\'' | '<' | '>' | ')' | '|')
    })
    .unwrap_or(text.len())
}

/// Whether a value without quotes is a name in a program, as in `secret=Target.ClientSecret`: the
/// last part of it is a secret's name, and a dot, a comma or a bracket says that it is code.
fn names_another(text: &str, end: usize, value: &str) -> bool {
    let code = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']');
    let last = value.rsplit('.').next().unwrap_or(value);
    value.bytes().all(code)
        && names::kind(last).is_some()
        && (value.contains('.') || matches!(text.as_bytes().get(end), Some(b',' | b')')))
}

/// Whether a value without quotes is one: not a variable, a call, or the next word of a sentence.
fn spoken_for(text: &str, end: usize, value: &str, strong: bool, kind: SecretKind) -> bool {
    let refers = value.starts_with(['$', '%', '{', '(', '-', '[']) || value.contains('(');
    let path = value.starts_with('/') || value.contains(":\\") || value.starts_with("~/");
    if refers || path {
        return false;
    }
    match kind {
        SecretKind::Nonce => value.len() >= 8,
        _ if strong => value.len() >= 3,
        // After a colon prose goes on with words; a password stands alone or is no word.
        _ => {
            let alone = text[end..].chars().find(|c| !matches!(c, ' ' | '\t'));
            let alone = matches!(alone, None | Some('\n' | '\r'));
            value.len() >= 3
                && (alone || has_digit(value) || !value.bytes().all(|b| b.is_ascii_alphabetic()))
        }
    }
}

/// The password in the user part of an address, `scheme://user:password@host`.
pub(super) fn in_url(text: &str, end: usize) -> Option<Found> {
    let rest = &text[end..];
    let rest = &rest[..rest.floor_char_boundary(512)];
    let authority = &rest[..rest
        .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>'))
        .unwrap_or(rest.len())];
    let user = &authority[..authority.rfind('@')?];
    let range = match user.find(':') {
        Some(colon) => end + colon + 1..end + user.len(),
        // A token instead of a user.
        None if user.len() >= 20 && has_digit(user) => end..end + user.len(),
        None => return None,
    };
    let value = &text[range.clone()];
    let fits = names::plausible(SecretKind::Password, value) && !value.starts_with(['$', '{']);
    fits.then_some(Found { range, kind: SecretKind::Password })
}
