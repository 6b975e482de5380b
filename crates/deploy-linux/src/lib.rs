//! Velociraptor servers and agents on a systemd host, over any
//! [`Transport`](deploy_core::transport::Transport).
//!
//! [`Local`] is the transport of this very host.

#![warn(missing_docs)]

#[cfg(unix)]
mod local;

#[cfg(unix)]
pub use local::Local;
