//! What a tool is: one definition, from which descriptors, schemas and calls are derived.
//!
//! A tool is a type that implements [`Tool`]. Its family lists it once, in a static slice; there
//! is no second place. Nothing here knows MCP's wire form: [`crate::mcp`] turns definitions into
//! descriptors. A definition is called by [`crate::gateway`] and by nobody else: only the gateway
//! can make the [`Passage`] that a call takes.
//!
//! A tool [`Reads`], or it [`Acts`]. One that acts says first what it is about to do, resolved to
//! clients, definitions and bounds; only when that may be done it is carried out, and then it is
//! the very thing that was judged.

use std::pin::Pin;

pub use guard::effect::Effect;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use velociraptor_api::{Permission, Session};

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::gateway::{Go, Halt, Opening, Passage, Stop, Work};
use crate::tool_error::{Code, ToolError};

pub use self::detail::Detail;

mod bounds;
mod detail;
mod input;
mod schema;

/// One tool.
pub trait Tool: 'static {
    /// `verb_noun`, fixed for ever.
    const NAME: &'static str;
    /// A few words for a person.
    const TITLE: &'static str;
    /// What it does, what it does not do, and when to use another. Under 1 kB.
    const DESCRIPTION: &'static str;
    /// What it may do.
    const EFFECT: Effect;
    /// The permissions without which it can do nothing; `doctor` lists the tools that are
    /// lost. Decided per tool; there is no default.
    const NEEDS: &'static [Permission];
    /// Calling it twice with the same input leaves the same state as calling it once.
    const IDEMPOTENT: bool = false;
    /// Where it acts.
    const PLACE: Place = Place::Server;
    /// How much its answers carry where `detail` does not say; `None` where it makes no difference,
    /// and the tool has no such argument.
    const DETAIL: Option<Detail> = None;
    /// Arguments. Unknown fields are refused.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// The typed answer.
    type Output: Serialize + JsonSchema + Render + Send + 'static;
}

/// Where a tool acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a server that is configured or deployed; the call may name it.
    Server,
    /// On the deployments of this machine: no server is asked, and none is needed.
    Here,
}

/// A tool that looks, and leaves nothing behind.
pub trait Reads: Tool {
    /// Runs it.
    fn run(
        cx: ToolCx<'_>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Answer<Self::Output>, ToolError>> + Send;
}

/// A tool whose calls are judged one by one.
pub trait Acts: Tool {
    /// What was found while it was prepared, so that what is carried out is what was judged.
    type Prepared: Send;

    /// Finds out what the call would do. Asks the server, and changes nothing.
    fn prepare(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        input: Self::Input,
    ) -> impl Future<Output = Result<(Work, Self::Prepared), ToolError>> + Send;

    /// Does it.
    fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        prepared: Self::Prepared,
    ) -> impl Future<Output = Result<Answer<Self::Output>, ToolError>> + Send;
}

/// A tool that only ends what was begun. Nobody is asked, no policy stops it, and it runs where the
/// call cannot be recorded. It is for every server and org that the caller may see.
pub trait Stops: Tool {
    /// Does it.
    fn stop(
        cx: ToolCx<'_>,
        input: Self::Input,
        halt: Halt,
    ) -> impl Future<Output = Result<Answer<Self::Output>, ToolError>> + Send;
}

/// A finished call: the data, and the same for reading.
#[derive(Debug)]
pub struct Finished {
    /// The typed data: the JSON text of one object.
    pub structured: Box<RawValue>,
    /// A compact rendering.
    pub text: String,
    /// How complete it is.
    pub state: State,
    /// Whether a cursor says where the rest begins.
    pub goes_on: bool,
    /// The user that asked, where one did.
    pub identity: Option<String>,
}

impl Finished {
    /// The typed data, to look into it.
    ///
    /// # Errors
    ///
    /// None that the answer of a tool can cause: the data is an object.
    pub fn data(&self) -> Result<Map<String, Value>, ToolError> {
        serde_json::from_str(self.structured.get())
            .map_err(|error| ToolError::new(Code::Internal, error.to_string()))
    }
}

type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Finished, Stop>> + Send + 'a>>;

/// The definition of a tool, without its types.
pub struct ToolDef {
    /// See [`Tool::NAME`].
    pub name: &'static str,
    /// See [`Tool::TITLE`].
    pub title: &'static str,
    /// See [`Tool::DESCRIPTION`].
    pub description: &'static str,
    /// See [`Tool::EFFECT`].
    pub effect: Effect,
    /// See [`Tool::NEEDS`].
    pub needs: &'static [Permission],
    /// See [`Tool::IDEMPOTENT`].
    pub idempotent: bool,
    /// One that [`Stops`]: it is listed whatever is switched off, and names no server and no org.
    pub stops: bool,
    /// See [`Tool::PLACE`].
    pub place: Place,
    /// See [`Tool::DETAIL`].
    pub detail: Option<Detail>,
    input_schema: fn() -> Map<String, Value>,
    output_schema: fn() -> Map<String, Value>,
    call: for<'a> fn(ToolCx<'a>, Map<String, Value>, &'a Passage<'a>) -> CallFuture<'a>,
}

