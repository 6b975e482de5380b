//! What a hunt keeps of its artifacts: compiled when it is made, whatever they are later.

use std::collections::BTreeSet;

use super::repository::{Definition, Source};
use super::{Order, Repository};
use crate::value::{Dict, Value, row};

impl Repository {
    /// The `compiled_collector_args` of a request: one part for each artifact, or for each source of
    /// one whose sources have conditions of their own.
    pub(crate) fn compile(&self, order: &Order) -> Vec<Value> {
        let definitions = order.artifacts.iter().filter_map(|name| self.get(name));
        let parts = definitions.flat_map(|definition| {
            let parts = definition.parts().into_iter();
            parts.map(|sources| self.part(order, definition, sources)).collect::<Vec<_>>()
        });
        parts.collect()
    }

    fn part(&self, order: &Order, definition: &Definition, sources: &[Source]) -> Value {
        let chosen = order.specs.get(&definition.name);
        let env = definition.parameters.iter().map(|parameter| {
            let value = chosen.and_then(|chosen| chosen.get(&parameter.name));
            let value = value.unwrap_or(&parameter.default);
            pair(&parameter.name, value)
        });
        let tools = definition.tools.iter().flat_map(|tool| {
            let of = |what: &str, value: &str| pair(&format!("Tool_{}_{what}", tool.name), value);
            [of("HASH", ""), of("URL", &tool.url)]
        });
        let statements = sources.iter().map(|source| {
            let name = definition.source_name(source);
            Value::from(row! { "Name" => name, "VQL" => &source.query })
        });
        let precondition = sources.first().map(|source| definition.condition(source));
        let timeout = match u64::try_from(order.limits.timeout) {
            Ok(given @ 1..) => given,
            _ => definition.resources.timeout,
        };
        let carried = self.called(&definition.name);
        let carried = carried.iter().filter_map(|name| self.get(name));
        Value::from(row! {
            "precondition" => precondition.unwrap_or_default(),
            "env" => Value::array(env.chain(tools).collect::<Vec<_>>()),
            "timeout" => timeout,
            "Query" => Value::array(statements),
            "artifacts" => Value::array(carried.map(|called| {
                let mut row = called.row();
                let sources = called.sources.iter().map(|source| Value::from(row! {
                    "name" => &source.name,
                    "precondition" => &source.precondition,
                    "queries" => Value::strings([&source.query]),
                }));
                row.insert("sources".into(), Value::array(sources));
                row.insert("raw".into(), "".into());
                Value::from(row)
            })),
        })
    }

    /// The artifacts that one calls, over all steps.
    fn called(&self, name: &str) -> BTreeSet<String> {
        let mut called = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(definition) = open.pop().and_then(|name| self.get(&name)) {
            for source in &definition.sources {
                let Ok(program) = vql_builder::parse(&source.query).program() else { continue };
                for call in program.calls() {
                    let Some(callee) = call.name.strip_prefix("Artifact.") else { continue };
                    if called.insert(callee.to_owned()) {
                        open.push(callee.to_owned());
                    }
                }
            }
        }
        called
    }
}

fn pair(key: &str, value: &str) -> Value {
    let pair: Dict = row! { "key" => key, "value" => value, "comment" => "" };
    Value::from(pair)
}
