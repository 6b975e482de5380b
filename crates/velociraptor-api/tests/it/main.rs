//! The API client against a server of its own making: real TLS, scripted answers.

mod config;
mod pki;
