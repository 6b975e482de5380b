//! What texts can do.

mod artifacts;
mod corpus;
mod disguises;
mod rules;
