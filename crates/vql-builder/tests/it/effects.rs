//! What texts can do.

mod artifacts;
mod rules;
