//! A server over HTTP on a port of its own, with tokens of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use guard::audit::{Audit, Options};
use guard::effect::Effect;
use guard::tokens::{Gate, NewToken, Scope, TokenStore};
use jiff::{Timestamp, ToSpan};
use mcp_server::http::{self, Bind, Handlers, Limits, Listener, Names, Stop, Tls};
use mcp_server::mcp::Shell;
use mcp_server::services::Services;
use rmcp::ServerHandler;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::client::{Client, PATIENCE};
use crate::gateway::approver;
use crate::simulated::guarded;

/// A running server.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    pub(super) store: TokenStore,
    pub(super) audit: Audit,
    pub(super) stop: Stop,
    task: JoinHandle<std::io::Result<()>>,
    _folder: TempDir,
}

/// How a server is set up.
#[derive(Default)]
pub(super) struct Setting {
    pub(super) limits: Limits,
    pub(super) hosts: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) tls: Option<Tls>,
    pub(super) not_ready: bool,
}

/// Everything that a token may cover.
pub(super) fn everything() -> Scope {
    Scope::everything()
}

/// A scope of these effects.
pub(super) fn only(effects: &[Effect]) -> Scope {
    Scope { effects: effects.to_vec(), ..Scope::everything() }
}

impl Served {
    /// Serves the product.
    pub(super) async fn product(services: Services, setting: Setting) -> Self {
        let gateway = guarded(services);
        let handlers: Handlers<Shell> = Arc::new(move |caller| {
            let narrowed = Arc::new(gateway.services().narrowed(&caller.scope));
            Shell::new(gateway.before(narrowed), caller.clone())
        });
        Self::start(handlers, setting).await
    }

    /// Serves any handler.
    pub(super) async fn start<H>(handlers: Handlers<H>, setting: Setting) -> Self
    where
        H: ServerHandler + Clone,
    {
        let folder = tempfile::tempdir().expect("a folder");
        let store = TokenStore::at(folder.path());
        let audit = Audit::open(&Options::new(folder.path().join("audit"))).expect("a record");
        let bind: Bind = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(bind, setting.tls).await.expect("a port");
        let address = listener.address();
        let names = Names::new(Bind(address), listener.scheme(), &setting.hosts, &setting.origins);
        let ready = !setting.not_ready;
        let service = http::Service {
            handlers,
            gate: Arc::new(Gate::open(store.clone()).expect("no tokens yet")),
            names: names.expect("names"),
            limits: setting.limits,
            ready: Arc::new(move || Box::pin(std::future::ready(ready))),
        };
        let stop = Stop::default();
        let task = tokio::spawn(http::serve(listener, service, stop.clone()));
        Self { address, store, audit, stop, task, _folder: folder }
    }

    /// Makes a token that lives an hour.
    pub(super) fn token(&self, name: &str, scope: Scope) -> String {
        let now = Timestamp::now();
        let expires = Some(now + 1.hour());
        let new = NewToken { name: name.into(), scope, expires };
        self.store.create(new, now, approver(), &self.audit).expect("a token").1.expose().clone()
    }

    /// Makes a token whose life ended an hour ago.
    pub(super) fn expired_token(&self, name: &str) -> String {
        let before = Timestamp::now() - 2.hours();
        let expires = Some(before + 1.hour());
        let new = NewToken { name: name.into(), scope: everything(), expires };
        self.store.create(new, before, approver(), &self.audit).expect("a token").1.expose().clone()
    }

    /// A caller with a new token that covers everything.
    pub(super) fn client(&self, name: &str) -> Client {
        self.scoped(name, everything())
    }

    /// A caller with a new token.
    pub(super) fn scoped(&self, name: &str, scope: Scope) -> Client {
        Client::new(self.address, Some(&self.token(name, scope)))
    }

    /// A caller without a token.
    pub(super) fn stranger(&self) -> Client {
        Client::new(self.address, None)
    }

    /// Waits until serving has ended by itself.
    pub(super) async fn ended(self) {
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("serving ends");
        ended.expect("serving does not panic").expect("serving does not fail");
    }
}
