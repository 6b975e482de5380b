//! From text to tokens, exactly as the engine cuts them.
//!
//! The engine tries a list of alternatives at each place and takes the first that matches, not the
//! longest: comments before keywords, keywords before numbers, numbers before names, names before
//! operators. Each alternative sees only the text from the place on. Three results surprise:
//! `a-1` is a name and the number `-1`; `a--1` is a name and a comment; `1AND` is a number and a
//! keyword. Letter case is folded as Unicode does, so that `ſ` (U+017F) and the Kelvin sign (U+212A) are
//! letters of names, and of keywords with an S.

mod word;

use super::kind::TokenKind;
use word::{blanks, folded_letter, name, word};

/// Cuts a text into tokens, in time linear in its length whatever the text.
pub(super) struct Lexer<'t> {
    bytes: &'t [u8],
    /// A `/*` was met that nothing closes. Later ones need no search: they are not closed either.
    unclosed_comment: bool,
}

impl<'t> Lexer<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { bytes: text.as_bytes(), unclosed_comment: false }
    }

    /// End of the comment whose `/*` stands at `at`.
    fn block_comment(&mut self, at: usize) -> Option<usize> {
        if self.unclosed_comment {
            return None;
        }
        let found = find(&self.bytes[at + 2..], b"*/");
        self.unclosed_comment = found.is_none();
        found.map(|length| at + 2 + length + 2)
    }

    /// Cuts one token off at `at`, which must be inside the text; returns its kind and its end.
    #[inline]
    pub(super) fn next(&mut self, at: usize) -> (TokenKind, usize) {
        use TokenKind as T;
        let bytes = self.bytes;
        let peek = |ahead: usize| bytes.get(at + ahead).copied().unwrap_or(0);
        let one = |kind| (kind, at + 1);
        let two = |kind| (kind, at + 2);
        match bytes[at] {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => word(bytes, at),
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => (T::Whitespace, blanks(bytes, at + 1)),
            b'0'..=b'9' => (T::Number, number(bytes, at).unwrap_or(at + 1)),
            b'.' => number(bytes, at).map_or(one(T::Dot), |end| (T::Number, end)),
            b',' => one(T::Comma),
            b'(' => one(T::ParenOpen),
            b')' => one(T::ParenClose),
            b'=' => match peek(1) {
                b'>' => two(T::Arrow),
                b'~' => two(T::Match),
                _ => one(T::Eq),
            },
            b'"' | b'\'' => string(bytes, at),
            b'`' if peek(1) == b'`' => two(T::Invalid),
            b'`' => quoted_name(bytes, at)
                .map_or((T::Unterminated, bytes.len()), |end| (T::QuotedName, end)),
            b'-' => minus(bytes, at),
            b'/' => match peek(1) {
                b'*' => self.block_comment(at).map_or(one(T::Slash), |end| (T::Comment, end)),
                b'/' => (T::Comment, line_end(bytes, at)),
                _ => one(T::Slash),
            },
            b'|' => (T::Bars, at + bytes[at..].iter().take_while(|byte| **byte == b'|').count()),
            b'&' if peek(1) == b'&' => two(T::Amps),
            b'<' => match peek(1) {
                b'>' => two(T::NeAngle),
                b'=' => two(T::Le),
                _ => one(T::Lt),
            },
            b'>' if peek(1) == b'=' => two(T::Ge),
            b'>' => one(T::Gt),
            b'!' if peek(1) == b'=' => two(T::Ne),
            b'+' => one(T::Plus),
            b'*' => one(T::Star),
            b'%' => one(T::Percent),
            b':' => one(T::Colon),
            b'[' => one(T::BracketOpen),
            b']' => one(T::BracketClose),
            b'{' => one(T::BraceOpen),
            b'}' => one(T::BraceClose),
            _ if folded_letter(bytes, at) > 0 => (T::Name, name(bytes, at)),
            first => (T::Invalid, at + char_length(first)),
        }
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    bytes.windows(pattern.len()).position(|window| window == pattern)
}

const fn char_length(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// End of the number that starts at `at`, its sign included, if there is one.
#[inline]
fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let digits = |mut at: usize| {
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        at
    };
    let start = at + usize::from(bytes[at] == b'-');
    if byte(start) == b'0' && byte(start + 1) | 0x20 == b'x' && byte(start + 2).is_ascii_hexdigit()
    {
        let mut end = start + 3;
        while byte(end).is_ascii_hexdigit() {
            end += 1;
        }
        return Some(end);
    }
    let whole = digits(start);
    let mut end = if byte(whole) == b'.' && byte(whole + 1).is_ascii_digit() {
        digits(whole + 1)
    } else if whole > start {
        whole
    } else {
        return None;
    };
    if byte(end) | 0x20 == b'e' {
        let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
        if byte(end + 1 + sign).is_ascii_digit() {
            end = digits(end + 1 + sign);
        }
    }
    Some(end)
}

