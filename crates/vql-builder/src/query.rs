//! Queries that are ready to be sent: constant text and bound values.
//!
//! A value reaches the server in one of two ways: bound to a name (the server binds it before it
//! parses, so no value can change the structure of the query), or as a literal that this crate
//! quotes. There is no way to paste text, except [`RawVql`], which exists for the one tool that
//! runs a query as it was given.

use std::borrow::Cow;

/// A query with its bound values.
///
/// The server binds every value as a string; structured values travel as JSON and are read back
/// with `parse_json` in the query's own constant text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    name: &'static str,
    text: Cow<'static, str>,
    env: Vec<(Cow<'static, str>, String)>,
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
        Self { name, text: Cow::Borrowed(text), env: Vec::new() }
    }

    /// A query whose text came from the caller as a whole.
    pub fn raw(name: &'static str, text: RawVql) -> Self {
        Self { name, text: Cow::Owned(text.0), env: Vec::new() }
    }

    /// Binds a string to a name of the constant text.
    #[must_use]
    pub fn bind(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Binds a structured value as JSON; the constant text reads it with `parse_json`.
    #[must_use]
    pub fn bind_json(self, name: impl Into<Cow<'static, str>>, value: &serde_json::Value) -> Self {
        self.bind(name, value.to_string())
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
