//! Plans, as they are shown and kept.

use super::*;

fn order() -> LinuxOrder {
    let place = "vr.example.org:8000".parse().unwrap();
    LinuxOrder::new(&Profile::MINIMAL, place, "/b/velociraptor".into(), "ab".repeat(32))
}

fn id() -> DeploymentId {
    "D-2345678923".parse().unwrap()
}

#[test]
fn a_plan_says_all_that_will_be_made() {
    let order = LinuxOrder { agent: Some(AgentOrder::default()), ..order() };
    let plan = order.plan(&id()).unwrap();
    let shown = plan.to_string();
    for part in [
        "ports 8000, 8889, 8001, 8003 free",
        "user and group megaraptor-d-2345678923",
        "SHA-256 abababababab… at /opt/megaraptor-d-2345678923/velociraptor",
        "/var/lib/megaraptor-d-2345678923/data",
        "/etc/megaraptor-d-2345678923/server.config.yaml",
        "unit megaraptor-d-2345678923-server.service",
        "unit megaraptor-d-2345678923-agent.service",
        "label D-2345678923",
        "  !  the agent runs as root",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
    assert_eq!(plan.steps().len(), 13);
    assert_eq!(plan, order.plan(&id()).unwrap(), "it is made from the order alone");
}

#[test]
fn what_is_exposed_is_warned_of() {
    assert!(order().plan(&id()).unwrap().warnings().is_empty(), "loopback, but for agents");
    let mut open = order();
    open.listen.gui.address = "0.0.0.0".parse().unwrap();
    open.listen.frontend.address = "127.0.0.1".parse().unwrap();
    let told = open.plan(&id()).unwrap().warnings().join("\n");
    assert!(told.contains("the GUI listens on 0.0.0.0:8889"), "{told}");
    assert!(told.contains("the agents' port listens on 127.0.0.1 only"), "{told}");
    let here = LinuxOrder { agents_at: "localhost:8000".parse().unwrap(), ..order() };
    let told = here.plan(&id()).unwrap().warnings().join("\n");
    assert!(told.contains("only those on the server's host"), "{told}");
}

#[test]
fn wishes_that_cannot_be_met_are_refused() {
    for under in ["", "var/lib", "/var/../etc", "/var/lib/", "/a b", "/%h", "/a\nb", "/"] {
        let order = LinuxOrder { data_under: under.to_owned(), ..order() };
        let error = order.plan(&id()).unwrap_err().to_string();
        assert!(error.contains("the folder of the data"), "{under:?}: {error}");
    }
    let nobody = LinuxOrder { gui_user: String::from("a b"), ..order() };
    assert!(nobody.plan(&id()).is_err());
}
