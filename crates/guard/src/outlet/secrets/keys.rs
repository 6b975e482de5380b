//! Private keys as text.

use std::ops::Range;

use super::super::notes::SecretKind;
use super::Found;

/// No key is longer than this, its armour included.
const LONGEST: usize = 32 * 1024;

/// A PEM block with a private key. One that is not ended, or has other text inside, ends after its
/// lines of base64: a planted header must not hide all evidence after it.
pub(super) fn pem(text: &str, start: usize, end: usize) -> Option<Found> {
    let rest = &text[end..];
    let label_end = rest[..rest.floor_char_boundary(64)].find("-----")?;
    let label = rest[..label_end].to_ascii_uppercase();
    if !label.ends_with("PRIVATE KEY") && !label.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let body = end + label_end + 5;
    let stop = closed(text, body).unwrap_or_else(|| after_lines(text, body));
    Some(Found { range: start..stop, kind: SecretKind::PrivateKey })
}

/// Where the block's end line ends, if only a key's text stands before it.
fn closed(text: &str, body: usize) -> Option<usize> {
    let rest = &text[body..];
    let rest = &rest[..rest.floor_char_boundary(LONGEST)];
    let end = rest.find("-----END ")?;
    let armour = |b: u8| {
        b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\:,-_.()@".contains(&b)
    };
    // Headers of old PEM and of PGP are a few words; lines of evidence have other characters.
    if !rest[..end].bytes().all(armour) || rest[..end].lines().any(is_prose) {
        return None;
    }
    let tail = end + "-----END ".len();
    let close = rest[tail..].find("-----")?;
    (close < 64).then_some(body + tail + close + 5)
}

fn is_prose(line: &str) -> bool {
    line.split_ascii_whitespace().count() > 6
}

/// After the header's line and the lines of base64 below it.
fn after_lines(text: &str, body: usize) -> usize {
    let Some(first) = text[body..].find('\n') else { return text.len() };
    let mut at = body + first;
    while let Some(line) = text[at..].strip_prefix('\n') {
        let length = line.find('\n').unwrap_or(line.len());
        let trimmed = line[..length].trim();
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        if trimmed.len() < 16 || !trimmed.bytes().all(base64) {
            break;
        }
        at += 1 + length;
    }
    at
}

/// The lines of base64 after `Private-Lines: N` of a PuTTY key.
pub(super) fn putty(text: &str, end: usize) -> Option<Found> {
    let start = end + text[end..].find('\n')?;
    let range: Range<usize> = start + 1..after_lines(text, end);
    (range.start < range.end).then_some(Found { range, kind: SecretKind::PrivateKey })
}
