//! Records of deployments that are up, with good secrets, and no platform behind them.

use std::path::PathBuf;

use credstore::{CredentialStore as _, Kind, NewCredential};
use deploy_core::server::{Place, ServerOrder, ServerStep, VERSION, Vault, names};
use deploy_core::{About, DeploymentId, Goal, Grants, Phase, Record, TargetKind};
use deploy_docker::{DockerOrder, DockerStep};
use jiff::{SignedDuration, Timestamp};
use mcp_server::deployments::Deployments;
use pki::{Order, Pinned, UserName, Validity, make_all};
use secret::Secret;
use tempfile::TempDir;
use velociraptor_api::IdentityKind;
use velociraptor_config::{
    Administrator, ApiConfig, Deployment, Listen, Nonces, Profile, ServerConfig, ServerKeys,
};

use super::kept;

/// A platform that this program does not know.
pub(super) const ELSEWHERE: &str = "elsewhere";

pub(super) struct Up {
    pub(super) home: TempDir,
    pub(super) id: DeploymentId,
    pub(super) config: ServerConfig,
    /// What nobody may see.
    pub(super) secrets: Vec<String>,
    /// SHA-256 of the server's certificate.
    pub(super) sha256: String,
}

pub(super) struct Wanted {
    pub(super) kind: &'static str,
    /// Days for which certificates hold, and for how many they have held.
    pub(super) days: (u16, i64),
    pub(super) about: About,
    /// API files of another server.
    pub(super) api: Option<[Secret<String>; 3]>,
    pub(super) agents_at: &'static str,
    /// The program, and its SHA-256.
    pub(super) binary: (PathBuf, String),
}

impl Default for Wanted {
    fn default() -> Self {
        let about = About { profile: String::from("rapid"), ..About::default() };
        let binary = (PathBuf::from("/nowhere/velociraptor"), "ab".repeat(32));
        let agents_at = "vr.example.org:8000";
        Self { kind: ELSEWHERE, days: (365, 0), about, api: None, agents_at, binary }
    }
}

pub(super) async fn up(wanted: Wanted) -> Up {
    let Wanted { kind, days: (days, held), about, api, agents_at, binary } = wanted;
    let home = TempDir::new().expect("a folder");
    let id = DeploymentId::generate().expect("an id");
    let order = DockerOrder {
        profile: &Profile::RAPID,
        grants: Grants::of(&Profile::RAPID),
        agents_at: agents_at.parse().expect("a place"),
        agents_on: "0.0.0.0:8000".parse().expect("an address"),
        gui_on: "127.0.0.1:8889".parse().expect("an address"),
        // Nothing listens there.
        api_on: "127.0.0.1:1".parse().expect("an address"),
        gui_user: String::from("admin"),
        labels: vec![String::from("case-17")],
        binary: binary.0,
        sha256: binary.1,
        health: std::time::Duration::from_secs(1),
    };
    let plan = order.plan(&id).expect("a plan");
    let order = plan
        .steps()
        .iter()
        .find_map(|step| match step.settings().expect("settings") {
            DockerStep::Server { step: ServerStep::Keys(order), .. } => Some(*order),
            _ => None,
        })
        .expect("an order");
    let from = Timestamp::now() - SignedDuration::from_hours(24 * held);
    let pinned = Pinned::default();
    let users = IdentityKind::ALL
        .map(|kind| UserName::parse(names::user(kind), &pinned).expect("a name"))
        .to_vec();
    let made = make_all(&Order {
        pinned,
        users,
        gui: Vec::new(),
        authority: Validity::days(from, 3650).expect("days"),
        validity: Validity::days(from, days).expect("days"),
    })
    .expect("keys");
    let keys = ServerKeys {
        ca_certificate: made.authority.certificate().to_owned(),
        ca_key: Some(made.authority.key().clone()),
        frontend_certificate: made.frontend.certificate.clone(),
        frontend_key: made.frontend.key.clone(),
        gateway_certificate: made.gateway.certificate.clone(),
        gateway_key: made.gateway.key.clone(),
    };
    let sha256 =
        pki::summaries(&keys.frontend_certificate).expect("a certificate")[0].sha256.clone();
    let (config, password) = config(&order, keys);
    let put = |name: &str, kind, text: &Secret<String>| {
        let credential = Vault::reference(&id, name).expect("a name");
        let value = Secret::new(text.expose().clone().into_bytes());
        let deployments = Deployments::of(home.path(), None);
        let new = NewCredential { credential, kind, expires: None };
        deployments.store().put(new, &value).expect("kept");
    };
    put(names::CONFIG, Kind::ServerConfig, &config.render());
    put(names::GUI_PASSWORD, Kind::Password, &password);
    for (at, kind) in IdentityKind::ALL.into_iter().enumerate() {
        let (user, (_, pair)) = (names::user(kind), &made.users[at]);
        let place: &Place = &order.api_at;
        let at_api = (place.host(), place.port());
        let own =
            ApiConfig::of(&config, user, &pair.certificate, &pair.key, at_api).expect("a file");
        let file = api.as_ref().map_or_else(|| own.render(), |files| files[at].clone());
        put(names::api(kind), Kind::ApiFile, &file);
    }
    let mut record = Record::new(id.clone(), TargetKind(kind.to_owned()), about, plan);
    record.generation = record.generation.next();
    record.goal = Goal::Up;
    record.phases.iter_mut().for_each(|phase| *phase = Phase::Done);
    record.facts.insert(VERSION.to_owned(), "0.77.2".into());
    kept(home.path(), &record).await;
    let secrets = secrets_of(&config.render(), &password);
    Up { home, id, config, secrets, sha256 }
}

fn config(order: &ServerOrder, keys: ServerKeys) -> (ServerConfig, Secret<String>) {
    let (administrator, password) =
        Administrator::with_random_password(&order.gui_user).expect("a password");
    let place = |place: &Place| (place.host().clone(), place.port());
    let deployment = Deployment {
        profile: order.profile().expect("a profile"),
        keys,
        nonces: Nonces::draw().expect("lots"),
        listen: Listen::CONTAINER,
        agents_at: place(&order.agents_at),
        gui_at: place(&order.gui_at),
        api_at: order.api_at.host().clone(),
        datastore: order.datastore.clone(),
        logs: order.logs.clone(),
        administrator: Some(administrator),
        labels: order.labels.clone(),
    };
    (deployment.config().expect("a configuration"), password)
}

/// Lines of keys, nonces, hashes and the password.
fn secrets_of(file: &Secret<String>, password: &Secret<String>) -> Vec<String> {
    let mut secrets = vec![password.expose().clone()];
    let mut in_key = false;
    for line in file.expose().lines() {
        let line = line.trim();
        in_key = (in_key || line.contains("BEGIN RSA PRIVATE KEY")) && !line.contains("END RSA");
        if in_key && !line.contains("BEGIN") {
            secrets.push(line.to_owned());
        }
        for key in ["nonce:", "obfuscation_nonce:", "password_hash:", "password_salt:"] {
            let line = line.trim_start_matches("- ");
            if let Some(value) = line.strip_prefix(key) {
                secrets.push(value.trim().trim_matches('"').to_owned());
            }
        }
    }
    assert!(secrets.len() > 40, "{}", secrets.len());
    secrets
}
