//! The whole surface over an in-memory pipe.

mod protocol;
mod surface;
mod wire;
