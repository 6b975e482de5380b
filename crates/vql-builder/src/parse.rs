//! The entry points of the parser.

use crate::ast::{Expr, Ident, Program};
use crate::diagnostic::Diagnostic;
use crate::lint;
use crate::lower::Lower;
use crate::syntax::{self, Goal, Parsed, Tree};

/// A parsed text: the lossless tree, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Parse<'t>(Parsed<'t>);

/// A lambda: `x, y => expression`.
#[derive(Clone, Debug, PartialEq)]
pub struct Lambda {
    /// The parameters; at least one.
    pub parameters: Vec<Ident>,
    /// What it computes.
    pub body: Expr,
}

/// Parses a text of statements as the server does when it runs a query.
///
/// Never fails: what is wrong is in [`Parse::errors`], and the tree holds the whole text.
pub fn parse(text: &str) -> Parse<'_> {
    Parse(syntax::parse(text, Goal::Program))
}

/// Parses a text that is one expression, commas allowed: what may stand after WHERE.
///
/// # Errors
///
/// The first thing that is wrong with the text.
pub fn parse_expression(text: &str) -> Result<Expr, Diagnostic> {
    let parsed = syntax::parse(text, Goal::Expression);
    first(parsed.errors)?;
    Lower::new(&parsed.tree).expression_text()
}

/// Parses a text that is one lambda, as functions like `profile_memory` take them in strings.
///
/// # Errors
///
/// The first thing that is wrong with the text.
pub fn parse_lambda(text: &str) -> Result<Lambda, Diagnostic> {
    let parsed = syntax::parse(text, Goal::Lambda);
    first(parsed.errors)?;
    Lower::new(&parsed.tree).lambda_text()
}

fn first(errors: Vec<Diagnostic>) -> Result<(), Diagnostic> {
    errors.into_iter().next().map_or(Ok(()), Err)
}

impl<'t> Parse<'t> {
    /// Why the engine rejects the text; empty where it accepts it. The first is the one that the
    /// engine reports, at the same place; the others were found by going on after it.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.0.errors
    }

    /// The engine's own words for the first error, as the server logs them after `VQL Error: `:
    /// `1:18: unexpected token "x" (expected <from>)`. `None` where there is no error, and where
    /// the engine has no words because the text kills the server: a LIMIT that is not a whole
    /// number, or brackets nested so deeply that its stack overflows.
    pub fn engine_message(&self) -> Option<&str> {
        self.0.engine_message.as_deref()
    }

    /// What the engine accepts and what probably does not do what it seems to; empty where the
    /// text has errors.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        if self.0.errors.is_empty() { lint::warnings(&self.0.tree) } else { Vec::new() }
    }

    /// The lossless tree.
    pub fn tree(&self) -> &Tree<'t> {
        &self.0.tree
    }

    /// The typed tree.
    ///
    /// # Errors
    ///
    /// The first error of the text; or, in an accepted one, a chain of operators that is too long.
    pub fn program(&self) -> Result<Program, Diagnostic> {
        match self.0.errors.first() {
            Some(error) => Err(error.clone()),
            None => Lower::new(&self.0.tree).program(),
        }
    }
}
