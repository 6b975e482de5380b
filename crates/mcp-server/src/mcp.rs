//! The MCP shell: requests in, definitions and calls out.
//!
//! Nothing is kept between requests. What a server is, a tool does or a resource holds is decided
//! elsewhere; here it is put into the protocol's words.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult,
    CompletionInfo, ContentBlock, CustomRequest, CustomResult, ErrorCode, ErrorData,
    GetPromptRequestParams, GetPromptResponse, GetPromptResult, Implementation, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, PromptMessage, ReadResourceRequestParams, ReadResourceResponse,
    ReadResourceResult, Role, ServerCapabilities,
};
use rmcp::service::{RequestContext, ServerInitializeError, serve_server_with_ct};
use rmcp::{RoleServer, ServerHandler};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::completion;
use crate::context::Silent;
use crate::evidence;
use crate::gateway::{Gateway, Mute, Request, Stop};
use crate::prompts;
use crate::resources;
use crate::services::Services;
use crate::tool::Finished;
use crate::tool_error::{Code, ToolError};

mod answering;
mod chat;
mod describe;
mod encode;
mod fault;
mod guard;
mod instructions;
mod progress;
mod refusal;
mod transport;

pub use answering::Answering;
pub use describe::describe;

/// The methods that are served: one of these with parameters of another form is a fault of the
/// parameters, anything else a method that does not exist.
const METHODS: &[&str] = &[
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
];

/// The longest message that is taken, in bytes. The server behind takes requests of at most 4 MiB.
pub const MAX_MESSAGE: usize = 8 << 20;

/// The handler of one caller.
#[derive(Clone, Debug)]
pub struct Shell {
    gateway: Gateway,
    caller: Caller,
    /// Data of answers is handed on as its JSON text, which [`encode`] writes as it is. Only for
    /// our own lines: any other transport would write a string.
    as_text: bool,
}

impl Shell {
    /// A shell over what this caller may see.
    pub const fn new(gateway: Gateway, caller: Caller) -> Self {
        Self { gateway, caller, as_text: false }
    }

    fn services(&self) -> &Services {
        self.gateway.services()
    }

    /// Who makes a request: the caller, through the program that it names there.
    pub fn caller(&self, context: &RequestContext<RoleServer>) -> Caller {
        let caller = self.caller.clone();
        // Before 2026-07-28 it is named in the handshake, since then in each request: the library
        // puts itself where a request of the latter names none.
        let in_handshake = || {
            let info = context.peer.peer_info()?;
            info.protocol_version.has_initialize().then(|| info.client_info.clone())
        };
        match context.meta.client_info().or_else(in_handshake) {
            Some(program) => caller.through(&program.name, &program.version),
            None => caller,
        }
    }
}

impl ServerHandler for Shell {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .build();
        InitializeResult::new(capabilities)
            .with_server_info(
                Implementation::new("megaraptor", env!("CARGO_PKG_VERSION"))
                    .with_title("Megaraptor"),
            )
            .with_instructions(instructions::text(self.services()))
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListToolsResult::with_all_items(
            self.services().tools().map(|tool| describe(tool, self.services())).collect(),
        ))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        // A tool that exists nowhere is a fault of the request; one that is switched off is
        // something that the model should be told in words.
        if let Err(error) = self.services().tool(&request.name)
            && error.code == Code::NotFound
        {
            return Err(ErrorData::invalid_params(evidence::message(&error.message), None));
        }
        let caller = self.caller(&context);
        let chat = chat::Chat::of(&context, &caller, &request);
        let reporter = progress::Reporter::start(&context);
        let call = Request {
            caller: &caller,
            cancel: context.ct.clone(),
            progress: &reporter,
            voice: &chat,
        };
        let arguments = request.arguments.unwrap_or_default();
        let called = self.gateway.call(&call, &request.name, arguments).await;
        reporter.finish().await;
        Ok(match called {
            Ok(finished) => succeeded(finished, self.as_text).into(),
            Err(Stop::Error(error)) => failed(&error).into(),
            Err(Stop::Ask(asking)) => chat::required(&asking).into(),
        })
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListResourcesResult::with_all_items(resources::listed(self.services())))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates(self.services())))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let reporter = progress::Reporter::start(&context);
        let caller = self.caller(&context);
        let call = Request {
            caller: &caller,
            cancel: context.ct.clone(),
            progress: &reporter,
            voice: &Mute,
        };
        let read = resources::read(&self.gateway, &call, &request.uri).await;
        reporter.finish().await;
        let contents = read.map_err(|error| fault::of_resource(&error, &request.uri))?;
        Ok(ReadResourceResult::new(vec![contents]).into())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        one_page(request.as_ref())?;
        Ok(ListPromptsResult::with_all_items(prompts::listed(self.services())))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let reporter = progress::Reporter::start(&context);
        let arguments = request.arguments.unwrap_or_default();
        let caller = self.caller(&context);
        let call = Request {
            caller: &caller,
            cancel: context.ct.clone(),
            progress: &reporter,
            voice: &Mute,
        };
        let what = serde_json::Map::from_iter([
            (String::from("name"), Value::from(request.name.as_str())),
            (String::from("arguments"), Value::Object(arguments.clone())),
        ]);
        let place = self.gateway.place(arguments.clone());
        let write = prompts::write(
            self.services(),
            &request.name,
            arguments,
            context.ct.clone(),
            &reporter,
        );
        let written = self
            .gateway
            .reading(&call, "prompts/get", (what, place), write, |written| {
                (written.text.as_bytes().to_vec(), written.identity.clone())
            })
            .await;
        reporter.finish().await;
        let written = written.map_err(|error| fault::of_prompt(&error))?;
        let message = PromptMessage::new_text(Role::User, written.text);
        Ok(GetPromptResult::new(vec![message]).with_description(written.description).into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let caller = self.caller(&context);
        let call = Request {
            caller: &caller,
            cancel: context.ct.clone(),
            progress: &Silent,
            voice: &Mute,
        };
        let (name, typed) = (request.argument.name.as_str(), request.argument.value.as_str());
        let what = serde_json::Map::from_iter([(name.to_owned(), Value::from(typed))]);
        let place = self.gateway.place(known_arguments(&request));
        let complete = completion::complete(self.services(), &request, context.ct.clone());
        let found = self
            .gateway
            .reading(&call, "completion/complete", (what, place), complete, |found| {
                (found.values.join("\n").into_bytes(), found.identity.clone())
            })
            .await;
        let found = found.map_err(|error| fault::of_prompt(&error))?;
        let more = found.total > found.values.len();
        let total = u32::try_from(found.total).ok();
        CompletionInfo::with_pagination(found.values, total, more)
            .map(CompleteResult::new)
            .map_err(|error| ErrorData::internal_error(error, None))
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = request.method;
        // The handshake is gone since 2026-07-28, whatever its parameters.
        let gone = |method: &str| {
            ["initialize", "ping"].contains(&method)
                && context.meta.protocol_version().is_some_and(|v| !v.has_initialize())
        };
        if METHODS.contains(&method.as_str()) && !gone(&method) {
            let text =
                format!("the parameters of {method} do not have the form that MCP gives them");
            return Err(ErrorData::invalid_params(text, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, evidence::message(&method), None))
    }
}

