//! MCP over HTTP: who is let in, within which bounds, and how it ends.

mod bounds;
mod client;
mod entry;
mod messages;
mod scope;
mod served;
mod stop;
mod tls;
mod workbench;
