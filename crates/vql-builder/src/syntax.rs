//! The lossless syntax tree and the parser that makes it.

mod explain;
mod kind;
mod lexer;
mod parser;
mod tree;

pub use kind::{NodeKind, TokenKind};
pub use parser::MAX_NESTING;
pub use tree::{Element, Node, Token, Tree, Trivia};

use crate::ast::Span;
use crate::diagnostic::{Code, Diagnostic};
use parser::Parser;
use tree::Tokens;

/// What a text is meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Program,
    Expression,
    Lambda,
}

/// What parsing a text gives.
#[derive(Clone, Debug)]
pub(crate) struct Parsed<'t> {
    pub(crate) tree: Tree<'t>,
    pub(crate) errors: Vec<Diagnostic>,
    /// The engine's words for the first error.
    pub(crate) engine_message: Option<String>,
}

/// Cuts and parses a text. The errors are in the order in which the engine would meet them: it
/// cuts the whole text before it looks at the grammar.
pub(crate) fn parse(text: &str, goal: Goal) -> Parsed<'_> {
    if u32::try_from(text.len()).is_err() {
        let diagnostic =
            Diagnostic::new(text, Code::TooLong, Span::default(), "text over 4 GiB".to_owned());
        return Parsed { errors: vec![diagnostic], engine_message: None, ..parse("", goal) };
    }
    let tokens = Tokens::of(text);
    let mut parser = Parser::new(text, &tokens);
    match goal {
        Goal::Program => parser.program(),
        Goal::Expression => parser.only(Parser::comma_list),
        Goal::Lambda => parser.only(Parser::lambda),
    }
    let (nodes, failures) = parser.into_nodes();
    let tree = Tree { text, tokens, nodes };
    let errors = explain::errors(&tree, &failures);
    let engine_message = explain::engine_message(&tree, &failures);
    Parsed { tree, errors, engine_message }
}

/// The end of the last token that is no blank and no comment; zero where there is none.
pub(crate) fn end_of_last_word(text: &str) -> usize {
    let mut lexer = lexer::Lexer::new(text);
    let (mut at, mut last) = (0, 0);
    while at < text.len() {
        let (kind, end) = lexer.next(at);
        if !matches!(kind, TokenKind::Whitespace | TokenKind::Comment) {
            last = end;
        }
        at = end;
    }
    last
}

/// The kind of a text that is exactly one token, without trivia.
pub(crate) fn only_token(text: &str) -> Option<TokenKind> {
    if text.is_empty() {
        return None;
    }
    let (kind, end) = lexer::Lexer::new(text).next(0);
    (end == text.len()).then_some(kind)
}
