//! Queries that are ready to be sent: constant text, bound values, checked pieces.
//!
//! A value reaches the server in one of three ways: bound to a name (the server binds it before it
//! parses, so that no value can change the structure of the query); as a piece of a type that was
//! checked ([`Piece`]) in a slot of the constant text; or as a literal that [`crate::quote_string`]
//! spelled. There is no way to paste text, except [`RawVql`], which exists for the one tool that
//! runs a query as it was given.

use std::borrow::Cow;

use serde_json::Value;

use crate::filter::PureExpr;
use crate::name::{Identifier, NameError, PRIVATE_PREFIX, check_bindable};

/// A query with its bound values.
///
/// The server binds every value as a string; structured values travel as JSON and are read back
/// with `parse_json`, in the query's own constant text or by [`Query::bind_value`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    name: &'static str,
    text: Cow<'static, str>,
    /// The constant text and what was put into it, where anything was.
    parts: Vec<Part>,
    env: Vec<(Cow<'static, str>, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    /// May have slots.
    Constant(&'static str),
    /// Never looked into again.
    Filled(String),
}

/// What may fill a slot of a constant text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A condition: `WHERE $filter`.
    Filter(PureExpr),
    /// A whole number: `LIMIT $limit`.
    Number(u32),
    /// One column: `timestamp(epoch=$column)`.
    Column(Identifier),
    /// Columns as one value: `serialize(item=$key)`.
    List(Vec<Identifier>),
    /// What is selected: `SELECT $columns`. None at all means every column.
    Columns(Vec<Identifier>),
    /// The whole clause `ORDER BY column [DESC]`, or nothing.
    Order(Option<(Identifier, Direction)>),
}

/// Which rows come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// Query text that came from outside as a whole.
///
/// The name says what it is: text that was not built here. Only `run_vql` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawVql(String);

