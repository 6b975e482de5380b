//! What VQL can do, as we judge it, and as a live server shows it.

mod table;
mod truth;

use crate::real::{RealAgent, RealServer};
use crate::suite::{Cases, Halt, Running, Suite};

pub(super) const SUITE: Suite = Suite {
    name: "effects",
    about: "the table of effects holds every name of the server; reads change nothing",
    run,
};

fn run(cases: &mut Cases) -> Running<'_> {
    Box::pin(suite(cases))
}

async fn suite(cases: &mut Cases) -> Result<(), Halt> {
    let server = RealServer::start().await?;
    table::run(cases, &server).await;
    let agent = RealAgent::enrol(&server, "root").await?;
    truth::run(cases, &server, agent).await?;
    Ok(())
}
