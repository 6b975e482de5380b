//! Tools called through the gateway, with no protocol between, on a simulated server.

use lab::Lab;
use mcp_server::caller::Caller;
use mcp_server::context::Silent;
use mcp_server::gateway::{Gateway, Mute, Request, Stop};
use mcp_server::tool::Finished;
use mcp_server::tool_error::ToolError;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use velociraptor_api::Server;

use crate::simulated::{allowing, apart, guarded, services};

/// A simulated server with all three identities, changes allowed.
pub(crate) struct Direct {
    gateway: Gateway,
}

impl Direct {
    /// Starts one of its own.
    pub(crate) fn start() -> Self {
        Self { gateway: guarded(services(allowing(), &[])) }
    }

    /// Starts one with several orgs.
    pub(crate) fn with_orgs(orgs: &[&str]) -> Self {
        Self { gateway: guarded(services(allowing(), orgs)) }
    }

    /// Starts one whose lab is in the caller's hand.
    pub(crate) fn with_lab() -> (Self, Lab) {
        let (services, lab) = apart(allowing(), &[]);
        (Self { gateway: guarded(services) }, lab)
    }

    /// The server behind the tools.
    pub(crate) fn server(&self) -> &Server {
        &self.gateway.services().configured().first().expect("a server").server
    }

    /// Calls a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Finished, ToolError> {
        self.call_as(&Caller::cli(), tool, arguments).await
    }

    /// Calls a tool for somebody.
    pub(crate) async fn call_as(
        &self,
        caller: &Caller,
        tool: &str,
        arguments: Value,
    ) -> Result<Finished, ToolError> {
        let arguments: Map<String, Value> =
            serde_json::from_value(arguments).expect("arguments are an object");
        let request =
            Request { caller, cancel: CancellationToken::new(), progress: &Silent, voice: &Mute };
        match self.gateway.call(&request, tool, arguments).await {
            Ok(finished) => Ok(finished),
            Err(Stop::Error(error)) => Err(error),
            Err(Stop::Ask(asking)) => {
                panic!("{tool} asks, where nobody can answer: {}", asking.card)
            }
        }
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
