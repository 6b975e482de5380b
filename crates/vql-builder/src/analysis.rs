//! Questions about a program that its text cannot answer.

mod walk;

use crate::ast::{Argument, LetValue, Program, Select, Span, Statement};

/// What a name is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallKind {
    /// After FROM: a plugin or a stored query.
    Plugin,
    /// In an expression: a function or a stored expression.
    Function,
}

/// A place where something is called by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// What it is used as.
    pub kind: CallKind,
    /// The name, its parts joined by dots, without backticks: `Artifact.Linux.Sys.Pslist`.
    pub name: String,
    /// The names of the arguments; `**` is one that replaces all the others by a dict.
    pub arguments: Vec<String>,
    /// The call with its arguments.
    pub span: Span,
}

impl Program {
    /// Every plugin and function that the text calls, in the order of the text. Includes calls of
    /// what LET defines, see [`Program::definitions`], and arguments that may never be evaluated.
    pub fn calls(&self) -> Vec<CallSite> {
        let mut calls = Vec::new();
        walk::program(self, &mut |call: walk::Call<'_>| {
            calls.push(CallSite {
                kind: call.kind,
                name: dotted(call.path),
                arguments: names(call.arguments),
                span: call.span,
            });
        });
        calls.sort_by_key(|call| call.span.start);
        calls
    }

    /// The names that LET binds, in order, with repetitions.
    pub fn definitions(&self) -> Vec<&str> {
        self.statements
            .iter()
            .filter_map(|statement| match statement {
                Statement::Let(binding) => Some(binding.name.name.as_str()),
                Statement::Select(_) => None,
            })
            .collect()
    }

    /// The queries whose rows the server sends back: LET sends none.
    pub fn results(&self) -> impl Iterator<Item = &Select> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Select(select) => Some(select),
            Statement::Let(_) => None,
        })
    }

    /// The most rows that the server can send back, by the LIMIT of each query that sends any;
    /// 0 where there is none; `None` where one of them has no LIMIT. A LIMIT in a sub-query or a LET does not count.
    pub fn row_limit(&self) -> Option<u64> {
        // The engine sends a row before it looks at the limit, so that 0 means 1.
        self.results().try_fold(0_u64, |sum, select| {
            let limit = u64::try_from(select.limit?).unwrap_or(0).max(1);
            Some(sum.saturating_add(limit))
        })
    }

    /// The stored queries that run at once, whether or not anything uses them.
    pub fn materialised(&self) -> impl Iterator<Item = &Select> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Let(binding) if binding.materialised => match &binding.value {
                LetValue::Select(select) => Some(select),
                LetValue::Expr(_) => None,
            },
            _ => None,
        })
    }
}

fn dotted(path: &[crate::ast::Ident]) -> String {
    path.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".")
}

fn names(arguments: &[Argument]) -> Vec<String> {
    arguments.iter().map(|argument| argument.name.name.clone()).collect()
}
