//! VQL, the query language of Velociraptor: parser, syntax tree, safe construction.
//!
//! Synchronous, without I/O. It does not send queries and does not know a server.
//!
//! ```
//! let parse = vql_builder::parse("SELECT Name FROM pslist() WHERE Pid = 4");
//! assert!(parse.errors().is_empty());
//! let program = parse.program()?;
//! assert_eq!(program.statements.len(), 1);
//!
//! let parse = vql_builder::parse("SELCT * FROM clients()");
//! assert_eq!(parse.errors()[0].column, 1);
//! # Ok::<(), vql_builder::Diagnostic>(())
//! ```

mod again;
mod analysis;
pub mod ast;
mod builtin;
mod diagnostic;
pub mod effects;
mod filter;
mod lint;
mod literal;
mod lower;
mod name;
mod parse;
mod query;
pub mod syntax;
mod words;

pub use again::{NotAgain, again};
pub use analysis::{CallKind, CallSite};
pub use builtin::is_builtin_function;
pub use diagnostic::{Code, Diagnostic, Severity};
pub use filter::PureExpr;
pub use literal::quote_string;
pub use name::{Identifier, NameError};
pub use parse::{Lambda, Parse, parse, parse_expression, parse_lambda};
pub use query::{Direction, Piece, Query, RawVql};
pub use words::words;
