//! Stores of secrets: what all of them keep to, what the one on disk survives, and what it says.
#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod bed;
mod contract;
mod faults;
mod hygiene;
mod keys;
mod processes;
