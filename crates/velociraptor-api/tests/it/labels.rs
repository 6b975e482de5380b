//! Changes of labels that fail half-way.

use serde_json::json;
use tokio_util::sync::CancellationToken;
use velociraptor_api::labels::{self, LabelChange};
use velociraptor_api::{ClientId, Fault, IdentityKind, OrgId, Server, Session};

use crate::fake::{Fake, Reply, log, rows};

const CLIENT: &str = "C.0123456789abcdef";

fn server(fake: &Fake) -> Server {
    fake.state.grant("hand", &["any_query", "read_results", "label_clients"]);
    fake.state.on("clients_by_id", |_| {
        Reply::Say(vec![rows(&json!([{
            "ClientId": CLIENT, "Hostname": "WS-1", "Fqdn": "ws-1", "Os": "linux", "Release": "",
            "Labels": ["web"], "LastIp": "", "LastSeen": 0, "FirstSeen": 0, "AgentVersion": "",
            "Now": 1,
        }]))])
    });
    fake.state.on("labels_set", |_| Reply::Say(vec![rows(&json!([{"Done": 1}]))]));
    Server::open("acme", [(Some(IdentityKind::Investigator), fake.config("hand"))]).unwrap()
}

async fn change(server: &Server, add: &[&str], remove: &[&str]) -> Fault {
    let (org, cancel) = (OrgId::root(), CancellationToken::new());
    let session = Session::new(server, &org, &cancel);
    let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    let change = LabelChange { add: owned(add), remove: owned(remove) };
    let id = ClientId::parse(CLIENT).unwrap();
    labels::change(&session, &[id], &change).await.unwrap_err()
}

#[tokio::test]
async fn where_removing_fails_after_setting_was_done_the_error_says_so() {
    let fake = Fake::start().await;
    let server = server(&fake);
    fake.state.on("labels_remove", |_| Reply::Say(vec![log("label: something broke")]));
    let fault = change(&server, &["new", "more"], &["web"]).await;
    let said = fault.to_string();
    assert!(matches!(fault, Fault::Unproved { .. }), "{said}");
    for part in ["labels \"new\", \"more\" set on", CLIENT, "removing label \"web\" failed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(said.contains("something broke"), "{said}");
    // Nothing went before: the failure stands alone.
    let fault = change(&server, &[], &["web"]).await;
    assert!(matches!(fault, Fault::Query(_)), "{fault}");
}

#[tokio::test]
async fn what_could_not_be_read_back_is_named_as_sent() {
    let fake = Fake::start().await;
    let server = server(&fake);
    let fine = rows(&json!([{
        "ClientId": CLIENT, "Hostname": "WS-1", "Fqdn": "", "Os": "", "Release": "", "Labels": [],
        "LastIp": "", "LastSeen": 0, "FirstSeen": 0, "AgentVersion": "", "Now": 1,
    }]));
    fake.state.on("clients_by_id", move |asked| match asked.earlier {
        0 => Reply::Say(vec![fine.clone()]),
        _ => Reply::Say(vec![log("clients: the index is gone")]),
    });
    let said = change(&server, &["new"], &[]).await.to_string();
    assert!(said.contains("label \"new\" set on") && said.contains("index is gone"), "{said}");
}
