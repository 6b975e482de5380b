//! The lab through its own gRPC surface.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod console;
mod errors;
mod first;
mod quirks;
mod rpc;
mod scenario;
mod shapes;
mod wire;
