//! How a deployed server stands on its daemon, check by check.

use bollard::models::ContainerInspectResponse;
use deploy_core::preflight::{Check, Verdict, free_disk};
use deploy_core::{DeploymentId, Plan, StepError};
use tokio_util::sync::CancellationToken;
use velociraptor_config::{Profile, ServerConfig, drift};

use crate::container::{ContainerSpec, Published, confined};
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
        let mut checks = vec![self.disk(profile)];
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

    /// The server takes nothing from agents below a bound, and says that it is well all the same.
    fn disk(&self, profile: &Profile) -> Check {
        let root = &self.daemon().facts().root;
        let needed = profile.file.min_allowed_file_space_mb.saturating_mul(1 << 20);
        let what = format!("free disk at {}", root.display());
        let next = "make room: below this the server takes nothing more from agents";
        let check = Check::amount(&what, needed, free_disk(root), next);
        match check.verdict {
            Verdict::NotLooked => check.next("look yourself whether there is room"),
            _ => check,
        }
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
        let others = ["limits", "confinement", "published ports", "what others may reach"];
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
        vec![
            runs(&what, &found),
            spec.limits_of(&found),
            spec.confinement_of(&found),
            spec.ports_of(&found),
            spec.exposure_of(&found),
        ]
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

impl Published {
    fn told(&self) -> String {
        format!("{}/tcp on {}:{}", self.inside, self.outside.ip(), self.outside.port())
    }
}

impl ContainerSpec {
    fn judged(what: &str, expected: String, found: String) -> Check {
        if expected == found {
            return Check::new(what, expected, found, Verdict::Fits);
        }
        Check::new(what, expected, found, Verdict::Unfit).next(RESUME)
    }

    fn limits_of(&self, found: &ContainerInspectResponse) -> Check {
        let told = |host: &bollard::models::HostConfig| {
            let files =
                host.ulimits.iter().flatten().find(|it| it.name.as_deref() == Some("nofile"));
            format!(
                "memory {} MiB, processors {}/1000, processes {}, open files {}",
                host.memory.unwrap_or_default() >> 20,
                host.nano_cpus.unwrap_or_default() / 1_000_000,
                host.pids_limit.unwrap_or_default(),
                files.and_then(|it| it.soft).unwrap_or_default(),
            )
        };
        let there = found.host_config.clone().unwrap_or_default();
        Self::judged("limits", told(&self.host()), told(&there))
    }

    fn confinement_of(&self, found: &ContainerInspectResponse) -> Check {
        let told = |host: &bollard::models::HostConfig| {
            let list = |all: &Option<Vec<String>>| match all.as_deref() {
                None | Some([]) => String::from("none"),
                Some(all) => all.join(" "),
            };
            let root = if host.readonly_rootfs == Some(true) { "read-only" } else { "writable" };
            let privileged = if host.privileged == Some(true) { ", PRIVILEGED" } else { "" };
            format!(
                "root {root}, capabilities dropped {}, added {}, {}{privileged}",
                list(&host.cap_drop),
                list(&host.cap_add),
                list(&host.security_opt),
            )
        };
        let there = found.host_config.clone().unwrap_or_default();
        Self::judged("confinement", told(&confined()), told(&there))
    }

    fn ports_of(&self, found: &ContainerInspectResponse) -> Check {
        let mut wanted: Vec<String> = self.published.iter().map(Published::told).collect();
        wanted.sort();
        Self::judged("published ports", wanted.join(", "), published(found).join(", "))
    }

    /// The first port is the agents', which is there to be reached.
    fn exposure_of(&self, found: &ContainerInspectResponse) -> Check {
        let open = |text: &String| {
            let address = text.split(" on ").nth(1).and_then(|at| at.rsplit_once(':'));
            address.is_some_and(|(ip, _)| ip != "127.0.0.1" && ip != "::1")
        };
        let agents = self.published.first().map(|port| format!("{}/tcp ", port.inside));
        let agents = agents.unwrap_or_default();
        let others = published(found).into_iter().filter(|text| !text.starts_with(&agents));
        let reached: Vec<String> = others.filter(open).collect();
        let meant = self.published.iter().skip(1).filter(|port| !port.outside.ip().is_loopback());
        let mut meant: Vec<String> = meant.map(Published::told).collect();
        meant.sort();
        let none = |all: &[String]| match all {
            [] => String::from("nothing but the agents' port"),
            all => format!("the agents' port, and {}", all.join(", ")),
        };
        Self::judged("what others may reach", none(&meant), none(&reached))
    }
}

/// What is published, as `INSIDE/tcp on ADDRESS:PORT`.
fn published(found: &ContainerInspectResponse) -> Vec<String> {
    let bindings = found.host_config.as_ref().and_then(|host| host.port_bindings.clone());
    let mut all: Vec<String> = bindings
        .unwrap_or_default()
        .into_iter()
        .flat_map(|(inside, outside)| {
            outside.unwrap_or_default().into_iter().map(move |binding| {
                let ip = binding.host_ip.filter(|ip| !ip.is_empty());
                let ip = ip.unwrap_or_else(|| String::from("0.0.0.0"));
                format!("{inside} on {ip}:{}", binding.host_port.unwrap_or_default())
            })
        })
        .collect();
    all.sort();
    all
}
