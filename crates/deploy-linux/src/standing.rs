//! How a deployed server stands on its host, check by check.

use deploy_core::preflight::{Check, Verdict};
use deploy_core::transport::{FileKind, HostFacts, Rights, free_disk};
use deploy_core::{Found, Record, StepError};
use tokio_util::sync::CancellationToken;
use velociraptor_config::{Profile, ServerConfig, drift};

use crate::agent::AgentSpec;
use crate::configuration::ConfigurationSpec;
use crate::datastore::DatastoreSpec;
use crate::deployer::{LinuxDeployer, LinuxStep};
use crate::host::HOST;
use crate::on::On;
use crate::owner::Owner;
use crate::serving::Serving;
use crate::user::{self, UserSpec};

mod ports;
mod unit;

/// Differences of a configuration that are told one by one.
const TOLD: usize = 5;

const RESUME: &str = "megaraptor deployments resume makes it anew";

/// A deployment that is looked at.
struct Looking<'a> {
    deployer: &'a LinuxDeployer,
    on: On<'a>,
    record: &'a Record,
    cancel: &'a CancellationToken,
}

impl LinuxDeployer {
    /// Looks at a deployment on its host: user, program, modes, configuration, unit, ports, exposure,
    /// free disk, the three probes, and the agent where there is one. Changes nothing. Call it with
    /// the claim of the deployment.
    pub async fn standing(
        &self,
        record: &Record,
        profile: &Profile,
        cancel: &CancellationToken,
    ) -> Vec<Check> {
        let here = self.machine().await;
        let what = "the host";
        let expected = record.target().map_or_else(
            || String::from("the one where the deployment is"),
            |id| format!("the one with the machine id {id}"),
        );
        let host = match (here, record.target()) {
            (Err(error), _) => return vec![unseen(what, &expected, &error)],
            (Ok(Some(here)), Some(known)) if here != known => {
                let check = Check::new(what, expected, here, Verdict::NotLooked);
                return vec![
                    check.next("look from the host where it is: what is not here may be there"),
                ];
            }
            (Ok(here), _) => {
                let found = here.unwrap_or_else(|| String::from("it does not say which it is"));
                Check::new(what, expected, found, Verdict::Fits)
            }
        };
        let owner = Owner::new(record.id.clone());
        let on = On { host: self.host(), owner: &owner };
        let looking = Looking { deployer: self, on, record, cancel };
        let mut checks = vec![host];
        for step in record.plan.steps() {
            match step.settings() {
                Ok(settings) => looking.step(settings, profile, &mut checks).await,
                Err(error) => {
                    let what = format!("step {} of the record", step.name);
                    let check = Check::new(what, "can be read", error.to_string(), Verdict::Unfit);
                    checks.push(check.next("the record was edited: restore it from a copy"));
                }
            }
        }
        checks
    }
}

