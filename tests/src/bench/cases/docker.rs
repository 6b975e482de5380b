//! A server in a container, against the same by hand.

use std::time::Instant;

use integration_tests::home::Home;
use integration_tests::real::Ports;
use integration_tests::suite::Halt;

use crate::by_hand;
use crate::figures::{Row, median, seconds};

const ROUNDS: usize = 5;

/// What the product does beside is at most a fifth.
const MOST: f64 = 1.2;

/// The same limits on both sides.
const PROFILE: &str = "minimal";

/// From nothing to an answered query, in turn. Taking it down again is not in the time.
pub(crate) async fn deployed() -> Result<Vec<Row>, Halt> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let home = Home::new()?;
        let begin = Instant::now();
        let up = typed(&home, "up", round).await;
        theirs.push(begin.elapsed().as_secs_f64());
        typed(&home, "down", round).await?;
        up?;

        let home = Home::new()?;
        let begin = Instant::now();
        let id = home.deployed(PROFILE).await?;
        ours.push(begin.elapsed().as_secs_f64());
        home.destroy(&id).await?;
    }
    let (ours, theirs) = (median(&ours), median(&theirs));
    let ratio = ours / theirs;
    Ok(vec![Row {
        what: String::from("container, from nothing to an answer"),
        product: seconds(ours),
        baseline: seconds(theirs),
        result: format!("{ratio:.2} x"),
        wanted: "at most 1.2 x",
        reached: ratio <= MOST,
    }])
}

async fn typed(home: &Home, what: &str, round: usize) -> anyhow::Result<()> {
    let Ports { frontend, gui, api, .. } = home.ports;
    let name = format!("megaraptor-bench-{}-{round}", std::process::id());
    let folder = home.folder.path().join("by-hand").display().to_string();
    let [agents, gui, api] = [frontend, gui, api].map(|port| port.to_string());
    by_hand::run(by_hand::DOCKER, &home.binary, &[what, &name, &folder, &agents, &gui, &api]).await
}
