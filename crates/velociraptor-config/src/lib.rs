//! Velociraptor's configuration files, typed.
//!
//! [`ServerConfig`] is made from a [`Profile`], addresses and keys, checked as a whole, and rendered
//! so that Velociraptor's strict loader takes it. What that program or a person wrote is read back
//! with [`ServerConfig::parse`]; keys that are not modelled here are kept. [`drift`] compares two.
//! [`ClientConfig`] is only made from a server's configuration, so that agents always have the live
//! deployment's own CA and nonce. [`ApiConfig`] is an API client's file.
//!
//! Certificates and keys come in as PEM texts. No type here can be serialised by others; rendered
//! files that hold a key are [`Secret`](secret::Secret)s.

mod administrator;
mod api;
mod client;
mod drift;
mod error;
mod file;
mod host;
mod keys;
mod listen;
mod masked;
mod nonce;
mod profile;
mod sealed;
mod server;
mod yaml;

pub use administrator::Administrator;
pub use api::ApiConfig;
pub use client::{ClientConfig, ClientPaths};
pub use drift::{Drift, drift};
pub use error::ConfigError;
pub use host::Host;
pub use keys::ServerKeys;
pub use listen::{Bind, Exposure, Listen, Service};
pub use masked::{Masked, NOT_SHOWN};
pub use nonce::Nonces;
pub use profile::{FileNumbers, PlanNumbers, Profile};
pub use server::{Deployment, ServerConfig};
