//! What the server answers, and what it saw.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::HandshakeKind;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use velociraptor_api::generated::{Hunt, VfsFileBuffer, VqlCollectorArgs, VqlResponse};

/// One query that came in.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) user: String,
    pub(crate) name: String,
    pub(crate) args: VqlCollectorArgs,
    /// How many of this name came before.
    pub(crate) earlier: usize,
}

/// What is answered.
pub(crate) enum Reply {
    /// No stream at all.
    Refuse(Status),
    /// These messages, and then the end.
    Say(Vec<VqlResponse>),
    /// These messages, and then nothing, until the caller goes away.
    Hang(Vec<VqlResponse>),
    /// These messages, and then the connection breaks.
    Die(Vec<VqlResponse>),
    /// These messages once the gate is opened.
    Gated(Vec<VqlResponse>),
    /// Messages without end, made one by one.
    Endless(fn(u64) -> VqlResponse),
}

type Script = Box<dyn Fn(&Asked) -> Reply + Send + Sync>;
type Unary<Q, A> = Mutex<Box<dyn Fn(&Q, &str) -> Result<A, Status> + Send + Sync>>;

/// What the server does and what it saw.
pub(crate) struct State {
    scripts: Mutex<HashMap<&'static str, Script>>,
    pub(super) asked: Mutex<Vec<Asked>>,
    policies: Mutex<HashMap<&'static str, Result<serde_json::Value, Status>>>,
    pub(crate) file: Unary<VfsFileBuffer, VfsFileBuffer>,
    pub(crate) hunt: Unary<Hunt, ()>,
    pub(crate) unary_calls: AtomicUsize,
    pub(super) running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
    pub(crate) messages_sent: AtomicUsize,
    pub(crate) connections: AtomicUsize,
    pub(crate) handshakes: Mutex<Vec<HandshakeKind>>,
    pub(crate) gate: CancellationToken,
    pub(super) kill: Mutex<CancellationToken>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            scripts: Mutex::default(),
            asked: Mutex::default(),
            policies: Mutex::default(),
            file: Mutex::new(Box::new(|_, _| Err(Status::not_found("open /srv/vr/x: no")))),
            hunt: Mutex::new(Box::new(|_, _| Ok(()))),
            unary_calls: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
            most_running: AtomicUsize::new(0),
            messages_sent: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            handshakes: Mutex::default(),
            gate: CancellationToken::new(),
            kill: Mutex::default(),
        }
    }

    /// Answers the queries of a name.
    pub(crate) fn on(
        &self,
        name: &'static str,
        script: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) {
        self.scripts.lock().unwrap().insert(name, Box::new(script));
    }

    /// What a user may do: the flags of its effective policy.
    pub(crate) fn grant(&self, user: &'static str, flags: &[&str]) {
        let policy = flags.iter().map(|flag| ((*flag).to_owned(), true.into())).collect();
        self.policies.lock().unwrap().insert(user, Ok(serde_json::Value::Object(policy)));
    }

    /// Refuses a user.
    pub(crate) fn refuse(&self, user: &'static str, status: Status) {
        self.policies.lock().unwrap().insert(user, Err(status));
    }

    /// The queries of a name so far.
    pub(crate) fn asked(&self, name: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.name == name).cloned().collect()
    }

    /// Breaks all connections; the port keeps listening.
    pub(crate) fn break_connections(&self) {
        std::mem::take(&mut *self.kill.lock().unwrap()).cancel();
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    pub(super) fn reply(&self, asked: &Asked) -> Reply {
        if asked.name == "who_am_i" {
            return match self.policies.lock().unwrap().get(asked.user.as_str()) {
                None => Reply::Refuse(Status::unknown(format!("User not found: {}", asked.user))),
                Some(Err(status)) => Reply::Refuse(status.clone()),
                Some(Ok(policy)) => Reply::Say(vec![rows(&serde_json::json!([{
                    "User": asked.user, "Policy": policy, "Version": "0.77.2", "OrgName": "test"
                }]))]),
            };
        }
        let scripts = self.scripts.lock().unwrap();
        let script = scripts.get(asked.name.as_str());
        script
            .map_or_else(|| Reply::Say(vec![rows(&serde_json::json!([]))]), |script| script(asked))
    }
}

/// A message with rows.
pub(crate) fn rows(rows: &serde_json::Value) -> VqlResponse {
    let columns = rows[0].as_object().map(|row| row.keys().cloned().collect()).unwrap_or_default();
    VqlResponse { response: rows.to_string(), columns, ..VqlResponse::default() }
}

/// A message with rows as they stand on the wire.
pub(crate) fn raw(columns: &[&str], json: impl Into<String>) -> VqlResponse {
    let columns = columns.iter().map(|column| (*column).to_owned()).collect();
    VqlResponse { response: json.into(), columns, ..VqlResponse::default() }
}

/// A message with a log line.
pub(crate) fn log(line: &str) -> VqlResponse {
    VqlResponse { log: format!("{line}\n"), ..VqlResponse::default() }
}
