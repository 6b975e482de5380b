//! A deployment whose every certificate is ours: server, gateway, API, agents, GUI.

use anyhow::ensure;
use pki::{Authority, Material};
use serde_json::json;

use super::{
    AGENT_LIMIT, answers, api_config, configured, create_user, for_a_year, gateway_works, is_known,
    looker, wire,
};
use crate::real::{RealAgent, RealServer, Role, VendorQuery};
use crate::suite::{Cases, Halt};

pub(super) async fn run(cases: &mut Cases, made: &Material) -> Result<(), Halt> {
    let ca = made.authority.certificate();
    let mut change = configured(&made.frontend, &made.gateway);
    change["Client"] = json!({ "ca_certificate": ca });
    change["CA"] = json!({ "private_key": made.authority.key().expose() });
    change["GUI"]["initial_users"] = looker();
    // This mints the API files of three users with our CA, and asks a query with each.
    let mut server = RealServer::start_with(&change).await?;

    cases
        .case("the server mints with our CA, and its own client queries it", async {
            let file = std::fs::read_to_string(server.api_file(Role::Reader))?;
            let indented: String = ca.lines().map(|line| format!("  {line}\n")).collect();
            ensure!(file.contains(indented.trim_end()), "another CA is in its API file");
            let vql = "SELECT whoami() AS User FROM scope()";
            let query = VendorQuery { role: Role::Reader, org: "root", vql, env: &[] };
            let rows = server.vendor_query(query).await?;
            ensure!(rows.len() == 1 && rows[0]["User"] == Role::Reader.user(), "{rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("every port shows our certificate, to who trusts our CA alone", async {
            let ours = &pki::summaries(&made.frontend.certificate)?[0];
            for address in [server.frontend_address(), server.gui_address(), server.api_address()] {
                let shown = wire::shown(address, ca, pki::SERVER).await?;
                ensure!(shown == *ours, "{address}: {shown}");
            }
            let strange = Authority::make(for_a_year()?)?;
            let api = server.api_address();
            let refused = wire::shown(api, strange.certificate(), pki::SERVER).await;
            ensure!(refused.is_err(), "any CA will do");
            Ok(())
        })
        .await;

    cases
        .case("an API client of ours queries it", async {
            create_user(&server).await?;
            is_known(&server, api_config(&server, ca, &made.users[0].1)?).await
        })
        .await;

    cases
        .case("who shows the GUI's certificate is nobody at the API", async {
            let api = server.api_address();
            wire::is_let_in(api, ca, &made.users[0].1).await?;
            let Some(gui) = &made.gui else { anyhow::bail!("none was made") };
            let Err(refused) = wire::is_let_in(api, ca, gui).await else {
                anyhow::bail!("it was let in");
            };
            ensure!(format!("{refused:#}").contains("the server refused"), "{refused:#}");
            Ok(())
        })
        .await;

    cases
        .case("the GUI's gateway calls the API for who logged in", async {
            gateway_works(&server, ca).await
        })
        .await;

    let mut agent = None;
    cases
        .case("an agent enrols and answers", async {
            let enrolled = RealAgent::enrol(&server, "root").await?;
            answers(&server, enrolled.client_id()).await?;
            agent = Some(enrolled);
            Ok(())
        })
        .await;

    let Some(agent) = agent else { return Ok(()) };
    cases
        .case_within(2 * AGENT_LIMIT, "the GUI has its own names, and the agent stays", async {
            let Some(gui) = &made.gui else { anyhow::bail!("none was made") };
            let (certificate, key) =
                (server.folder().join("gui.pem"), server.folder().join("gui.key"));
            tokio::fs::write(&certificate, &gui.certificate).await?;
            tokio::fs::write(&key, gui.key.expose()).await?;
            let change = json!({ "Frontend": {
                "tls_certificate_filename": certificate, "tls_private_key_filename": key,
            }});
            server.change(&change).await?;
            server.restart().await?;
            let ours = &pki::summaries(&gui.certificate)?[0];
            for name in ["localhost", "gui.example.com", "127.0.0.1"] {
                let shown = wire::shown(server.gui_address(), ca, name).await?;
                ensure!(shown == *ours, "{name}: {shown}");
            }
            let api = wire::shown(server.api_address(), ca, pki::SERVER).await?;
            ensure!(api == pki::summaries(&made.frontend.certificate)?[0], "{api}");
            is_known(&server, api_config(&server, ca, &made.users[0].1)?).await?;
            answers(&server, agent.client_id()).await
        })
        .await;
    drop(agent);
    Ok(())
}
