//! Whether a server is well: three probes, each of its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use pki::Role;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use velociraptor_api::{Call, IdentityKind, Limits, OrgId};

use super::asked::who_am_i;
use super::https::{Answered, Trust};
use super::{Vault, certificates, names};
use crate::deployer::{StepCx, StepError};
use crate::id::DeploymentId;
use crate::preflight::{Check, Verdict};
use crate::retry::Pauses;

/// How long a server may take to be well, unless it is said otherwise. By hand it took 1.5 s; with
/// a store of large numbers of artifacts and a slow disk it takes minutes.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(120);

/// How long one probe may take.
const PROBE: Duration = Duration::from_secs(5);

/// The pauses between two rounds: short at first, since most servers are well at once.
const PAUSES: Pauses = Pauses::new(Duration::from_millis(50), Duration::from_millis(250));

/// Where a server is probed: as it is reached from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// The agents' port.
    pub agents: SocketAddr,
    /// The GUI.
    pub gui: SocketAddr,
}

/// What was seen of each of the three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Which probe.
    pub probe: String,
    /// Whether it is as it should be.
    pub well: bool,
    /// What was expected.
    pub expected: String,
    /// What was seen.
    pub found: String,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.probe, self.found)
    }
}

/// The address by which something that listens there is reached from its own machine.
pub fn reached(on: SocketAddr) -> SocketAddr {
    let ip = match on.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, on.port())
}

impl Sign {
    /// As something that was looked at.
    pub fn check(&self) -> Check {
        let Self { probe, well, expected, found } = self;
        if *well {
            return Check::new(probe, expected, found, Verdict::Fits);
        }
        Check::new(probe, expected, found, Verdict::Unfit)
            .next("look whether the server runs, and at the end of its log; resuming mends it")
    }
}

/// Whether what runs the server still does.
#[async_trait]
pub trait Alive: Send + Sync {
    /// Says why it will never be well: it ended. Nothing where it runs.
    async fn ended(&self) -> Result<Option<String>, StepError>;

    /// The end of its log, for a person.
    async fn log(&self) -> String;
}

impl Probes {
    /// Probes once, all three at a time.
    ///
    /// # Errors
    ///
    /// Where keys are missing. That the server does not answer is in the signs.
    pub async fn look(&self, cx: &StepCx<'_>, vault: &Vault) -> Result<[Sign; 3], StepError> {
        self.signs(cx.id, cx.cancel, vault).await
    }

    /// The same outside of a step.
    ///
    /// # Errors
    ///
    /// As of [`Probes::look`].
    pub async fn signs(
        &self,
        id: &DeploymentId,
        cancel: &CancellationToken,
        vault: &Vault,
    ) -> Result<[Sign; 3], StepError> {
        let keys = vault.config(id).await?.keys();
        let report = |error| StepError::failed(error, "report this");
        let trust = Trust::only(&keys.ca_certificate).map_err(report)?;
        let kept = certificates::summary(Role::Frontend, &keys.frontend_certificate);
        let kept = kept.map_err(report)?.sha256;
        let (agents, gui, api) = tokio::join!(
            page(&trust, "the agents' port", self.agents, ("/healthz", 200), Some(&kept)),
            page(&trust, "the GUI", self.gui, ("/app/index.html", 401), None),
            api(id, cancel, vault),
        );
        Ok([agents, gui, api?])
    }

    /// Probes until all is well, or the server has ended, or the time is over.
    ///
    /// # Errors
    ///
    /// With what was last seen of each probe, and the end of the log.
    pub async fn wait(
        &self,
        cx: &StepCx<'_>,
        vault: &Vault,
        within: Duration,
        alive: &dyn Alive,
    ) -> Result<(), StepError> {
        self.ill(cx, vault, within, alive).await?.map_or(Ok(()), Err)
    }

    /// Waits like [`Probes::wait`], and tells a server that is not well from probes that cannot be
    /// made: the first may be mended by starting it again.
    ///
    /// # Errors
    ///
    /// Where keys are missing, or the platform does not say whether the server runs.
    pub async fn ill(
        &self,
        cx: &StepCx<'_>,
        vault: &Vault,
        within: Duration,
        alive: &dyn Alive,
    ) -> Result<Option<StepError>, StepError> {
        let (begun, mut pauses) = (Instant::now(), PAUSES);
        loop {
            let signs = self.look(cx, vault).await?;
            let ill: Vec<String> =
                signs.iter().filter(|sign| !sign.well).map(ToString::to_string).collect();
            if ill.is_empty() {
                return Ok(None);
            }
            let ill = ill.join("; ");
            let gone = begun.elapsed();
            let why = match alive.ended().await? {
                Some(why) => why,
                None if gone >= within => format!("it was not well within {} s", within.as_secs()),
                None => {
                    cx.say(&format!("waiting for the server, {} s: {ill}", gone.as_secs()));
                    sleep(pauses.draw()).await;
                    continue;
                }
            };
            let log = alive.log().await;
            return Ok(Some(StepError::failed(
                format!("{why}; last seen: {ill}; its log ends: {log}"),
                "mend what the log names; MEGARAPTOR_HEALTH_TIMEOUT is how many seconds it may take",
            )));
        }
    }
}

/// A page, and the certificate under which it is to be served. A server that was started with another
/// configuration of the same CA answers as well as the right one.
async fn page(
    trust: &Trust,
    probe: &str,
    at: SocketAddr,
    (path, wanted): (&str, u16),
    certificate: Option<&str>,
) -> Sign {
    let answered = timeout(PROBE, trust.ask(at, path)).await;
    let (well, found) = match answered {
        Ok(Ok(Answered { status, served })) => match certificate {
            Some(kept) => match certificates::summary(Role::Frontend, &served) {
                Ok(served) if served.sha256 == kept => {
                    (status == wanted, format!("{at} answers with {status}"))
                }
                Ok(served) => {
                    let other = short(&served.sha256);
                    (false, format!("{at} answers with {status}, under the certificate {other}"))
                }
                Err(why) => (false, format!("{at} shows a certificate that cannot be read: {why}")),
            },
            None => (status == wanted, format!("{at} answers with {status}")),
        },
        Ok(Err(why)) => (false, format!("{at}: {why}")),
        Err(_) => (false, format!("{at} does not answer within {} s", PROBE.as_secs())),
    };
    let under = certificate.map(|kept| format!(", under the certificate {}", short(kept)));
    let expected = format!("status {wanted}{}", under.unwrap_or_default());
    Sign { probe: probe.to_owned(), well, expected, found }
}

/// Enough of a SHA-256 to tell one from another.
fn short(sha256: &str) -> &str {
    sha256.get(..16).unwrap_or(sha256)
}

/// A query of the administrator, under the wanted name.
async fn api(
    id: &DeploymentId,
    cancel: &CancellationToken,
    vault: &Vault,
) -> Result<Sign, StepError> {
    let kind = IdentityKind::Administrator;
    let wanted = names::user(kind);
    let server = vault.server(id, &[kind]).await?;
    let root = OrgId::root();
    let call = Call { org: &root, limits: Limits::READ.time(PROBE), cancel };
    let asked = timeout(PROBE, who_am_i(&server, 0, wanted, &call, false)).await;
    let (well, found) = match asked {
        Err(_) => (false, format!("no answer within {} s", PROBE.as_secs())),
        Ok(Err(why)) => (false, why),
        Ok(Ok(_)) => (true, format!("it answers to {wanted:?}")),
    };
    let (probe, expected) = (String::from("the API"), format!("an answer to {wanted}"));
    Ok(Sign { probe, well, expected, found })
}

#[cfg(test)]
mod tests;
