//! Tools called directly, with nothing between, on a simulated server.

use std::sync::Arc;

use lab::Lab;
use mcp_server::context::{Silent, ToolCx};
use mcp_server::services::{Services, Switches};
use mcp_server::tool::Finished;
use mcp_server::tool_error::ToolError;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use velociraptor_api::Server;

use crate::simulated::{apart, services};

/// A simulated server with all three identities, changes allowed.
pub(crate) struct Direct {
    services: Services,
}

impl Direct {
    /// Starts one of its own.
    pub(crate) fn start() -> Self {
        let switches = Switches { allow_changes: true, ..Switches::default() };
        Self { services: services(switches, &[]) }
    }

    /// Starts one whose lab is in the caller's hand.
    pub(crate) fn with_lab() -> (Self, Lab) {
        let switches = Switches { allow_changes: true, ..Switches::default() };
        let (services, lab) = apart(switches, &[]);
        (Self { services }, lab)
    }

    /// The server behind the tools.
    pub(crate) fn server(&self) -> &Server {
        &self.services.targets().first().expect("a server").server
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Finished, ToolError> {
        let mut arguments: Map<String, Value> =
            serde_json::from_value(arguments).expect("arguments are an object");
        let (target, org) = self.services.target(&mut arguments)?;
        let cx = ToolCx {
            services: &self.services,
            server: Arc::clone(&target.server),
            org,
            cancel: CancellationToken::new(),
            progress: &Silent,
        };
        self.services.tool(tool)?.call(cx, arguments).await
    }

    /// Calls a tool that must succeed, and gives its data.
    pub(crate) async fn data(&self, tool: &str, arguments: Value) -> Map<String, Value> {
        match self.call(tool, arguments.clone()).await {
            Ok(finished) => data(&finished),
            Err(error) => panic!("{tool} {arguments}: {}", error.text()),
        }
    }

    /// Calls a tool that must fail, and gives its error.
    pub(crate) async fn error(&self, tool: &str, arguments: Value) -> ToolError {
        match self.call(tool, arguments.clone()).await {
            Err(error) => error,
            Ok(finished) => panic!("{tool} {arguments} succeeded: {}", finished.text),
        }
    }
}

/// The data of an answer. As text it names no member twice: a host would take only one of them.
pub(crate) fn data(finished: &Finished) -> Map<String, Value> {
    let data = finished.data().expect("the data is an object");
    let again = serde_json::to_string(&data).expect("an object is JSON");
    assert_eq!(again, finished.structured.get(), "a member twice, or another spelling");
    data
}
