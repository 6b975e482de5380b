//! The parser, against the engine's own.

use std::hint::black_box;
use std::time::Instant;

use anyhow::ensure;
use integration_tests::real::Role;

use crate::bed::Bed;
use crate::figures::{Row, median};

const ROUNDS: usize = 9;

pub(crate) async fn run(bed: &Bed) -> anyhow::Result<Vec<Row>> {
    let texts = bed.server.built_in_texts().await?;
    ensure!(texts.len() > 750, "only {} texts were found", texts.len());
    #[expect(clippy::cast_precision_loss, reason = "a size of less than a megabyte")]
    let bytes = texts.iter().map(String::len).sum::<usize>() as f64;

    // The engine parses a whole text before it runs any of it: the texts one after the other, and
    // a statement at the end that is certainly wrong, so that nothing runs.
    let whole = format!("{}\nLET zz_sentinel = )", texts.join("\n"));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let refused = bed.server.query(Role::Reader, "root", &whole, &[]).await;
        theirs.push(start.elapsed().as_secs_f64());
        let says_parse = format!("{refused:?}").contains("Parse");
        ensure!(says_parse, "the engine did not refuse the text: {refused:?}");

        let start = Instant::now();
        for text in &texts {
            black_box(vql_builder::parse(black_box(text)));
        }
        ours.push(start.elapsed().as_secs_f64());
    }
    let speed = |seconds: &[f64]| bytes / median(seconds) / 1e6;
    let (ours, theirs) = (speed(&ours), speed(&theirs));
    Ok(vec![Row {
        what: format!("parser, {} texts, {:.0} kB, lossless tree", texts.len(), bytes / 1000.0),
        product: format!("{ours:.1} MB/s"),
        baseline: format!("{theirs:.2} MB/s"),
        result: format!("{:.0} x", ours / theirs),
        wanted: "at least 25 x",
        reached: ours / theirs >= 25.0,
    }])
}
