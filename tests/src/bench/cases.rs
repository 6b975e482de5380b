//! The cases.

use std::pin::Pin;

use crate::bed::Bed;
use crate::figures::Row;

mod calls;
mod effects;
mod flow_rows;
mod gateway;
mod http;
mod keys;
mod parser;
mod process;
mod stream;

/// A running case.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Vec<Row>>> + 'a>>;

/// One case.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: for<'a> fn(&'a Bed) -> Running<'a>,
}

/// Every case.
pub(crate) const ALL: &[Case] = &[
    Case {
        name: "call",
        about: "the cheapest tool call over stdio, against the same query from a bare client",
        run: |bed| Box::pin(calls::one_by_one(bed)),
    },
    Case {
        name: "gateway",
        about: "read calls, against the same without what the gateway takes of them",
        run: |bed| Box::pin(gateway::run(bed)),
    },
    Case {
        name: "together",
        about: "64 calls at once, against 64 bare queries at once",
        run: |bed| Box::pin(calls::together(bed)),
    },
    Case {
        name: "flow-rows",
        about: "10,000 rows of a flow read in pages, against the raw stream",
        run: |bed| Box::pin(flow_rows::run(bed)),
    },
    Case {
        name: "stream",
        about: "1,000,000 rows through the API client, against the raw stream",
        run: |bed| Box::pin(stream::run(bed)),
    },
    Case {
        name: "start",
        about: "process start to tools/list answered, against an empty process",
        run: |bed| Box::pin(process::start(bed)),
    },
    Case {
        name: "memory",
        about: "resident memory after start and after 1,000 calls",
        run: |bed| Box::pin(process::memory(bed)),
    },
    Case {
        name: "http",
        about: "calls over HTTP, 16 at once, against the same over stdio",
        run: |bed| Box::pin(http::throughput(bed)),
    },
    Case {
        name: "idle",
        about: "memory of idle connections and of sessions over HTTP",
        run: |bed| Box::pin(http::idle(bed)),
    },
    Case {
        name: "keys",
        about: "four RSA-2048 key pairs with certificates, against openssl, in parallel",
        run: |_| Box::pin(keys::run()),
    },
    Case {
        name: "parser",
        about: "bytes per second of the parser on the built-in texts, against the engine's",
        run: |bed| Box::pin(parser::run(bed)),
    },
    Case {
        name: "effects",
        about: "what every built-in text can do, in one pass, against parsing alone",
        run: |bed| Box::pin(effects::run(bed)),
    },
];
