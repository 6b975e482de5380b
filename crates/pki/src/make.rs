//! All that a new deployment needs, made at once.
//!
//! Keys are what takes time, and how much is luck: they are made on all cores, each worker taking
//! the next one when it is done.

use std::sync::Mutex;
use std::thread;

use crate::authority::{Authority, generate};
use crate::issue::{IssueError, Pair};
use crate::key::RsaKey;
use crate::name::{AltName, NameError, Pinned, UserName};
use crate::profile::Profile;
use crate::validity::Validity;

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// The names of server and gateway.
    pub pinned: Pinned,
    /// Users of the API, each with a certificate of its own.
    pub users: Vec<UserName>,
    /// Names for a certificate of the GUI; none where the server's own is enough.
    pub gui: Vec<AltName>,
    /// How long the authority holds.
    pub authority: Validity,
    /// How long the others hold.
    pub validity: Validity,
}

/// What was made.
#[derive(Debug)]
pub struct Material {
    /// The CA.
    pub authority: Authority,
    /// The server's certificate and key.
    pub frontend: Pair,
    /// The gateway's certificate and key.
    pub gateway: Pair,
    /// The users', in the order in which they were asked for.
    pub users: Vec<(UserName, Pair)>,
    /// The GUI's, where names were given.
    pub gui: Option<Pair>,
}

/// Makes an authority and the certificates of a deployment, with new keys.
///
/// It keeps all cores busy for some tenths of a second: from async code it is called through
/// `spawn_blocking`.
///
/// # Errors
///
/// The first thing that failed. Names and times are looked at before any key is made.
pub fn make_all(order: &Order) -> Result<Material, IssueError> {
    for (at, user) in order.users.iter().enumerate() {
        if order.users[..at].iter().any(|other| other.is_same(user)) {
            let name = user.as_str().to_owned();
            return Err(NameError::Twice { what: "user name", name }.into());
        }
    }
    let gui = match order.gui.as_slice() {
        [] => None,
        names => Some(Profile::gui(names, &order.pinned)?),
    };
    let frontend = Profile::frontend(&order.pinned);
    if order.validity.not_after() > order.authority.not_after() {
        return Err(IssueError::OutlivesAuthority {
            role: frontend.role(),
            wanted: order.validity.not_after(),
            ends: order.authority.not_after(),
            now: order.validity.now(),
        });
    }

    let mut keys = keys(3 + order.users.len() + usize::from(gui.is_some()))?.into_iter();
    let mut next = || keys.next().map_or_else(generate, Ok);
    let authority = Authority::with_key(next()?, order.authority)?;
    let pair = |profile: &Profile, key: RsaKey| {
        let certificate = authority.certify(profile, order.validity, &key)?;
        Ok::<_, IssueError>(Pair { certificate, key: key.pem().clone() })
    };
    let frontend = pair(&frontend, next()?)?;
    let gateway = pair(&Profile::gateway(&order.pinned), next()?)?;
    let gui = gui.map(|profile| pair(&profile, next()?)).transpose()?;
    let users = order
        .users
        .iter()
        .map(|user| Ok((user.clone(), pair(&Profile::api(user), next()?)?)))
        .collect::<Result<_, IssueError>>()?;
    Ok(Material { authority, frontend, gateway, users, gui })
}

/// Makes so many keys on all cores.
pub(crate) fn keys(count: usize) -> Result<Vec<RsaKey>, IssueError> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(count);
    let state = Mutex::new((count, Vec::with_capacity(count)));
    let work = || -> Result<(), IssueError> {
        loop {
            {
                let mut state = state.lock().map_err(|_| ended())?;
                let Some(left) = state.0.checked_sub(1) else { return Ok(()) };
                state.0 = left;
            }
            let key = generate()?;
            state.lock().map_err(|_| ended())?.1.push(key);
        }
    };
    thread::scope(|scope| {
        let mut running = Vec::new();
        for number in 1..workers {
            let builder = thread::Builder::new().name(format!("key {number}"));
            // Without a further thread the keys are made all the same, later.
            let Ok(worker) = builder.spawn_scoped(scope, work) else { break };
            running.push(worker);
        }
        let own = work();
        let others = running.into_iter().map(|worker| worker.join().map_err(|_| ended()).flatten());
        others.chain([own]).collect::<Result<(), _>>()
    })?;
    Ok(state.into_inner().map_err(|_| ended())?.1)
}

fn ended() -> IssueError {
    IssueError::Key { detail: String::from("a thread that made keys ended early") }
}
