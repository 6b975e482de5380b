//! Deployments that can be stopped at any moment and resumed or undone.
//!
//! A deployment is a [`Plan`]: data, printed before anything is done. A [`Deployer`] knows how each of
//! its steps is looked at, done and taken back; the [`Engine`] knows nothing of any platform and
//! carries plans out. Before a step it records the intent, after it that it is done, in a [`Record`]
//! that a [`StateRegistry`] keeps. Whatever ends the program, a panic, a kill or a full disk, leaves a
//! record from which the deployment is brought up or taken down.
//!
//! The crate knows neither MCP nor the command line: `examples/embedded.rs` uses it from another
//! program. Whoever writes a deployer or a registry of their own runs [`contract`] over it.

#![warn(missing_docs)]

mod apart;
pub mod contract;
mod deployer;
pub mod digest;
mod engine;
pub mod evidence;
mod grants;
mod id;
mod plan;
pub mod preflight;
mod record;
pub mod registry;
pub mod retry;
pub mod server;
pub mod transport;

pub use apart::apart;
pub use deployer::{Deployer, Found, Progress, Silent, StepCx, StepError};
pub use engine::{Change, Consent, Engine, EngineError, OnFailure, Run};
pub use grants::{Grants, Processors};
pub use id::{BadId, DeploymentId, StepName};
pub use plan::{Plan, PlanError, Step};
pub use record::{About, Facts, Generation, Goal, Phase, Record, Status, TargetKind, Trouble};
pub use registry::{Claim, RegistryError, StateRegistry};
