//! Live suites and the harness they stand on.
//!
//! A *suite* drives Megaraptor against one real counterpart: a Velociraptor server that the suite
//! starts itself, an agent on this machine, an MCP client written by somebody else. A suite whose
//! counterpart is not on the machine is skipped and says why; it never passes by doing nothing.
//!
//! Run them with `cargo xtask integration-test`.

pub mod home;
pub mod http;
pub mod mcp;
pub mod node;
pub mod real;
pub mod suite;
pub mod suites;
pub mod wait;
