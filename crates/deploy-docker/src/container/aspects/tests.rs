//! Each aspect that is otherwise than wanted is seen.

use std::collections::HashMap;

use bollard::models::{
    ContainerConfig, EndpointSettings, MountType, NetworkSettings, PortBinding, ResourcesUlimits,
};

use super::super::{Limits, MountedVolume};
use super::*;

fn spec() -> ContainerSpec {
    let volume = |volume: &str, at: &str, read_only| MountedVolume {
        volume: volume.to_owned(),
        at: at.to_owned(),
        read_only,
    };
    let published = |inside, outside: &str| Published { inside, outside: outside.parse().unwrap() };
    ContainerSpec {
        name: String::from("server"),
        image: String::from("megaraptor/d-1:server"),
        arguments: vec![String::from("frontend"), String::from("-v")],
        network: String::from("net"),
        volumes: vec![volume("data", "/datastore", false), volume("config", "/etc/v", true)],
        published: vec![published(8000, "0.0.0.0:8000"), published(8889, "[::1]:8889")],
        limits: Limits { memory: 512 << 20, millicpus: 1500, processes: 100, open_files: 4096 },
    }
}

/// As a daemon reads it back.
fn found(spec: &ContainerSpec) -> ContainerInspectResponse {
    let host = spec.host();
    ContainerInspectResponse {
        config: Some(ContainerConfig {
            user: Some(String::from("1000:1000")),
            image: Some(spec.image.clone()),
            cmd: Some(spec.arguments.clone()),
            ..ContainerConfig::default()
        }),
        host_config: Some(HostConfig {
            cap_add: Some(Vec::new()),
            privileged: Some(false),
            ..host
        }),
        network_settings: Some(on(&[&spec.network])),
        ..ContainerInspectResponse::default()
    }
}

fn on(names: &[&str]) -> NetworkSettings {
    let all = names.iter().map(|name| ((*name).to_owned(), EndpointSettings::default()));
    NetworkSettings { networks: Some(all.collect()), ..NetworkSettings::default() }
}

fn unlike(found: &ContainerInspectResponse) -> Vec<&'static str> {
    let all = spec().aspects(found, Some("1000:1000"), true);
    all.into_iter().filter(|aspect| !aspect.fits()).map(|aspect| aspect.what).collect()
}

#[test]
fn what_was_made_as_wanted_fits() {
    assert_eq!(unlike(&found(&spec())), [""; 0]);
    assert!(spec().exposure(&found(&spec())).fits());
}

#[test]
fn each_change_of_the_host_is_seen() {
    let some = |text: &str| Some(vec![text.to_owned()]);
    let limit = |soft, hard| {
        let name = Some(String::from("nofile"));
        Some(vec![ResourcesUlimits { name, soft: Some(soft), hard: Some(hard) }])
    };
    type Change = Box<dyn Fn(&mut HostConfig)>;
    let changes: Vec<(&str, Change)> = vec![
        ("limits", Box::new(|host| host.memory = Some(1 << 30))),
        ("limits", Box::new(|host| host.memory_swap = Some(-1))),
        ("limits", Box::new(|host| host.memory_swap = Some(1 << 30))),
        ("limits", Box::new(|host| host.nano_cpus = None)),
        ("limits", Box::new(|host| host.pids_limit = Some(-1))),
        ("limits", Box::new(move |host| host.ulimits = limit(4096, 8192))),
        ("limits", Box::new(|host| host.ulimits = None)),
        ("confinement", Box::new(|host| host.privileged = Some(true))),
        ("confinement", Box::new(|host| host.readonly_rootfs = Some(false))),
        ("confinement", Box::new(move |host| host.cap_add = some("SYS_ADMIN"))),
        ("confinement", Box::new(|host| host.cap_drop = None)),
        ("confinement", Box::new(move |host| host.security_opt = some("seccomp=unconfined"))),
        ("mounts", Box::new(move |host| host.binds = some("/:/host"))),
        ("mounts", Box::new(|host| host.tmpfs = None)),
        ("mounts", Box::new(|host| host.mounts.as_mut().unwrap()[1].read_only = None)),
        ("mounts", Box::new(|host| host.mounts.as_mut().unwrap().truncate(1))),
        ("published ports", Box::new(|host| host.port_bindings = None)),
    ];
    for (at, (what, change)) in changes.iter().enumerate() {
        let mut found = found(&spec());
        change(found.host_config.as_mut().unwrap());
        assert_eq!(unlike(&found), [*what], "change {at}");
    }
    assert_eq!(spec().host().mounts.unwrap()[0].typ, Some(MountType::VOLUME));
}

#[test]
fn user_image_arguments_and_networks_are_seen() {
    let with = |change: &dyn Fn(&mut ContainerConfig)| {
        let mut found = found(&spec());
        change(found.config.as_mut().unwrap());
        unlike(&found)
    };
    assert_eq!(with(&|config| config.user = Some(String::from("0"))), ["confinement"]);
    assert_eq!(with(&|config| config.user = None), ["confinement"]);
    assert_eq!(with(&|config| config.image = Some(String::from("other"))), ["image"]);
    assert_eq!(with(&|config| config.cmd = Some(vec![String::from("gui")])), ["arguments"]);
    for other in [&["net", "bridge"][..], &["bridge"], &[]] {
        let settings = Some(on(other));
        let found = ContainerInspectResponse { network_settings: settings, ..found(&spec()) };
        assert_eq!(unlike(&found), ["network"], "{other:?}");
    }
}

#[test]
fn swap_that_cannot_be_limited_is_not_compared() {
    let mut found = found(&spec());
    found.host_config.as_mut().unwrap().memory_swap = Some(-1);
    assert!(spec().aspects(&found, Some("1000:1000"), false).iter().all(Aspect::fits));
}

#[test]
fn any_address_of_this_machine_alone_is_no_exposure() {
    let published = |ip: &str| {
        let port = PortBinding { host_ip: Some(ip.to_owned()), host_port: Some(String::from("1")) };
        let mut found = found(&spec());
        let bindings = HashMap::from([(String::from("8889/tcp"), Some(vec![port]))]);
        found.host_config.as_mut().unwrap().port_bindings = Some(bindings);
        spec().exposure(&found).fits()
    };
    for own in ["127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1"] {
        assert!(published(own), "{own}");
    }
    for open in ["0.0.0.0", "", "::", "192.0.2.7", "::ffff:192.0.2.7", "elsewhere"] {
        assert!(!published(open), "{open}");
    }
}
