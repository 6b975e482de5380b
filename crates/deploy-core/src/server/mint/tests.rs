//! What is made before the server first starts, and with what beside it.

use std::sync::Mutex;

use async_trait::async_trait;
use credstore::CredentialStore as _;
use tokio_util::sync::CancellationToken;

use super::super::{bed, keys, users};
use super::*;
use crate::deployer::Silent;
use crate::id::DeploymentId;
use crate::record::Facts;
use crate::transport::Ended;

#[test]
fn the_lines_for_people_are_not_in_the_file() {
    let out = b"[INFO] 2026 starting\nca_certificate: |\n  AAA\n  BBB\nname: x\n\nCreating API client file on /dev/stdout.\nDone.\n";
    assert_eq!(yaml_of(out).unwrap().expose(), "ca_certificate: |\n  AAA\n  BBB\nname: x\n\n");
    assert!(yaml_of(b"Done.\n").is_none());
    assert!(yaml_of(b"").is_none());
}

/// Writes down what is asked of it, and fails.
#[derive(Default)]
struct Fails(Mutex<Vec<String>>);

#[async_trait]
impl Program for Fails {
    async fn alone(&self) -> Result<(), StepError> {
        self.0.lock().unwrap().push(String::from("alone"));
        Ok(())
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, StepError> {
        self.0.lock().unwrap().push(arguments[..2].join(" "));
        let err = String::from("first\nsecond \u{1b}[31mred\n\nthird\nfourth\n");
        Ok(Ended { code: 1, out: Secret::new(Vec::new()), err })
    }
}

#[tokio::test]
async fn no_server_runs_meanwhile_and_one_that_ran_is_started_anew() {
    let (_, vault) = bed::secrets();
    let (id, never) = (DeploymentId::generate().unwrap(), CancellationToken::new());
    let facts = Facts::from([(String::from("served_configuration"), "ab".into())]);
    let api = "127.0.0.1:8001".parse().unwrap();
    // Looking already says so: what a look finds out is on record before anything is done.
    let cx = StepCx::new(&id, facts.clone(), &never, &Silent, (1, 1));
    assert_eq!(look(&cx, &vault).await.unwrap(), Found::Absent);
    assert!(!cx.has_fact("served_configuration"));
    let cx = StepCx::new(&id, facts, &never, &Silent, (1, 1));
    let program = Fails::default();
    let failed = make(&cx, &vault, &program, &api).await.unwrap_err().to_string();
    // The last lines in their order, and no control characters.
    assert!(failed.ends_with(r"1: second \u{1b}[31mred / third / fourth"), "{failed}");
    assert_eq!(*program.0.lock().unwrap(), ["alone", "config api_client"]);
    assert!(!cx.has_fact("served_configuration"));
}

/// Prints an API file.
struct Prints(Secret<String>);

#[async_trait]
impl Program for Prints {
    async fn run(&self, _arguments: &[&str]) -> Result<Ended, StepError> {
        let out = Secret::new(self.0.expose().clone().into_bytes());
        Ok(Ended { code: 0, out, err: String::new() })
    }
}

#[tokio::test]
async fn the_api_file_ends_with_its_certificate() {
    let (store, vault) = bed::secrets();
    let (id, never) = (DeploymentId::generate().unwrap(), CancellationToken::new());
    let facts = Facts::from([(DATASTORE.to_owned(), "ab".into())]);
    let cx = StepCx::new(&id, facts, &never, &Silent, (1, 1));
    let order = bed::order();
    keys::make(&cx, &vault, &order).await.unwrap();
    let config = vault.config(&id).await.unwrap();
    let (pair, ends) = users::pair(&config, names::user(KIND), 5).unwrap();
    let at = (order.api_at.host(), 8001);
    let file = ApiConfig::of(&config, names::user(KIND), &pair.certificate, &pair.key, at).unwrap();
    make(&cx, &vault, &Prints(file.render()), &order.api_at).await.unwrap();
    let kept = store.find(&Vault::reference(&id, names::api(KIND)).unwrap()).unwrap().unwrap();
    assert_eq!(kept.expires, Some(ends));
}
