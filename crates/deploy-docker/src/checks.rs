//! What is looked at before a server is deployed on a daemon.

use deploy_core::preflight::{Check, Verdict, free_disk};
use velociraptor_config::PlanNumbers;

use crate::daemon::Daemon;
use crate::deployment::DockerOrder;

impl DockerOrder {
    /// Looks at the daemon, its machine and the ports, and changes nothing. Blocking, for as long as
    /// a file system and the network stack of this machine take.
    pub fn checks(&self, daemon: &Daemon) -> Vec<Check> {
        let PlanNumbers { memory_limit: _, cpu_millis: _, disk_free, open_files: _, due_after: _ } =
            self.profile.plan;
        let facts = daemon.facts();
        let smaller = "choose a smaller profile, or another machine";
        let mut disk = Check::amount(
            &format!("free disk at {}", facts.root.display()),
            disk_free,
            free_disk(&facts.root),
            smaller,
        );
        if disk.verdict == Verdict::NotLooked {
            disk.next = Some(String::from("look yourself whether there is room"));
        }
        let mut checks = vec![
            Check::new(
                "the Docker daemon",
                "answers",
                format!("version {} on {}, {}", facts.version, facts.architecture, daemon.host()),
                Verdict::Fits,
            ),
            Check::amount("memory of the machine", self.grants.memory, Some(facts.memory), smaller),
            self.grants.processors(self.profile, facts.cpus),
            limits(facts.limits_memory && facts.limits_cpu),
            Check::clock(facts.ahead),
            disk,
            Check::port("the agents' port", self.agents_on),
            Check::port("the GUI", self.gui_on),
            Check::port("the API", self.api_on),
        ];
        checks.extend(self.grants.checks(self.profile));
        checks
    }
}

fn limits(there: bool) -> Check {
    let (found, verdict) =
        if there { ("they do", Verdict::Fits) } else { ("not all do", Verdict::Doubtful) };
    let check = Check::new("limits of memory and processors", "take effect", found, verdict);
    if there { check } else { check.next("a busy server can take memory from others there") }
}
