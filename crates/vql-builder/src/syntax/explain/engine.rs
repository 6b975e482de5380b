//! The engine's own words for an error.

use crate::ast::Span;
use crate::syntax::kind::TokenKind;
use crate::syntax::parser::{Expected, Failure};
use crate::syntax::tree::Tree;

/// What the engine says about a text: `1:18: unexpected token "x" (expected <from>)`.
///
/// `None` for a text that it accepts, and where it has no words because it dies: of a LIMIT that
/// is no whole number, and of nesting that overflows its stack.
pub(in crate::syntax) fn message(tree: &Tree<'_>, failures: &[Failure]) -> Option<String> {
    if let Some((_, span)) = tree.tokens.invalid.first() {
        return Some(invalid_token(tree.text, *span));
    }
    let failure = failures.first()?;
    let expected = expected(failure.expected)?;
    let index = failure.token as usize;
    let span = tree.tokens.spans[index];
    let text = &tree.text[span.range()];
    let shown = match tree.tokens.kinds[index] {
        TokenKind::End => "<EOF>".to_owned(),
        TokenKind::In | TokenKind::Desc => text.to_uppercase(),
        _ => text.to_owned(),
    };
    let place = place(tree.text, span);
    Some(format!("{place}: unexpected token {}{expected}", quoted(&shown, '"')))
}

/// The first half of the message is ten bytes on each side of the place; the last byte of the
/// text is never among them.
fn invalid_token(text: &str, span: Span) -> String {
    let at = span.start as usize;
    let last = text.len().saturating_sub(1);
    let slice = |from: usize, to: usize| String::from_utf8_lossy(&text.as_bytes()[from..to]);
    let before = slice(at.saturating_sub(10), at);
    let after = slice(at, if at + 10 >= text.len() { last.max(at) } else { at + 10 });
    let first: String = text[at..].chars().take(1).collect();
    format!("{before}|{after}: {}: invalid token {}", place(text, span), quoted(&first, '\''))
}

fn place(text: &str, span: Span) -> String {
    let (line, column) = crate::diagnostic::line_and_column(text, span.start);
    format!("{line}:{column}")
}

const fn expected(expected: Expected) -> Option<&'static str> {
    Some(match expected {
        Expected::Statement | Expected::Select => " (expected <select>)",
        Expected::From => " (expected <from>)",
        Expected::Source
        | Expected::LetName
        | Expected::Alias
        | Expected::Name
        | Expected::ArgumentName => " (expected <ident>)",
        Expected::LetOperator => " (expected \"=\" | \"<=\")",
        Expected::ArgumentEquals => " (expected \"=\")",
        Expected::Value => " (expected <symbolident> | <ident>)",
        Expected::Number => " (expected <number>)",
        Expected::ParenClose | Expected::CallClose => " (expected \")\")",
        Expected::BracketClose | Expected::SubscriptClose => " (expected \"]\")",
        Expected::BraceClose => " (expected \"}\")",
        Expected::LambdaArrow => " (expected \"=>\")",
        Expected::End => "",
        Expected::LessNesting | Expected::WholeNumber => return None,
    })
}

/// Between quotes, escaped as Go does.
fn quoted(text: &str, quote: char) -> String {
    let mut out = String::from(quote);
    for character in text.chars() {
        match character {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{b}' => out.push_str("\\v"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            character if character == quote => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            '\0'..='\u{7f}' => hexadecimal(&mut out, 'x', 2, character),
            character if is_printable(character) => out.push(character),
            '\u{80}'..='\u{ffff}' => hexadecimal(&mut out, 'u', 4, character),
            _ => hexadecimal(&mut out, 'U', 8, character),
        }
    }
    out.push(quote);
    out
}

fn hexadecimal(out: &mut String, letter: char, width: usize, character: char) {
    let digits = format!("\\{letter}{:0width$x}", character as u32);
    out.push_str(&digits);
}

fn is_printable(character: char) -> bool {
    // After another character, because at the start Rust escapes combining marks too.
    let text = format!("x{character}");
    text.escape_debug().count() == 2 && !character.is_whitespace()
}
