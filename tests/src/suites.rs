//! The registry: every suite, in the order in which they run.

mod server;

use crate::suite::Suite;

pub const ALL: &[Suite] = &[server::SUITE];
