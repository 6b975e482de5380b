//! The words of a text, without what the engine changes when it keeps one.

use crate::literal::{unquote, unquote_name};
use crate::syntax::TokenKind;

/// The words of a text of VQL: two texts that mean the same to the engine, one of them kept by it,
/// have the same words.
///
/// The engine spells a text anew where it keeps it, in a hunt or in a table of monitoring: without
/// comments, with other quotes, blanks, commas and parentheses. Those are no words here. Texts
/// that differ in their grouping alone, as `a AND (b OR c)` and `(a AND b) OR c`, therefore have
/// the same words: what is decided on equal words must not be more than what a person is told.
///
/// ```
/// let one = vql_builder::words("SELECT a, 'x' AS b -- a comment\n From info(arg=[1,])");
/// let other = vql_builder::words("select `a`, \"x\" AS b FROM info(arg=[1])");
/// assert_eq!(one, other);
/// assert_ne!(one, vql_builder::words("SELECT a, 'y' AS b FROM info(arg=[1])"));
/// ```
pub fn words(text: &str) -> Vec<String> {
    let parse = crate::parse(text);
    let tokens = parse.tree().tokens().filter(|token| !token.kind().is_skipped());
    tokens
        .filter_map(|token| {
            let text = token.text();
            Some(match token.kind() {
                TokenKind::Comma
                | TokenKind::ParenOpen
                | TokenKind::ParenClose
                | TokenKind::End => return None,
                // A text and a name of the same letters are two words.
                TokenKind::String | TokenKind::RawString => format!("'{}", unquote(text)),
                TokenKind::Name | TokenKind::QuotedName => unquote_name(text).to_owned(),
                TokenKind::GroupBy => String::from("GROUP BY"),
                TokenKind::OrderBy => String::from("ORDER BY"),
                kind if kind.is_keyword() => text.to_ascii_uppercase(),
                _ => text.to_owned(),
            })
        })
        .collect()
}