impl Looking<'_> {
    async fn step(&self, step: LinuxStep, profile: &Profile, checks: &mut Vec<Check>) {
        match step {
            LinuxStep::Host(host) => checks.push(self.disk(&host.data_under, profile).await),
            LinuxStep::User(user) => checks.push(self.user(&user).await),
            LinuxStep::Program(program) => {
                let what = format!("the program {}", program.path());
                let expected = "root's, 0755, with the SHA-256 of the plan";
                checks.push(stands(&what, expected, program.look(self.on).await));
            }
            LinuxStep::Datastore(datastore) => checks.push(self.data(&datastore).await),
            LinuxStep::Configuration(configuration) => {
                checks.push(self.configuration(&configuration).await);
            }
            LinuxStep::Serving(serving) => {
                checks.extend(unit::checks(self.on, &serving.unit).await);
                checks.extend(ports::checks(self.on, &serving).await);
                checks.extend(self.probes(&serving).await);
            }
            LinuxStep::AgentFiles(agent) => checks.push(self.agent_files(&agent).await),
            LinuxStep::Agent(agent) => {
                checks.extend(unit::checks(self.on, &agent.unit).await);
                checks.push(self.enrolled(&agent).await);
            }
            LinuxStep::Server { .. } | LinuxStep::AgentAnswer(_) => {}
        }
    }

    /// The server takes nothing from agents below a bound, and says that it is well all the same.
    async fn disk(&self, data_under: &str, profile: &Profile) -> Check {
        let needed = profile.file.min_allowed_file_space_mb.saturating_mul(1 << 20);
        let what = format!("free disk at {data_under}");
        match free_disk(self.on.host, data_under).await {
            Ok(free) => Check::amount(
                &what,
                needed,
                Some(free),
                "make room: below this the server takes nothing more from agents",
            ),
            Err(error) => unseen(&what, "enough", &error.into()),
        }
    }

    async fn user(&self, spec: &UserSpec) -> Check {
        let (what, expected) = (format!("the user {}", spec.name), "the deployment's own");
        let check = |found: String, verdict| Check::new(&what, expected, found, verdict);
        match user::account(self.on, &spec.name).await {
            Err(error) => unseen(&what, expected, &error),
            Ok(None) => check(String::from("there is none"), Verdict::Unfit).next(RESUME),
            Ok(Some(account)) if !account.is_of(self.on.owner) => {
                check(String::from("one of this name that does not say so"), Verdict::Unfit)
                    .next("find out whose it is; it is never touched from here")
            }
            Ok(Some(account)) => check(format!("number {}", account.uid), Verdict::Fits),
        }
    }

    async fn data(&self, spec: &DatastoreSpec) -> Check {
        let what = format!("the folder {}", spec.data());
        let expected = "the user's own, 0700, in a folder of the deployment's";
        match spec.folder.look(self.on).await {
            Ok(Found::Done) => {}
            other => return stands(&what, expected, other),
        }
        let found = async {
            let account = user::existing(self.on, &spec.user).await?;
            let wanted = Rights { uid: account.uid, gid: account.gid, mode: 0o700 };
            let stat = self.on.host.stat(&spec.data()).await?;
            Ok(match stat {
                None => Found::Half { left: vec![String::from("there is none")] },
                Some(stat) if (stat.kind, stat.rights) == (FileKind::Folder, wanted) => Found::Done,
                Some(stat) => Found::Half { left: vec![stat.rights.to_string()] },
            })
        };
        stands(&what, expected, found.await)
    }

    async fn configuration(&self, spec: &ConfigurationSpec) -> Check {
        let what = format!("the configuration {}", spec.path());
        let expected = "the one of the store of secrets, for the user only";
        let kept = match self.deployer.vault().config(&self.record.id).await {
            Ok(kept) => kept,
            Err(error) => return unseen(&what, expected, &error),
        };
        let stood = match spec.look(self.on).await {
            Ok(Found::Done) => spec.look_at(self.on, &kept.render()).await,
            other => other,
        };
        let check = stands(&what, expected, stood);
        if check.verdict != Verdict::Unfit {
            return check;
        }
        // What is there says more than that it is another one.
        let there = self.on.host.read(&spec.path(), crate::on::MOST).await;
        let Ok(Some(bytes)) = there else { return check };
        let Ok(text) = String::from_utf8(bytes.expose().clone()) else { return check };
        let Ok(found) = ServerConfig::parse(&secret::Secret::new(text)) else { return check };
        let all = drift(&kept, &found);
        if all.is_empty() {
            return check;
        }
        let mut told: Vec<String> = all.iter().take(TOLD).map(ToString::to_string).collect();
        if all.len() > TOLD {
            told.push(format!("and {} more places", all.len() - TOLD));
        }
        Check { found: told.join("; "), ..check }
    }

    async fn probes(&self, serving: &Serving) -> Vec<Check> {
        let vault = self.deployer.vault();
        match serving.probes.signs(&self.record.id, self.cancel, vault).await {
            Ok(signs) => signs.iter().map(deploy_core::server::Sign::check).collect(),
            Err(error) => vec![unseen("the three probes", "answer", &error)],
        }
    }

    async fn agent_files(&self, agent: &AgentSpec) -> Check {
        let what = format!("the agent's configuration {}", agent.configuration.path());
        let expected = "the one of this server, for root only";
        let stood = match agent.configuration.look(self.on).await {
            Ok(Found::Done) => match agent.config(&self.record.id, self.deployer.vault()).await {
                Ok(wanted) => agent.configuration.look_at(self.on, &wanted).await,
                Err(error) => Err(error),
            },
            other => other,
        };
        stands(&what, expected, stood)
    }

    async fn enrolled(&self, agent: &AgentSpec) -> Check {
        let (what, expected) = ("the agent of the host", "enrolled, with the deployment's label");
        let facts = self.record.facts.get(HOST).cloned().unwrap_or_default();
        let host: HostFacts = match serde_json::from_value(facts) {
            Ok(host) => host,
            Err(error) => {
                let error = StepError::failed(
                    format!("the record does not say what the host is: {error}"),
                    "resume it",
                );
                return unseen(what, expected, &error);
            }
        };
        let (id, vault) = (&self.record.id, self.deployer.vault());
        match agent.known(self.on, id, &host.name, self.cancel, vault).await {
            Err(error) => unseen(what, expected, &error),
            Ok(Ok(client)) => {
                Check::new(what, expected, client.client_id.to_string(), Verdict::Fits)
            }
            Ok(Err(why)) => Check::new(what, expected, why, Verdict::Unfit).next(RESUME),
        }
    }
}

/// What was found of a thing, as a check.
fn stands(what: &str, expected: &str, found: Result<Found, StepError>) -> Check {
    let check = |found: String, verdict| Check::new(what, expected, found, verdict);
    match found {
        Err(error) => unseen(what, expected, &error),
        Ok(Found::Done) => check(String::from("it is"), Verdict::Fits),
        Ok(Found::Absent) => check(String::from("there is none"), Verdict::Unfit).next(RESUME),
        Ok(Found::Half { left }) => check(left.join(", "), Verdict::Unfit).next(RESUME),
        Ok(Found::Refused { found, next, .. }) => check(found, Verdict::Unfit).next(next),
    }
}

/// What cannot be seen is not taken for unfit, and not for fit.
fn unseen(what: &str, expected: &str, error: &StepError) -> Check {
    Check::new(what, expected, error.to_string(), Verdict::NotLooked).next(error.next())
}
