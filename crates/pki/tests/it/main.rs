//! Certificates held against verifiers that are not ours, and against bad input.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by ending")]

mod bad_input;
mod bed;
mod faults;
mod rotation;
mod verified;
