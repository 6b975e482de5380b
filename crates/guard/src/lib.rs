//! What stands between a caller and a tool, and between a tool's answer and its reader.
//!
//! - [`tokens`]: who may speak over HTTP, and what a connection may see.
//! - [`outlet`]: the one filter that each answer passes on the way out.
//!
//! The crate knows neither MCP nor the command line: who calls, which tool, and what was answered
//! come in as values, so that every shell over it is guarded by the same code.

pub mod effect;
pub mod home;
pub mod outlet;
pub mod tokens;
