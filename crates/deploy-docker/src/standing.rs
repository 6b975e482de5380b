//! How a deployed server stands on its daemon, check by check.

use bollard::models::ContainerInspectResponse;
use deploy_core::preflight::{Check, Verdict, free_disk};
use deploy_core::{DeploymentId, Plan, StepError};
use tokio_util::sync::CancellationToken;
use velociraptor_config::{Profile, ServerConfig, drift};

use crate::container::{ASPECTS, Aspect, ContainerSpec, EXPOSURE};
use crate::deployer::{DockerDeployer, DockerStep};
use crate::inside::Inside;
use crate::owner::Owner;
use crate::serving::Serving;

/// Differences of a configuration that are told one by one.
const TOLD: usize = 5;

const RESUME: &str = "megaraptor deployments resume makes it anew";

impl DockerDeployer {
    /// Looks at the server of a deployment: container, limits, confinement, ports, exposure, free
    /// disk, configuration and the three probes. Changes nothing, but for a container that lives
    /// while the configuration is read out of its volume. Call it with the claim of the deployment.
    pub async fn standing(
        &self,
        id: &DeploymentId,
        plan: &Plan,
        profile: &Profile,
        cancel: &CancellationToken,
    ) -> Vec<Check> {
        let owner = Owner::new(id.clone());
        let mut checks = vec![self.room(profile)];
        for step in plan.steps() {
            match step.settings() {
                Ok(DockerStep::Serving(serving)) => {
                    checks.extend(self.container(&serving.container, &owner).await);
                    checks.extend(self.probes(&serving, id, cancel).await);
                }
                Ok(DockerStep::Configuration(inside)) => {
                    checks.push(self.configuration(&inside, &owner, id).await);
                }
                Ok(_) => {}
                Err(error) => {
                    let what = format!("step {} of the record", step.name);
                    let check = Check::new(what, "can be read", error.to_string(), Verdict::Unfit);
                    checks.push(check.next("the record was edited: restore it from a copy"));
                }
            }
        }
        checks
    }

    /// Whether the server has room. Below a bound it takes nothing from agents, and says that it is
    /// well all the same.
    pub fn room(&self, profile: &Profile) -> Check {
        let root = &self.daemon().facts().root;
        let needed = profile.file.min_allowed_file_space_mb.saturating_mul(1 << 20);
        Check::room(&root.display().to_string(), needed, free_disk(root))
    }

    async fn configuration(&self, inside: &Inside, owner: &Owner, id: &DeploymentId) -> Check {
        let what = "the configuration in place";
        let expected = "the one of the store of secrets";
        let check = |found: String, verdict| Check::new(what, expected, found, verdict);
        let kept = match self.vault().config(id).await {
            Ok(kept) => kept,
            Err(error) => return unseen(what, expected, &error),
        };
        let text = match inside.file(self.daemon(), owner).await {
            Ok(Some(text)) => text,
            Ok(None) => return check(String::from("there is none"), Verdict::Unfit).next(RESUME),
            Err(error) => return unseen(what, expected, &error),
        };
        if text.expose() == kept.render().expose() {
            return check(String::from("the same"), Verdict::Fits);
        }
        match ServerConfig::parse(&text) {
            Err(error) => check(error.to_string(), Verdict::Unfit).next(RESUME),
            Ok(found) => {
                let all = drift(&kept, &found);
                let mut told: Vec<String> =
                    all.iter().take(TOLD).map(ToString::to_string).collect();
                if all.len() > TOLD {
                    told.push(format!("and {} more places", all.len() - TOLD));
                }
                if told.is_empty() {
                    told.push(String::from("the same, written otherwise"));
                }
                check(told.join("; "), Verdict::Unfit).next(RESUME)
            }
        }
    }

    async fn container(&self, spec: &ContainerSpec, owner: &Owner) -> Vec<Check> {
        let what = format!("the container {}", spec.name);
        let unknown = |checks: &[&str], found: &str| -> Vec<Check> {
            let of =
                |what: &&str| Check::new(*what, "as planned", found.to_owned(), Verdict::NotLooked);
            checks.iter().map(of).collect()
        };
        let others: Vec<&str> = ASPECTS.into_iter().chain([EXPOSURE]).collect();
        let found = match spec.inspect(self.daemon()).await {
            Err(error) => {
                let mut all = vec![unseen(&what, "runs", &error)];
                all.extend(unknown(&others, &error.to_string()));
                return all;
            }
            Ok(None) => {
                let mut all =
                    vec![Check::new(&what, "runs", "there is none", Verdict::Unfit).next(RESUME)];
                all.extend(unknown(&others, "there is no container"));
                return all;
            }
            Ok(Some(found)) => found,
        };
        let labels = found.config.as_ref().and_then(|config| config.labels.as_ref());
        if !owner.owns(labels) {
            let found = "one of this name that is not the deployment's";
            let mut all = vec![
                Check::new(&what, "runs", found, Verdict::Unfit)
                    .next("find out whose it is; it is never touched from here"),
            ];
            all.extend(unknown(&others, found));
            return all;
        }
        let exposure = spec.exposure(&found).check();
        let mut all = vec![runs(&what, &found)];
        match spec.user(self.daemon()).await {
            Ok(user) => {
                let swap = self.daemon().facts().limits_swap;
                let aspects = spec.aspects(&found, user.as_deref(), swap);
                all.extend(aspects.into_iter().map(Aspect::check));
            }
            Err(error) => all.extend(unknown(&ASPECTS, &error.to_string())),
        }
        all.push(exposure);
        all
    }

    async fn probes(
        &self,
        serving: &Serving,
        id: &DeploymentId,
        cancel: &CancellationToken,
    ) -> Vec<Check> {
        match serving.probes.signs(id, cancel, self.vault()).await {
            Ok(signs) => signs.iter().map(deploy_core::server::Sign::check).collect(),
            Err(error) => vec![unseen("the three probes", "answer", &error)],
        }
    }
}

/// What cannot be seen is not taken for unfit, and not for fit.
fn unseen(what: &str, expected: &str, error: &StepError) -> Check {
    Check::new(what, expected, error.to_string(), Verdict::NotLooked).next(error.next())
}

fn runs(what: &str, found: &ContainerInspectResponse) -> Check {
    let state = found.state.clone().unwrap_or_default();
    let restarts = found.restart_count.unwrap_or_default();
    let code = state.exit_code.unwrap_or_default();
    let killed = state.oom_killed == Some(true);
    let why = if killed { ", out of memory" } else { "" };
    let check = |found: String, verdict| {
        Check::new(what, "runs, and never ended by itself", found, verdict)
    };
    if state.running != Some(true) || state.restarting == Some(true) {
        return check(format!("not running, exit code {code}{why}"), Verdict::Unfit).next(RESUME);
    }
    if restarts > 0 {
        return check(
            format!("runs, and ended {restarts} times by itself{why}"),
            Verdict::Doubtful,
        )
        .next("look at the end of its log");
    }
    check(String::from("runs"), Verdict::Fits)
}

impl Aspect {
    fn check(self) -> Check {
        let fits = self.fits();
        let verdict = if fits { Verdict::Fits } else { Verdict::Unfit };
        let check = Check::new(self.what, self.wanted, self.found, verdict);
        if fits { check } else { check.next(RESUME) }
    }
}
