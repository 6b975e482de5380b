//! Rotation of a server that Velociraptor itself set up: agents and API clients go on talking.

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use pki::{Authority, Held, Keys, Pair, Pinned, Plan, Profile, Rotated, UserName, Validity};
use secret::Secret;
use serde_json::{Value, json};

use super::{
    AGENT_LIMIT, USER, answers, api_config, configured, create_user, for_a_year, gateway_works,
    is_known, looker, wire,
};
use crate::real::{RealAgent, RealServer};
use crate::suite::{Cases, Halt};

pub(super) async fn run(cases: &mut Cases) -> Result<(), Halt> {
    let mut server =
        RealServer::start_with(&json!({ "GUI": { "initial_users": looker() } })).await?;
    let config = server.configuration().await?;
    let authority = Authority::load(
        &text(&config, "/Client/ca_certificate")?,
        &Secret::new(text(&config, "/CA/private_key")?),
        Timestamp::now(),
    )?;
    let mut now_held = vec![
        Held {
            role: pki::Role::Frontend,
            pair: pair(&config, "/Frontend/certificate", "/Frontend/private_key")?,
        },
        Held {
            role: pki::Role::Gateway,
            pair: pair(&config, "/GUI/gw_certificate", "/GUI/gw_private_key")?,
        },
    ];
    create_user(&server).await?;
    let user = Profile::api(&UserName::parse(USER, &Pinned::default())?);
    let mut first = authority.issue(&user, for_a_year()?)?;
    let agent = RealAgent::enrol(&server, "root").await?;

    cases
        .case("an API client minted with Velociraptor's own CA queries it", async {
            is_known(&server, api_config(&server, authority.certificate(), &first)?).await
        })
        .await;

    // In the second, the time is that of a maker who is six days ahead: so the agent is behind.
    let behind = Timestamp::now() + SignedDuration::from_hours(6 * 24);
    for (name, keys, validity) in [
        ("the same keys: agent and API clients go on", Keys::Keep, for_a_year()?),
        (
            "new keys, made six days ahead of the agent's clock: agent and API clients go on",
            Keys::New,
            Validity::days(behind, 200)?,
        ),
    ] {
        let held =
            [now_held.clone(), vec![Held { role: pki::Role::Api, pair: first.clone() }]].concat();
        let mut rotated = Vec::new();
        let turned = cases
            .case_within(2 * AGENT_LIMIT, name, async {
                let plan = Plan::new(&authority, &Pinned::default(), held, keys, validity)?;
                rotated = plan.carry_out()?;
                turn(&mut server, &authority, &rotated, agent.client_id()).await
            })
            .await;
        if !turned {
            return Ok(());
        }
        now_held =
            rotated[..2].iter().map(|one| Held { role: one.role, pair: one.new.clone() }).collect();
        first = rotated[2].new.clone();
    }
    drop(agent);
    Ok(())
}

/// Puts the new material in place, starts the server again, and looks at everybody.
async fn turn(
    server: &mut RealServer,
    authority: &Authority,
    rotated: &[Rotated],
    client_id: &str,
) -> anyhow::Result<()> {
    let [frontend, gateway, user] = rotated else { anyhow::bail!("{} parts", rotated.len()) };
    let ca = authority.certificate();
    let nonce = server.configuration().await?["obfuscation_nonce"].clone();
    ensure!(nonce.is_string(), "the nonce is not explicit: {nonce}");
    let before = wire::shown(server.api_address(), ca, pki::SERVER).await?;
    ensure!(before == pki::summaries(&frontend.old.certificate)?[0], "{before}");
    server.change(&configured(&frontend.new, &gateway.new)).await?;
    // This asks a query with each of the three API files that were minted before.
    server.restart().await?;
    ensure!(server.configuration().await?["obfuscation_nonce"] == nonce, "another nonce");

    let new = &pki::summaries(&frontend.new.certificate)?[0];
    for address in [server.frontend_address(), server.gui_address(), server.api_address()] {
        let shown = wire::shown(address, ca, pki::SERVER).await?;
        ensure!(shown == *new, "{address} shows {shown}");
    }
    gateway_works(server, ca).await?;
    // The new one of the user and the old one are both taken: nothing is revoked.
    is_known(server, api_config(server, ca, &user.new)?).await?;
    is_known(server, api_config(server, ca, &user.old)?).await?;
    let log = server.log_text()?;
    let bad = log.lines().find(|line| line.contains("Certificate is not valid"));
    ensure!(bad.is_none(), "{}", bad.unwrap_or_default());
    answers(server, client_id).await
}

fn pair(config: &Value, certificate: &str, key: &str) -> anyhow::Result<Pair> {
    Ok(Pair { certificate: text(config, certificate)?, key: Secret::new(text(config, key)?) })
}

fn text(config: &Value, at: &str) -> anyhow::Result<String> {
    let value = config.pointer(at).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("the configuration has no {at}"))
}
