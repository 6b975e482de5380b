//! Megaraptor as the child of an MCP host.
