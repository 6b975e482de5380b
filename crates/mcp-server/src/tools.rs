//! The tools: one line per family, nothing per tool.

use crate::tool::Family;

pub mod clients;
pub mod vql;

/// Every family.
pub static FAMILIES: &[&Family] = &[&clients::FAMILY, &vql::FAMILY];
