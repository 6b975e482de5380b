//! The whole surface over an in-memory pipe.

mod calls;
mod protocol;
mod resources;
mod simulated;
mod surface;
mod vql;
mod wire;
