//! Where a hunt looked and found nothing, and where it did not look.

use std::time::Duration;

use anyhow::ensure;
use velociraptor_api::collections::{self, Collection, Target};
use velociraptor_api::hunt_results::{self, Coverage};
use velociraptor_api::hunts::{self, HuntChange, HuntPlan, HuntScope};
use velociraptor_api::{ClientId, HuntId};

use super::Bench;
use super::collections::collection;
use crate::suite::Cases;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(90);

/// Its precondition holds nowhere, and neither its name nor a system tells that. The parameter makes
/// the server write something before the precondition.
const NEVER: &str = r"name: Custom.Suite.Never
precondition: SELECT * FROM info() WHERE Hostname = 'nobody'
parameters:
  - name: Count
    type: int
    default: 3
sources:
  - query: SELECT 1 AS A FROM scope()
";

/// One source looks and finds nothing, the other does not look.
const APART: &str = r"name: Custom.Suite.Apart
sources:
  - name: Here
    precondition: SELECT * FROM info() WHERE Hostname
    query: SELECT 1 AS A FROM scope() WHERE A = 2
  - name: Nowhere
    precondition: SELECT * FROM info() WHERE Hostname = 'nobody'
    query: SELECT 1 AS A FROM scope()
";

/// What no precondition keeps from looking, and what only another system does.
const SYSTEM: &str = r"name: Custom.Suite.System
precondition: SELECT OS From info() where OS = 'linux'
parameters:
  - name: Count
    type: int
    default: 3
sources:
  - query: SELECT 1 AS A FROM scope() WHERE A = 2
";

pub(super) async fn run(cases: &mut Cases, bench: &Bench<'_>) {
    for definition in [NEVER, APART, SYSTEM] {
        if let Err(error) = super::define(bench.server, definition).await {
            cases.record("hunts: artifacts with conditions", Err(error));
            return;
        }
    }
    cases.case("hunts: where nobody looked, nothing is clean", never(bench)).await;
    cases.case("hunts: a source that did not look is not clean", apart(bench)).await;
    cases.case("hunts: a system that is looked at is clean", system(bench)).await;
}

/// Hunts with an artifact on some clients; once all have ended, what is known of a table or the whole.
async fn hunted(
    bench: &Bench<'_>,
    artifact: &str,
    tables: &[Option<&str>],
) -> anyhow::Result<Vec<Coverage>> {
    let session = bench.session();
    let wanted: Collection = collection(artifact, &[]);
    let ids: Vec<ClientId> = bench.fleet.client_ids()[..4]
        .iter()
        .map(|id| ClientId::parse(id))
        .collect::<Result<_, _>>()?;
    let plan = HuntPlan {
        collection: collections::check(&session, &wanted, Target::Clients).await?,
        description: format!("looked: {artifact}"),
        tags: Vec::new(),
        scope: HuntScope::Clients(ids),
        expires: None,
        start: true,
    };
    let id: HuntId = hunts::create(&session, &plan).await?.hunt.hunt_id;
    let mut seen = Vec::new();
    for table in tables {
        let coverage = wait::until("the hunt to end on all", PATIENCE, || async {
            let seen = hunt_results::coverage(&session, &id, *table).await?;
            ensure!(seen.parts.total() == seen.scope && seen.scope == 4, "{seen:?}");
            ensure!(seen.parts.running + seen.parts.never_scheduled == 0, "{:?}", seen.parts);
            Ok::<_, anyhow::Error>(seen)
        });
        seen.push(coverage.await?);
    }
    hunts::modify(&session, &id, &HuntChange::Stop).await?;
    Ok(seen)
}

/// An agent can lose the line of the log that says it: then it is not known. It is never "none".
async fn never(bench: &Bench<'_>) -> anyhow::Result<()> {
    let table = Some("Custom.Suite.Never");
    for coverage in hunted(bench, "Custom.Suite.Never", &[None, table]).await? {
        let parts = coverage.parts;
        ensure!(parts.not_applicable + parts.not_known == 4, "{coverage:?}");
        ensure!(parts.not_applicable > 0, "no log told: {coverage:?}");
    }
    Ok(())
}

async fn apart(bench: &Bench<'_>) -> anyhow::Result<()> {
    let tables = [None, Some("Custom.Suite.Apart/Here"), Some("Custom.Suite.Apart/Nowhere")];
    let seen = hunted(bench, "Custom.Suite.Apart", &tables).await?;
    ensure!(seen[0].parts.none + seen[0].parts.not_known == 4, "{:?}", seen[0]);
    ensure!(seen[0].parts.none > 0, "no log told: {:?}", seen[0]);
    let [here, nowhere] = [&seen[1].parts, &seen[2].parts];
    ensure!(here.none + here.not_known == 4 && here.none > 0, "{here:?}");
    ensure!(nowhere.not_applicable + nowhere.not_known == 4, "{nowhere:?}");
    ensure!(nowhere.not_applicable > 0, "no log told: {nowhere:?}");
    Ok(())
}

/// No log is needed, so that none can be missing.
async fn system(bench: &Bench<'_>) -> anyhow::Result<()> {
    let table = Some("Custom.Suite.System");
    for coverage in hunted(bench, "Custom.Suite.System", &[None, table]).await? {
        ensure!(coverage.parts.none == 4, "{coverage:?}");
    }
    Ok(())
}
