//! A CA is made once.

use std::sync::Arc;

use credstore::{Clock, MemoryStore};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::deployer::Silent;
use crate::id::DeploymentId;
use crate::record::Facts;

fn vault() -> Vault {
    Vault::new(Arc::new(MemoryStore::new(Clock::of_the_machine())))
}

fn order() -> ServerOrder {
    let place = |text: &str| text.parse().unwrap();
    let at = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
    ServerOrder {
        profile: String::from("minimal"),
        agents_at: place("vr.example.org:8000"),
        gui_at: place("127.0.0.1:8889"),
        api_at: place("127.0.0.1:8001"),
        listen: [at(8000), at(8889), at(8001), at(8003)],
        datastore: String::from("/datastore"),
        logs: None,
        gui_user: String::from("admin"),
        labels: Vec::new(),
    }
}

fn refused(found: &Found, of: &str) {
    let Found::Refused { expected, found, next } = found else { panic!("{found:?}") };
    assert_eq!(found, of);
    assert!(expected.contains("CA") && next.contains("cut off every agent"), "{expected}; {next}");
}

#[tokio::test]
async fn a_lost_ca_is_not_made_anew() {
    let (id, cancel) = (DeploymentId::generate().unwrap(), CancellationToken::new());
    let cx = StepCx::new(&id, Facts::new(), &cancel, &Silent, (1, 1));
    let vault = vault();
    assert_eq!(look(&cx, &vault).await.unwrap(), Found::Absent);
    make(&cx, &vault, &order()).await.unwrap();
    assert_eq!(look(&cx, &vault).await.unwrap(), Found::Done);

    // The store of secrets came back from a copy that is older than the deployment.
    let empty = self::vault();
    refused(&look(&cx, &empty).await.unwrap(), "none");
    // Or it has the configuration of another CA.
    let bare = StepCx::new(&id, Facts::new(), &cancel, &Silent, (1, 1));
    make(&bare, &empty, &order()).await.unwrap();
    refused(&look(&cx, &empty).await.unwrap(), "one of another CA");
    assert_eq!(look(&cx, &vault).await.unwrap(), Found::Done);

    // Once it was taken back there is no CA any longer that agents could hold.
    let keys = super::super::ServerStep::Keys(Box::new(order()));
    keys.undo(&cx, &vault).await.unwrap();
    assert_eq!(look(&cx, &vault).await.unwrap(), Found::Absent);
}

#[tokio::test]
async fn a_record_of_before_learns_its_ca_by_looking() {
    let (id, cancel) = (DeploymentId::generate().unwrap(), CancellationToken::new());
    let (vault, none) = (vault(), vault());
    let cx = StepCx::new(&id, Facts::new(), &cancel, &Silent, (1, 1));
    make(&cx, &vault, &order()).await.unwrap();
    let old = StepCx::new(&id, Facts::new(), &cancel, &Silent, (1, 1));
    assert_eq!(look(&old, &vault).await.unwrap(), Found::Done);
    refused(&look(&old, &none).await.unwrap(), "none");
}
