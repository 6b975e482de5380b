//! The tools: one line per family, nothing per tool.

use crate::tool::Family;

pub mod artifacts;
pub mod clients;
pub mod deploy;
pub mod emergency;
pub mod flows;
pub mod hunts;
pub mod results;
pub mod vql;

/// Every family.
pub static FAMILIES: &[&Family] = &[
    &clients::FAMILY,
    &artifacts::FAMILY,
    &hunts::FAMILY,
    &flows::FAMILY,
    &results::FAMILY,
    &vql::FAMILY,
    &emergency::FAMILY,
    &deploy::FAMILY,
];
