//! What every built-in text can do, in one pass.

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use vql_builder::effects::{Analyser, Effect};

use crate::bed::Bed;
use crate::figures::{Row, median};

const ROUNDS: usize = 9;

/// For all texts together.
const MOST_MILLISECONDS: f64 = 100.0;

pub(crate) async fn run(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let texts = bed.server.built_in_texts().await?;
    let definitions = bed.server.built_in_definitions().await?;
    ensure!(texts.len() > 750, "only {} texts were found", texts.len());
    ensure!(definitions.len() > 400, "only {} artifacts were found", definitions.len());

    let (mut parsed, mut judged, mut artifacts) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for text in &texts {
            black_box(vql_builder::parse(black_box(text)).program()?);
        }
        parsed.push(start.elapsed().as_secs_f64() * 1e3);

        // Nothing is remembered from the round before; the artifacts that a text calls are read too.
        let start = Instant::now();
        let analyser = Analyser::new(&definitions);
        for text in &texts {
            black_box(analyser.text(black_box(text)));
        }
        judged.push(start.elapsed().as_secs_f64() * 1e3);

        let start = Instant::now();
        let analyser = Analyser::new(&definitions);
        let mut unknown = 0;
        for definition in definitions.values() {
            unknown += usize::from(analyser.artifact(definition).effects.contains(Effect::Unknown));
        }
        artifacts.push(start.elapsed().as_secs_f64() * 1e3);
        // So that a fast analysis is also a useful one.
        ensure!(unknown < 30, "{unknown} of the built-in artifacts are unknown");
    }
    let parsed = median(&parsed);
    let row = |what: String, took: f64| Row {
        what,
        product: format!("{took:.1} ms"),
        baseline: format!("{parsed:.1} ms"),
        result: format!("{:.1} x", took / parsed),
        wanted: "under 100 ms",
        reached: took < MOST_MILLISECONDS,
    };
    Ok(vec![
        row(format!("effects of {} texts, against parsing", texts.len()), median(&judged)),
        row(format!("effects of {} artifacts", definitions.len()), median(&artifacts)),
    ])
}
