//! The parser: recursive descent that decides as the engine's parser generator does.
//!
//! The engine's grammar is interpreted with one token of lookahead: an optional part or a
//! repetition that fails is forgotten if it had taken at most one token, and is an error if it had
//! taken more. What was forgotten is tried as something else, which is why `SELECT a, FROM x` is
//! reported at the comma and `WHERE (1, f (2))` is a list of three. Every optional part here goes
//! through [`Parser::optional`], which keeps that rule.

mod expression;
mod statement;

use super::kind::{NodeKind, TokenKind};
use super::tree::{RawNode, Tokens};

/// Brackets, sub-queries and NOT inside each other; more is refused. The deepest query of the
/// built-in artifacts has 17. The engine has no limit and dies of a stack overflow far above.
pub const MAX_NESTING: u16 = 200;

/// What would have been right at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Statement,
    Select,
    From,
    Source,
    LetName,
    LetOperator,
    Alias,
    Name,
    ArgumentName,
    ArgumentEquals,
    Value,
    Number,
    ParenClose,
    CallClose,
    BracketClose,
    SubscriptClose,
    BraceClose,
    LambdaArrow,
    End,
    /// Not a matter of the token: nested too deeply.
    LessNesting,
    /// Not a matter of the token: LIMIT has a number that is not a whole number of 64 bits.
    WholeNumber,
}

/// Where and why a part did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Index of the token that does not fit.
    pub(super) token: u32,
    pub(super) expected: Expected,
}

pub(super) type Step = Result<(), Failure>;

/// The failure that got furthest among those that were forgotten. The engine reports it where
/// text is left over at the end.
#[derive(Clone, Copy)]
struct Furthest {
    failure: Failure,
    cursor: usize,
}

/// The start of something that may be wrapped in a node or taken back.
#[derive(Clone, Copy)]
struct Mark {
    token: usize,
    node: usize,
}

pub(super) struct Parser<'t> {
    text: &'t str,
    kinds: &'t [TokenKind],
    tokens: &'t Tokens,
    pos: usize,
    nodes: Vec<RawNode>,
    furthest: Furthest,
    nesting: u16,
    /// A failure that nothing may forget.
    fatal: bool,
    pub(super) failures: Vec<Failure>,
}

/// More errors than this in one text help nobody.
pub(super) const MAX_FAILURES: usize = 20;

impl<'t> Parser<'t> {
    pub(super) fn new(text: &'t str, tokens: &'t Tokens) -> Self {
        let failure = Failure { token: 0, expected: Expected::Statement };
        Self {
            text,
            kinds: &tokens.kinds,
            tokens,
            pos: 0,
            nodes: Vec::with_capacity(tokens.kinds.len()),
            furthest: Furthest { failure, cursor: 0 },
            nesting: 0,
            fatal: false,
            failures: Vec::new(),
        }
    }

    pub(super) fn into_nodes(self) -> (Vec<RawNode>, Vec<Failure>) {
        (self.nodes, self.failures)
    }

    /// The whole text as statements; what cannot be parsed becomes [`NodeKind::Error`].
    pub(super) fn program(&mut self) {
        let whole = self.mark();
        loop {
            let mark = self.mark();
            let first = mark.token == 0;
            let outcome = if first {
                self.statement()
            } else {
                match self.optional(Self::statement) {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(self.left_over()),
                    Err(failure) => Err(failure),
                }
            };
            if let Err(failure) = outcome {
                self.failures.push(failure);
                self.recover(mark, failure);
            }
            if self.kind() == TokenKind::End || self.failures.len() >= MAX_FAILURES {
                break;
            }
        }
        self.pos = self.kinds.len() - 1;
        self.finish(whole, NodeKind::Program);
    }

    /// A text that is one thing, which `part` parses.
    pub(super) fn only(&mut self, part: fn(&mut Self) -> Step) {
        let whole = self.mark();
        if let Err(failure) = part(self) {
            self.failures.push(failure);
        } else if self.kind() != TokenKind::End {
            let failure = self.left_over();
            self.failures.push(failure);
        }
        self.pos = self.kinds.len() - 1;
        self.finish(whole, NodeKind::Program);
    }

