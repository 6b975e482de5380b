//! The handler.
#![expect(deprecated, reason = "the scenarios of older revisions subscribe and set log levels")]

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation,
    InitializeResult, InputRequiredResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, ServerCapabilities, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::catalogue::{self, text, typed};
use crate::rounds::{self, Again, Seal};
use crate::tools;

/// What has changed, for those who listen.
#[derive(Clone, Copy, Debug)]
enum Changed {
    Tools,
    Prompts,
}

/// Everything that the scenarios ask for.
#[derive(Clone)]
pub(crate) struct Fixture {
    seal: Seal,
    changes: broadcast::Sender<Changed>,
}

impl Fixture {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { seal: Seal::new()?, changes: broadcast::channel(16).0 })
    }

    async fn run(
        &self,
        request: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<Value, ErrorData> {
        let name = request.name.as_ref();
        if let Some(result) = catalogue::fixed(name) {
            return Ok(result);
        }
        let arguments = request.arguments.clone().unwrap_or_default();
        if let Some(result) = tools::call(name, &arguments, context).await? {
            return Ok(result);
        }
        let again = Again {
            answers: request.input_responses.as_ref(),
            state: request.request_state.as_deref(),
            client: context.client_capabilities(),
        };
        if let Some(result) = rounds::tool(name, &again, &self.seal)? {
            return Ok(result);
        }
        let changed = match name {
            "test_trigger_tool_change" => Changed::Tools,
            "test_trigger_prompt_change" => Changed::Prompts,
            _ => return Err(ErrorData::invalid_params(format!("no tool {name:?}"), None)),
        };
        // Nobody may be listening.
        let _ = self.changes.send(changed);
        Ok(json!({ "content": [text("changed")] }))
    }
}

fn asks_back(result: &Value) -> bool {
    result["resultType"] == "input_required"
}

impl ServerHandler for Fixture {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder()
            .enable_logging()
            .enable_completions()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("conformance-fixture", "1"))
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        catalogue::result(catalogue::tools())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let result = self.run(&request, &context).await?;
        if asks_back(&result) {
            return Ok(CallToolResponse::InputRequired(typed::<InputRequiredResult>(result)?));
        }
        Ok(CallToolResponse::Complete(catalogue::result::<CallToolResult>(result)?))
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        catalogue::result(catalogue::resources())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        catalogue::result(catalogue::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let uri = request.uri;
        match catalogue::resource(&uri) {
            Some(contents) => Ok(catalogue::result::<ReadResourceResult>(contents)?.into()),
            None => {
                Err(ErrorData::resource_not_found("no such resource", Some(json!({ "uri": uri }))))
            }
        }
    }

    async fn subscribe(
        &self,
        _request: SubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _request: UnsubscribeRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn set_level(
        &self,
        _request: SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        catalogue::result(catalogue::prompts())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let given = request.arguments.clone().unwrap_or_default();
        let argument = |name: &str| {
            given.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        if let Some(messages) = catalogue::prompt(&request.name, argument) {
            return Ok(catalogue::result::<GetPromptResult>(messages)?.into());
        }
        if request.name != "test_input_required_result_prompt" {
            let text = format!("no prompt {:?}", request.name);
            return Err(ErrorData::invalid_params(text, None));
        }
        let result = rounds::prompt(&Again {
            answers: request.input_responses.as_ref(),
            state: None,
            client: context.client_capabilities(),
        });
        if asks_back(&result) {
            return Ok(GetPromptResponse::InputRequired(typed::<InputRequiredResult>(result)?));
        }
        Ok(catalogue::result::<GetPromptResult>(result)?.into())
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = ["paris", "park", "party"];
        catalogue::result(
            json!({ "completion": { "values": values, "total": 3, "hasMore": false } }),
        )
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes.subscribe();
        loop {
            let changed = tokio::select! {
                () = context.cancelled() => return Ok(()),
                changed = changes.recv() => changed,
            };
            let told = match changed {
                Ok(Changed::Tools) => context.sink().notify_tool_list_changed().await,
                Ok(Changed::Prompts) => context.sink().notify_prompt_list_changed().await,
                Err(_) => return Ok(()),
            };
            if let Err(error) = told {
                tracing::debug!(%error, "not told");
            }
        }
    }
}
