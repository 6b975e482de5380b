//! A simulated Velociraptor server with a fleet of its own.
//!
//! [`Lab::start`] serves the real gRPC protocol over mutual TLS on a port of this machine, for 25
//! simulated hosts and one planted intrusion. What it evaluates is what Megaraptor's own queries
//! need; everything else is answered with the real server's error. Nothing in it is real, and it
//! says so: its server is called `lab-simulated`, its platform [`SIMULATED`].
//!
//! ```no_run
//! # fn main() -> Result<(), lab::Error> {
//! let lab = lab::Lab::start(lab::LabOptions::default())?;
//! let reader = lab.api_config(lab::Role::Reader);
//! // … hand the file's text to the client …
//! lab.bring_back("LAPTOP-19");
//! # Ok(())
//! # }
//! ```

mod certificates;
mod eval;
mod fleet;
mod options;
mod server;
mod start;
mod value;
mod world;

pub use fleet::{Evidence, GroundTruth, Indicator, Injection, PlantedHost, ground_truth};
pub use options::{LabOptions, Role};
pub use start::{Error, Lab};

/// How the lab calls itself wherever a server's name is shown.
pub const SIMULATED: &str = "LAB (simulated)";

/// The id of the lab's second org.
pub const SECOND_ORG: &str = "O4K2Q";
