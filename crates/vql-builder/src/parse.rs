//! The entry points of the parser.

use crate::ast::{Expr, Ident, Program};
use crate::diagnostic::Diagnostic;
use crate::lint;
use crate::lower::Lower;
use crate::syntax::{self, Goal, Tree};

/// A parsed text: the lossless tree, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Parse<'t> {
    tree: Tree<'t>,
    errors: Vec<Diagnostic>,
}

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
    let (tree, errors) = syntax::parse(text, Goal::Program);
    Parse { tree, errors }
}

/// Parses a text that is one expression, commas allowed: what may stand after WHERE.
///
/// # Errors
///
/// The first thing that is wrong with the text.
pub fn parse_expression(text: &str) -> Result<Expr, Diagnostic> {
    let (tree, errors) = syntax::parse(text, Goal::Expression);
    first(errors)?;
    Lower::new(&tree).expression_text()
}

/// Parses a text that is one lambda, as functions like `profile_memory` take them in strings.
///
/// # Errors
///
/// The first thing that is wrong with the text.
pub fn parse_lambda(text: &str) -> Result<Lambda, Diagnostic> {
    let (tree, errors) = syntax::parse(text, Goal::Lambda);
    first(errors)?;
    Lower::new(&tree).lambda_text()
}

fn first(errors: Vec<Diagnostic>) -> Result<(), Diagnostic> {
    errors.into_iter().next().map_or(Ok(()), Err)
}

impl<'t> Parse<'t> {
    /// Why the engine rejects the text; empty where it accepts it. The first is the one that the
    /// engine reports, at the same place; the others were found by going on after it.
    pub fn errors(&self) -> &[Diagnostic] {
        &self.errors
    }

    /// What the engine accepts and what probably does not do what it seems to; empty where the
    /// text has errors.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        if self.errors.is_empty() { lint::warnings(&self.tree) } else { Vec::new() }
    }

    /// The lossless tree.
    pub fn tree(&self) -> &Tree<'t> {
        &self.tree
    }

    /// The typed tree.
    ///
    /// # Errors
    ///
    /// The first error of the text; or, in an accepted one, a chain of operators that is too long.
    pub fn program(&self) -> Result<Program, Diagnostic> {
        match self.errors.first() {
            Some(error) => Err(error.clone()),
            None => Lower::new(&self.tree).program(),
        }
    }
}
