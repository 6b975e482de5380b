//! The MCP shell: rmcp's requests in, definitions and calls out.

use std::sync::Arc;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    InitializeResult, ListToolsResult, PaginatedRequestParams, ProgressNotificationParam,
    ServerCapabilities, ToolAnnotations,
};
use rmcp::service::{Peer, RequestContext};
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::{Map, Value, json};

use crate::context::{Progress, ToolCx};
use crate::evidence;
use crate::services::Services;
use crate::tool::{Effect, ToolDef};
use crate::tool_error::ToolError;

mod stdio;

/// The handler of one connection. Keeps no state between requests.
#[derive(Clone)]
pub struct Shell {
    services: Arc<Services>,
}

impl Shell {
    /// A shell over the given services.
    pub const fn new(services: Arc<Services>) -> Self {
        Self { services }
    }

    async fn run(
        &self,
        request: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<crate::tool::Finished, ToolError> {
        let tool = self.services.tool(&request.name)?;
        let mut arguments = request.arguments.unwrap_or_default();
        let (target, org) = self.services.target(&mut arguments)?;
        let progress = PeerProgress::of(context);
        let cx = ToolCx {
            services: &self.services,
            server: Arc::clone(&target.server),
            org,
            cancel: context.ct.clone(),
            progress: &progress,
        };
        tool.call(cx, arguments).await
    }
}

impl ServerHandler for Shell {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        InitializeResult::new(capabilities).with_server_info(
            Implementation::new("megaraptor", env!("CARGO_PKG_VERSION")).with_title("Megaraptor"),
        )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(
            self.services.tools().map(|tool| describe(tool, &self.services)).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = match self.run(request, &context).await {
            Ok(finished) => {
                let mut result = CallToolResult::success(vec![ContentBlock::text(finished.text)]);
                result.structured_content = Some(Value::Object(finished.structured));
                result
            }
            Err(error) => {
                let text = evidence::escape_text(&error.text()).into_owned();
                let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
                let mut value = serde_json::to_value(&error).unwrap_or_default();
                evidence::escape_value(&mut value);
                result.structured_content = Some(json!({ "error": value }));
                result
            }
        };
        Ok(result.into())
    }
}

/// The descriptor of a tool.
pub fn describe(tool: &ToolDef, services: &Services) -> rmcp::model::Tool {
    let mut input = tool.input_schema();
    if let Some(Value::Object(properties)) = input.get_mut("properties") {
        choice(
            properties,
            "server",
            services.many_servers(),
            services.targets().iter().map(|t| t.server.name().to_owned()),
        );
        let orgs = services.targets().iter().flat_map(|t| t.orgs.iter().map(ToString::to_string));
        choice(properties, "org", services.many_orgs(), orgs);
    }
    let reads = tool.effect == Effect::Read;
    let mut annotations = ToolAnnotations::new().read_only(reads);
    if !reads {
        annotations =
            annotations.destructive(tool.effect == Effect::Respond).idempotent(tool.idempotent);
    }
    rmcp::model::Tool::new(tool.name, tool.description, Arc::new(input))
        .with_title(tool.title)
        .with_raw_output_schema(Arc::new(tool.output_schema()))
        .with_annotations(annotations.open_world(false))
}

/// Adds an argument that exists only where there is a choice.
fn choice(
    properties: &mut Map<String, Value>,
    name: &str,
    offered: bool,
    values: impl Iterator<Item = String>,
) {
    if !offered {
        return;
    }
    let mut names: Vec<String> = Vec::new();
    for value in values {
        if !names.contains(&value) {
            names.push(value);
        }
    }
    properties.insert(
        name.to_owned(),
        json!({ "enum": names, "description": format!("default {}", names.first().cloned().unwrap_or_default()) }),
    );
}

/// Progress as MCP notifications, where the caller gave a token.
struct PeerProgress {
    target: Option<(Peer<RoleServer>, rmcp::model::ProgressToken)>,
}

impl PeerProgress {
    fn of(context: &RequestContext<RoleServer>) -> Self {
        let token = context.meta.get_progress_token();
        Self { target: token.map(|token| (context.peer.clone(), token)) }
    }
}

impl Progress for PeerProgress {
    fn report(&self, done: u64, total: Option<u64>, message: &str) {
        let Some((peer, token)) = self.target.clone() else { return };
        #[expect(clippy::cast_precision_loss, reason = "MCP counts in floating point")]
        let mut note = ProgressNotificationParam::new(token, done as f64)
            .with_message(evidence::escape_text(message).into_owned());
        #[expect(clippy::cast_precision_loss, reason = "MCP counts in floating point")]
        if let Some(total) = total {
            note = note.with_total(total as f64);
        }
        // Losing a progress notice loses nothing: the answer itself says what happened.
        tokio::spawn(async move { peer.notify_progress(note).await });
    }
}

/// Serves MCP over standard input and output until the client goes away.
///
/// # Errors
///
/// Where the first message is not MCP, or the pipe breaks.
pub async fn serve_stdio(services: Arc<Services>) -> Result<(), Box<dyn std::error::Error>> {
    let running = Shell::new(services).serve(stdio::pipes()).await?;
    running.waiting().await?;
    Ok(())
}
