//! Words: keywords and bare names.

use crate::syntax::kind::TokenKind;

/// All keywords, upper case.
const KEYWORDS: [&[u8]; 17] = [
    b"EXPLAIN", b"SELECT", b"WHERE", b"AND", b"OR", b"FROM", b"NOT", b"AS", b"IN", b"LIMIT",
    b"NULL", b"DESC", b"GROUP", b"ORDER", b"TRUE", b"FALSE", b"LET",
];

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r' | b'\x0c') = bytes.get(at) {
        at += 1;
    }
    at
}

/// Length of a letter outside ASCII that folds to an ASCII letter, else 0.
pub(super) fn folded_letter(bytes: &[u8], at: usize) -> usize {
    match bytes[at..] {
        [0xc5, 0xbf, ..] => 2,
        [0xe2, 0x84, 0xaa, ..] => 3,
        _ => 0,
    }
}

/// End of the bare name that starts at `at`.
pub(super) fn name(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() {
        if is_word(bytes[at]) {
            at += 1;
        } else {
            let length = folded_letter(bytes, at);
            if length == 0 {
                break;
            }
            at += length;
        }
    }
    at
}

/// A keyword or a bare name.
#[inline]
pub(super) fn word(bytes: &[u8], at: usize) -> (TokenKind, usize) {
    let mut end = at + 1;
    while end < bytes.len() && is_word(bytes[end]) {
        end += 1;
    }
    if end < bytes.len() && bytes[end] >= 0x80 && folded_letter(bytes, end) > 0 {
        return folded_keyword(bytes, at).unwrap_or_else(|| (TokenKind::Name, name(bytes, at)));
    }
    let length = end - at;
    if (2..=7).contains(&length)
        && let Some(kind) = keyword(&bytes[at..end])
    {
        return match kind {
            TokenKind::GroupBy | TokenKind::OrderBy => {
                by(bytes, end).map_or((TokenKind::Name, end), |end| (kind, end))
            }
            _ => (kind, end),
        };
    }
    (TokenKind::Name, end)
}

#[inline]
fn keyword(word: &[u8]) -> Option<TokenKind> {
    let is = |upper: &[u8]| word.eq_ignore_ascii_case(upper);
    // The first letter decides between at most three words.
    let (upper, kind): (&[u8], _) = match (word[0] | 0x20, word.len()) {
        (b'a', 2) => (b"AS", TokenKind::As),
        (b'a', 3) => (b"AND", TokenKind::And),
        (b'd', 4) => (b"DESC", TokenKind::Desc),
        (b'e', 7) => (b"EXPLAIN", TokenKind::Explain),
        (b'f', 4) => (b"FROM", TokenKind::From),
        (b'f', 5) => (b"FALSE", TokenKind::Bool),
        (b'g', 5) => (b"GROUP", TokenKind::GroupBy),
        (b'i', 2) => (b"IN", TokenKind::In),
        (b'l', 3) => (b"LET", TokenKind::Let),
        (b'l', 5) => (b"LIMIT", TokenKind::Limit),
        (b'n', 3) => (b"NOT", TokenKind::Not),
        (b'n', 4) => (b"NULL", TokenKind::Null),
        (b'o', 2) => (b"OR", TokenKind::Or),
        (b'o', 5) => (b"ORDER", TokenKind::OrderBy),
        (b's', 6) => (b"SELECT", TokenKind::Select),
        (b't', 4) => (b"TRUE", TokenKind::Bool),
        (b'w', 5) => (b"WHERE", TokenKind::Where),
        _ => return None,
    };
    is(upper).then_some(kind)
}

/// End of `BY` after GROUP or ORDER: blanks, but no comment, may stand between.
fn by(bytes: &[u8], at: usize) -> Option<usize> {
    let start = blanks(bytes, at);
    let end = start + 2;
    let matches = start > at
        && bytes.get(start..end).is_some_and(|word| word.eq_ignore_ascii_case(b"BY"))
        && !bytes.get(end).copied().is_some_and(is_word);
    matches.then_some(end)
}

/// The rare case: a letter from outside ASCII touches the word. A keyword ends where a character
/// of `[A-Za-z0-9_]` meets one that is not, so `ANDſ` is AND and a name, and `FALſE` is FALSE.
fn folded_keyword(bytes: &[u8], at: usize) -> Option<(TokenKind, usize)> {
    KEYWORDS.iter().find_map(|upper| {
        let mut end = at;
        let mut last_is_word = false;
        for letter in *upper {
            let byte = *bytes.get(end)?;
            if byte.eq_ignore_ascii_case(letter) {
                end += 1;
                last_is_word = true;
            } else if *letter == b'S' && bytes[end..].starts_with(&[0xc5, 0xbf]) {
                end += 2;
                last_is_word = false;
            } else {
                return None;
            }
        }
        let next_is_word = bytes.get(end).copied().is_some_and(is_word);
        let kind = keyword(upper)?;
        if matches!(kind, TokenKind::GroupBy | TokenKind::OrderBy) {
            return by(bytes, end).map(|end| (kind, end));
        }
        (last_is_word != next_is_word).then_some((kind, end))
    })
}