/// What was filled in before what is being typed.
fn known_arguments(request: &CompleteRequestParams) -> serde_json::Map<String, Value> {
    let known = ["server", "org"].into_iter().filter_map(|name| {
        let value = request.context.as_ref()?.get_argument(name)?;
        Some((name.to_owned(), Value::from(value.as_str())))
    });
    known.collect()
}

/// Refuses a cursor where everything fits on one page: no cursor was ever given out.
fn one_page(request: Option<&PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor.as_ref()) {
        None => Ok(()),
        Some(_) => Err(ErrorData::invalid_params("this list has one page and no cursors", None)),
    }
}

fn succeeded(finished: Finished, as_text: bool) -> CallToolResult {
    let data = if as_text {
        let json: Box<str> = finished.structured.into();
        Value::String(json.into())
    } else {
        match finished.data() {
            Ok(data) => Value::Object(data),
            Err(error) => return failed(&error),
        }
    };
    let mut result = CallToolResult::success(vec![ContentBlock::text(finished.text)]);
    result.structured_content = Some(data);
    result
}

fn failed(error: &ToolError) -> CallToolResult {
    let (data, text) = evidence::error(error);
    let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
    result.structured_content = Some(json!({ "error": data }));
    result
}

/// Judges the text of a message before the protocol sees it: whether it wants an answer.
///
/// # Errors
///
/// The answer, as JSON, to a text that is no message.
pub(crate) fn check_message(text: &[u8]) -> Result<bool, Vec<u8>> {
    match refusal::parse(text) {
        Ok(message) => Ok(message.is_some()),
        Err(refusal) => {
            let answer = rmcp::model::ServerJsonRpcMessage::from(*refusal);
            Err(serde_json::to_vec(&answer).unwrap_or_default())
        }
    }
}

/// Serves MCP over standard input and output until the client goes away.
///
/// # Errors
///
/// Where the first request breaks the protocol, or the pipe breaks.
pub async fn serve_stdio(gateway: Gateway) -> Result<(), Box<dyn std::error::Error>> {
    let (input, output) = rmcp::transport::stdio_pipes();
    serve(gateway, input, output).await
}

/// Serves MCP, a message a line, until the client closes its end or reads no more. Calls that
/// still run then have two seconds to end.
///
/// # Errors
///
/// Where the first request breaks the protocol, or the pipe breaks.
pub async fn serve<R, W>(
    gateway: Gateway,
    input: R,
    output: W,
) -> Result<(), Box<dyn std::error::Error>>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let gone = CancellationToken::new();
    let lines = transport::Lines::new(input, output, gone.clone());
    let shell = Shell { as_text: true, ..Shell::new(gateway, Caller::stdio()) };
    let service = guard::Guarded(shell);
    match serve_server_with_ct(service, lines, gone).await {
        Ok(running) => {
            running.waiting().await?;
            Ok(())
        }
        // A client that goes away before it has said anything is no failure.
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
