//! Sources of packages against a host of the tests' own, which does what a bad network does.
#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod cache;
mod faults;
mod host;
mod latest;
mod resume;
mod signatures;
mod sources;
mod support;
mod transport;
