//! Each setting has an effect that is seen here.

use std::time::{Duration, Instant};

use vql_builder::effects::Effect as VqlEffect;

use super::*;
use crate::asked::{Clients, Place, example};

const KNOWN: Known<'_> = Known {
    tools: &["collect_artifact", "create_hunt", "list_clients", "quarantine_client", "run_vql"],
    servers: &["acme-prod", "acme-test"],
};

fn load(toml: &str) -> Result<Policy, PolicyError> {
    Policy::load(&Sources::default().with_file_text("policy.toml", toml.to_owned()), KNOWN)
}

fn policy(lines: &str) -> Policy {
    load(&format!("[policy]\n{lines}")).unwrap()
}

/// An answer in one line.
fn judged(policy: &Policy, asked: &Asked) -> String {
    match policy.judge(asked) {
        Decision::Allow { rule, permit, .. } => {
            permit.spend(asked).unwrap();
            format!("allow: {}", rule.setting)
        }
        Decision::Ask { rule, place, .. } => format!("ask {place:?}: {}", rule.setting),
        Decision::Deny(denial) => format!("deny: {} ({})", denial.rule.setting, denial.cause),
    }
}

/// A look at what the server has.
fn look() -> Asked {
    Asked {
        tool: "list_clients".into(),
        effect: Effect::Read,
        clients: Clients::none(),
        artifacts: Default::default(),
        vql: Default::default(),
        ..example::collection()
    }
}

fn on_server(effect: VqlEffect, call: &str) -> Asked {
    Asked { tool: "run_vql".into(), vql: example::found(Place::Server, effect, call), ..look() }
}

fn hunt(clients: u64) -> Asked {
    let ids = (0..clients).map(example::client);
    Asked {
        tool: "create_hunt".into(),
        clients: Clients::hunt_by("label web", ids),
        ..example::collection()
    }
}

fn of_effect(effect: Effect) -> Asked {
    Asked { effect, vql: Default::default(), ..example::collection() }
}

#[test]
fn by_default_reading_runs_and_the_rest_is_asked_for() {
    let policy = policy("");
    assert_eq!(judged(&policy, &look()), "allow: read = allow");
    assert_eq!(judged(&policy, &example::collection()), "ask InChat: collect = ask");
    for (effect, rule) in [
        (Effect::Respond, "respond = ask"),
        (Effect::Deploy, "deploy = ask"),
        (Effect::Destroy, "destroy = ask"),
    ] {
        assert_eq!(judged(&policy, &of_effect(effect)), format!("ask Outside: {rule}"));
    }
    for effect in Effect::ALL {
        assert!(policy.shows("collect_artifact", effect));
    }
}

#[test]
fn each_effect_has_a_mode() {
    for effect in Effect::ALL {
        for (mode, begins) in [("allow", "allow: "), ("ask", "ask "), ("deny", "deny: ")] {
            let policy = policy(&format!("{effect} = \"{mode}\""));
            let said = judged(&policy, &of_effect(effect));
            assert!(said.starts_with(begins), "{effect} {mode}: {said}");
            assert!(said.contains(&format!("{effect} = {mode}")), "{said}");
            assert_eq!(policy.shows("create_hunt", effect), mode != "deny");
        }
    }
}

#[test]
fn read_only_wins_over_everything() {
    let policy = policy(
        "read_only = true\ncollect = \"allow\"\nrespond = \"allow\"\nvql_server = [\"exec\", \"users\"]",
    );
    assert!(policy.read_only());
    assert_eq!(judged(&policy, &look()), "allow: read = allow");
    for effect in Effect::ALL {
        assert_eq!(policy.shows("create_hunt", effect), effect == Effect::Read);
        let said = judged(&policy, &of_effect(effect));
        assert_eq!(said.starts_with("deny: read_only"), effect != Effect::Read, "{said}");
    }
    for (effect, call) in [(VqlEffect::Exec, "execve"), (VqlEffect::Mutate, "user_create")] {
        let said = judged(&policy, &on_server(effect, call));
        assert!(said.starts_with("deny: read_only"), "{said}");
    }
    let said = judged(&policy, &on_server(VqlEffect::Host, "pslist"));
    assert!(said.starts_with("deny: read_only"), "{said}");
    // No later place takes it back.
    let sources = Sources::default()
        .with_settings("policy.toml", "[policy]\nread_only = true".to_owned())
        .with_flag("--policy", "read_only=false");
    assert!(Policy::load(&sources, KNOWN).unwrap().read_only());
}