impl ToolDef {
    /// The definition of a tool that reads.
    pub const fn reads<T: Reads>() -> Self {
        assert!(
            matches!(T::EFFECT, Effect::Read),
            "a tool that does more than read is one that acts"
        );
        Self::of::<T>(|cx, arguments, passage| Box::pin(read::<T>(cx, arguments, passage)))
    }

    /// The definition of a tool that acts.
    pub const fn acts<T: Acts>() -> Self {
        Self::of::<T>(|cx, arguments, passage| Box::pin(act::<T>(cx, arguments, passage)))
    }

    /// The definition of a tool that stops.
    pub const fn stops<T: Stops>() -> Self {
        let def =
            Self::of::<T>(|cx, arguments, passage| Box::pin(stop::<T>(cx, arguments, passage)));
        Self { stops: true, ..def }
    }

    const fn of<T: Tool>(
        call: for<'a> fn(ToolCx<'a>, Map<String, Value>, &'a Passage<'a>) -> CallFuture<'a>,
    ) -> Self {
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            effect: T::EFFECT,
            needs: T::NEEDS,
            idempotent: T::IDEMPOTENT,
            stops: false,
            place: T::PLACE,
            detail: T::DETAIL,
            input_schema: schema::input::<T::Input>,
            output_schema: schema::output::<T::Output>,
            call,
        }
    }

    /// The schema of the arguments.
    pub fn input_schema(&self) -> Map<String, Value> {
        let mut schema = (self.input_schema)();
        if let Some(default) = self.detail {
            Detail::describe(default, &mut schema);
        }
        schema
    }

    /// The schema of the structured answer.
    pub fn output_schema(&self) -> Map<String, Value> {
        (self.output_schema)()
    }

    /// Calls it, as far as the passage lets it.
    pub(crate) async fn call(
        &self,
        cx: ToolCx<'_>,
        arguments: Map<String, Value>,
        passage: &Passage<'_>,
    ) -> Result<Finished, Stop> {
        (self.call)(cx, arguments, passage).await
    }
}

fn arguments_of<T: Tool>(arguments: Map<String, Value>) -> Result<T::Input, ToolError> {
    if bounds::concern(&arguments) {
        bounds::check(&schema::input::<T::Input>(), &arguments)?;
    }
    input::read(T::NAME, schema::input::<T::Input>, arguments)
}

async fn read<T: Reads>(
    mut cx: ToolCx<'_>,
    mut arguments: Map<String, Value>,
    passage: &Passage<'_>,
) -> Result<Finished, Stop> {
    cx.detail = Detail::take(T::DETAIL, &mut arguments)?;
    let input = arguments_of::<T>(arguments)?;
    let work = Work::reading();
    if let Opening::Agreed(permit, needed) = passage.open(&cx, &work).await? {
        passage.go_on(&cx, &work, (permit, needed)).await?;
    }
    Ok(T::run(cx, input).await?.finish()?)
}

async fn act<T: Acts>(
    mut cx: ToolCx<'_>,
    mut arguments: Map<String, Value>,
    passage: &Passage<'_>,
) -> Result<Finished, Stop> {
    cx.detail = Detail::take(T::DETAIL, &mut arguments)?;
    let input = arguments_of::<T>(arguments.clone())?;
    let session = cx.session();
    let (work, mut prepared) = T::prepare(&cx, &session, input).await?;
    let go = match passage.open(&cx, &work).await? {
        Opening::Go(go) => go,
        Opening::Agreed(permit, needed) => {
            let input = arguments_of::<T>(arguments)?;
            let (work, anew) = T::prepare(&cx, &session, input).await?;
            prepared = anew;
            passage.go_on(&cx, &work, (permit, needed)).await?
        }
    };
    let done = T::carry_out(&cx, &session, &go, prepared).await;
    go.settle(done.as_ref().err().map(|error| error.code)).await;
    Ok(done?.finish()?)
}

async fn stop<T: Stops>(
    cx: ToolCx<'_>,
    arguments: Map<String, Value>,
    passage: &Passage<'_>,
) -> Result<Finished, Stop> {
    let input = arguments_of::<T>(arguments)?;
    let halt = passage.halt().await;
    Ok(T::stop(cx, input, halt).await?.finish()?)
}

/// A group of tools that is switched on and off together.
pub struct Family {
    /// The word in `--families`.
    pub id: &'static str,
    /// What the family is for, for documents.
    pub purpose: &'static str,
    /// On without being named.
    pub default: bool,
    /// Its tools.
    pub tools: &'static [ToolDef],
}
