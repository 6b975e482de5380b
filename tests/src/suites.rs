//! The registry: every suite, in the order in which they run.

mod agreement;
mod api;
mod configuration;
mod conformance;
mod contract;
mod demo;
mod deployments;
mod docker;
mod effects;
mod facade;
mod faults;
mod inspector;
mod kits;
pub mod linux;
mod mcp_stdio;
mod orgs;
mod outlet;
mod packages;
mod pki;
mod python_sdk;
mod read_only;
mod server;
mod tools;

use crate::suite::Suite;

pub const ALL: &[Suite] = &[
    server::SUITE,
    packages::SUITE,
    configuration::SUITE,
    api::SUITE,
    contract::SUITE,
    agreement::SUITE,
    effects::SUITE,
    read_only::SUITE,
    facade::SUITE,
    mcp_stdio::SUITE,
    tools::SUITE,
    orgs::SUITE,
    outlet::SUITE,
    pki::SUITE,
    python_sdk::SUITE,
    inspector::SUITE,
    conformance::SUITE,
    docker::SUITE,
    deployments::SUITE,
    faults::SUITE,
    linux::SUITE,
    kits::SUITE,
    demo::SUITE,
];
