//! From failures to diagnostics: plain words for what was found and what was expected.

mod engine;
mod hint;
mod words;

pub(super) use engine::message as engine_message;

use super::kind::TokenKind;
use super::parser::{Expected, Failure, MAX_FAILURES};
use super::tree::Tree;
use crate::ast::Span;
use crate::diagnostic::{Code, Diagnostic};

/// Diagnostics for what could not be cut and what could not be parsed, in the engine's order.
pub(super) fn errors(tree: &Tree<'_>, failures: &[Failure]) -> Vec<Diagnostic> {
    let invalid = tree.tokens.invalid.iter().take(MAX_FAILURES);
    let mut errors: Vec<_> = invalid.map(|(kind, span)| lexical(tree, *kind, *span)).collect();
    for failure in failures {
        if !follows_invalid(tree, failure.token as usize) {
            errors.push(syntactic(tree, *failure));
        }
    }
    errors
}

/// Whether something invalid stands right before a token: what is missing there has been said.
fn follows_invalid(tree: &Tree<'_>, index: usize) -> bool {
    let spans = &tree.tokens.spans;
    let from = if index == 0 { 0 } else { spans[index - 1].end };
    let to = spans[index].start;
    tree.tokens.invalid.iter().any(|(_, span)| span.start >= from && span.end <= to)
}

fn lexical(tree: &Tree<'_>, kind: TokenKind, span: Span) -> Diagnostic {
    let text = &tree.text[span.range()];
    let hint = hint::lexical(tree, text, span.start);
    if kind == TokenKind::Unterminated {
        let what = if text.starts_with('`') { "back-ticked name" } else { "string" };
        let message = format!("this {what} is not closed");
        return Diagnostic::new(tree.text, Code::Unterminated, span, message).with_hint(hint);
    }
    let message = format!("{} is no part of VQL", shown(text));
    Diagnostic::new(tree.text, Code::InvalidCharacter, span, message).with_hint(hint)
}

fn syntactic(tree: &Tree<'_>, failure: Failure) -> Diagnostic {
    let kind = tree.tokens.kinds[failure.token as usize];
    let span = tree.tokens.spans[failure.token as usize];
    let text = &tree.text[span.range()];
    let (code, message) = match failure.expected {
        Expected::LessNesting => {
            (Code::TooDeep, format!("more than {} brackets inside each other", super::MAX_NESTING))
        }
        Expected::WholeNumber => {
            (Code::LimitNotWhole, format!("LIMIT takes a whole number, not {text}"))
        }
        expected if kind == TokenKind::End => {
            (Code::UnexpectedEnd, format!("the text ends here, expected {}", wanted(expected)))
        }
        expected => {
            (Code::UnexpectedToken, format!("found {}, expected {}", shown(text), wanted(expected)))
        }
    };
    Diagnostic::new(tree.text, code, span, message).with_hint(hint::syntactic(tree, failure))
}

/// A token as it is shown in a message: short, on one line.
fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut out = String::from("`");
    for (index, character) in text.chars().enumerate() {
        if index == LONGEST {
            out.push('…');
            break;
        }
        if character.is_control() || character as u32 >= 0x80 && !character.is_alphanumeric() {
            out.extend(character.escape_unicode());
        } else {
            out.push(character);
        }
    }
    out.push('`');
    out
}

const fn wanted(expected: Expected) -> &'static str {
    match expected {
        Expected::Statement => "SELECT, LET or EXPLAIN",
        Expected::Select => "SELECT",
        Expected::From => "FROM, a comma or an operator",
        Expected::Source => "the name of a plugin or stored query",
        Expected::LetName => "the name to bind",
        Expected::LetOperator => "= or <=",
        Expected::Alias => "a name for the column",
        Expected::Name => "a name",
        Expected::ArgumentName => "the name of an argument",
        Expected::ArgumentEquals => "= after the name of the argument",
        Expected::Value => "a value",
        Expected::Number => "a literal number",
        Expected::ParenClose => "`)` or an operator",
        Expected::CallClose => "`)` or a comma and name=value",
        Expected::BracketClose => "`]`",
        Expected::SubscriptClose => "`]` (an index is a value without operators)",
        Expected::BraceClose => "`}` or the next clause",
        Expected::LambdaArrow => "=>",
        Expected::End => "the end of the statement",
        Expected::LessNesting | Expected::WholeNumber => "something else",
    }
}
