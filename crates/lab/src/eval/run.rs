//! What all queries of one call share: who asks, where, and until when.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::fleet::Endpoint;
use crate::value::RegexCache;
use crate::world::accounts::{Account, Permission};
use crate::world::{StoredFile, World};

/// Who asks, and in which org.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The user's name: the common name of the certificate.
    pub(crate) user: String,
    /// The org's id; `root` is the first.
    pub(crate) org: String,
    /// What the user may do in that org.
    pub(crate) account: Account,
}

/// The simulated machine that a query runs on.
#[derive(Clone)]
pub(crate) enum Host {
    /// The server: the console's queries.
    Server,
    /// An endpoint: the queries of a collection.
    Endpoint(Arc<Endpoint>),
}

/// Ends a query: from outside, or by its deadline.
#[derive(Debug)]
pub(crate) struct Stop {
    begun: Instant,
    cancelled: AtomicBool,
    timed_out: AtomicBool,
    deadline: Option<Instant>,
    sleeping: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    /// One that ends the query after `limit`, where given.
    pub(crate) fn after(limit: Option<Duration>) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            cancelled: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            deadline: limit.map(|limit| begun + limit),
            sleeping: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// How long the query has been running.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the query now.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        let _held = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        self.wake.notify_all();
    }

    /// Whether the query is to end.
    pub(crate) fn is_set(&self) -> bool {
        if self.cancelled.load(Ordering::Relaxed) {
            return true;
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.timed_out.store(true, Ordering::SeqCst);
            self.cancelled.store(true, Ordering::SeqCst);
            return true;
        }
        false
    }

    /// Whether it was the deadline that ended it.
    pub(crate) fn timed_out(&self) -> bool {
        self.timed_out.load(Ordering::SeqCst)
    }

    /// Waits for `time`, or until the query is to end. Whether the whole time has passed.
    pub(crate) fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut held = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.is_set() {
                return false;
            }
            let now = Instant::now();
            if now >= until {
                return true;
            }
            let end = self.deadline.map_or(until, |deadline| deadline.min(until));
            let (next, _) = self
                .wake
                .wait_timeout(held, end.saturating_duration_since(now))
                .unwrap_or_else(PoisonError::into_inner);
            held = next;
        }
    }
}

/// One call's surroundings.
pub(crate) struct Run {
    pub(crate) world: Arc<World>,
    pub(crate) session: Session,
    pub(crate) host: Host,
    pub(crate) stop: Arc<Stop>,
    pub(crate) regexes: RegexCache,
    log: Box<dyn Fn(String)>,
    /// Texts of `log()` that were written: repetitions are dropped.
    logged: Mutex<HashSet<String>>,
    flow: Option<FlowContext>,
    uploads: RefCell<Vec<(Vec<String>, StoredFile)>>,
}

/// The flow that a run belongs to.
struct FlowContext {
    now: Timestamp,
    client_id: String,
    flow_id: String,
}

impl Run {
    /// A run whose log lines go to `log`, without a line's end.
    pub(crate) fn new(
        world: Arc<World>,
        session: Session,
        host: Host,
        stop: Arc<Stop>,
        log: impl Fn(String) + 'static,
    ) -> Self {
        Self {
            world,
            session,
            host,
            stop,
            regexes: RegexCache::default(),
            log: Box::new(log),
            logged: Mutex::default(),
            flow: None,
            uploads: RefCell::default(),
        }
    }

    /// The same run as part of a flow: its clock stands, and files can be uploaded.
    pub(crate) fn for_flow(mut self, now: Timestamp, client_id: &str, flow_id: &str) -> Self {
        self.flow =
            Some(FlowContext { now, client_id: client_id.to_owned(), flow_id: flow_id.to_owned() });
        self
    }

    /// The present: in a flow, the instant at which the client began to work.
    pub(crate) fn now(&self) -> Timestamp {
        self.flow.as_ref().map_or_else(Timestamp::now, |flow| flow.now)
    }

    /// Stores a file with the flow's results.
    ///
    /// # Errors
    /// Outside a flow nothing can be stored.
    pub(crate) fn upload(&self, accessor: &str, name: &str, data: &[u8]) -> Result<(), String> {
        let Some(flow) = &self.flow else {
            return Err(String::from("Uploader not configured."));
        };
        let mut components: Vec<String> =
            ["clients", &flow.client_id, "collections", &flow.flow_id, "uploads", accessor]
                .map(ToOwned::to_owned)
                .to_vec();
        components
            .extend(name.split(['/', '\\']).filter(|part| !part.is_empty()).map(ToOwned::to_owned));
        self.uploads.borrow_mut().push((
            components,
            StoredFile {
                client_id: flow.client_id.clone(),
                flow_id: flow.flow_id.clone(),
                accessor: accessor.to_owned(),
                client_path: name.to_owned(),
                time: flow.now,
                data: Arc::from(data),
            },
        ));
        Ok(())
    }

    /// The files stored so far.
    pub(crate) fn take_uploads(&self) -> Vec<(Vec<String>, StoredFile)> {
        self.uploads.take()
    }

    /// Writes a log line.
    pub(crate) fn log(&self, line: impl Into<String>) {
        (self.log)(line.into());
    }

    /// Whether this text of `log()` is new.
    pub(crate) fn is_new_log(&self, text: &str) -> bool {
        self.logged.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned())
    }

    /// Refuses unless the user holds the permission.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), String> {
        if self.session.account.may(permission) {
            Ok(())
        } else {
            Err(format!("PermissionDenied: Permission denied: [{}]", permission.name()))
        }
    }

    /// Whether the query runs on an endpoint, as part of a collection.
    pub(crate) const fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        match &self.host {
            Host::Server => None,
            Host::Endpoint(endpoint) => Some(endpoint),
        }
    }
}
