//! Integration tests of the parser and of safe construction.

mod accepted;
mod construction;
mod diagnostics;
mod fuzz;
mod lossless;
