//! What the gateway takes of a read call: analysis and policy, the record, the filter.
//!
//! The product has no way around its gateway, and none is made for a benchmark. The same steps are
//! taken here, on the same answer, in turn with the calls; a call without them is what is left.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, ensure};
use guard::asked::{AsWhom, Asked, Bounds, Caller, Clients, VqlFound};
use guard::audit::{Audit, Decision, Intent, Options, Outcome, Who};
use guard::effect::Effect;
use guard::outlet;
use guard::policy::{self, Known, Policy, Sources};
use serde_json::{Value, json};
use vql_builder::effects::Analyser;

use crate::bed::Bed;
use crate::figures::{Row, median, millis};

const CALLS: usize = 300;

/// The gateway adds at most a fifth.
const MOST: f64 = 1.2;

pub(crate) async fn run(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let definitions = bed.server.built_in_definitions().await?;
    let analyser = Analyser::new(&definitions);
    let folder = tempfile::tempdir_in(bed.server.folder())?;
    let audit = Audit::open(&Options::new(folder.path().join("audit")))?;
    let sources = Sources::default().with_flag("--policy", "limits.calls_per_minute=10000000");
    let policy = Policy::load(&sources, Known { tools: &[], servers: &[] })?;
    let mut product = bed.product().await?;

    let mut rows = Vec::new();
    for (tool, arguments, text) in [
        ("run_vql", json!({ "query": QUERY }), Some(QUERY)),
        ("list_clients", json!({}), None),
        ("list_artifacts", json!({ "search": "Windows" }), None),
    ] {
        let asked = asked(tool, &arguments)?;
        let (mut whole, mut ours) = (Vec::new(), Vec::new());
        for round in 0..CALLS + 20 {
            let start = Instant::now();
            let result = product.call(tool, arguments.clone()).await?;
            let whole_now = start.elapsed().as_secs_f64() * 1e6;
            ensure!(result["isError"] != true, "{tool}: {result}");
            let data = result["structuredContent"].to_string();
            let shown = result["content"][0]["text"].as_str().context("no text")?;

            let start = Instant::now();
            if let Some(text) = text {
                black_box(analyser.text(black_box(text)));
            }
            let on = match policy.judge(&asked) {
                policy::Decision::Allow { permit, .. } => permit.spend(&asked)?,
                other => anyhow::bail!("{tool} is not allowed: {other:?}"),
            };
            let begun = audit.begin(intent(&asked, text, Decision::Allowed { on })).await?;
            black_box(outlet::raw(&data));
            black_box(outlet::text(shown));
            begun.end(Outcome::answered("complete", data.as_bytes())).await?;
            let ours_now = start.elapsed().as_secs_f64() * 1e6;
            // The first calls dial, probe permissions and fill caches.
            if round >= 20 {
                whole.push(whole_now);
                ours.push(ours_now);
            }
        }
        let (whole, ours) = (median(&whole), median(&ours));
        let ratio = whole / (whole - ours);
        rows.push(Row {
            what: format!("{tool} with and without the gateway"),
            product: millis(whole),
            baseline: millis(whole - ours),
            result: format!("{ratio:.2} x"),
            wanted: "at most 1.2 x",
            reached: ratio <= MOST,
        });
    }
    audit.close().await?;
    Ok(rows)
}

const QUERY: &str = "SELECT 1 AS A FROM scope()";

fn asked(tool: &str, arguments: &Value) -> anyhow::Result<Asked> {
    Ok(Asked {
        caller: Caller { subject: "uid 1000".into(), program: "bench".into() },
        tool: tool.into(),
        effect: Effect::Read,
        arguments: arguments.as_object().cloned().context("no object")?,
        server: "acme".into(),
        org: "root".into(),
        identity: AsWhom { kind: "reader".into(), user: "reader".into() },
        clients: Clients::none(),
        artifacts: BTreeMap::new(),
        vql: VqlFound::default(),
        bounds: Bounds::default(),
        expires_after: None,
    })
}

fn intent(asked: &Asked, text: Option<&str>, decision: Decision) -> Intent {
    let who = Who { transport: "stdio".into(), ..Who::default() };
    let arguments = Value::Object(asked.arguments.clone());
    let intent = Intent::new("1".into(), who, &asked.tool, arguments, asked.effect, decision)
        .at(Some(asked.server.clone()), Some(asked.org.clone()));
    Intent { vql: text.map(str::to_owned), identity: Some(asked.identity.user.clone()), ..intent }
}
