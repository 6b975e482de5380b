//! Each token's own part of the server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use guard::tokens::{Gate, Token};
use jiff::Timestamp;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::SessionManager as _;
use rmcp::transport::streamable_http_server::session::local::{LocalSessionManager, SessionConfig};
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Handlers;
use super::limits::{Bucket, Limits};
use crate::caller::Caller;
use crate::mcp::Answering;

/// How often it is looked whether a token still opens. New requests are judged when they come;
/// this ends streams and calls that are open already.
const LOOK: Duration = Duration::from_secs(1);

/// One token's part: its protocol service with its sessions, and its limits. A session of another
/// token is not here, and so does not exist.
pub(super) struct Tenant<H> {
    pub(super) service: StreamableHttpService<Answering<H>, LocalSessionManager>,
    pub(super) ended: CancellationToken,
    sessions: Arc<LocalSessionManager>,
    /// When each session was last used.
    used: Mutex<HashMap<Arc<str>, Instant>>,
    most_sessions: usize,
    bucket: Bucket,
    calls: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// What a request takes from its caller's share; given back when its answer has ended.
pub(super) type Share = OwnedSemaphorePermit;

/// A caller wants more than its share.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// More requests than its rate; when to come again.
    Rate(Duration),
    /// More at a time.
    AtOnce,
    /// More open streams.
    Streams,
}

impl<H: ServerHandler + Clone> Tenant<H> {
    fn new(caller: &Caller, handlers: &Handlers<H>, limits: &Limits) -> Self {
        let ended = CancellationToken::new();
        let mut session = SessionConfig::default();
        session.keep_alive = Some(limits.session_idle);
        let mut sessions = LocalSessionManager::default();
        sessions.session_config = session;
        let sessions = Arc::new(sessions);
        // Host and Origin were judged before the token was.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            .with_sse_keep_alive(Some(limits.keep_alive))
            .with_max_request_body_bytes(limits.body_bytes)
            .with_cancellation_token(ended.clone());
        let handler = handlers(caller);
        let service = StreamableHttpService::new(
            move || Ok(Answering(handler.clone())),
            Arc::clone(&sessions),
            config,
        );
        Self {
            service,
            ended,
            sessions,
            used: Mutex::default(),
            most_sessions: limits.sessions,
            bucket: Bucket::new(limits.calls_per_second, limits.burst, Instant::now()),
            calls: Arc::new(Semaphore::new(limits.calls_at_once)),
            streams: Arc::new(Semaphore::new(limits.streams)),
        }
    }

    /// Takes a request's share.
    pub(super) fn share(&self, is_stream: bool) -> Result<Share, TooMuch> {
        self.bucket.take(Instant::now()).map_err(TooMuch::Rate)?;
        let (share, else_) = if is_stream {
            (&self.streams, TooMuch::Streams)
        } else {
            (&self.calls, TooMuch::AtOnce)
        };
        Arc::clone(share).try_acquire_owned().map_err(|_| else_)
    }

    /// Notes that a session is used.
    pub(super) fn touch(&self, session: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = used.get_mut(session) {
            *last = Instant::now();
        }
    }

    /// Notes a session that has just begun, and ends the one used longest ago where there are too
    /// many: a client that crashes never says that it goes.
    pub(super) async fn begun(&self, session: &str) {
        let here: Vec<_> = self.sessions.sessions.read().await.keys().cloned().collect();
        let oldest = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.retain(|known, _| here.contains(known));
            used.insert(session.into(), Instant::now());
            if used.len() <= self.most_sessions {
                return;
            }
            used.iter().min_by_key(|(_, last)| **last).map(|(id, _)| Arc::clone(id))
        };
        let Some(oldest) = oldest else { return };
        tracing::info!("more than {} sessions of one token: the oldest ends", self.most_sessions);
        if let Err(error) = self.sessions.close_session(&oldest).await {
            tracing::debug!(%error, "the session had ended by itself");
        }
        self.used.lock().unwrap_or_else(PoisonError::into_inner).remove(&oldest);
    }
}

/// The parts of all tokens that were shown.
pub(super) struct Tenants<H> {
    gate: Arc<Gate>,
    handlers: Handlers<H>,
    limits: Limits,
    by_token: Mutex<HashMap<String, Arc<Tenant<H>>>>,
}

impl<H: ServerHandler + Clone> Tenants<H> {
    pub(super) fn new(gate: Arc<Gate>, handlers: Handlers<H>, limits: Limits) -> Self {
        Self { gate, handlers, limits, by_token: Mutex::default() }
    }

    /// The part of a token, made when it is first shown.
    pub(super) fn of(&self, token: &Token) -> Arc<Tenant<H>> {
        let mut tenants = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        let made = tenants.entry(token.id.clone()).or_insert_with(|| {
            Arc::new(Tenant::new(&Caller::of_token(token), &self.handlers, &self.limits))
        });
        Arc::clone(made)
    }

    /// Ends what belongs to tokens that open no more, as long as it is polled.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut beat = tokio::time::interval(LOOK);
        loop {
            beat.tick().await;
            let valid = match self.gate.valid(Timestamp::now()) {
                Ok(tokens) => tokens.into_iter().map(|token| token.id).collect(),
                Err(error) => {
                    tracing::error!(%error, "tokens cannot be checked: every connection ends");
                    Vec::new()
                }
            };
            self.end_where(|id| !valid.iter().any(|valid| valid == id));
        }
    }

    /// Ends everything.
    pub(super) fn end_all(&self) {
        self.end_where(|_| true);
    }

    fn end_where(&self, over: impl Fn(&str) -> bool) {
        let mut tenants = self.by_token.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|id, tenant| {
            let ends = over(id);
            if ends {
                tenant.ended.cancel();
            }
            !ends
        });
    }
}
