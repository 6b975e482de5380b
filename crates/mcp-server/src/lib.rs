//! The program `megaraptor`: an MCP server and a command line over the library crates.
//!
//! This crate converts and renders; what is known about Velociraptor lives below it. It is the
//! only one that names MCP, JSON Schema and the command line.

pub mod answer;
pub mod caller;
pub mod cli;
pub mod clock;
pub mod collection;
pub mod completion;
pub mod context;
pub mod credentials;
pub mod deployments;
pub mod emergency;
pub mod evidence;
pub mod gateway;
pub mod handle;
pub mod http;
pub mod keeping;
pub mod mcp;
mod off;
pub mod page;
pub mod policy;
pub mod prompts;
pub mod queries;
pub mod records;
pub mod resolve;
pub mod resources;
pub mod rows;
pub mod services;
pub mod settings;
pub mod summary;
pub mod system;
pub mod table;
pub mod tool;
pub mod tool_error;
pub mod tools;
