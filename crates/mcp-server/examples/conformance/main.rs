//! A server with the tools, resources and prompts that the official MCP conformance suite asks
//! for by name, on the very stack of the product: its HTTP layer, its tokens, its limits.
//!
//! ```text
//! conformance [ALLOWED-HOST…]
//! ```
//! It prints one line of JSON, `{"address": …, "token": …}`, and serves until it is killed.
#![expect(clippy::print_stdout, reason = "tells its address on standard output")]

mod catalogue;
mod fixture;
mod rounds;
mod tools;

use std::error::Error;
use std::sync::Arc;

use guard::approver::Approver;
use guard::audit::{Audit, Options};
use guard::tokens::{Gate, NewToken, Scope, TokenStore};
use jiff::Timestamp;
use mcp_server::http::{self, Bind, Limits, Listener, Names, Stop};
use serde_json::json;

use fixture::Fixture;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hosts: Vec<String> = std::env::args().skip(1).collect();
    let origins: Vec<_> = hosts.iter().map(|host| format!("http://{host}")).collect();
    let folder = tempfile::tempdir()?;
    let store = TokenStore::at(folder.path());
    let new = NewToken { name: "conformance".into(), scope: Scope::everything(), expires: None };
    let by = Approver { user: "conformance".into(), host: String::new(), terminal: String::new() };
    let audit = Audit::open(&Options::new(folder.path().join("audit")))?;
    let (_, token) = store.create(new, Timestamp::now(), by, &audit)?;
    let listener = Listener::bind("127.0.0.1:0".parse()?, None).await?;
    let address = listener.address();
    let fixture = Fixture::new()?;
    let service = http::Service {
        handlers: Arc::new(move |_| fixture.clone()),
        gate: Arc::new(Gate::open(store)?),
        names: Names::new(Bind(address), "http", &hosts, &origins)?,
        limits: Limits::default(),
        ready: Arc::new(|| Box::pin(std::future::ready(true))),
    };
    println!("{}", json!({ "address": address, "token": token.expose() }));
    http::serve(listener, service, Stop::default()).await?;
    Ok(())
}
