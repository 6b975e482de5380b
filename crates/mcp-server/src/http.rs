//! MCP over HTTP: the way in for callers that did not start Megaraptor themselves.
//!
//! Each request passes, in this order: the address that it names and the page that it comes from
//! ([`origin`]), the token ([`bearer`]), the limits of its caller ([`tenant`]), the size and time
//! of its body ([`body`]), and the form of its message. Only then does the protocol see it. What
//! a token does not cover does not exist behind it: every caller has a protocol service of its
//! own, with its own sessions, over its own view of what is configured.

mod address;
mod bearer;
mod body;
mod front;
mod health;
mod limits;
mod listener;
mod origin;
mod tenant;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use guard::tokens::Gate;
use rmcp::ServerHandler;
use tokio_util::sync::CancellationToken;

pub use address::{AddressError, Bind};
pub use limits::Limits;
pub use listener::Listener;
pub use origin::{Names, NamesError};
pub use tls::{Tls, TlsError};

use crate::caller::Caller;

/// Where MCP is served.
pub const PATH: &str = "/mcp";

/// What answers a caller's messages.
pub type Handlers<H> = Arc<dyn Fn(&Caller) -> H + Send + Sync>;

/// Whether any server has answered lately.
pub type Readiness = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What is served, to whom, and within which bounds.
pub struct Service<H> {
    /// Makes the handler of one caller.
    pub handlers: Handlers<H>,
    /// Who is let in.
    pub gate: Arc<Gate>,
    /// The names by which the server may be called, and the pages that may call it.
    pub names: Names,
    /// The bounds.
    pub limits: Limits,
    /// Asked for `/readyz`, at most once in ten seconds.
    pub ready: Readiness,
}

/// How serving ends.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Nothing new is taken; calls at work may finish within [`Limits::grace`].
    pub soon: CancellationToken,
    /// Calls at work are cancelled.
    pub now: CancellationToken,
}

/// Serves until it is stopped.
///
/// # Errors
///
/// Where the system takes no more connections for good.
pub async fn serve<H: ServerHandler + Clone>(
    listener: Listener,
    service: Service<H>,
    stop: Stop,
) -> std::io::Result<()> {
    let limits = service.limits.clone();
    let front = front::Front::new(service, stop.soon.clone());
    let routes = front::routes(Arc::clone(&front));
    let watch = tokio::spawn(Arc::clone(&front.tenants).watch());
    let served = listener::run(listener, routes, &limits, &stop, || front.finished()).await;
    watch.abort();
    front.tenants.end_all();
    served
}

impl Listener {
    /// The address that was bound, with the port that the system chose.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}
