//! Whether a deployment is as it should be, check by check.

use std::time::Duration;

use credstore::CredentialStore as _;
use deploy_core::preflight::{Check, Verdict};
use deploy_core::server::{Vault, certificates, names};
use deploy_core::{DeploymentId, Record, StateRegistry as _, Status};
use deploy_docker::DockerDeployer;
use deploy_linux::LinuxDeployer;
use jiff::Timestamp;
use velociraptor_api::IdentityKind;
use velociraptor_config::Profile;

use super::{Deployments, daemon, this_host, told_registry};
use crate::clock;
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// So long before its end a deployment is to be spoken of.
const SOON: Duration = Duration::from_secs(6 * 3600);

impl Deployments {
    /// Looks at a deployment from all sides, and changes nothing of it; on a daemon a container of a
    /// moment's life reads the configuration out of its volume. What cannot be looked at is in the
    /// checks as such.
    ///
    /// # Errors
    ///
    /// `conflict` where another process is at work on it: what is seen then tells nothing.
    pub async fn checked(
        &self,
        id: &DeploymentId,
        cx: &ToolCx<'_>,
    ) -> Result<Vec<Check>, ToolError> {
        let registry = self.registry()?;
        // Without a record there is nothing to claim, and a claim would make a file.
        self.load(id).await?;
        let _claim = registry.claim(id).await.map_err(|error| told_registry(&error))?;
        // As it is now: before the claim somebody may have been at work on it.
        let record = &self.load(id).await?;
        let now = Timestamp::now();
        let mut checks = vec![on_record(record), due(record, now)];
        if record.status().is_nothing() {
            let why = format!("it is {}: there is nothing to look at", record.status().as_str());
            checks.push(not_looked("all that belongs to it", "is as planned", &why));
            return Ok(checks);
        }
        let (this, of) = (self.clone(), record.id.clone());
        let secrets = tokio::task::spawn_blocking(move || this.secrets(&of)).await;
        checks.extend(secrets.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?);
        match certificates(&self.vault(), &record.id, now).await {
            Ok(all) => checks.extend(all.iter().map(deploy_core::server::Certificate::check)),
            Err(error) => checks.push(
                not_looked("the certificates", "are good", &error.to_string()).next(error.next()),
            ),
        }
        checks.extend(self.on_platform(record, cx).await);
        Ok(checks)
    }

    /// None is opened. Blocking.
    fn secrets(&self, id: &DeploymentId) -> Vec<Check> {
        let own = [names::CONFIG, names::GUI_PASSWORD]
            .into_iter()
            .chain(IdentityKind::ALL.map(names::api));
        let look = |name: &str, renew: &str| {
            let what = format!("the secret {name}");
            let expected = "is kept, and its use has not ended";
            let check = |found: &str, verdict| Check::new(&what, expected, found, verdict);
            let reference = match Vault::reference(id, name) {
                Ok(reference) => reference,
                Err(error) => return not_looked(&what, expected, &error.to_string()),
            };
            match self.store().find(&reference) {
                Err(error) => not_looked(&what, expected, &error.to_string())
                    .next("megaraptor credential list says what is the matter with the store"),
                Ok(None) => check("it is not kept", Verdict::Unfit)
                    .next("restore the store of secrets from a copy; without it nobody gets in"),
                Ok(Some(kept)) if kept.expired => {
                    let end = kept.expires.map(|end| clock::to_second(end).to_string());
                    let found = format!("its use ended {}", end.unwrap_or_default());
                    check(&found, Verdict::Unfit).next(renew)
                }
                Ok(Some(_)) => check("it is", Verdict::Fits),
            }
        };
        let mut checks: Vec<Check> =
            own.map(|name| look(name, "make a new one: rotate the deployment's keys")).collect();
        match self.further_users(id) {
            Ok(all) => checks.extend(all.iter().map(|kept| {
                look(
                    kept.name().as_str(),
                    "make a user of another name with megaraptor deployments api-user, and delete \
                     this file with megaraptor credential delete",
                )
            })),
            Err(error) => {
                let expected = "are kept, and their use has not ended";
                checks.push(not_looked("the files of further API users", expected, &error.message));
            }
        }
        checks
    }

