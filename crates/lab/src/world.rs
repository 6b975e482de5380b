//! The simulated server's state: clients, flows, hunts, artifacts, users, orgs.
//!
//! Nothing runs in the background. Whoever looks first advances the world to the present: what is
//! due by then happens, in order, as if it had happened on time.

pub(crate) mod accounts;
mod audit;
mod clients;
mod collect;
mod compile;
mod flows;
mod hunts;
mod parameters;
mod repository;
mod results;
mod search;
mod store;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;

pub(crate) use audit::Entry as AuditEntry;
pub(crate) use clients::ClientRecord;
pub(crate) use collect::{DEFAULT_UPLOAD, Limits, Order};
pub(crate) use flows::{Flow, FlowState};
pub(crate) use hunts::{Condition, Hunt, HuntState, NewHunt};
pub(crate) use parameters::typed;
pub(crate) use repository::{Definition, Repository};
pub(crate) use results::source_rows;
pub(crate) use store::{StoredFile, is_denied};

use crate::fleet::Fleet;
use accounts::Account;

/// The id of the first org.
pub(crate) const ROOT: &str = "root";

/// The pseudo client that is the server itself.
pub(crate) const SERVER: &str = "server";

/// How often a connected machine is heard of.
const POLL: Duration = Duration::from_secs(5);

/// Everything that the server knows.
pub(crate) struct World {
    pub(crate) fleet: Arc<Fleet>,
    speed: f64,
    state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    pub(crate) orgs: IndexMap<String, Org>,
    /// Roles by user, then by org.
    pub(crate) users: IndexMap<String, HashMap<String, Account>>,
    pub(crate) repository: Repository,
    serial: u64,
}

/// One org's data.
#[derive(Default)]
pub(crate) struct Org {
    pub(crate) name: String,
    pub(crate) clients: IndexMap<String, ClientRecord>,
    pub(crate) flows: IndexMap<String, Flow>,
    pub(crate) hunts: IndexMap<String, Hunt>,
    pub(crate) files: IndexMap<Vec<String>, StoredFile>,
    pub(crate) audit: Vec<AuditEntry>,
}

impl World {
    /// A world with the fleet enrolled. `speed` divides the time that simulated work takes.
    pub(crate) fn new(fleet: Arc<Fleet>, repository: Repository, speed: f64) -> Self {
        let speed = speed.max(0.001);
        let poll = POLL.div_f64(speed);
        let mut orgs = IndexMap::new();
        for (id, name) in fleet.orgs() {
            let mut org = Org { name: name.to_owned(), ..Org::default() };
            for endpoint in fleet.endpoints(id) {
                let record = ClientRecord::enrolled(endpoint, poll);
                // Every client is asked what it is when it enrols.
                let order = Order {
                    client_id: record.id.clone(),
                    artifacts: vec![String::from("Generic.Client.Info")],
                    creator: String::from("InterrogationService"),
                    limits: Limits { max_bytes: DEFAULT_UPLOAD, ..Limits::default() },
                    ..Order::default()
                };
                let first = Flow::past(endpoint.interrogation.clone(), order, record.first_seen());
                org.add_flow(first);
                org.clients.insert(record.id.clone(), record);
            }
            org.clients.sort_unstable_keys();
            orgs.insert(id.to_owned(), org);
        }
        let state = State { orgs, users: IndexMap::new(), repository, serial: 0 };
        Self { fleet, speed, state: Mutex::new(state) }
    }

    /// What `version()` and the client configuration say.
    pub(crate) const fn version(&self) -> &'static str {
        "0.77.2"
    }

    /// The state as of now.
    pub(crate) fn state(self: &Arc<Self>) -> MutexGuard<'_, State> {
        flows::advance(self, Timestamp::now());
        self.lock()
    }

    /// The state as it was left.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long simulated work takes.
    fn scaled(&self, time: Duration) -> Duration {
        time.div_f64(self.speed)
    }

    /// Makes a user known.
    pub(crate) fn add_user(&self, name: &str, org: &str, account: Account) {
        self.lock().users.entry(name.to_owned()).or_default().insert(org.to_owned(), account);
    }

    /// The offline client of that host name comes back.
    ///
    /// Returns whether there is one.
    pub(crate) fn bring_back(&self, hostname: &str) -> bool {
        let mut state = self.lock();
        let now = Timestamp::now();
        let record = state
            .orgs
            .values_mut()
            .flat_map(|org| org.clients.values_mut())
            .find(|record| record.hostname().eq_ignore_ascii_case(hostname));
        record.is_some_and(|record| record.come_online(now))
    }
}

impl State {
    /// The org of that id; it exists, because the session was made in it.
    pub(crate) fn org(&mut self, id: &str) -> &mut Org {
        self.orgs.entry(id.to_owned()).or_default()
    }

    /// A new identifier with the given first letter.
    pub(crate) fn new_id(&mut self, letter: char) -> String {
        self.serial += 1;
        let micros = Timestamp::now().as_microsecond().unsigned_abs();
        format!("{letter}.{}", base32(micros.wrapping_mul(1024) + self.serial % 1024))
    }
}

/// Thirteen letters and digits, as the server's own ids have.
fn base32(mut number: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    let mut out = [b'0'; 13];
    for place in out.iter_mut().rev() {
        *place = DIGITS[usize::try_from(number % 32).unwrap_or(0)];
        number /= 32;
    }
    out.iter().map(|byte| char::from(*byte)).collect()
}

/// Microseconds since 1970.
pub(crate) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}
