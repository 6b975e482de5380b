//! The catalogue: every query that the product sends, as data.
//!
//! A [`CatalogueQuery`] is a constant. Its text never changes at run time; values are bound to
//! the names that it lists. The contract suite walks all of them against a real server and against
//! the simulated one.

use vql_builder::Query;

use crate::permission::Permission;

/// One query of the catalogue.
#[derive(Debug)]
pub struct CatalogueQuery {
    /// Unique name; the server logs it, errors mention it.
    pub name: &'static str,
    /// The VQL.
    pub text: &'static str,
    /// The names that must be bound, all of them strings on the wire.
    pub binds: &'static [&'static str],
    /// The permissions that it needs in the org in which it runs.
    pub needs: &'static [Permission],
    /// It changes something. Such a query has one side effect, and is never repeated by itself.
    pub mutates: bool,
    /// The columns of its rows, in order.
    pub columns: &'static [&'static str],
}

impl CatalogueQuery {
    /// The query, with nothing bound yet.
    pub const fn query(&self) -> Query {
        Query::constant(self.name, self.text)
    }
}

/// What every read needs.
pub const READ: &[Permission] = &[Permission::AnyQuery, Permission::ReadResults];
