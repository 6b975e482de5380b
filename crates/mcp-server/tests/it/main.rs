//! The whole surface over an in-memory pipe.

mod artifacts;
mod calls;
mod clients;
mod direct;
mod protocol;
mod resources;
mod simulated;
mod surface;
mod vql;
mod wire;
