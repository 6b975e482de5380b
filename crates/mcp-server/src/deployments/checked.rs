//! Whether a deployment is as it should be, check by check.

use std::time::Duration;

use credstore::CredentialStore as _;
use deploy_core::preflight::{Check, Verdict};
use deploy_core::server::{Vault, certificates, names};
use deploy_core::{Record, StateRegistry as _, Status};
use deploy_docker::DockerDeployer;
use jiff::Timestamp;
use velociraptor_api::IdentityKind;
use velociraptor_config::Profile;

use super::{Deployments, daemon, told_registry};
use crate::clock;
use crate::context::ToolCx;
use crate::tool_error::ToolError;

/// So long before its end a deployment is to be spoken of.
const SOON: Duration = Duration::from_secs(6 * 3600);

impl Deployments {
    /// Looks at a deployment from all sides, and changes nothing. What cannot be looked at is in the
    /// checks as such.
    ///
    /// # Errors
    ///
    /// `conflict` where another process is at work on it: what is seen then tells nothing.
    pub async fn checked(&self, record: &Record, cx: &ToolCx<'_>) -> Result<Vec<Check>, ToolError> {
        let registry = self.registry()?;
        let _claim = registry.claim(&record.id).await.map_err(|error| told_registry(&error))?;
        let now = Timestamp::now();
        let mut checks = vec![on_record(record), due(record, now)];
        if matches!(record.status(), Status::Gone | Status::Planned) {
            let why = format!("it is {}: there is nothing to look at", record.status().as_str());
            checks.push(not_looked("all that belongs to it", "is as planned", &why));
            return Ok(checks);
        }
        checks.extend(self.secrets(record));
        match certificates(&self.vault(), &record.id, now).await {
            Ok(all) => checks.extend(all.iter().map(deploy_core::server::Certificate::check)),
            Err(error) => checks.push(
                not_looked("the certificates", "are good", &error.to_string()).next(error.next()),
            ),
        }
        checks.extend(self.on_platform(record, cx).await);
        Ok(checks)
    }

    /// None is opened.
    fn secrets(&self, record: &Record) -> Vec<Check> {
        let all = [names::CONFIG, names::GUI_PASSWORD]
            .into_iter()
            .chain(IdentityKind::ALL.map(names::api));
        let look = |name: &str| {
            let what = format!("the secret {name}");
            let expected = "is kept, and its use has not ended";
            let check = |found: &str, verdict| Check::new(&what, expected, found, verdict);
            let reference = match Vault::reference(&record.id, name) {
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
                    check(&found, Verdict::Unfit)
                        .next("make a new one: rotate the deployment's keys")
                }
                Ok(Some(_)) => check("it is", Verdict::Fits),
            }
        };
        all.map(look).collect()
    }

    async fn on_platform(&self, record: &Record, cx: &ToolCx<'_>) -> Vec<Check> {
        let what = "the server on its platform";
        let expected =
            "container, limits, ports, exposure, disk, configuration and probes as planned";
        let unseen = |error: &ToolError| {
            let check = not_looked(what, expected, &error.message);
            vec![match &error.next_step {
                Some(next) => check.next(next),
                None => check,
            }]
        };
        if record.kind.0 != DockerDeployer::KIND {
            let found = format!("checks of a server on {} are not made yet", record.kind);
            let next = format!("megaraptor deployments show {} looks at each step", record.id);
            return vec![not_looked(what, expected, &found).next(next)];
        }
        let profile: &'static Profile = match record.about.profile.parse() {
            Ok(profile) => profile,
            Err(error) => {
                let error: velociraptor_config::ConfigError = error;
                return vec![not_looked(what, expected, &error.to_string())];
            }
        };
        let daemon = match daemon().await {
            Ok(daemon) => daemon,
            Err(error) => return unseen(&error),
        };
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
