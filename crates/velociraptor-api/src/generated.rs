//! Generated code. What lies in the folder is written by `cargo xtask codegen`.

// The generator does not follow our lints, and its output is not read for style.
#[allow(
    clippy::all,
    elided_lifetimes_in_paths,
    missing_docs,
    unreachable_pub,
    unused_qualifications
)]
pub mod proto;
