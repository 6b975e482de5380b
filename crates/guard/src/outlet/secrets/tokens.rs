//! Tokens that are known by their shape.

use super::super::notes::SecretKind;
use super::{Found, has_digit, inside_word, run};

/// A token that begins with a fixed text.
pub(super) struct Shape {
    /// In lower case, as the automaton is told.
    pub(super) prefix: &'static str,
    /// As it is written.
    exact: &'static str,
    least: usize,
    most: usize,
    kind: SecretKind,
}

const fn shape(prefix: &'static str, exact: &'static str, least: usize, most: usize) -> Shape {
    Shape { prefix, exact, least, most, kind: SecretKind::Token }
}

const LONG: usize = 4096;

/// Prefixes of tokens, with how many characters follow at the least and at the most.
pub(super) const PREFIXES: &[Shape] = &[
    shape("akia", "AKIA", 16, 16),
    shape("asia", "ASIA", 16, 16),
    shape("ghp_", "ghp_", 36, 255),
    shape("gho_", "gho_", 36, 255),
    shape("ghu_", "ghu_", 36, 255),
    shape("ghs_", "ghs_", 36, 255),
    shape("ghr_", "ghr_", 36, 255),
    shape("github_pat_", "github_pat_", 22, 255),
    shape("glpat-", "glpat-", 20, 255),
    shape("xoxb-", "xoxb-", 20, 255),
    shape("xoxp-", "xoxp-", 20, 255),
    shape("xoxa-", "xoxa-", 20, 255),
    shape("xoxr-", "xoxr-", 20, 255),
    shape("xoxs-", "xoxs-", 20, 255),
    shape("xapp-", "xapp-", 20, 255),
    shape("aiza", "AIza", 35, 35),
    shape("sk_live_", "sk_live_", 16, 255),
    shape("rk_live_", "rk_live_", 16, 255),
    shape("sk-ant-", "sk-ant-", 20, 255),
    shape("sk-proj-", "sk-proj-", 20, 255),
    shape("npm_", "npm_", 36, 36),
    shape("pypi-", "pypi-", 50, LONG),
    shape("hvs.", "hvs.", 24, 255),
    shape("dckr_pat_", "dckr_pat_", 20, 255),
    shape("dop_v1_", "dop_v1_", 64, 64),
    Shape {
        prefix: "age-secret-key-1",
        exact: "AGE-SECRET-KEY-1",
        least: 50,
        most: 100,
        kind: SecretKind::PrivateKey,
    },
];

/// The token whose prefix stands at `start..end`.
pub(super) fn prefixed(text: &str, start: usize, end: usize, shape: usize) -> Option<Found> {
    let shape = &PREFIXES[shape];
    if &text[start..end] != shape.exact || inside_word(text, start) {
        return None;
    }
    let upper = shape.exact.len() == 4 && shape.most == 16;
    let length = run(text, end, |b| match b {
        b'A'..=b'Z' | b'0'..=b'9' => true,
        b'a'..=b'z' | b'_' | b'-' => !upper || b.is_ascii_lowercase(),
        _ => false,
    });
    let body = &text[end..end + length];
    let fits = (shape.least..=shape.most).contains(&length)
        && has_digit(body)
        && !(upper && body.bytes().any(|b| b.is_ascii_lowercase()));
    fits.then(|| Found { range: start..end + length, kind: shape.kind })
}

/// A JSON web token: three parts of base64url, the first of them a JSON object.
pub(super) fn jwt(text: &str, start: usize) -> Option<Found> {
    if !text[start..].starts_with("eyJ") || inside_word(text, start) {
        return None;
    }
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    let mut at = start;
    for least in [10, 4] {
        let length = run(text, at, base64url);
        at += length;
        if length < least || text.as_bytes().get(at) != Some(&b'.') {
            return None;
        }
        at += 1;
    }
    at += run(text, at, |b| base64url(b) || b == b'.');
    Some(Found { range: start..at, kind: SecretKind::Token })
}

fn token68(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b)
}

/// What stands after `Bearer `.
pub(super) fn bearer(text: &str, end: usize) -> Option<Found> {
    let length = run(text, end, token68);
    let token = &text[end..end + length];
    let fits = length >= 16 && has_digit(token);
    fits.then(|| Found { range: end..end + length, kind: SecretKind::Token })
}

/// What stands after `Authorization: Basic `.
pub(super) fn basic(text: &str, start: usize, end: usize) -> Option<Found> {
    let before = &text[text.floor_char_boundary(start.saturating_sub(20))..start];
    let length = run(text, end, token68);
    let fits = length >= 8 && before.to_ascii_lowercase().contains("authorization");
    fits.then(|| Found { range: end..end + length, kind: SecretKind::Password })
}

/// A password's hash as `crypt` writes it.
pub(super) fn crypt(text: &str, start: usize, end: usize) -> Option<Found> {
    let length = run(text, end, |b| b.is_ascii_alphanumeric() || b"./$=,".contains(&b));
    let hash = &text[end..end + length];
    let salted = hash.contains('$') || text[start..].starts_with("$2");
    let fits = length >= 24 && salted;
    fits.then(|| Found { range: start..end + length, kind: SecretKind::PasswordHash })
}
