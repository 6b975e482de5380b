//! Velociraptor servers in containers, on any Docker daemon.
//!
//! [`Daemon`] is one connection to one daemon. The modules below it know one kind of object each:
//! how it stands, how it is made, how it is removed. Each object carries labels that say to which
//! deployment it belongs ([`Owner`]); one without them is in the way, and is never touched.

#![warn(missing_docs)]

mod checks;
mod container;
mod daemon;
mod deployer;
mod deployment;
mod errand;
mod evidence;
mod image;
mod inside;
mod network;
mod owner;
mod serving;
mod standing;
mod volume;

pub use container::{ContainerSpec, Limits, MountedVolume, Published};
pub use daemon::{Daemon, DaemonError, DaemonFacts, DockerHost};
pub use deployer::{DockerDeployer, DockerStep};
pub use deployment::DockerOrder;
pub use errand::Errand;
pub use image::{ImageSpec, RootFsError};
pub use inside::Inside;
pub use network::NetworkSpec;
pub use owner::Owner;
pub use serving::Serving;
pub use volume::VolumeSpec;