    async fn on_platform(&self, record: &Record, cx: &ToolCx<'_>) -> Vec<Check> {
        let what = "the server on its platform";
        let expected =
            "limits, confinement, ports, exposure, disk, configuration and probes as planned";
        let unseen = |error: &ToolError| {
            let check = not_looked(what, expected, &error.message);
            vec![match &error.next_step {
                Some(next) => check.next(next),
                None => check,
            }]
        };
        let profile: &'static Profile = match record.about.profile.parse() {
            Ok(profile) => profile,
            Err(error) => {
                let error: velociraptor_config::ConfigError = error;
                return vec![not_looked(what, expected, &error.to_string())];
            }
        };
        if record.kind.0 == LinuxDeployer::KIND {
            return match this_host() {
                Ok(host) => {
                    let deployer = LinuxDeployer::new(host, self.vault());
                    deployer.standing(record, profile, &cx.cancel).await
                }
                Err(error) => unseen(&error),
            };
        }
        if record.kind.0 != DockerDeployer::KIND {
            let found = format!("this program knows no server on {}", record.kind);
            let next = "use the version that made the deployment";
            return vec![not_looked(what, expected, &found).next(next)];
        }
        let daemon = match daemon().await {
            Ok(daemon) => daemon,
            Err(error) => return unseen(&error),
        };
        // Another daemon has nothing of it, which is not the same as that it is not there.
        let here = daemon.facts().id.clone();
        if let Some(known) = record.target().filter(|known| !here.is_empty() && *known != here) {
            let expected = format!("the one with the id {known}");
            let next = "name the daemon where it is with DOCKER_HOST=unix:///PATH";
            return vec![not_looked("the Docker daemon", &expected, &here).next(next)];
        }
        let deployer = DockerDeployer::new(daemon, self.vault());
        deployer.standing(&record.id, &record.plan, profile, &cx.cancel).await
    }
}

fn on_record(record: &Record) -> Check {
    let status = record.status();
    let check = |found: String, verdict| Check::new("the record", "up", found, verdict);
    if status == Status::Up {
        return check(String::from("up"), Verdict::Fits);
    }
    let trouble = record.trouble.as_ref();
    let found = trouble.map_or_else(
        || status.as_str().to_owned(),
        |it| format!("{}; step {}: {}", status.as_str(), it.step, it.cause),
    );
    let id = &record.id;
    check(found, Verdict::Unfit).next(match status {
        Status::Gone => format!("{id} was destroyed; deploy_server makes a new one"),
        Status::Removing => format!("megaraptor deployments destroy {id} ends what was begun"),
        _ => format!("megaraptor deployments resume {id}, or destroy {id}"),
    })
}

fn due(record: &Record, now: Timestamp) -> Check {
    let check =
        |expected: &str, found: String, verdict| Check::new("its time", expected, found, verdict);
    let Some(due) = record.about.due else {
        return check("none was set", String::from("it has no end"), Verdict::Fits);
    };
    let found = format!("due {}", clock::dated(now, Some(due)));
    let expected = "not past its time";
    if record.is_due(now) {
        return check(expected, found, Verdict::Unfit)
            .next("take it down (megaraptor deployments sweep), or keep it on purpose");
    }
    if due.duration_since(now).unsigned_abs() < SOON && record.status() != Status::Gone {
        return check(expected, found, Verdict::Doubtful)
            .next("save what is needed: it is to be taken down soon");
    }
    check(expected, found, Verdict::Fits)
}

fn not_looked(what: &str, expected: &str, why: &str) -> Check {
    Check::new(what, expected, why, Verdict::NotLooked)
}