#[test]
fn the_emergency_stop_runs_under_any_policy_and_nothing_hides_in_it() {
    let policy = policy("read_only = true\nread = \"deny\"\nrespond = \"deny\"");
    let mut asked = Asked { tool: EMERGENCY_STOP.into(), effect: Effect::Respond, ..look() };
    assert_eq!(judged(&policy, &asked), "allow: emergency_stop");
    assert!(policy.shows(EMERGENCY_STOP, Effect::Respond));
    asked.artifacts = example::collection().artifacts;
    assert!(judged(&policy, &asked).starts_with("deny: read_only"));
}

#[test]
fn vql_on_the_server_is_refused_unless_it_is_named() {
    let plain = policy("");
    let named = policy("vql_server = [\"host\", \"exec\", \"definitions\"]");
    let host = on_server(VqlEffect::Host, "pslist");
    assert!(judged(&plain, &host).starts_with("deny: vql_server (pslist on the server (host)"));
    assert_eq!(judged(&named, &host), "ask InChat: collect = ask");
    let exec = on_server(VqlEffect::Exec, "execve");
    assert!(judged(&plain, &exec).starts_with("deny: vql_server"));
    assert_eq!(judged(&named, &exec), "ask Outside: respond = ask");
    let redefine = on_server(VqlEffect::Mutate, "artifact_set");
    assert!(judged(&plain, &redefine).starts_with("deny: vql_server"));
    assert_eq!(judged(&named, &redefine), "ask Outside: respond = ask");
    let grant = on_server(VqlEffect::Mutate, "user_grant");
    assert!(judged(&named, &grant).starts_with("deny: vql_server"));
    let mut read = on_server(VqlEffect::Read, "clients");
    assert_eq!(judged(&plain, &read), "allow: read = allow");
    read.vql.other_orgs = true;
    assert!(judged(&plain, &read).starts_with("deny: vql_server (the query may reach another org"));
    let elsewhere = policy("vql_server = [\"other_orgs\"]");
    assert_eq!(judged(&elsewhere, &read), "allow: read = allow");
}

#[test]
fn vql_on_an_endpoint_makes_a_collection_a_response_unless_it_is_named() {
    let asked = Asked { effect: Effect::Collect, ..example::quarantine() };
    assert_eq!(judged(&policy(""), &asked), "ask Outside: respond = ask");
    let named = policy("vql_endpoint = [\"exec\"]");
    assert_eq!(judged(&named, &asked), "ask InChat: collect = ask");
    // The tool's own effect stays.
    assert_eq!(judged(&named, &example::quarantine()), "ask Outside: respond = ask");
    let denied = policy("respond = \"deny\"");
    assert!(judged(&denied, &asked).contains("its VQL does that"));
}

#[test]
fn servers_and_orgs_are_kept_to() {
    let asked = look();
    assert!(judged(&policy("servers = [\"acme-prod\"]"), &asked).starts_with("allow"));
    assert!(judged(&policy("servers = [\"acme-test\"]"), &asked).starts_with("deny: servers"));
    assert!(judged(&policy("orgs = [\"ACME\"]"), &asked).starts_with("allow"));
    assert!(judged(&policy("orgs = [\"root\"]"), &asked).starts_with("deny: orgs"));
}

#[test]
fn artifacts_are_kept_to_both_lists() {
    let asked = example::collection();
    assert!(judged(&policy("artifacts_allow = [\"Windows.*\"]"), &asked).starts_with("ask"));
    let said = judged(&policy("artifacts_allow = [\"Linux.*\"]"), &asked);
    assert!(said.starts_with("deny: artifacts_allow"), "{said}");
    let said = judged(&policy("artifacts_deny = [\"windows.sys.*\"]"), &asked);
    assert!(said.starts_with("deny: artifacts_deny"), "{said}");
    let said = judged(&policy("artifacts_deny = [\"*.Search\"]"), &asked);
    assert!(said.contains("Windows.Search, called by Windows.Sys.Users, fits"), "{said}");
}

#[test]
fn tools_are_asked_for_or_refused_by_name() {
    let asked = policy("collect = \"allow\"\ntools_ask = [\"collect_artifact\"]");
    assert_eq!(judged(&asked, &example::collection()), "ask InChat: tools_ask");
    assert_eq!(judged(&asked, &hunt(1)), "allow: collect = allow");
    let denied = policy("collect = \"allow\"\ntools_deny = [\"collect_artifact\"]");
    assert!(judged(&denied, &example::collection()).starts_with("deny: tools_deny"));
    assert!(!denied.shows("collect_artifact", Effect::Collect));
    // A list only tightens.
    let both = policy("collect = \"deny\"\ntools_ask = [\"collect_artifact\"]");
    assert!(judged(&both, &example::collection()).starts_with("deny: collect = deny"));
}

