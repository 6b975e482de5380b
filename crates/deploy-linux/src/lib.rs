//! Velociraptor servers and agents on a systemd host, over any
//! [`Transport`](deploy_core::transport::Transport).
//!
//! [`LinuxOrder`] makes a plan, [`LinuxDeployer`] knows its steps. The modules below know one kind of
//! thing each: how it stands, how it is made, how it is removed. Each says to which deployment it
//! belongs ([`Owner`]); what does not is in the way, and is never touched.
//!
//! [`Local`] is the transport of this very host.

#![warn(missing_docs)]

mod agent;
mod beside;
mod configuration;
mod datastore;
mod deployer;
mod deployment;
mod evidence;
mod folder;
mod host;
#[cfg(unix)]
mod local;
mod on;
mod owner;
mod ports;
mod program;
mod serving;
mod standing;
mod unit;
mod user;

pub use agent::{ANSWER, AgentSpec, CLIENT};
pub use beside::Beside;
pub use configuration::ConfigurationSpec;
pub use datastore::DatastoreSpec;
pub use deployer::{LinuxDeployer, LinuxStep};
pub use deployment::{AgentOrder, LinuxOrder};
pub use folder::{FolderSpec, OpenTo};
pub use host::{HOST, HostSpec};
#[cfg(unix)]
pub use local::Local;
pub use owner::Owner;
pub use program::ProgramSpec;
pub use serving::Serving;
pub use systemd_units::Confinement;
pub use unit::UnitSpec;
pub use user::UserSpec;
