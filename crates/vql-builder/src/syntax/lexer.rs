//! From text to tokens, exactly as the engine cuts them.
//!
//! The engine tries a list of alternatives at each place and takes the first that matches, not the
//! longest: comments before keywords, keywords before numbers, numbers before names, names before
//! operators. Each alternative sees only the text from the place on. Three results surprise:
//! `a-1` is a name and the number `-1`; `a--1` is a name and a comment; `1AND` is a number and a
//! keyword. Letter case is folded as Unicode does, so that `ſ` (U+017F) and the Kelvin sign (U+212A) are
//! letters of names, and of keywords with an S.

use super::kind::TokenKind;

/// Upper-case keywords, shortest first within a first letter.
const KEYWORDS: [(&[u8], TokenKind); 17] = [
    (b"EXPLAIN", TokenKind::Explain),
    (b"SELECT", TokenKind::Select),
    (b"WHERE", TokenKind::Where),
    (b"AND", TokenKind::And),
    (b"OR", TokenKind::Or),
    (b"FROM", TokenKind::From),
    (b"NOT", TokenKind::Not),
    (b"AS", TokenKind::As),
    (b"IN", TokenKind::In),
    (b"LIMIT", TokenKind::Limit),
    (b"NULL", TokenKind::Null),
    (b"DESC", TokenKind::Desc),
    (b"GROUP", TokenKind::GroupBy),
    (b"ORDER", TokenKind::OrderBy),
    (b"TRUE", TokenKind::Bool),
    (b"FALSE", TokenKind::Bool),
    (b"LET", TokenKind::Let),
];

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

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn blanks(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r' | b'\x0c') = bytes.get(at) {
        at += 1;
    }
    at
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

/// Length of a letter outside ASCII that folds to an ASCII letter, else 0.
fn folded_letter(bytes: &[u8], at: usize) -> usize {
    match bytes[at..] {
        [0xc5, 0xbf, ..] => 2,
        [0xe2, 0x84, 0xaa, ..] => 3,
        _ => 0,
    }
}

/// End of the bare name that starts at `at`.
fn name(bytes: &[u8], mut at: usize) -> usize {
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
fn word(bytes: &[u8], at: usize) -> (TokenKind, usize) {
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
    KEYWORDS.iter().find_map(|(upper, kind)| {
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
        if matches!(kind, TokenKind::GroupBy | TokenKind::OrderBy) {
            return by(bytes, end).map(|end| (*kind, end));
        }
        (last_is_word != next_is_word).then_some((*kind, end))
    })
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