    /// Skips to what looks like the start of a statement and wraps all since `mark`.
    fn recover(&mut self, mark: Mark, failure: Failure) {
        self.fatal = false;
        self.nesting = 0;
        self.pos = self.pos.max(failure.token as usize).max(mark.token + 1);
        let starts_statement = |at: usize| match self.kinds[at] {
            TokenKind::Let | TokenKind::End => true,
            TokenKind::Explain | TokenKind::Select => !matches!(
                self.kinds[at - 1],
                TokenKind::BraceOpen
                    | TokenKind::ParenOpen
                    | TokenKind::Eq
                    | TokenKind::Le
                    | TokenKind::Explain
            ),
            _ => false,
        };
        let last = self.kinds.len() - 1;
        self.pos = (self.pos.min(last)..=last).find(|at| starts_statement(*at)).unwrap_or(last);
        self.finish(mark, NodeKind::Error);
        let failure = Failure { token: self.pos as u32, expected: Expected::Statement };
        self.furthest = Furthest { failure, cursor: self.pos };
    }

    /// The failure where a complete text is followed by something.
    fn left_over(&self) -> Failure {
        if self.pos >= self.furthest.cursor {
            Failure { token: self.pos as u32, expected: Expected::End }
        } else {
            self.furthest.failure
        }
    }

    #[inline]
    fn kind(&self) -> TokenKind {
        self.kinds[self.pos]
    }

    #[inline]
    fn at(&self, kind: TokenKind) -> bool {
        self.kinds[self.pos] == kind
    }

    /// Takes the token if it is of this kind.
    ///
    /// Written with a branch on purpose: `self.pos += usize::from(matches)` is compiled wrongly by
    /// rustc 1.95.0 with optimisation (after `while self.eat(…) {}` the position is lost). The
    /// fuzz run in release mode notices.
    #[inline]
    fn eat(&mut self, kind: TokenKind) -> bool {
        if self.at(kind) {
            self.pos += 1;
            return true;
        }
        false
    }

    #[inline]
    fn expect(&mut self, kind: TokenKind, expected: Expected) -> Step {
        if self.eat(kind) { Ok(()) } else { Err(self.failure(expected)) }
    }

    #[inline]
    fn expect_name(&mut self, expected: Expected) -> Step {
        if self.kind().is_name() {
            self.pos += 1;
            Ok(())
        } else {
            Err(self.failure(expected))
        }
    }

    fn failure(&self, expected: Expected) -> Failure {
        Failure { token: self.pos as u32, expected }
    }

    fn token_text(&self, index: usize) -> &'t str {
        &self.text[self.tokens.spans[index].range()]
    }

    #[inline]
    fn mark(&self) -> Mark {
        Mark { token: self.pos, node: self.nodes.len() }
    }

    #[inline]
    fn finish(&mut self, mark: Mark, kind: NodeKind) {
        self.nodes.push(RawNode {
            kind,
            first: mark.node as u32,
            start: mark.token as u32,
            end: self.pos as u32,
        });
    }

    /// Tries a part that may be missing. `Ok(false)`: it did not match and was taken back.
    #[inline]
    fn optional(&mut self, part: impl FnOnce(&mut Self) -> Step) -> Result<bool, Failure> {
        let mark = self.mark();
        let before = self.furthest;
        match part(self) {
            Ok(()) => Ok(true),
            Err(failure) => self.forget(mark, before, failure).map(|()| false),
        }
    }

    /// Takes back what failed if it had taken no more than one token.
    #[cold]
    fn forget(&mut self, mark: Mark, before: Furthest, failure: Failure) -> Step {
        if self.fatal || self.pos > mark.token + 1 {
            return Err(failure);
        }
        let inner = self.furthest.cursor;
        self.furthest = before;
        if self.pos >= before.cursor {
            self.furthest = Furthest { failure, cursor: self.pos.max(inner) };
        }
        self.pos = mark.token;
        self.nodes.truncate(mark.node);
        Ok(())
    }

    /// Runs a part one level further inside.
    #[inline]
    fn nested(&mut self, part: impl FnOnce(&mut Self) -> Step) -> Step {
        if self.nesting >= MAX_NESTING {
            self.fatal = true;
            return Err(self.failure(Expected::LessNesting));
        }
        self.nesting += 1;
        let outcome = part(self);
        self.nesting -= 1;
        outcome
    }
}
