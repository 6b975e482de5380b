//! A handler whose calls last as long as a test wants.

use std::sync::Arc;

use mcp_server::http::Handlers;
use mcp_server::mcp::Shell;
use mcp_server::services::Services;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    InitializeResult, ServerCapabilities,
};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler};
use tokio::sync::{Semaphore, mpsc};

use crate::simulated::guarded;

/// Its tools: `wait` says that it has begun and waits until it is let go, `who` tells who called,
/// `fail` panics.
#[derive(Clone)]
pub(super) struct Workbench {
    shell: Shell,
    begun: mpsc::UnboundedSender<&'static str>,
    go: Arc<Semaphore>,
}

/// The test's end of it.
pub(super) struct Reins {
    begun: mpsc::UnboundedReceiver<&'static str>,
    go: Arc<Semaphore>,
}

impl Workbench {
    pub(super) fn new() -> (Handlers<Self>, Reins) {
        let (begun, seen) = mpsc::unbounded_channel();
        let go = Arc::new(Semaphore::new(0));
        let reins = Reins { begun: seen, go: Arc::clone(&go) };
        let handlers: Handlers<Self> = Arc::new(move |caller| Self {
            shell: Shell::new(guarded(Services::default()), caller.clone()),
            begun: begun.clone(),
            go: Arc::clone(&go),
        });
        (handlers, reins)
    }
}

impl Reins {
    /// The next thing that happened to a call: it has `begun`, or it `was cancelled`.
    pub(super) async fn seen(&mut self) -> &'static str {
        let seen = tokio::time::timeout(super::client::PATIENCE, self.begun.recv()).await;
        seen.expect("something happens to a call").expect("the server holds the other end")
    }

    /// Lets one waiting call go.
    pub(super) fn let_go(&self) {
        self.go.add_permits(1);
    }
}

impl ServerHandler for Workbench {
    fn get_info(&self) -> InitializeResult {
        InitializeResult::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = match request.name.as_ref() {
            "wait" => {
                self.begun.send("begun").expect("the test listens");
                tokio::select! {
                    go = self.go.acquire() => go.expect("it is open").forget(),
                    () = context.ct.cancelled() => {
                        self.begun.send("was cancelled").expect("the test listens");
                        return Err(ErrorData::internal_error("cancelled", None));
                    }
                }
                "done".to_owned()
            }
            "who" => {
                let caller = self.shell.caller(&context);
                let subject = caller.subject.expect("a token was shown");
                let client = caller.client.map(|client| (client.name, client.version));
                let shown = context.extensions.get::<axum::http::request::Parts>();
                let leaked = shown.is_some_and(|parts| parts.headers.contains_key("authorization"));
                format!("{} {} {client:?} {leaked}", caller.transport.as_str(), subject.name)
            }
            "fail" => panic!("as a test wants it"),
            other => return Err(ErrorData::invalid_params(other.to_owned(), None)),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}
