//! Plans, as they are shown and carried out.

use bollard::models::{HostConfig, MountType};

use super::*;

fn order() -> DockerOrder {
    DockerOrder {
        profile: &Profile::MINIMAL,
        grants: Grants::of(&Profile::MINIMAL),
        agents_at: "vr.example.org:8000".parse().unwrap(),
        agents_on: "0.0.0.0:8000".parse().unwrap(),
        gui_on: "127.0.0.1:8889".parse().unwrap(),
        api_on: "127.0.0.1:8001".parse().unwrap(),
        gui_user: String::from("admin"),
        labels: Vec::new(),
        binary: PathBuf::from("/b/velociraptor"),
        sha256: "ab".repeat(32),
        health: Duration::from_secs(60),
    }
}

fn id() -> DeploymentId {
    "D-2345678923".parse().unwrap()
}

/// What the daemon is asked for.
fn host(order: &DockerOrder) -> HostConfig {
    let steps = order.plan(&id()).unwrap();
    let serving = steps.steps().iter().find_map(|step| match step.settings() {
        Ok(DockerStep::Serving(serving)) => Some(serving),
        _ => None,
    });
    serving.unwrap().container.host()
}

#[test]
fn d33_limits_are_given_in_the_fields_that_a_linux_daemon_heeds() {
    let host = host(&order());
    assert_eq!((host.memory, host.memory_swap), (Some(512 << 20), Some(512 << 20)));
    assert_eq!((host.nano_cpus, host.cpu_count), (Some(1_000_000_000), None));
    assert_eq!(host.pids_limit, Some(1024));
}

#[test]
fn d35_data_are_in_volumes_that_go_with_the_daemon() {
    let host = host(&order());
    assert_eq!(host.binds, None);
    let mounts = host.mounts.unwrap();
    assert_eq!(mounts.len(), 2);
    assert!(mounts.iter().all(|mount| mount.typ == Some(MountType::VOLUME)), "{mounts:?}");
}

#[test]
fn d36_only_agents_come_from_anywhere_and_the_image_is_of_the_verified_binary() {
    let order = order();
    let plan = order.plan(&id()).unwrap();
    assert!(plan.warnings().is_empty(), "{:?}", plan.warnings());
    let shown = plan.to_string();
    assert!(shown.contains("SHA-256 abababababab…"), "{shown}");
    assert!(shown.contains("from which nothing outside is reached"), "{shown}");
    let bindings = host(&order).port_bindings.unwrap();
    for (inside, address) in
        [("8000/tcp", "0.0.0.0"), ("8889/tcp", "127.0.0.1"), ("8001/tcp", "127.0.0.1")]
    {
        let binding = &bindings[inside].as_ref().unwrap()[0];
        assert_eq!(binding.host_ip.as_deref(), Some(address), "{inside}");
    }
    let open = DockerOrder { gui_on: "0.0.0.0:8889".parse().unwrap(), ..order };
    let told = open.plan(&id()).unwrap().warnings().join("\n");
    assert!(told.contains("the GUI listens on 0.0.0.0:8889"), "{told}");
}
