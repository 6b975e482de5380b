//! The registry: every suite, in the order in which they run.

mod agreement;
mod mcp_stdio;
mod server;

use crate::suite::Suite;

pub const ALL: &[Suite] = &[server::SUITE, agreement::SUITE, mcp_stdio::SUITE];
