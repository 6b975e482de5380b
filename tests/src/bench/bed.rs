//! What the cases run on: a real server, one agent, and both programs.

use std::path::PathBuf;

use anyhow::Context;
use integration_tests::mcp::{McpChild, find_megaraptor};
use integration_tests::real::{RealAgent, RealServer, Role};
use integration_tests::suite::Halt;

use crate::bare::Bare;

/// Fields are dropped in order: the agent ends before its server.
pub(crate) struct Bed {
    pub(crate) agent: RealAgent,
    pub(crate) server: RealServer,
    pub(crate) megaraptor: PathBuf,
}

impl Bed {
    pub(crate) async fn prepare() -> Result<Self, Halt> {
        let megaraptor = find_megaraptor()?;
        let server = RealServer::start().await?;
        let agent = RealAgent::enrol(&server, "root").await?;
        Ok(Self { agent, server, megaraptor })
    }

    pub(crate) fn bare(&self) -> anyhow::Result<Bare> {
        Bare::start(&self.server.api_file(Role::Reader))
    }

    /// The product, with a reader and an investigator, its handshake done.
    pub(crate) async fn product(&self) -> anyhow::Result<McpChild> {
        let mut child = self.start_product()?;
        child.initialize("2025-11-25").await?;
        Ok(child)
    }

    pub(crate) fn start_product(&self) -> anyhow::Result<McpChild> {
        let reader = self.server.api_file(Role::Reader);
        let administrator = self.server.api_file(Role::Administrator);
        let arguments = [
            "serve".into(),
            "--policy".into(),
            "collect=allow".into(),
            "--policy".into(),
            "respond=allow".into(),
            // As many as the machine can: the default is made for assistants.
            "--policy".into(),
            "limits.calls_per_minute=1000000".into(),
            "--config".into(),
            reader.into_os_string(),
            "--config".into(),
            administrator.into_os_string(),
        ];
        let log = self.server.folder().join("megaraptor.log");
        McpChild::start(&self.megaraptor, arguments, &log).context("starting megaraptor")
    }
}
