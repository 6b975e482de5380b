//! What any registry and any deployer must keep to. Call these from tests of your own.
//!
//! They panic where the contract is broken, and say how.

mod deployer;
mod registry;

pub use deployer::deployer;
pub use registry::{record, registry};
