//! Hints: what people type who know another language, and what VQL has instead.

use super::words::{closest, instead_of};
use crate::syntax::kind::TokenKind as T;
use crate::syntax::parser::{Expected, Failure};
use crate::syntax::tree::Tree;

const NAMED_ARGUMENTS: &str = "arguments are always named: f(name=value)";
const NO_SUB_QUERY: &str = "give the query a name first: LET Name = SELECT …, then use Name";
const ONE_COLUMN: &str = "ORDER BY takes one column by its name: give it an alias with AS";
const CLAUSE_ORDER: &str =
    "the order is SELECT … FROM … WHERE … GROUP BY … ORDER BY … LIMIT, each at most once";

/// Advice on text that starts no token, or that nothing closes.
pub(super) fn lexical(tree: &Tree<'_>, text: &str, start: u32) -> Option<String> {
    let before = &tree.text[..start as usize];
    Some(
        match text.chars().next()? {
            '\'' if before.ends_with("''") => "a raw string ends with '''",
            quote @ ('\'' | '"') if text.contains(&format!("\\{quote}")) => {
                "a backslash before a quote makes it part of the string: double the backslash"
            }
            '\'' | '"' => "add the closing quote",
            '`' if text == "``" => "a name has at least one character",
            '`' => "add the closing backtick",
            ';' => "statements need no separator: remove it",
            '!' => "write NOT, or != to compare",
            '~' => "write =~ to match a regular expression",
            '?' => "there are no placeholders and no ?: operator; use if(condition=, then=, else=)",
            '&' => "write AND",
            '^' => "there is no power operator",
            '#' => "a comment starts with -- or //",
            '$' | '@' => "a name starts with a letter or _; others go between backticks",
            '\\' => "a backslash belongs into a string",
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{2032}' => "use the plain quote '",
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => {
                "use the plain quote \""
            }
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "use a plain minus",
            '\u{2026}' => "three dots stand for something that was left out",
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}' => "remove this invisible character",
            character if character.is_whitespace() => "replace this blank by a plain space",
            character if character.is_alphabetic() => "put the name between backticks",
            _ => return None,
        }
        .to_owned(),
    )
}

/// The place of a failure, and what stands around it.
struct Place<'a> {
    tree: &'a Tree<'a>,
    index: usize,
    expected: Expected,
}

/// Advice on a token that does not fit.
pub(super) fn syntactic(tree: &Tree<'_>, failure: Failure) -> Option<String> {
    let place = Place { tree, index: failure.token as usize, expected: failure.expected };
    let fixed = place
        .operator()
        .or_else(|| place.clause())
        .or_else(|| place.argument())
        .or_else(|| place.query());
    match fixed {
        Some(hint) => Some(hint.to_owned()),
        None => place.reserved().or_else(|| place.word()),
    }
}

