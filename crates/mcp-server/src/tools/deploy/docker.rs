//! `deploy_server_docker`: `deploy_server` with the platform in its name.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use velociraptor_api::{Permission, Session};

use super::server::{DeployServer, Output, Prepared};
use crate::answer::Answer;
use crate::context::ToolCx;
use crate::deployments::{On, Wish};
use crate::gateway::{Go, Work};
use crate::tool::{Acts, Effect, Place, Tool};
use crate::tool_error::ToolError;

/// `deploy_server_docker`.
pub(super) struct DeployServerDocker;

/// A wish that can be met in containers.
pub(super) struct Contained(Wish);

/// What is decided by the name of the tool.
const DECIDED: [&str; 2] = ["deployment_type", "agent"];

impl<'de> Deserialize<'de> for Contained {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wish = Wish::deserialize(deserializer)?;
        if wish.deployment_type != On::Docker || wish.agent {
            let why = "this tool deploys in containers, without an agent; deploy_server does else";
            return Err(D::Error::custom(why));
        }
        Ok(Self(wish))
    }
}

impl JsonSchema for Contained {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Contained")
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Wish::json_schema(generator);
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| !DECIDED.contains(&name.as_str()));
        }
        schema
    }
}

impl Tool for DeployServerDocker {
    const NAME: &'static str = "deploy_server_docker";
    const TITLE: &'static str = "Deploy a server in containers";
    const DESCRIPTION: &'static str = "deploy_server on the Docker daemon of this machine: the same \
        plan, checks, approval and proof. memory and processors are limits that take effect, and are \
        read back.";
    const EFFECT: Effect = Effect::Deploy;
    const NEEDS: &'static [Permission] = &[];
    const PLACE: Place = Place::Here;
    type Input = Contained;
    type Output = Output;
}

impl Acts for DeployServerDocker {
    type Prepared = Prepared;

    async fn prepare(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        Contained(wish): Contained,
    ) -> Result<(Work, Prepared), ToolError> {
        DeployServer::prepare(cx, session, wish).await
    }

    async fn carry_out(
        cx: &ToolCx<'_>,
        session: &Session<'_>,
        go: &Go,
        prepared: Prepared,
    ) -> Result<Answer<Output>, ToolError> {
        DeployServer::carry_out(cx, session, go, prepared).await
    }
}
