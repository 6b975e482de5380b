//! The API client against a server of its own making: real TLS, scripted answers.
#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod config;
mod fake;
mod files;
mod hunt_calls;
mod identities;
mod labels;
mod pki;
mod streams;
mod tls;
mod wire;