#[test]
fn a_protected_client_is_not_changed_and_asked_for_outside() {
    let lines = "collect = \"allow\"\nrespond = \"allow\"\n";
    let of = |id: &str| policy(&format!("{lines}protected_clients = [\"{id}\"]"));
    let other = of("C.00000000000000ff");
    assert_eq!(judged(&other, &example::collection()), "allow: collect = allow");
    assert_eq!(judged(&other, &example::quarantine()), "allow: respond = allow");
    let collected = of("C.0000000000000002");
    assert_eq!(judged(&collected, &example::collection()), "ask Outside: protected_clients");
    assert!(judged(&collected, &look()).starts_with("allow"));
    // However the digits are written.
    let isolated = of("C.00000000000018F2");
    assert!(judged(&isolated, &example::quarantine()).starts_with("deny: protected_clients"));
}

#[test]
fn each_limit_refuses_what_is_beyond_it() {
    let with = |line: &str| policy(&format!("collect = \"allow\"\n[policy.limits]\n{line}"));
    let asked = example::collection();
    for (line, refused) in [
        ("clients = 2", false),
        ("clients = 1", true),
        ("bytes = 1000", false),
        ("bytes = \"1 kB\"", false),
        ("bytes = 999", true),
        ("rows = 100", false),
        ("rows = 99", true),
        ("seconds = 60", false),
        ("seconds = 59", true),
        ("hunt_clients = 0", false),
    ] {
        let said = judged(&with(line), &asked);
        assert_eq!(said.starts_with("deny: limits."), refused, "{line}: {said}");
    }
    for line in ["bytes = 1", "rows = 1", "seconds = 1"] {
        let said = judged(&with(line), &Asked { bounds: Default::default(), ..asked.clone() });
        assert!(said.contains("the call has no bound"), "{line}: {said}");
    }
    assert!(judged(&with("hunt_clients = 10"), &hunt(10)).starts_with("allow"));
    assert!(judged(&with("hunt_clients = 10"), &hunt(11)).starts_with("deny: limits.hunt_clients"));
    assert!(judged(&with("clients = 10"), &hunt(11)).starts_with("allow"));
}

#[test]
fn a_large_hunt_is_asked_for_outside() {
    let policy = policy("[policy.limits]\nin_chat_clients = 10");
    assert_eq!(judged(&policy, &hunt(10)), "ask InChat: collect = ask");
    assert_eq!(judged(&policy, &hunt(11)), "ask Outside: collect = ask");
}

#[test]
fn calls_are_counted_by_caller() {
    let policy = policy("[policy.limits]\ncalls_per_minute = 2");
    let start = Instant::now();
    let denied = |seconds: u64, asked: &Asked| {
        let decision = policy.judge_at(asked, start + Duration::from_secs(seconds));
        match decision {
            Decision::Deny(denial) => Some(denial.next),
            _ => None,
        }
    };
    assert_eq!(denied(0, &look()), None);
    assert_eq!(denied(1, &look()), None);
    assert_eq!(denied(2, &look()).as_deref(), Some("call again in 58 s"));
    let mut other = look();
    other.caller.subject = "bob".into();
    assert_eq!(denied(2, &other), None);
    assert_eq!(denied(60, &look()), None);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let sources = Sources::default()
        .with_settings("megaraptor.toml", "[[server]]\nname = 'x'\n\n[policy]\ncollect = 'deny'\nrespond = 'deny'\ndeploy = 'deny'".to_owned())
        .with_environment([
            env("MEGARAPTOR_POLICY_COLLECT", "ask"),
            env("MEGARAPTOR_POLICY_RESPOND", "ask"),
            env("MEGARAPTOR_POLICY_DESTROY", ""),
            env("MEGARAPTOR_POLICY_LIMITS_IN_CHAT_CLIENTS", "7"),
            env("MEGARAPTOR_POLICY_VQL_SERVER", "host, net"),
            env("MEGARAPTOR_HOME", "/x"),
        ])
        .with_flag("--policy", "collect=allow")
        .with_switch("--read-only", "read_only");
    let policy = Policy::load(&sources, KNOWN).unwrap();
    let origin = |effect| policy.settings.mode(effect).origin.to_string();
    assert_eq!(origin(Effect::Collect), "--policy collect=allow");
    assert_eq!(origin(Effect::Respond), "MEGARAPTOR_POLICY_RESPOND");
    assert_eq!(origin(Effect::Deploy), "megaraptor.toml:7");
    assert_eq!(origin(Effect::Destroy), "the default");
    assert_eq!(policy.settings.in_chat_clients.value, Some(7));
    assert_eq!(policy.settings.vql_server.value, ["host", "net"]);
    assert_eq!(policy.mode(Effect::Deploy).1.to_string(), "read_only, by --read-only");
}

