//! A real Velociraptor: server, agents, fleets, on this machine and for one suite.
//!
//! Everything listens on loopback, on ports chosen at start, and lives in one temporary folder;
//! dropping a value ends its process and removes its files.

mod agent;
mod binary;
mod config;
pub mod endless;
mod process;
mod server;
mod texts;

pub use agent::{Fleet, RealAgent};
pub use binary::find as find_binary;
pub use config::Role;
pub use process::Process;
pub use server::{RealServer, VendorQuery};