impl RawVql {
    /// Takes query text as it was given.
    pub fn from_caller(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Query {
    /// A query of constant text. `name` is what the server logs and what errors mention.
    pub const fn constant(name: &'static str, text: &'static str) -> Self {
        Self { name, text: Cow::Borrowed(text), parts: Vec::new(), env: Vec::new() }
    }

    /// A query whose text came from the caller as a whole.
    pub fn raw(name: &'static str, text: RawVql) -> Self {
        let parts = vec![Part::Filled(text.0.clone())];
        Self { name, text: Cow::Owned(text.0), parts, env: Vec::new() }
    }

    /// Puts a checked piece where the constant text says `$slot`.
    ///
    /// `$` is no character of VQL: a slot that nobody fills is a syntax error, never a query that
    /// does something else. What was put in is not searched for slots.
    ///
    /// ```
    /// use vql_builder::{Piece, PureExpr, Query};
    /// let query = Query::constant("rows", "SELECT * FROM source() WHERE $filter LIMIT $limit")
    ///     .fill("filter", Piece::Filter(PureExpr::parse("Name = '$limit'")?))
    ///     .fill("limit", Piece::Number(5));
    /// assert_eq!(query.text(), "SELECT * FROM source() WHERE (Name = \"$limit\") LIMIT 5");
    /// # Ok::<(), vql_builder::Diagnostic>(())
    /// ```
    #[must_use]
    pub fn fill(mut self, slot: &str, piece: Piece) -> Self {
        if self.parts.is_empty()
            && let Cow::Borrowed(text) = self.text
        {
            self.parts.push(Part::Constant(text));
        }
        let piece = piece.to_string();
        let mut parts = Vec::with_capacity(self.parts.len() + 2);
        for part in self.parts {
            match part {
                Part::Constant(text) => split(text, slot, &piece, &mut parts),
                Part::Filled(_) => parts.push(part),
            }
        }
        self.parts = parts;
        self.join();
        self
    }

    /// Puts statements that came from a caller as a whole before the constant text, which uses the
    /// names that they bind.
    #[must_use]
    pub fn after(mut self, before: &RawVql) -> Self {
        if self.parts.is_empty()
            && let Cow::Borrowed(text) = self.text
        {
            self.parts.push(Part::Constant(text));
        }
        // A line of its own: the statements can end with a comment.
        self.parts.insert(0, Part::Filled(format!("{}\n", before.0)));
        self.join();
        self
    }

    /// Binds a string to a name of the constant text.
    #[must_use]
    pub fn bind(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Binds a structured value as JSON; the constant text reads it with `parse_json`.
    #[must_use]
    pub fn bind_json(self, name: impl Into<Cow<'static, str>>, value: &Value) -> Self {
        self.bind(name, value.to_string())
    }

    /// Binds a value to a name that the caller chose, so that it arrives with its type: whole
    /// numbers of 64 bits exactly, fractions, truth values, NULL, arrays and objects.
    ///
    /// A string is bound as it is. Anything else travels as JSON under a private name, and a LET
    /// before the query's text reads it back.
    ///
    /// # Errors
    ///
    /// The name is none, is a word of the language, means something to the server, or is bound.
    pub fn bind_value(mut self, name: &str, value: &Value) -> Result<Self, NameError> {
        check_bindable(name)?;
        let private = format!("{PRIVATE_PREFIX}{name}");
        if self.env.iter().any(|(bound, _)| *bound == name || *bound == private) {
            return Err(NameError::Twice(name.to_owned()));
        }
        if let Value::String(text) = value {
            return Ok(self.bind(name.to_owned(), text.clone()));
        }
        if self.parts.is_empty()
            && let Cow::Borrowed(text) = self.text
        {
            self.parts.push(Part::Constant(text));
        }
        // An object around the value, because parse_json() takes objects only.
        let prelude = format!("LET {name} <= parse_json(data={private}).v\n");
        self.parts.insert(0, Part::Filled(prelude));
        self.join();
        Ok(self.bind(private, serde_json::json!({ "v": value }).to_string()))
    }

    fn join(&mut self) {
        let text = self.parts.iter().map(|part| match part {
            Part::Constant(text) => *text,
            Part::Filled(text) => text.as_str(),
        });
        self.text = Cow::Owned(text.collect());
    }

    /// What the server logs and errors mention.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The text that is sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bound names and values, in the order of binding.
    pub fn env(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }
}

/// Cuts a constant text at each `$slot` and puts the piece between.
fn split(text: &'static str, slot: &str, piece: &str, parts: &mut Vec<Part>) {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut rest = text;
    let mut from = 0;
    while let Some(found) = rest[from..].find('$') {
        let at = from + found;
        let end = at + 1 + slot.len();
        let matches = rest[at + 1..].starts_with(slot)
            && !rest.as_bytes().get(end).copied().is_some_and(is_word);
        if matches {
            parts.push(Part::Constant(&rest[..at]));
            parts.push(Part::Filled(piece.to_owned()));
            rest = &rest[end..];
            from = 0;
        } else {
            from = at + 1;
        }
    }
    parts.push(Part::Constant(rest));
}

/// The text that enters the query.
impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Filter(filter) => filter.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Column(column) => column.fmt(f),
            Self::List(columns) => {
                // The comma makes a list of a single item.
                let spelled: String = columns.iter().map(|column| format!("{column}, ")).collect();
                write!(f, "({})", spelled.trim_end())
            }
            Self::Columns(columns) if columns.is_empty() => f.write_str("*"),
            Self::Columns(columns) => {
                let spelled: Vec<String> = columns.iter().map(Identifier::to_string).collect();
                f.write_str(&spelled.join(", "))
            }
            Self::Order(None) => Ok(()),
            Self::Order(Some((column, direction))) => {
                write!(f, "ORDER BY {column}")?;
                match direction {
                    Direction::Ascending => Ok(()),
                    Direction::Descending => f.write_str(" DESC"),
                }
            }
        }
    }
}
