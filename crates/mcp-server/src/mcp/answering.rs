//! A panic in a handler of the HTTP transport becomes an internal error.
//!
//! The transport makes a service out of a handler itself, so that [`super::guard`] finds no place
//! around it; this one goes inside.

#![expect(deprecated, reason = "older revisions have requests that the newest has not")]

use std::borrow::Cow;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, CustomRequest,
    CustomResult, DiscoverResult, ErrorData, GetPromptRequestParams, GetPromptResponse,
    InitializeRequestParams, InitializeResult, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerConfig, SetLevelRequestParams,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

/// A handler that answers whatever happens.
#[derive(Debug)]
pub struct Answering<H>(pub H);

/// The outcome of `handled`, or an internal error where it panics.
async fn outcome<T>(handled: impl Future<Output = Result<T, ErrorData>>) -> Result<T, ErrorData> {
    let mut handled = pin!(handled);
    poll_fn(|cx| {
        // What handlers share is immutable, or behind locks that outlive a panic.
        catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(cx))).unwrap_or_else(|_| {
            // The panic itself was written to standard error, with its place.
            let text = "megaraptor failed; its log says where";
            Poll::Ready(Err(ErrorData::internal_error(text, None)))
        })
    })
    .await
}

macro_rules! requests {
    ($($name:ident($($request:ident: $kind:ty)?) -> $answer:ty;)*) => {$(
        async fn $name(
            &self,
            $($request: $kind,)?
            context: RequestContext<RoleServer>,
        ) -> Result<$answer, ErrorData> {
            outcome(self.0.$name($($request,)? context)).await
        }
    )*};
}

impl<H: ServerHandler> ServerHandler for Answering<H> {
    requests! {
        ping() -> ();
        initialize(request: InitializeRequestParams) -> InitializeResult;
        discover() -> DiscoverResult;
        complete(request: CompleteRequestParams) -> CompleteResult;
        set_level(request: SetLevelRequestParams) -> ();
        get_prompt(request: GetPromptRequestParams) -> GetPromptResponse;
        list_prompts(request: Option<PaginatedRequestParams>) -> ListPromptsResult;
        list_resources(request: Option<PaginatedRequestParams>) -> ListResourcesResult;
        list_resource_templates(request: Option<PaginatedRequestParams>) -> ListResourceTemplatesResult;
        read_resource(request: ReadResourceRequestParams) -> ReadResourceResponse;
        subscribe(request: SubscribeRequestParams) -> ();
        unsubscribe(request: UnsubscribeRequestParams) -> ();
        call_tool(request: CallToolRequestParams) -> CallToolResponse;
        list_tools(request: Option<PaginatedRequestParams>) -> ListToolsResult;
        on_custom_request(request: CustomRequest) -> CustomResult;
    }

    fn get_info(&self) -> ServerConfig {
        self.0.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.0.supported_protocol_versions()
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.0.get_tool(name)
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        self.0.accepted_subscription_filter(requested)
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        outcome(self.0.listen(context)).await
    }
}
