//! A real Velociraptor: server, agents, fleets, on this machine and for one suite.
//!
//! Everything listens on loopback, on ports chosen at start, and lives in one temporary folder;
//! dropping a value ends its process and removes its files.

mod agent;
mod binary;
mod config;
pub mod endless;
mod files;
mod process;
mod server;
pub mod state;
mod texts;

pub use agent::{Fleet, RealAgent};
pub use binary::find as find_binary;
pub use config::{Ports, Role};
pub use files::{Files, HOUSEKEEPING};
pub use process::Process;
pub use server::{RealServer, VendorQuery};
pub use state::ServerState;
