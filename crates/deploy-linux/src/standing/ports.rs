//! Where a server listens, and what others may reach of it.

use std::net::SocketAddr;

use deploy_core::StepError;
use deploy_core::preflight::{Check, Verdict};

use super::{RESUME, unseen};
use crate::on::On;
use crate::ports::listeners;
use crate::serving::Serving;
use crate::user;

const PORTS: &str = "its ports";
const EXPOSED: &str = "what others may reach";

pub(super) async fn checks(on: On<'_>, serving: &Serving) -> [Check; 2] {
    let wanted = sorted(serving.listen.to_vec());
    let outside = |all: &[SocketAddr]| {
        let agents = serving.listen[0].port();
        let open = |at: &&SocketAddr| !at.ip().is_loopback() && at.port() != agents;
        match told(&all.iter().filter(open).copied().collect::<Vec<_>>()).as_str() {
            "" => String::from("nothing but the agents' port"),
            others => format!("the agents' port, and {others}"),
        }
    };
    let (ports, exposed) = (told(&wanted), outside(&wanted));
    let found = match own(on, &serving.user).await {
        Ok(found) => found,
        Err(error) => return [unseen(PORTS, &ports, &error), unseen(EXPOSED, &exposed, &error)],
    };
    // A server may listen on both families where it was told an address of all.
    let heard = |at: &SocketAddr| found.iter().any(|it| covers(*it, *at));
    let deaf: Vec<SocketAddr> = wanted.iter().copied().filter(|at| !heard(at)).collect();
    let check = |what: &str, expected: String, found: String, fits: bool| {
        let verdict = if fits { Verdict::Fits } else { Verdict::Unfit };
        let check = Check::new(what, expected, found, verdict);
        if fits { check } else { check.next(RESUME) }
    };
    let said = match deaf.as_slice() {
        [] => told(&found),
        deaf => format!("{}; not on {}", told(&found), told(deaf)),
    };
    let open = outside(&found);
    // An address of all is one way to write it for both families.
    let meant = found
        .iter()
        .filter(|at| !at.ip().is_loopback())
        .all(|at| wanted.iter().any(|wanted| covers(*at, *wanted) && !wanted.ip().is_loopback()));
    [check(PORTS, ports, said, deaf.is_empty()), check(EXPOSED, exposed, open, meant)]
}

/// Where processes of the server's user listen.
async fn own(on: On<'_>, user: &str) -> Result<Vec<SocketAddr>, StepError> {
    let uid = user::existing(on, user).await?.uid;
    let all = listeners(on.host).await?;
    Ok(sorted(all.into_iter().filter(|it| it.uid == uid).map(|it| it.at).collect()))
}

/// Whether something that listens there is what was wanted there.
fn covers(found: SocketAddr, wanted: SocketAddr) -> bool {
    let all = found.ip().is_unspecified() && wanted.ip().is_unspecified();
    found.port() == wanted.port() && (all || found.ip() == wanted.ip())
}

fn sorted(mut all: Vec<SocketAddr>) -> Vec<SocketAddr> {
    all.sort();
    all.dedup();
    all
}

fn told(all: &[SocketAddr]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_not_all_of_them() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        for (found, wanted, same) in [
            ("[::]:8000", "0.0.0.0:8000", true),
            ("0.0.0.0:8889", "127.0.0.1:8889", false),
            ("127.0.0.1:8889", "127.0.0.1:8889", true),
            ("127.0.0.1:8889", "127.0.0.1:8001", false),
        ] {
            assert_eq!(covers(at(found), at(wanted)), same, "{found} for {wanted}");
        }
    }
}
