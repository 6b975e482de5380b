//! What a container is made with, aspect by aspect: as wanted, and as the daemon reads it back.

use std::net::IpAddr;

use bollard::models::{ContainerInspectResponse, HostConfig};
use deploy_core::Processors;

use super::{ContainerSpec, Published, confined};

/// All that is decided when a container is made.
pub(crate) const ASPECTS: [&str; 7] =
    ["limits", "confinement", "published ports", "image", "arguments", "mounts", "network"];

/// What others may reach.
pub(crate) const EXPOSURE: &str = "what others may reach";

/// One aspect, in words that are the same where the aspect is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aspect {
    pub(crate) what: &'static str,
    pub(crate) wanted: String,
    pub(crate) found: String,
}

impl Aspect {
    pub(crate) fn fits(&self) -> bool {
        self.wanted == self.found
    }
}

impl ContainerSpec {
    /// All that is decided when it is made. `user` is the one that its image says, and `swap` whether
    /// the daemon's machine can limit it.
    pub(crate) fn aspects(
        &self,
        found: &ContainerInspectResponse,
        user: Option<&str>,
        swap: bool,
    ) -> Vec<Aspect> {
        let wanted = self.host();
        let there = found.host_config.clone().unwrap_or_default();
        let config = found.config.clone().unwrap_or_default();
        let mut ports: Vec<String> = self.published.iter().map(Published::told).collect();
        ports.sort();
        let [image, is_image] = [Some(&self.image), config.image.as_ref()]
            .map(|name| name.cloned().unwrap_or_default());
        let program = |arguments: Option<&[String]>| format!("{:?}", arguments.unwrap_or_default());
        let told = [
            (limits(&wanted, swap), limits(&there, swap)),
            (
                confinement(&confined(), user.unwrap_or("of an image that is not there")),
                confinement(&there, config.user.as_deref().unwrap_or_default()),
            ),
            (ports.join(", "), published(found).join(", ")),
            (image, is_image),
            (program(Some(&self.arguments)), program(config.cmd.as_deref())),
            (mounts(&wanted), mounts(&there)),
            (self.network.clone(), networks(found)),
        ];
        let aspect = |(what, (wanted, found))| Aspect { what, wanted, found };
        ASPECTS.into_iter().zip(told).map(aspect).collect()
    }

    /// What others may reach. The first port is the agents', which is there to be reached.
    pub(crate) fn exposure(&self, found: &ContainerInspectResponse) -> Aspect {
        let open = |text: &String| {
            let address = text.split(" on ").nth(1).and_then(|at| at.rsplit_once(':'));
            let ip = address.and_then(|(ip, _)| ip.parse::<IpAddr>().ok());
            !ip.is_some_and(|ip| ip.to_canonical().is_loopback())
        };
        let agents = self.published.first().map(|port| format!("{}/tcp ", port.inside));
        let agents = agents.unwrap_or_default();
        let others = published(found).into_iter().filter(|text| !text.starts_with(&agents));
        let reached: Vec<String> = others.filter(open).collect();
        let meant = self.published.iter().skip(1).map(Published::told);
        let mut meant: Vec<String> = meant.filter(open).collect();
        meant.sort();
        let none = |all: &[String]| match all {
            [] => String::from("nothing but the agents' port"),
            all => format!("the agents' port, and {}", all.join(", ")),
        };
        Aspect { what: EXPOSURE, wanted: none(&meant), found: none(&reached) }
    }
}

impl Published {
    fn told(&self) -> String {
        format!("{}/tcp on {}:{}", self.inside, self.outside.ip(), self.outside.port())
    }
}

fn list(all: Option<&[String]>) -> String {
    match all {
        None | Some([]) => String::from("none"),
        Some(all) => all.join(" "),
    }
}

fn limits(host: &HostConfig, swap: bool) -> String {
    let mut limits: Vec<String> = host
        .ulimits
        .iter()
        .flatten()
        .map(|it| {
            let of = |limit: Option<i64>| limit.unwrap_or_default();
            let name = match it.name.as_deref().unwrap_or_default() {
                "nofile" => "open files",
                other => other,
            };
            match (of(it.soft), of(it.hard)) {
                (soft, hard) if soft == hard => format!("{name} {soft}"),
                (soft, hard) => format!("{name} {soft} to {hard}"),
            }
        })
        .collect();
    limits.sort();
    let memory = host.memory.unwrap_or_default();
    // Memory and swap together. Where it cannot be limited, the daemon says something else.
    let beside = host.memory_swap.unwrap_or_default().saturating_sub(memory) >> 20;
    let beside = if swap { format!(", swap {beside} MiB") } else { String::new() };
    format!(
        "memory {} MiB{beside}, processors {}, processes {}, {}",
        memory >> 20,
        Processors(
            u64::try_from(host.nano_cpus.unwrap_or_default() / 1_000_000).unwrap_or_default()
        ),
        host.pids_limit.unwrap_or_default(),
        list(Some(&limits)),
    )
}

fn confinement(host: &HostConfig, user: &str) -> String {
    let root = if host.readonly_rootfs == Some(true) { "read-only" } else { "writable" };
    let privileged = if host.privileged == Some(true) { ", PRIVILEGED" } else { "" };
    format!(
        "user {user}, root {root}, capabilities dropped {}, added {}, {}{privileged}",
        list(host.cap_drop.as_deref()),
        list(host.cap_add.as_deref()),
        list(host.security_opt.as_deref()),
    )
}

/// Volumes, folders of the machine, and what is in memory.
fn mounts(host: &HostConfig) -> String {
    let mounts = host.mounts.iter().flatten().map(|mount| {
        let read_only = if mount.read_only == Some(true) { " read-only" } else { "" };
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{} at {}{read_only}", of(&mount.source), of(&mount.target))
    });
    let binds = host.binds.iter().flatten().map(|bind| format!("the machine's {bind}"));
    let memory = host.tmpfs.iter().flatten().map(|(at, options)| format!("{at} ({options})"));
    let mut all: Vec<String> = mounts.chain(binds).chain(memory).collect();
    all.sort();
    all.join(", ")
}

/// Every network that it is on.
fn networks(found: &ContainerInspectResponse) -> String {
    let settings = found.network_settings.as_ref();
    let on = settings.and_then(|settings| settings.networks.as_ref());
    let mut all: Vec<&str> = on.iter().flat_map(|all| all.keys().map(String::as_str)).collect();
    all.sort_unstable();
    if all.is_empty() { String::from("none") } else { all.join(", ") }
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

#[cfg(test)]
mod tests;
