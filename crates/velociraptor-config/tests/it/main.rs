//! Configurations made, rendered, read back and compared.
#![expect(clippy::unwrap_used, reason = "what a helper of a test cannot do fails the test")]

mod made;
mod read;
mod support;
