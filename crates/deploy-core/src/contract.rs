//! What any registry, deployer and transport must keep to. Call these from tests of your own.
//!
//! They panic where the contract is broken, and say how.

mod deployer;
mod registry;
mod transport;

pub use deployer::deployer;
pub use registry::{record, registry};
pub use transport::transport;