/// What a policy is refused with.
fn refusal(toml: &str) -> String {
    load(toml).unwrap_err().to_string()
}

#[test]
fn what_cannot_be_understood_refuses_the_start_with_its_place() {
    let all: Vec<String> = [
        "[policy]\n\ncolect = 'ask'",
        "[policy.limits]\nclient = 3",
        "[policy]\ncollect = 'alow'",
        "[policy]\ncollect = 1",
        "[policy]\nvql_server = ['host',\n  'exce']",
        "[policy]\ntools_deny = ['run_vql', 'quarantine_clients']",
        "[policy]\nservers = ['acme-prd']",
        "[policy]\nprotected_clients = ['DC01']",
        "[policy]\nread_only = 'yes'",
        "[policy.limits]\nbytes = '5 parsecs'",
        "[policy.limits]\nrows = -1",
        "[policy]\norgs = 'root'",
        "policy = 1",
        "[policy]\ncollect = 'ask'\ncollect = 'deny'",
        "[policy\n",
        "[polcy]\ncollect = 'ask'",
        "",
    ]
    .iter()
    .map(|toml| refusal(toml))
    .collect();
    insta::assert_snapshot!(all.join("\n"), @r#"
    policy.toml:3: the policy has no key "colect"; did you mean collect?
    policy.toml:2: the policy has no key "limits.client"; did you mean limits.clients?
    policy.toml:2: collect does not know "alow"; did you mean allow? (it takes allow, ask, deny)
    policy.toml:2: collect is 1: expected "allow", "ask" or "deny"
    policy.toml:3: vql_server does not know "exce"; did you mean exec? (it takes host, mutate, exec, write, net, secret, unknown, users, definitions, other_orgs)
    policy.toml:2: tools_deny does not know "quarantine_clients"; did you mean quarantine_client? (it takes collect_artifact, create_hunt, list_clients, quarantine_client, run_vql)
    policy.toml:2: servers does not know "acme-prd"; did you mean acme-prod? (it takes acme-prod, acme-test)
    policy.toml:2: protected_clients holds "DC01", which is no client id (C. and 16 hexadecimal digits): an endpoint chooses its own host name, so a name protects nothing; list_clients shows the id
    policy.toml:2: read_only is "yes": expected true or false
    policy.toml:2: limits.bytes is "5 parsecs": expected a whole number, or a text such as "500 MB"
    policy.toml:2: limits.rows is a number that is negative or too large: expected a whole number, or a text such as "500 MB"
    policy.toml:2: orgs is "root": expected a list of texts
    policy.toml:1: policy is integer: expected a table
    policy.toml:3: duplicate key
    policy.toml:1: unclosed table, expected `]`
    policy.toml:1: "polcy" is no part of a policy: a policy file holds [policy] and nothing else
    policy.toml: there is no [policy] in the policy file
    "#);
}

#[test]
fn variables_and_flags_are_refused_the_same_way() {
    let env = Sources::default()
        .with_environment([("MEGARAPTOR_POLICY_COLECT".to_owned(), "ask".to_owned())]);
    let of = |sources: &Sources| Policy::load(sources, KNOWN).unwrap_err().to_string();
    let all = [
        of(&env),
        of(&Sources::default().with_flag("--policy", "limits.client=3")),
        of(&Sources::default().with_flag("--policy", "collect")),
        of(&Sources::default().with_flag("--policy", "tools_ask=run_vlq")),
        of(&Sources::default().with_flag("--policy", "read_only=maybe")),
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    MEGARAPTOR_POLICY_COLECT: the policy has no key "colect"; did you mean collect?
    --policy limits.client=3: the policy has no key "limits.client"; did you mean limits.clients?
    --policy collect: "collect" sets nothing: expected KEY=VALUE, such as collect=allow
    --policy tools_ask=run_vlq: tools_ask does not know "run_vlq"; did you mean run_vql? (it takes collect_artifact, create_hunt, list_clients, quarantine_client, run_vql)
    --policy read_only=maybe: read_only is "maybe": expected true or false
    "#);
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let missing = std::path::Path::new("no/such/policy.toml");
    let error = Sources::default().with_file(missing).unwrap_err();
    assert!(matches!(error.problem, Problem::Unreadable(_)), "{error}");
}

#[test]
fn every_key_has_a_test_of_its_effect_here() {
    let own = include_str!("tests.rs");
    for key in KEYS {
        let name = key.name.trim_start_matches("limits.");
        let effect = Effect::ALL.iter().any(|effect| effect.as_str() == key.name);
        assert!(effect || own.contains(&format!("{name} = ")), "{name} is not tested");
    }
}
