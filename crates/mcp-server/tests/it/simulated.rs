//! Services over a simulated server.

use std::cell::RefCell;
use std::sync::{Arc, Once};

use lab::{Lab, LabOptions};
use mcp_server::gateway::{Gateway, Guardian};
use mcp_server::policy;
use mcp_server::services::{Services, Switches};
use mcp_server::settings;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wire::Wire;

/// Switches under which nobody is asked.
pub(crate) fn allowing() -> Switches {
    with_policy(&["collect=allow", "respond=allow", "vql_server=mutate"])
}

/// Switches under a policy of these flags.
pub(crate) fn with_policy(flags: &[&str]) -> Switches {
    let flags = flags.iter().map(ToString::to_string).collect();
    let from = policy::From { flags, ..policy::From::default() };
    Switches { policy: policy::load(&from, &[]).expect("good flags"), ..Switches::default() }
}

/// Switches under which nothing is changed.
pub(crate) fn read_only() -> Switches {
    let from = policy::From { read_only: true, ..policy::From::default() };
    Switches { policy: policy::load(&from, &[]).expect("a switch"), ..Switches::default() }
}

/// Services behind a guard whose records are in a folder of their own. The folder goes with the thread
/// of the test, which outlives its runtime: what is recorded last is recorded after the test's last line.
pub(crate) fn guarded(services: Services) -> Gateway {
    let home = tempfile::tempdir().expect("a folder");
    let guardian = Guardian::open(home.path()).expect("records");
    FOLDERS.with_borrow_mut(|folders| folders.push(home));
    Gateway::new(Arc::new(services), Arc::new(guardian))
}

thread_local! {
    static FOLDERS: RefCell<Vec<TempDir>> = const { RefCell::new(Vec::new()) };
}

/// A lab whose work takes next to no time, asked through all identities.
pub(crate) fn services(switches: Switches, orgs: &[&str]) -> Services {
    let (services, lab) = apart(switches, orgs);
    services.with_lab(lab)
}

/// The same, with the lab in the caller's hand.
pub(crate) fn apart(switches: Switches, orgs: &[&str]) -> (Services, Lab) {
    started(switches, orgs, LabOptions::default())
}

/// The same, with a lab of other options.
pub(crate) fn started(switches: Switches, orgs: &[&str], options: LabOptions) -> (Services, Lab) {
    static TLS: Once = Once::new();
    TLS.call_once(|| {
        // Another test binary's provider cannot be in this process.
        let _ = velociraptor_api::tls_provider().install_default();
    });
    let lab = Lab::start(options.speed(200.0)).expect("the lab starts");
    let orgs: Vec<String> = orgs.iter().map(ToString::to_string).collect();
    let target = settings::from_lab(&lab, &orgs).expect("the lab's files are good");
    (Services::new(vec![target], switches), lab)
}

/// A client of such services that may only look.
pub(crate) async fn looking() -> Wire {
    Wire::ready(services(read_only(), &[])).await
}

impl Wire {
    /// Calls a tool that must succeed; its structured answer.
    pub(crate) async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let mut result = self.result(tool, arguments).await;
        assert_ne!(result["isError"], true, "{tool}: {}", result["content"][0]["text"]);
        result["structuredContent"].take()
    }

    /// Calls a tool that must fail; its error.
    pub(crate) async fn failed(&mut self, tool: &str, arguments: Value) -> Value {
        let mut result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}: {}", result["content"][0]["text"]);
        result["structuredContent"]["error"].take()
    }

    /// Calls a tool; the whole result.
    pub(crate) async fn result(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }
}
