//! Which request a person is shown.

use std::time::Duration;

use guard::approval::{Approvals, Hosts, Plan};
use guard::asked::{AsWhom, Asked, Bounds, Clients, VqlFound};
use guard::effect::Effect;
use guard::policy::{Decision, Known, Policy, Sources};
use guard::record::Clock;
use jiff::SignedDuration;
use serde_json::json;

use super::*;

/// Requests in a state folder, each of which is void later than the one before.
struct Bed {
    home: tempfile::TempDir,
    asked: i64,
}

impl Bed {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), asked: 0 }
    }

    fn approvals(&self, minutes: i64) -> Approvals {
        let clock = move || Timestamp::now() + SignedDuration::from_mins(minutes);
        Approvals::open(self.home.path(), Clock::from_fn(clock)).unwrap()
    }

    fn ask(&mut self, who: &guard::asked::Caller, tool: &str, arguments: &Value) -> String {
        self.asked += 1;
        let asked = Asked {
            caller: who.clone(),
            tool: tool.to_owned(),
            effect: Effect::Destroy,
            arguments: arguments.as_object().unwrap().clone(),
            server: String::from("here"),
            org: String::from("root"),
            identity: AsWhom { kind: String::new(), user: String::new() },
            clients: Clients::none(),
            artifacts: std::collections::BTreeMap::new(),
            vql: VqlFound::default(),
            bounds: Bounds::default(),
            expires_after: None,
        };
        let known = Known { tools: &[], servers: &[] };
        let policy = Policy::load(&Sources::default(), known).unwrap();
        let Decision::Ask { question, .. } = policy.judge(&asked) else {
            panic!("nobody is asked")
        };
        let plan = Plan {
            weight: None,
            grants: Vec::new(),
            hosts: Hosts::Each(Vec::new()),
            effect: String::from("removes it"),
            steps: Vec::new(),
            notes: Vec::new(),
            others: Vec::new(),
            undo: String::from("nothing"),
            proof: String::from("looking"),
            cost: None,
            reason: None,
        };
        self.approvals(self.asked).ask(&question, plan, Duration::from_secs(3600)).unwrap().id()
    }
}

#[test]
fn the_request_that_is_shown_is_the_callers_own_and_for_this_very_call() {
    let mut bed = Bed::new();
    let me = Caller::cli().as_asked();
    let other = guard::asked::Caller { subject: String::from("mallory"), ..me.clone() };
    let wish = |id: &str| json!({ "deployment_id": id, "discard_evidence": true });
    bed.ask(&me, "destroy_deployment", &wish("D-2345678923"));
    let own_one = bed.ask(&me, "destroy_deployment", &wish("D-2345678923"));
    // Each of these is newer than the caller's own.
    bed.ask(&me, "destroy_deployment", &wish("D-9999999999"));
    bed.ask(&me, "destroy_deployment", &json!({ "deployment_id": "D-2345678923" }));
    bed.ask(&me, "resume_deployment", &wish("D-2345678923"));
    bed.ask(&other, "destroy_deployment", &wish("D-2345678923"));

    let arguments = wish("D-2345678923").as_object().unwrap().clone();
    let all = bed.approvals(bed.asked).list().unwrap();
    assert!(all.len() >= 5, "{all:?}");
    let shown = own(all, &me, "destroy_deployment", &arguments).unwrap();
    assert_eq!(shown.id(), own_one);

    let all = bed.approvals(bed.asked).list().unwrap();
    let nobodys = wish("D-7777777777").as_object().unwrap().clone();
    assert_eq!(own(all, &me, "destroy_deployment", &nobodys), None);
}
