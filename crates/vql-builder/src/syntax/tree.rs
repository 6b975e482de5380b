//! The lossless tree: flat arrays, no node of its own on the heap.
//!
//! Tokens are stored without trivia; blanks, comments and characters that start no token are what
//! lies between one token's end and the next one's start, so the whole text is always there. Nodes
//! are stored in postorder: a node stands after its descendants and knows where they begin, which
//! lets the parser wrap what it has already parsed without moving anything.

use super::kind::{NodeKind, TokenKind};
use super::lexer::Lexer;
use crate::ast::Span;

/// The tokens of a text, in order, closed by an [`TokenKind::End`] of no width.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens {
    pub(super) kinds: Vec<TokenKind>,
    pub(super) spans: Vec<Span>,
    /// What was skipped although it is neither blank nor comment.
    pub(super) invalid: Vec<(TokenKind, Span)>,
}

impl Tokens {
    pub(super) fn of(text: &str) -> Self {
        let mut lexer = Lexer::new(text);
        // Real queries have a token in every six bytes or so.
        let capacity = text.len() / 5 + 8;
        let mut tokens = Self {
            kinds: Vec::with_capacity(capacity),
            spans: Vec::with_capacity(capacity),
            invalid: Vec::new(),
        };
        let mut at = 0;
        while at < text.len() {
            let (kind, end) = lexer.next(at);
            let span = Span { start: at as u32, end: end as u32 };
            if !kind.is_skipped() {
                tokens.kinds.push(kind);
                tokens.spans.push(span);
            } else if matches!(kind, TokenKind::Invalid | TokenKind::Unterminated) {
                tokens.invalid.push((kind, span));
            }
            at = end;
        }
        let end = Span { start: text.len() as u32, end: text.len() as u32 };
        tokens.kinds.push(TokenKind::End);
        tokens.spans.push(end);
        tokens
    }
}

/// A node as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawNode {
    pub(super) kind: NodeKind,
    /// Index of its first descendant; its own index where it has none.
    pub(super) first: u32,
    /// Its first token.
    pub(super) start: u32,
    /// One past its last token.
    pub(super) end: u32,
}

/// The lossless tree of a text.
#[derive(Clone, Debug)]
pub struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: Tokens,
    pub(super) nodes: Vec<RawNode>,
}

/// A node of a [`Tree`].
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    tree: &'a Tree<'a>,
    index: usize,
}

/// A token of a [`Tree`].
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    tree: &'a Tree<'a>,
    index: usize,
}

/// A child of a node, in the order of the text.
#[derive(Clone, Copy, Debug)]
pub enum Element<'a> {
    /// A node.
    Node(Node<'a>),
    /// A token.
    Token(Token<'a>),
}

/// Text between tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trivia<'a> {
    /// Blank, comment, or text that starts no token.
    pub kind: TokenKind,
    /// Its text.
    pub text: &'a str,
    /// Where it stands.
    pub span: Span,
}

impl Tree<'_> {
    /// The node of the whole text.
    pub fn root(&self) -> Node<'_> {
        Node { tree: self, index: self.nodes.len() - 1 }
    }

    /// All nodes, each after its descendants.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.nodes.len()).map(|index| Node { tree: self, index })
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        self.text
    }

    /// The tokens without trivia, in order.
    pub fn tokens(&self) -> impl Iterator<Item = Token<'_>> {
        (0..self.tokens.kinds.len() - 1).map(|index| Token { tree: self, index })
    }

    /// Puts the text together again from the tree: every token with the trivia before it, reached
    /// through the nodes, then the trivia at the end. Equal to the source for every source.
    pub fn to_text(&self) -> String {
        fn walk(node: Node<'_>, out: &mut String) {
            for element in node.children() {
                match element {
                    Element::Node(node) => walk(node, out),
                    Element::Token(token) => {
                        out.extend(token.trivia_before().map(|trivia| trivia.text));
                        out.push_str(token.text());
                    }
                }
            }
        }
        let mut out = String::with_capacity(self.text.len());
        walk(self.root(), &mut out);
        let end = Token { tree: self, index: self.tokens.kinds.len() - 1 };
        out.extend(end.trivia_before().map(|trivia| trivia.text));
        out
    }
}

impl<'a> Node<'a> {
    /// What it is.
    pub fn kind(self) -> NodeKind {
        self.raw().kind
    }

    fn raw(self) -> &'a RawNode {
        &self.tree.nodes[self.index]
    }

    /// From its first token's start to its last token's end.
    pub fn span(self) -> Span {
        let raw = self.raw();
        let spans = &self.tree.tokens.spans;
        let start = spans[raw.start as usize].start;
        let end = if raw.end > raw.start { spans[raw.end as usize - 1].end } else { start };
        Span { start, end }
    }

    /// Its text, with the trivia inside.
    pub fn text(self) -> &'a str {
        &self.tree.text[self.span().range()]
    }

    /// Its children nodes, last first: the order that costs nothing.
    pub fn nodes_reversed(self) -> impl Iterator<Item = Self> {
        let first = self.raw().first as usize;
        let mut next = self.index;
        std::iter::from_fn(move || {
            if next == first {
                return None;
            }
            let node = Node { tree: self.tree, index: next - 1 };
            next = node.raw().first as usize;
            Some(node)
        })
    }

    /// Its children, nodes and tokens, in the order of the text.
    pub fn children(self) -> Vec<Element<'a>> {
        let raw = self.raw();
        let mut elements = Vec::new();
        let mut end = raw.end as usize;
        let tokens = |from: usize, to: usize, elements: &mut Vec<Element<'a>>| {
            let tree = self.tree;
            elements.extend((from..to).rev().map(|index| Element::Token(Token { tree, index })));
        };
        for node in self.nodes_reversed() {
            tokens(node.raw().end as usize, end, &mut elements);
            elements.push(Element::Node(node));
            end = node.raw().start as usize;
        }
        tokens(raw.start as usize, end, &mut elements);
        elements.reverse();
        elements
    }
}

impl<'a> Token<'a> {
    /// What it is.
    pub fn kind(self) -> TokenKind {
        self.tree.tokens.kinds[self.index]
    }

    /// Where it stands.
    pub fn span(self) -> Span {
        self.tree.tokens.spans[self.index]
    }

    /// Its text.
    pub fn text(self) -> &'a str {
        &self.tree.text[self.span().range()]
    }

    /// What stands between the token before it and itself.
    pub fn trivia_before(self) -> impl Iterator<Item = Trivia<'a>> {
        let spans = &self.tree.tokens.spans;
        let mut at = if self.index == 0 { 0 } else { spans[self.index - 1].end as usize };
        let end = self.span().start as usize;
        let mut lexer = Lexer::new(self.tree.text);
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let (kind, next) = lexer.next(at);
            let span = Span { start: at as u32, end: next as u32 };
            at = next;
            Some(Trivia { kind, text: &self.tree.text[span.range()], span })
        })
    }
}
