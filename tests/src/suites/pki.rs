//! Certificates of ours held against what is not ours: openssl, and a real server with agents.
//!
//! rustls-webpki, the third verifier, is asked in the tests of the crate.

mod deployment;
mod openssl;
mod rotation;
mod wire;

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use pki::{AUTHORITY_DAYS, AltName, Material, Order, Pair, Pinned, UserName, Validity};
use secret::Secret;
use serde_json::{Value, json};
use velociraptor_api::ApiConfig;
use velociraptor_api::config::Origin;

use crate::real::{RealServer, Role};
use crate::suite::{Cases, Halt, Running, Suite};
use crate::wait;

pub(super) const SUITE: Suite = Suite {
    name: "pki",
    about: "our certificates held against openssl, a real server, its API and its agents; rotation",
    run,
};

/// The user of the API files that are ours.
const USER: &str = "minted";

/// Who logs in to the GUI: name and password as HTTP wants them.
const LOOKER_BASIC: &str = "bG9va2VyOm9ubHktZm9yLXRoaXMtdGVzdA==";

/// An agent whose server came back is back in some seconds; a busy machine is given much more.
const AGENT_LIMIT: Duration = Duration::from_secs(180);

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let made = make().await?;
    openssl::run(cases, &made).await;
    deployment::run(cases, &made).await?;
    rotation::run(cases).await
}

/// The material of a deployment on this machine.
async fn make() -> anyhow::Result<Material> {
    let pinned = Pinned::default();
    let now = Timestamp::now();
    let gui = ["localhost", "gui.example.com", "127.0.0.1"].map(AltName::parse);
    let order = Order {
        users: vec![UserName::parse(USER, &pinned)?],
        gui: gui.into_iter().collect::<Result<_, _>>()?,
        authority: Validity::days(now, AUTHORITY_DAYS)?,
        validity: Validity::days(now, 365)?,
        pinned,
    };
    Ok(tokio::task::spawn_blocking(move || pki::make_all(&order)).await??)
}

/// Certificates of the server and the gateway as a change of its configuration.
fn configured(frontend: &Pair, gateway: &Pair) -> Value {
    json!({
        "Frontend": {
            "certificate": frontend.certificate, "private_key": frontend.key.expose(),
        },
        "GUI": {
            "gw_certificate": gateway.certificate, "gw_private_key": gateway.key.expose(),
        },
    })
}

/// The user of the GUI as the configuration has it: salt, and SHA-256 of salt and password.
fn looker() -> Value {
    json!([{
        "name": "looker",
        "password_salt": "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        "password_hash": "e0c9f891ba60c1bd4ae43b95b169e3aa4440a4852f596075a3758cad38b51452",
    }])
}

/// How long the certificates hold that are not the subject.
fn for_a_year() -> anyhow::Result<Validity> {
    Ok(Validity::days(Timestamp::now(), 365)?)
}

/// The GUI's gateway gets through to the API with its certificate, and in the user's name.
async fn gateway_works(server: &RealServer, ca: &str) -> anyhow::Result<()> {
    let answer = wire::through_gateway(server.gui_address(), ca).await?;
    let good = answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"looker\"");
    ensure!(good, "{answer}");
    Ok(())
}

/// An API file of ours, read as any other.
fn api_config(server: &RealServer, ca: &str, pair: &Pair) -> anyhow::Result<ApiConfig> {
    let block = |pem: &str| pem.lines().map(|line| format!("  {line}\n")).collect::<String>();
    let text = format!(
        "ca_certificate: |\n{}client_cert: |\n{}client_private_key: |\n{}\
         api_connection_string: {}\nname: {USER}\n",
        block(ca),
        block(&pair.certificate),
        block(pair.key.expose()),
        server.api_address(),
    );
    Ok(ApiConfig::parse(&Secret::new(text), Origin::Memory("minted by pki"))?)
}

/// Makes [`USER`] known to the server.
async fn create_user(server: &RealServer) -> anyhow::Result<()> {
    let vql = "SELECT user_create(user=HarnessUser, roles=['reader', 'api']) AS Made FROM scope()";
    let admin = Role::Administrator;
    server.query(admin, "root", vql, &[("HarnessUser", USER)]).await?;
    Ok(())
}

/// The server takes the bearer of the file for [`USER`].
async fn is_known(server: &RealServer, config: ApiConfig) -> anyhow::Result<()> {
    let rows = server.query_with(config, "SELECT whoami() AS User FROM scope()", &[]).await?.rows;
    ensure!(rows.len() == 1 && rows[0]["User"] == USER, "{rows:?}");
    Ok(())
}

/// A fresh collection is answered by the agent.
async fn answers(server: &RealServer, client_id: &str) -> anyhow::Result<()> {
    let vql = "LET C <= collect_client(client_id=HarnessClient, artifacts='Generic.Client.Info')
        SELECT C.flow_id AS Flow FROM scope()";
    let (admin, client) = (Role::Administrator, ("HarnessClient", client_id));
    let rows = server.query(admin, "root", vql, &[client]).await?.rows;
    let flow = rows.first().and_then(|row| row["Flow"].as_str()).context("no flow")?;
    wait::until("the agent's answer to a new collection", AGENT_LIMIT, || async {
        let vql = "SELECT state FROM flows(client_id=HarnessClient, flow_id=HarnessFlow)";
        let env = [client, ("HarnessFlow", flow)];
        let rows = server.query(admin, "root", vql, &env).await?.rows;
        ensure!(rows.first().is_some_and(|row| row["state"] == "FINISHED"), "{rows:?}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}
