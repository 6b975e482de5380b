//! Where a hunt looked and found nothing, and where it did not look.

use std::time::Duration;

use anyhow::ensure;
use velociraptor_api::HuntId;
use velociraptor_api::collections::{self, Collection, Target};
use velociraptor_api::hunt_results::{self, Part, Parts};
use velociraptor_api::hunts::{self, HuntChange, HuntPlan, HuntScope};

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

/// Hunts with an artifact on the agent; once it has ended, what is known of a table or the whole. The
/// agent can lose the line of the log that says it: then it is not known, and it is hunted again.
async fn hunted(
    bench: &Bench<'_>,
    artifact: &str,
    tables: &[Option<&str>],
) -> anyhow::Result<Vec<Parts>> {
    let session = bench.session();
    let wanted: Collection = collection(artifact, &[]);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let plan = HuntPlan {
            collection: collections::check(&session, &wanted, Target::Clients).await?,
            description: format!("looked: {artifact}"),
            tags: Vec::new(),
            scope: HuntScope::Clients(vec![bench.agent_id()?]),
            expires: None,
            start: true,
        };
        let id: HuntId = hunts::create(&session, &plan).await?.hunt.hunt_id;
        seen.clear();
        for table in tables {
            let coverage = wait::until("the hunt to end", PATIENCE, || async {
                let seen = hunt_results::coverage(&session, &id, *table).await?;
                ensure!(seen.parts.total() == 1 && seen.scope == 1, "{seen:?}");
                ensure!(seen.parts.running + seen.parts.never_scheduled == 0, "{:?}", seen.parts);
                Ok::<_, anyhow::Error>(seen)
            });
            let coverage = coverage.await?;
            let unclear = coverage.hosts.iter().filter(|host| host.part == Part::NotKnown);
            ensure!(unclear.clone().all(|host| host.reason.is_some()), "{coverage:?}");
            seen.push(coverage.parts);
        }
        hunts::modify(&session, &id, &HuntChange::Stop).await?;
        if seen.iter().all(|parts| parts.not_known == 0) {
            break;
        }
    }
    Ok(seen)
}

async fn never(bench: &Bench<'_>) -> anyhow::Result<()> {
    let table = Some("Custom.Suite.Never");
    for parts in hunted(bench, "Custom.Suite.Never", &[None, table]).await? {
        ensure!(parts.not_applicable == 1, "{parts:?}");
    }
    Ok(())
}

async fn apart(bench: &Bench<'_>) -> anyhow::Result<()> {
    let tables = [None, Some("Custom.Suite.Apart/Here"), Some("Custom.Suite.Apart/Nowhere")];
    let seen = hunted(bench, "Custom.Suite.Apart", &tables).await?;
    ensure!(seen[0].none == 1 && seen[1].none == 1, "{seen:?}");
    ensure!(seen[2].not_applicable == 1, "{seen:?}");
    Ok(())
}

/// No log is needed, so that none can be missing.
async fn system(bench: &Bench<'_>) -> anyhow::Result<()> {
    let table = Some("Custom.Suite.System");
    for parts in hunted(bench, "Custom.Suite.System", &[None, table]).await? {
        ensure!(parts.none == 1, "{parts:?}");
    }
    Ok(())
}
