//! Integration tests of the parser and of safe construction.

mod accepted;
mod diagnostics;
mod fuzz;
mod lossless;