impl Place<'_> {
    fn kind(&self, offset: isize) -> Option<T> {
        let index = self.index.checked_add_signed(offset)?;
        self.tree.tokens.kinds.get(index).copied()
    }

    fn text(&self, offset: isize) -> &str {
        let spans = &self.tree.tokens.spans;
        let span = self.index.checked_add_signed(offset).and_then(|index| spans.get(index));
        span.map_or("", |span| &self.tree.text[span.range()])
    }

    /// Nothing stands between the token and the one before it.
    fn touches_previous(&self, offset: isize) -> bool {
        let Some(index) = self.index.checked_add_signed(offset).filter(|index| *index > 0) else {
            return false;
        };
        let spans = &self.tree.tokens.spans;
        spans.get(index).is_some_and(|span| span.start == spans[index - 1].end)
    }

    fn ends_value(&self, offset: isize) -> bool {
        self.kind(offset).is_some_and(|kind| {
            kind.is_name()
                || matches!(
                    kind,
                    T::NegatedName
                        | T::Number
                        | T::String
                        | T::RawString
                        | T::ParenClose
                        | T::BracketClose
                        | T::Bool
                        | T::Null
                )
        })
    }

    fn operator(&self) -> Option<&'static str> {
        let (previous, kind, next) = (self.kind(-1), self.kind(0)?, self.kind(1));
        let pair = |offset: isize, first: T, second: T| {
            self.kind(offset) == Some(first)
                && self.kind(offset + 1) == Some(second)
                && self.touches_previous(offset + 1)
        };
        if pair(0, T::Slash, T::Star) || pair(-1, T::Slash, T::Star) {
            return Some("this comment is not closed: add */");
        }
        if pair(-1, T::Eq, T::Eq) || pair(0, T::Eq, T::Eq) {
            return Some("compare with a single =");
        }
        if pair(-1, T::Eq, T::Lt) || pair(0, T::Eq, T::Lt) {
            return Some("write <=");
        }
        match kind {
            T::Number | T::NegatedName if self.text(0).starts_with('-') && self.ends_value(-1) => {
                Some("put spaces on both sides of the minus: a - 1")
            }
            T::Arrow if self.expected != Expected::LambdaArrow => {
                Some("to compare write >=; a lambda goes between quotes: \"x=>x + 1\"")
            }
            T::Percent => Some("there is no remainder operator"),
            T::Colon if self.expected == Expected::LetOperator => {
                Some("write LET Name = … (runs when used) or LET Name <= … (runs at once)")
            }
            T::BracketOpen if !self.ends_value(-1) || next == Some(T::BracketClose) => {
                Some("brackets make an array only as an argument; elsewhere write (a, b) or (a,)")
            }
            T::BraceOpen if matches!(next, Some(T::String | T::BraceClose)) => {
                Some("a dict is written dict(name=value); braces hold a query")
            }
            T::BraceOpen if self.expected == Expected::Value && next == Some(T::Select) => {
                Some("leave the braces out: LET Name = SELECT …")
            }
            T::Minus if previous == Some(T::Minus) => Some("write one minus"),
            _ => None,
        }
    }

    fn argument(&self) -> Option<&'static str> {
        let kind = self.kind(0)?;
        let next = self.kind(1)?;
        if kind == T::ParenOpen && self.kind(-1).is_some_and(T::is_name) {
            return match (next, self.kind(2)) {
                (T::Star, Some(T::ParenClose)) => Some("write count()"),
                (T::Select, _) => Some("a query as an argument: f(name={SELECT …})"),
                (T::String, Some(T::Eq)) => Some("put the argument's name between backticks"),
                (_, Some(T::Colon)) => Some("write name=value"),
                (keyword, Some(T::Eq)) if keyword.is_keyword() => None,
                (T::End, _) => None,
                _ => Some(NAMED_ARGUMENTS),
            };
        }
        match (self.expected, kind) {
            (Expected::CallClose, T::Comma) if next.is_keyword() => None,
            (Expected::CallClose, T::Comma) if next == T::ParenClose => {
                Some("remove the comma after the last argument")
            }
            (Expected::CallClose, T::Comma) if next == T::String && self.kind(2) == Some(T::Eq) => {
                Some("put the argument's name between backticks")
            }
            (Expected::CallClose, T::Comma) => Some(NAMED_ARGUMENTS),
            (Expected::CallClose, T::Name | T::QuotedName) if next == T::Eq => {
                Some("a comma is missing before this argument")
            }
            (Expected::ArgumentEquals, T::Colon) => Some("write name=value"),
            (Expected::ArgumentEquals, _) => Some(NAMED_ARGUMENTS),
            (Expected::Select, T::String | T::Name | T::BraceClose)
                if self.kind(-1) == Some(T::BraceOpen) =>
            {
                Some("a dict is written dict(name=value); braces hold a query")
            }
            _ => None,
        }
    }

    fn query(&self) -> Option<&'static str> {
        let kind = self.kind(0)?;
        match (self.expected, kind) {
            (Expected::Source, T::ParenOpen | T::BraceOpen) => Some(NO_SUB_QUERY),
            (Expected::Source, T::String | T::RawString) => {
                Some("FROM takes the name of a plugin or of a stored query")
            }
            (Expected::Statement, T::ParenOpen | T::BraceOpen) => {
                Some("no brackets around a statement")
            }
            (Expected::Statement, T::From) => Some("SELECT comes first: SELECT * FROM …"),
            (Expected::Statement, T::End) if self.index == 0 => Some("the text has no statement"),
            (Expected::From, T::End) => Some("every query has a FROM: add FROM scope()"),
            (_, T::ParenOpen) if self.kind(1) == Some(T::Select) => Some(NO_SUB_QUERY),
            (Expected::Value, T::Select) => Some(NO_SUB_QUERY),
            (Expected::From, T::Comma) if self.kind(1) == Some(T::From) => {
                Some("remove the comma before FROM")
            }
            _ => None,
        }
    }

    fn clause(&self) -> Option<&'static str> {
        let kind = self.kind(0)?;
        if self.expected == Expected::Number {
            return Some("LIMIT takes a literal number: put the value into the text");
        }
        if self.expected == Expected::Name && self.kind(-1) == Some(T::OrderBy) {
            return Some(ONE_COLUMN);
        }
        if self.expected != Expected::End {
            return None;
        }
        match (kind, self.kind(-2)) {
            (T::Comma, Some(T::Limit)) => Some("there is no OFFSET: LIMIT takes one number"),
            (T::Plus | T::Minus | T::Star | T::Slash, Some(T::Limit)) => {
                Some("LIMIT takes a literal number, not an expression")
            }
            (T::Comma | T::Dot | T::ParenOpen, Some(T::OrderBy)) => Some(ONE_COLUMN),
            (T::Comma, _) if self.kind(-1) == Some(T::Desc) => Some(ONE_COLUMN),
            (T::Comma, _) => {
                Some("FROM takes one source: to combine two use foreach(row=…, query=…)")
            }
            (T::Where | T::GroupBy | T::OrderBy | T::Limit | T::From, _) => Some(CLAUSE_ORDER),
            _ => None,
        }
    }

    /// A reserved word where a name should be.
    fn reserved(&self) -> Option<String> {
        let backticks = |word: &str, what: &str| {
            format!("{word} is a reserved word: put it between backticks to use it as {what}")
        };
        let (kind, next, after) = (self.kind(0)?, self.kind(1), self.kind(2));
        let next_is_keyword = next.is_some_and(T::is_keyword);
        if kind.is_keyword() && matches!(self.expected, Expected::Name | Expected::LetName) {
            return Some(backticks(self.text(0), "a name"));
        }
        match kind {
            T::Comma | T::ParenOpen if next_is_keyword && after == Some(T::Eq) => {
                Some(backticks(self.text(1), "an argument"))
            }
            T::As if next_is_keyword => Some(backticks(self.text(1), "a name")),
            T::Dot if next_is_keyword => Some(backticks(self.text(1), "a name")),
            _ => None,
        }
    }

    /// A word that is unknown here: one of SQL, or a misspelt one.
    fn word(&self) -> Option<String> {
        for offset in [0, -1] {
            if self.kind(offset) == Some(T::Name)
                && let Some(hint) = instead_of(self.text(offset))
            {
                return Some(hint.to_owned());
            }
        }
        if self.expected == Expected::From
            && self.kind(-1) == Some(T::Name)
            && closest(self.text(-1), &["FROM"]).is_some()
        {
            return Some("did you mean FROM?".to_owned());
        }
        if self.kind(0) != Some(T::Name) {
            return None;
        }
        let candidates: &[&str] = match self.expected {
            Expected::Statement => &["SELECT", "LET", "EXPLAIN"],
            Expected::Select => &["SELECT"],
            Expected::From => &["FROM", "AS", "AND", "OR", "IN"],
            Expected::End | Expected::BraceClose => &[
                "WHERE", "GROUP", "ORDER", "LIMIT", "SELECT", "LET", "AND", "OR", "IN", "DESC",
                "EXPLAIN",
            ],
            _ => &["AND", "OR", "IN"],
        };
        if let Some(meant) = closest(self.text(0), candidates) {
            let by = if matches!(meant, "GROUP" | "ORDER") { " BY" } else { "" };
            return Some(format!("did you mean {meant}{by}?"));
        }
        if self.expected == Expected::From && self.ends_value(-1) {
            return Some("a comma between columns, or AS before an alias, is missing".to_owned());
        }
        let binds = self.expected == Expected::Statement && self.kind(1) == Some(T::Eq);
        binds.then(|| format!("to bind a name write LET {} = …", self.text(0)))
    }
}
