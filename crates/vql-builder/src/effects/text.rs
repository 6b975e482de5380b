//! The text that is being looked at, and places in it.

use super::report::Place;
use crate::ast::Span;

/// How deeply code in strings may hold code in strings.
const MAX_NESTING: u32 = 8;

/// Where a text comes from.
#[derive(Clone, Debug, Default)]
pub(super) struct Outer {
    /// The place of the string that holds it, where it is code in a string.
    at: Option<Place>,
    nesting: u32,
    /// Names that stand for the scope itself: parameters of a lambda that is given the scope.
    scope_names: Vec<String>,
}

/// A text with its lines.
#[derive(Debug)]
pub(super) struct Text<'t> {
    text: &'t str,
    part: Option<&'t str>,
    line_starts: Vec<u32>,
    outer: Outer,
}

impl<'t> Text<'t> {
    pub(super) fn new(text: &'t str, part: Option<&'t str>, outer: Outer) -> Self {
        let mut line_starts = vec![0];
        if outer.at.is_none() {
            // The parser refuses texts beyond 4 GiB.
            let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
            line_starts.extend(ends.map(|(at, _)| u32::try_from(at + 1).unwrap_or(u32::MAX)));
        }
        Self { text, part, line_starts, outer }
    }

    pub(super) fn place(&self, span: Span) -> Place {
        if let Some(at) = &self.outer.at {
            return at.clone();
        }
        let line = self.line_starts.partition_point(|start| *start <= span.start);
        let start = self.line_starts[line.saturating_sub(1)];
        let before = self.text.get(start as usize..span.start as usize).unwrap_or_default();
        Place {
            part: self.part.map(str::to_owned),
            span,
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(before.chars().count() + 1).unwrap_or(u32::MAX),
        }
    }

    /// For code in a string that stands at `span`; `None` where strings hold strings too deeply.
    pub(super) fn inner(&self, span: Span) -> Option<Outer> {
        (self.outer.nesting < MAX_NESTING).then(|| Outer {
            at: Some(self.place(span)),
            nesting: self.outer.nesting + 1,
            scope_names: self.outer.scope_names.clone(),
        })
    }

    pub(super) fn is_scope_name(&self, name: &str) -> bool {
        self.outer.scope_names.iter().any(|scope| scope == name)
    }

    pub(super) fn outer(&self) -> &Outer {
        &self.outer
    }
}

impl Outer {
    /// Inside, these names mean what a lambda was given; the scope, where `scope` says so.
    pub(super) fn bind(&mut self, names: impl Iterator<Item = String>, scope: bool) {
        for name in names {
            self.scope_names.retain(|bound| *bound != name);
            if scope {
                self.scope_names.push(name);
            }
        }
    }
}
