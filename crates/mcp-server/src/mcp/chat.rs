//! Asking the person in the chat, as the revision that is spoken has it.
//!
//! Until 2025-11-25 the server asks during the call. Since 2026-07-28 the question is the answer of
//! the call, and the word comes with the same call made again.

use std::collections::BTreeMap;
use std::pin::Pin;

use guard::permit::ChatAnswer;
use rmcp::RoleServer;
use rmcp::model::{
    BooleanSchema, CallToolRequestParams, ClientCapabilities, ElicitRequest, ElicitRequestParams,
    ElicitResult, ElicitationAction, ElicitationSchema, InputRequest, InputRequiredResult,
};
use rmcp::service::RequestContext;

use crate::caller::{Caller, Transport};
use crate::evidence;
use crate::gateway::{Asking, Said, Voice};

/// The name of the question, and of its one field.
const APPROVE: &str = "approve";

/// The chat of one request.
pub(super) struct Chat<'a> {
    context: &'a RequestContext<RoleServer>,
    can: bool,
    later: bool,
    resumed: Option<(String, ChatAnswer)>,
}

impl<'a> Chat<'a> {
    /// The chat of a call. Over HTTP an older client could only be asked within a session: it is
    /// asked outside the chat.
    pub(super) fn of(
        context: &'a RequestContext<RoleServer>,
        caller: &Caller,
        request: &CallToolRequestParams,
    ) -> Self {
        let later = context.protocol_version().is_some_and(|version| !version.has_initialize());
        let capabilities = if later {
            context.meta.client_capabilities()
        } else {
            context.peer.peer_info().map(|info| info.capabilities.clone())
        };
        let can = capabilities.is_some_and(|has| takes_forms(&has))
            && (later || caller.transport != Transport::Http);
        let resumed = request.request_state.clone().filter(|_| later).map(|state| {
            let said = request.input_responses.as_ref().and_then(|all| all.get(APPROVE));
            let said = said.and_then(|said| serde_json::from_value(said.clone()).ok());
            (state, said.map_or(ChatAnswer::WithoutYes, |said| answer(&said)))
        });
        Self { context, can, later, resumed }
    }
}

impl Voice for Chat<'_> {
    fn ask<'a>(&'a self, card: &'a str) -> Pin<Box<dyn Future<Output = Said> + Send + 'a>> {
        Box::pin(async move {
            if !self.can || self.later {
                return Said::Mute;
            }
            match self.context.peer.create_elicitation(question(card)).await {
                Ok(said) => Said::Answered(answer(&said)),
                Err(error) => {
                    tracing::warn!(%error, "the client was asked and did not answer");
                    Said::Mute
                }
            }
        })
    }

    fn asks_later(&self) -> bool {
        self.can && self.later
    }

    fn resumed(&self) -> Option<(&str, ChatAnswer)> {
        self.resumed.as_ref().map(|(state, answer)| (state.as_str(), *answer))
    }
}

/// The answer that is a question.
pub(super) fn required(asking: &Asking) -> InputRequiredResult {
    let question = InputRequest::Elicitation(ElicitRequest::new(question(&asking.card)));
    let questions = BTreeMap::from([(APPROVE.to_owned(), question)]);
    InputRequiredResult::new(Some(questions), Some(asking.state.clone()))
}

fn takes_forms(has: &ClientCapabilities) -> bool {
    // A client that names neither form nor url takes forms.
    has.elicitation.as_ref().is_some_and(|takes| takes.form.is_some() || takes.url.is_none())
}

fn question(card: &str) -> ElicitRequestParams {
    let approve = BooleanSchema::new()
        .title("Carry it out")
        .description("Yes only if you want exactly what stands above")
        .with_default(false);
    let properties = BTreeMap::from([(
        APPROVE.to_owned(),
        rmcp::model::PrimitiveSchemaDefinition::Boolean(approve),
    )]);
    let mut schema = ElicitationSchema::new(properties);
    schema.required = Some(vec![APPROVE.to_owned()]);
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: evidence::text(card).into_owned(),
        requested_schema: schema,
    }
}

/// Only an accepted form that says yes is a yes.
fn answer(said: &ElicitResult) -> ChatAnswer {
    let yes = said.content.as_ref().is_some_and(|content| content[APPROVE] == true);
    match said.action {
        ElicitationAction::Accept if yes => ChatAnswer::Yes,
        ElicitationAction::Accept => ChatAnswer::WithoutYes,
        ElicitationAction::Cancel => ChatAnswer::Closed,
        _ => ChatAnswer::No,
    }
}
