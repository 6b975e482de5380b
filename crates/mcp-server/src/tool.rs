//! What a tool is: one definition, from which descriptors, schemas and calls are derived.
//!
//! A tool is a type that implements [`Tool`]. Its family lists it once, in a static slice; there
//! is no second place. Nothing here knows MCP's wire form: [`crate::mcp`] turns definitions into
//! descriptors, [`crate::cli`] calls the same definitions from the command line.

use std::pin::Pin;

pub use guard::effect::Effect;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use velociraptor_api::Permission;

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

mod bounds;
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
    /// Arguments. Unknown fields are refused.
    type Input: DeserializeOwned + JsonSchema + Send + 'static;
    /// The typed answer.
    type Output: Serialize + JsonSchema + Render + Send + 'static;

    /// Runs it.
    fn run(
        cx: ToolCx<'_>,
        input: Self::Input,
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

type CallFuture<'a> = Pin<Box<dyn Future<Output = Result<Finished, ToolError>> + Send + 'a>>;

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
    input_schema: fn() -> Map<String, Value>,
    output_schema: fn() -> Map<String, Value>,
    call: for<'a> fn(ToolCx<'a>, Map<String, Value>) -> CallFuture<'a>,
}

impl ToolDef {
    /// Makes the definition of a tool.
    pub const fn of<T: Tool>() -> Self {
        Self {
            name: T::NAME,
            title: T::TITLE,
            description: T::DESCRIPTION,
            effect: T::EFFECT,
            needs: T::NEEDS,
            idempotent: T::IDEMPOTENT,
            input_schema: schema::input::<T::Input>,
            output_schema: schema::output::<T::Output>,
            call: |cx, arguments| Box::pin(run::<T>(cx, arguments)),
        }
    }

    /// The schema of the arguments.
    pub fn input_schema(&self) -> Map<String, Value> {
        (self.input_schema)()
    }

    /// The schema of the structured answer.
    pub fn output_schema(&self) -> Map<String, Value> {
        (self.output_schema)()
    }

    /// Calls it.
    ///
    /// # Errors
    ///
    /// [`ToolError`], invalid arguments among them.
    pub async fn call(
        &self,
        cx: ToolCx<'_>,
        arguments: Map<String, Value>,
    ) -> Result<Finished, ToolError> {
        (self.call)(cx, arguments).await
    }
}

async fn run<T: Tool>(
    cx: ToolCx<'_>,
    arguments: Map<String, Value>,
) -> Result<Finished, ToolError> {
    // Making the schema takes longer than many a call, and most calls have no number.
    if bounds::concern(&arguments) {
        bounds::check(&schema::input::<T::Input>(), &arguments)?;
    }
    let input = input::read(T::NAME, schema::input::<T::Input>, arguments)?;
    T::run(cx, input).await?.finish()
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
