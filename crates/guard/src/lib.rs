//! What stands between a caller and a tool, and between a tool's answer and its reader.
//!
//! A call is written down as [`asked::Asked`]: everything that an answer to "may this run?" depends
//! on. [`policy::Policy::judge`] answers with a [`permit::Permit`], with a [`permit::Question`] that
//! a person decides, or with a refusal that says which setting refused and where that stands. A
//! permit is for one request, cannot be made or copied outside this crate, and a shell runs nothing
//! without one.
//!
//! - [`approval`], [`seal`], [`grant`]: the three ways in which a person says yes: on a terminal, in
//!   the chat, and beforehand for the collections of a case.
//! - [`ledger`]: what was started, so that it can be stopped.
//! - [`tokens`]: who may speak over HTTP, and what a connection may see.
//! - [`spool`]: queries that their caller may run again by a handle.
//! - [`audit`]: the record of every call, before it runs and after.
//! - [`outlet`]: the one filter that each answer passes on the way out.
//!
//! The crate knows neither MCP nor the command line: who calls, which tool, and what was answered
//! come in as values, so that every shell over it is guarded by the same code.

pub mod approval;
pub mod approver;
pub mod asked;
pub mod audit;
pub mod digest;
pub mod effect;
pub mod grant;
pub mod home;
pub mod ledger;
pub mod outlet;
pub mod permit;
pub mod policy;
pub mod record;
pub mod seal;
pub mod size;
pub mod spool;
pub mod tokens;
