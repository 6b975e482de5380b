//! The whole surface over an in-memory pipe, and over HTTP.

mod applies;
mod approvals;
mod artifacts;
mod audit_command;
mod audit_copy;
mod bare;
mod bounds;
mod calls;
mod clients;
mod commands;
mod direct;
mod flows;
mod gateway;
mod http;
mod hunts;
mod mutations;
mod protocol;
mod quarantine;
mod record;
mod resources;
mod roles;
mod simulated;
mod surface;
mod vql;
mod waiting;
mod wire;
