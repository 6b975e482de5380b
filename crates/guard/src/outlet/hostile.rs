//! Characters that change how other text is seen, or that are not seen at all.
//!
//! They are shown escaped, as `\u{202e}`: control characters (terminal sequences begin with one),
//! bidirectional marks, invisible and blank characters, tags. Line feeds and tabs stay.

use std::borrow::Cow;

/// Says whether a character is shown escaped.
pub const fn is_hostile(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Soft hyphen, combining grapheme joiner, Arabic letter mark, Hangul and Khmer fillers.
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' => {
            true
        }
        // Mongolian selectors, zero-width and directional marks, line and paragraph separators,
        // embeddings, invisible operators, isolates.
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2060}'..='\u{206f}' => true,
        // Blanks that look like nothing: the empty Braille pattern, the Hangul fillers.
        '\u{2800}' | '\u{3164}' | '\u{ffa0}' | '\u{feff}' => true,
        // Variation selectors, interlinear annotation, object replacement.
        '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffc}' => true,
        // Format marks of shorthand and of musical notation, the null note head.
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d159}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tags and the selectors after them: whole hidden sentences can be written in them.
        '\u{e0000}'..='\u{e0fff}' => true,
        _ => false,
    }
}

/// Bytes with which the UTF-8 form of a hostile character can begin.
const LEADS: [bool; 256] = leads();

const fn leads() -> [bool; 256] {
    let mut table = [false; 256];
    let mut code = 0_u32;
    // Nothing hostile lies behind the tags.
    while code < 0xe_1000 {
        if let Some(c) = char::from_u32(code)
            && is_hostile(c)
        {
            table[c.encode_utf8(&mut [0; 4]).as_bytes()[0] as usize] = true;
        }
        // Between the last format mark and the tags lies nothing hostile.
        code = if code == 0x1_d17b { 0xe_0000 } else { code + 1 };
    }
    table
}

/// Says whether a text holds a hostile character.
pub fn is_in(text: &str) -> bool {
    may_be_in(text.as_bytes()) && text.chars().any(is_hostile)
}

/// Where the hostile characters of a text are.
pub(super) fn places(text: &str) -> Vec<usize> {
    if !may_be_in(text.as_bytes()) {
        return Vec::new();
    }
    // A byte that can begin one begins a character.
    let leads = text.bytes().enumerate().filter(|(_, byte)| LEADS[usize::from(*byte)]);
    leads
        .map(|(at, _)| at)
        .filter(|at| text[*at..].chars().next().is_some_and(is_hostile))
        .collect()
}

/// A quick no: whether any byte could begin a hostile character.
fn may_be_in(bytes: &[u8]) -> bool {
    // Whole chunks without a branch inside, which the compiler can unroll.
    bytes.chunks(64).any(|chunk| chunk.iter().fold(false, |seen, b| seen | LEADS[*b as usize]))
}

/// The text with each hostile character shown as `\u{…}`.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !is_in(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_characters_are_shown() {
        let hostile = "a\u{202e}b\u{200b}c\u{1b}[2Jd\u{e0041}\r\n\te";
        assert_eq!(escape(hostile), "a\\u{202e}b\\u{200b}c\\u{1b}[2Jd\\u{e0041}\\u{d}\n\te");
        assert_eq!(places(hostile).len(), 5);
    }

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        for text in ["plain", "Ünïcode", "日本語", "عربي", "🦖", "tab\tand\nline", "“—”"]
        {
            assert!(matches!(escape(text), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn the_quick_no_never_hides_a_hostile_character() {
        for c in ('\0'..=char::MAX).filter(|c| is_hostile(*c)) {
            assert!(may_be_in(c.encode_utf8(&mut [0; 4]).as_bytes()), "{:x}", c as u32);
        }
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left_and_a_second_pass_changes_nothing(text in any::<String>()) {
            let once = escape(&text).into_owned();
            prop_assert!(!once.chars().any(is_hostile));
            prop_assert!(matches!(escape(&once), Cow::Borrowed(_)));
        }
    }
}
