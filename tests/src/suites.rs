//! The registry: every suite, in the order in which they run.

mod agreement;
mod api;
mod contract;
mod effects;
mod facade;
mod mcp_stdio;
mod python_sdk;
mod server;

use crate::suite::Suite;

pub const ALL: &[Suite] = &[
    server::SUITE,
    api::SUITE,
    contract::SUITE,
    agreement::SUITE,
    effects::SUITE,
    facade::SUITE,
    mcp_stdio::SUITE,
    python_sdk::SUITE,
];
