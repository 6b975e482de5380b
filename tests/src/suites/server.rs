//! The harness itself: a server starts, its users are who they say, its clients enrol.
//!
//! Every other suite stands on this; when both fail, look here first.

use anyhow::ensure;
use velociraptor_api::Row;

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
            let rows = ask(&server, vql, &[]).await?;
            ensure!(rows.len() == 1 && rows[0]["Version"] == "0.77.2", "{rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("Velociraptor's own client and ours read the same rows", async {
            let vql = "SELECT name, roles, now() > 1600000000 AS Late, \
                       format(format='%v', args=1 / 3) AS Third FROM gui_users() ORDER BY name";
            let query = VendorQuery { role: Role::Administrator, org: "root", vql, env: &[] };
            let theirs = server.vendor_query(query).await?;
            let ours = server.query(Role::Administrator, "root", vql, &[]).await?.rows;
            let ours: Vec<_> = ours.into_iter().map(serde_json::Value::Object).collect();
            ensure!(ours.len() >= Role::ALL.len() && ours == theirs, "{ours:?}\n{theirs:?}");
            Ok(())
        })
        .await;

    cases
        .case("an agent enrols as a client of this machine", async {
            let agent = RealAgent::enrol(&server, "root").await?;
            let vql = "SELECT os_info.system AS System FROM clients(client_id=HarnessClient)";
            let rows = ask(&server, vql, &[("HarnessClient", agent.client_id())]).await?;
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
            let rows = ask(&server, vql, &[("HarnessClient", agent.client_id())]).await?;
            ensure!(rows.is_empty(), "the root org knows it too: {rows:?}");
            Ok(())
        })
        .await;

    cases
        .case("what it knew is there after a restart", async {
            let vql = "SELECT client_id FROM clients()";
            let before = ask(&server, vql, &[]).await?.len();
            server.restart().await?;
            let after = ask(&server, vql, &[]).await?.len();
            ensure!(before > 0 && before == after, "{before} clients, then {after}");
            Ok(())
        })
        .await;
    Ok(())
}

async fn ask(
    server: &RealServer,
    vql: &str,
    env: &[(&'static str, &str)],
) -> anyhow::Result<Vec<Row>> {
    Ok(server.query(Role::Reader, "root", vql, env).await?.rows)
}
