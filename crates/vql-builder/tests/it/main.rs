//! Integration tests of the parser and of safe construction.

mod accepted;
mod construction;
mod diagnostics;
mod effects;
mod fuzz;
mod lossless;