fn minus(bytes: &[u8], at: usize) -> (TokenKind, usize) {
    if bytes.get(at + 1) == Some(&b'-') {
        return (TokenKind::Comment, line_end(bytes, at));
    }
    if let Some(end) = number(bytes, at) {
        return (TokenKind::Number, end);
    }
    let end = name(bytes, at + 1);
    if end > at + 1 {
        return (TokenKind::NegatedName, end);
    }
    match bytes.get(at + 1) {
        Some(b'`') => quoted_name(bytes, at + 1)
            .map_or((TokenKind::Minus, at + 1), |end| (TokenKind::NegatedName, end)),
        _ => (TokenKind::Minus, at + 1),
    }
}

fn quoted_name(bytes: &[u8], at: usize) -> Option<usize> {
    let length = bytes[at + 1..].iter().position(|byte| *byte == b'`')?;
    (length > 0).then_some(at + 1 + length + 1)
}

/// A raw string where one closes, else a quoted string.
fn string(bytes: &[u8], at: usize) -> (TokenKind, usize) {
    if bytes[at..].starts_with(b"'''")
        && let Some(length) = find(&bytes[at + 3..], b"'''")
    {
        return (TokenKind::RawString, at + 3 + length + 3);
    }
    let quote = bytes[at];
    let mut end = at + 1;
    while end < bytes.len() {
        match bytes[end] {
            b'\\' => end += 2,
            byte if byte == quote => return (TokenKind::String, end + 1),
            _ => end += 1,
        }
    }
    (TokenKind::Unterminated, bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(TokenKind, &str)> {
        let mut at = 0;
        let mut lexer = Lexer::new(text);
        let mut tokens = Vec::new();
        while at < text.len() {
            let (kind, end) = lexer.next(at);
            tokens.push((kind, &text[at..end]));
            at = end;
        }
        tokens
    }

    #[test]
    fn first_matching_alternative_wins() {
        use TokenKind as T;
        for (text, expected) in [
            ("a-1", vec![(T::Name, "a"), (T::Number, "-1")]),
            (
                "a--1\nb",
                vec![(T::Name, "a"), (T::Comment, "--1"), (T::Whitespace, "\n"), (T::Name, "b")],
            ),
            ("1AND", vec![(T::Number, "1"), (T::And, "AND")]),
            ("a-b", vec![(T::Name, "a"), (T::NegatedName, "-b")]),
            ("-`a b`", vec![(T::NegatedName, "-`a b`")]),
            ("1.2.3", vec![(T::Number, "1.2"), (T::Number, ".3")]),
            ("1..2", vec![(T::Number, "1"), (T::Dot, "."), (T::Number, ".2")]),
            ("1.e5", vec![(T::Number, "1"), (T::Dot, "."), (T::Name, "e5")]),
            ("1e+", vec![(T::Number, "1"), (T::Name, "e"), (T::Plus, "+")]),
            ("-.5e-3", vec![(T::Number, "-.5e-3")]),
            ("0Xfg", vec![(T::Number, "0Xf"), (T::Name, "g")]),
            ("0x", vec![(T::Number, "0"), (T::Name, "x")]),
            ("GROUP \n by", vec![(T::GroupBy, "GROUP \n by")]),
            ("groupby", vec![(T::Name, "groupby")]),
            ("ORDER BYx", vec![(T::Name, "ORDER"), (T::Whitespace, " "), (T::Name, "BYx")]),
            ("ANDſ", vec![(T::And, "AND"), (T::Name, "ſ")]),
            ("FALſE", vec![(T::Bool, "FALſE")]),
            ("aſ\u{212a}", vec![(T::Name, "aſ\u{212a}")]),
            ("aſK", vec![(T::As, "aſ"), (T::Name, "K")]),
            ("ſELECT", vec![(T::Name, "ſELECT")]),
            ("'''a''''", vec![(T::RawString, "'''a'''"), (T::Unterminated, "'")]),
            ("'''a", vec![(T::String, "''"), (T::Unterminated, "'a")]),
            (r"'a\'b'", vec![(T::String, r"'a\'b'")]),
            ("/* a", vec![(T::Slash, "/"), (T::Star, "*"), (T::Whitespace, " "), (T::Name, "a")]),
            ("``", vec![(T::Invalid, "``")]),
            ("|||&&", vec![(T::Bars, "|||"), (T::Amps, "&&")]),
            ("==~", vec![(T::Eq, "="), (T::Match, "=~")]),
            ("é", vec![(T::Invalid, "é")]),
        ] {
            assert_eq!(cut(text), expected, "{text}");
        }
    }
}
