//! The cases.

use std::pin::Pin;

use integration_tests::suite::Halt;

use crate::bed::Bed;
use crate::figures::Row;

mod calls;
mod docker;
mod effects;
mod flow_rows;
mod gateway;
mod http;
mod keys;
mod linux;
mod listed;
mod memory;
mod parser;
mod process;
mod stream;

/// A running case.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Vec<Row>, Halt>> + 'a>>;

/// A case that cannot be skipped.
fn of<'a>(case: impl Future<Output = anyhow::Result<Vec<Row>>> + 'a) -> Running<'a> {
    Box::pin(async move { Ok(case.await?) })
}

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: Run,
}

/// What a case runs on.
pub(crate) enum Run {
    /// A server and an agent that are there already.
    On(for<'a> fn(&'a Bed) -> Running<'a>),
    /// Nothing but this machine.
    Alone(fn() -> Running<'static>),
}

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case {
        name: "call",
        about: "the cheapest tool call over stdio, against the same query from a bare client",
        run: Run::On(|bed| of(calls::one_by_one(bed))),
    },
    Case {
        name: "gateway",
        about: "read calls, against the same without what the gateway takes of them",
        run: Run::On(|bed| of(gateway::run(bed))),
    },
    Case {
        name: "together",
        about: "64 calls at once, against 64 bare queries at once",
        run: Run::On(|bed| of(calls::together(bed))),
    },
    Case {
        name: "flow-rows",
        about: "10,000 rows of a flow read in pages, against the raw stream",
        run: Run::On(|bed| of(flow_rows::run(bed))),
    },
    Case {
        name: "stream",
        about: "1,000,000 rows through the API client, against the raw stream",
        run: Run::On(|bed| of(stream::run(bed))),
    },
    Case {
        name: "start",
        about: "process start to tools/list answered, against an empty process",
        run: Run::On(|bed| of(process::start(bed))),
    },
    Case {
        name: "memory",
        about: "resident memory after start and after 1,000 calls",
        run: Run::On(|bed| of(process::memory(bed))),
    },
    Case {
        name: "http",
        about: "calls over HTTP, 16 at once, against the same over stdio",
        run: Run::On(|bed| of(http::throughput(bed))),
    },
    Case {
        name: "idle",
        about: "memory of idle connections and of sessions over HTTP",
        run: Run::On(|bed| of(http::idle(bed))),
    },
    Case {
        name: "keys",
        about: "four RSA-2048 key pairs with certificates, against openssl, in parallel",
        run: Run::Alone(|| of(keys::run())),
    },
    Case {
        name: "parser",
        about: "bytes per second of the parser on the built-in texts, against the engine's",
        run: Run::On(|bed| of(parser::run(bed))),
    },
    Case {
        name: "effects",
        about: "what every built-in text can do, in one pass, against parsing alone",
        run: Run::On(|bed| of(effects::run(bed))),
    },
    Case {
        name: "deploy-docker",
        about: "from nothing to an answered query in a container, against the same by hand",
        run: Run::Alone(|| Box::pin(docker::deployed())),
    },
    Case {
        name: "deploy-linux",
        about: "from nothing to an answered query on a systemd host, against the same by hand",
        run: Run::Alone(|| Box::pin(linux::server())),
    },
    Case {
        name: "agent",
        about: "an agent installed, enrolled and its first collection, against the same by hand",
        run: Run::Alone(|| Box::pin(linux::agent())),
    },
    Case {
        name: "profiles",
        about: "memory of a deployed server, idle and with 50 agents, as its control group says",
        run: Run::Alone(|| Box::pin(memory::profiles())),
    },
    Case {
        name: "records",
        about: "1,000 deployments listed, against 100",
        run: Run::Alone(|| Box::pin(listed::records())),
    },
    Case {
        name: "secrets",
        about: "1,000 secrets listed, against 100",
        run: Run::Alone(|| of(listed::secrets())),
    },
];
