//! The harness itself: a server starts, its users are who they say, its clients enrol.
//!
//! Every other suite stands on this; when both fail, look here first.

use anyhow::ensure;

use crate::real::{Fleet, RealAgent, RealServer, Role, VendorQuery};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "server",
    about: "a Velociraptor server, an agent and a fleet start, answer and stop",
    run,
};

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let mut server = RealServer::start().await?;

    cases
        .case("it is the version that Megaraptor is made for", async {
            let vql = "SELECT config.version.version AS Version FROM scope()";
            let rows = server.vendor_query(query(vql)).await?;
            ensure!(rows.len() == 1 && rows[0]["Version"] == "0.77.2", "{rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("an agent enrols as a client of this machine", async {
            let agent = RealAgent::enrol(&server, "root").await?;
            let vql = "SELECT os_info.system AS System FROM clients(client_id=HarnessClient)";
            let env = [("HarnessClient", agent.client_id())];
            let rows = server.vendor_query(VendorQuery { env: &env, ..query(vql) }).await?;
            ensure!(rows.len() == 1 && rows[0]["System"] == std::env::consts::OS, "{rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("a fleet of simulated clients enrols", async {
            let fleet = Fleet::enrol(&server, "root", 5).await?;
            ensure!(fleet.client_ids().len() == 5);
            Ok(())
        })
        .await;

    cases
        .case("an agent of another org enrols there and nowhere else", async {
            let org = server.create_org("second").await?;
            let agent = RealAgent::enrol(&server, &org).await?;
            ensure!(agent.client_id().ends_with(&format!("-{org}")), "{}", agent.client_id());
            let vql = "SELECT client_id FROM clients(client_id=HarnessClient)";
            let env = [("HarnessClient", agent.client_id())];
            let rows = server.vendor_query(VendorQuery { env: &env, ..query(vql) }).await?;
            ensure!(rows.is_empty(), "the root org knows it too: {rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("what it knew is there after a restart", async {
            let vql = "SELECT client_id FROM clients()";
            let before = server.vendor_query(query(vql)).await?.len();
            server.restart().await?;
            let after = server.vendor_query(query(vql)).await?.len();
            ensure!(before > 0 && before == after, "{before} clients, then {after}");
            Ok(())
        })
        .await;
    Ok(())
}

fn query(vql: &str) -> VendorQuery<'_> {
    VendorQuery { role: Role::Reader, org: "root", vql, env: &[] }
}
