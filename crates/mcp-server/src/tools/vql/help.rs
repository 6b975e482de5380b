//! `vql_help`.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use velociraptor_api::Permission;
use velociraptor_api::help::{Symbol, SymbolKind, Symbols};
use velociraptor_api::near::near;

use crate::answer::{Answer, Render, State};
use crate::context::ToolCx;
use crate::table;
use crate::tool::{Effect, Reads, Tool};
use crate::tool_error::{Code, ToolError};

pub(crate) mod guide;

use guide::Topic;

/// Most symbols that a search lists.
const MOST: usize = 40;

/// Longest description of a symbol, in characters.
const LONGEST: usize = 3000;

/// `vql_help`.
pub(super) struct VqlHelp;

/// Arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    /// syntax, examples, limits; a function, plugin or accessor; or a word to search for
    topic: Option<String>,
}

/// What was found.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Output {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<Shown>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    found: Vec<Found>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    name: String,
    kind: &'static str,
    description: String,
    arguments: Vec<Argument>,
    any_arguments: bool,
    permissions: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Argument {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    required: bool,
    description: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    name: String,
    kind: &'static str,
    summary: String,
}

impl Tool for VqlHelp {
    const NAME: &'static str = "vql_help";
    const TITLE: &'static str = "Explain VQL";
    const DESCRIPTION: &'static str = "Explains VQL as the connected server speaks it: its traps \
        (syntax), queries that run (examples), bounds (limits), and every function, plugin and \
        accessor of this server with arguments and permissions. A word that is none of these is \
        searched for in names and descriptions.";
    const EFFECT: Effect = Effect::Read;
    const NEEDS: &'static [Permission] = &[Permission::AnyQuery];
    type Input = Input;
    type Output = Output;
}

impl Reads for VqlHelp {
    async fn run(cx: ToolCx<'_>, input: Input) -> Result<Answer<Output>, ToolError> {
        let wanted = input.topic.unwrap_or_default();
        let wanted = wanted.trim().trim_end_matches("()");
        if wanted.is_empty() {
            let text = format!(
                "topics: {}\nor the name of a function, plugin or accessor, such as clients; or a word, such as timestamp",
                topics()
            );
            return Ok(Answer::complete(&cx, Output { text: Some(text), ..Output::default() }));
        }
        if let Some(topic) = Topic::from_name(wanted) {
            let text = Some(topic.text());
            return Ok(Answer::complete(&cx, Output { text, ..Output::default() }));
        }
        let session = cx.session();
        let symbols = cx.services.help().symbols(&session).await?;
        let named = symbols.find(wanted);
        let output = if named.is_empty() {
            Output { found: search(&symbols, wanted)?, ..Output::default() }
        } else {
            Output { symbols: named.into_iter().map(shown).collect(), ..Output::default() }
        };
        let cut = output.found.len() > MOST;
        let mut answer = Answer::complete(&cx, output).warn(session.warnings());
        if let Some(user) = session.identities().pop() {
            answer = answer.identity(user);
        }
        if cut {
            answer.total = Some(answer.data.found.len() as u64);
            answer.data.found.truncate(MOST);
            answer.returned = Some(MOST as u64);
            answer = answer.state(State::Partial).warn([String::from("name a longer word")]);
        }
        Ok(answer)
    }
}

fn topics() -> String {
    Topic::ALL.map(Topic::as_str).join(", ")
}

/// Symbols that have the word in their name, then those that have it in their description.
fn search(symbols: &Symbols, word: &str) -> Result<Vec<Found>, ToolError> {
    let lower = word.to_lowercase();
    let has = |text: &str| text.to_lowercase().contains(&lower);
    let mut found: Vec<&Symbol> =
        symbols.iter().filter(|symbol| has(&symbol.name) || has(&symbol.description)).collect();
    found.sort_by_cached_key(|symbol| (!has(&symbol.name), symbol.name.to_lowercase()));
    if !found.is_empty() {
        return Ok(found.into_iter().map(summarised).collect());
    }
    let names = symbols.iter().map(|symbol| symbol.name.as_str());
    let close = near(word, names.chain(Topic::ALL.map(Topic::as_str)));
    let suggestion = match close.as_slice() {
        [] => String::new(),
        close => format!("did you mean {}? ", close.join(", ")),
    };
    Err(ToolError::new(
        Code::NotFound,
        format!("{word:?} is no topic, and no function, plugin or accessor of this server has it in name or description"),
    )
    .next(format!("{suggestion}The topics are {}", topics())))
}

const fn kind_word(kind: SymbolKind) -> &'static str {
    match kind {
        SymbolKind::Function => "function",
        SymbolKind::Plugin => "plugin",
        SymbolKind::Accessor => "accessor",
    }
}

fn summarised(symbol: &Symbol) -> Found {
    let text = plain(&symbol.description);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut summary = line.trim().to_owned();
    if let Some((end, _)) = summary.char_indices().nth(160) {
        summary.truncate(end);
        summary.push('…');
    }
    Found { name: symbol.name.clone(), kind: kind_word(symbol.kind), summary }
}

fn shown(symbol: &Symbol) -> Shown {
    let mut description: String = plain(&symbol.description).trim().to_owned();
    if let Some((end, _)) = description.char_indices().nth(LONGEST) {
        description.truncate(end);
        description.push('…');
    }
    let arguments = symbol.arguments.iter().map(|argument| Argument {
        kind: type_name(&argument.kind, argument.repeated),
        name: argument.name.clone(),
        required: argument.required,
        description: plain(argument.description.trim()),
    });
    Shown {
        name: symbol.name.clone(),
        kind: kind_word(symbol.kind),
        description,
        arguments: arguments.collect(),
        any_arguments: symbol.free_form_args,
        permissions: symbol.permissions.clone().unwrap_or_default(),
    }
}

/// The server's word for a type, in the words of the language.
fn type_name(word: &str, repeated: bool) -> String {
    let plain = match word {
        "ordereddict.Dict" => "dict",
        "LazyExpr" | "Any" | "" => "any",
        "StoredQuery" => "query",
        "accessors.OSPath" | "OSPath" => "path",
        "int64" | "uint64" => "int",
        "float64" => "float",
        other => other,
    };
    if repeated { format!("list of {plain}") } else { plain.to_owned() }
}

/// Takes the shortcodes of the server's documentation site out of its Markdown: of a link whose
/// target is one, the words stay.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("({{") {
        let Some(end) = rest[at..].find("}})") else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + end + 3..];
    }
    out.push_str(rest);
    out
}

impl Render for Output {
    fn render(&self, out: &mut String) {
        if let Some(text) = &self.text {
            out.push_str(text);
        }
        for (index, symbol) in self.symbols.iter().enumerate() {
            if index > 0 {
                out.push_str("\n\n");
            }
            symbol.render(out);
        }
        if !self.found.is_empty() {
            let rows = self.found.iter().map(|found| {
                vec![found.name.clone(), found.kind.to_owned(), found.summary.clone()]
            });
            table::write(out, &["name", "kind", "what it does"], rows);
        }
    }
}

impl Shown {
    fn render(&self, out: &mut String) {
        let more = if self.any_arguments { " takes arguments of any name" } else { "" };
        let _ = write!(out, "{} {}{more}", self.kind, self.name);
        if !self.permissions.is_empty() {
            let _ = write!(out, "; permissions: {}", self.permissions);
        }
        for argument in &self.arguments {
            let star = if argument.required { ", required" } else { "" };
            let _ = write!(out, "\n  {}: {}{star}", argument.name, argument.kind);
            if !argument.description.is_empty() {
                let _ = write!(out, "  {}", argument.description.replace('\n', " "));
            }
        }
        let _ = write!(out, "\n{}", self.description);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortcodes_of_the_documentation_site_are_taken_out() {
        let text = "- [client_info]({{< ref \"/a/b\" >}}): Returns\n- [x](http://y)";
        assert_eq!(plain(text), "- [client_info]: Returns\n- [x](http://y)");
        assert_eq!(plain("broken ({{< ref"), "broken ({{< ref");
    }

    #[test]
    fn types_are_named_in_the_words_of_the_language() {
        assert_eq!(type_name("ordereddict.Dict", false), "dict");
        assert_eq!(type_name("string", true), "list of string");
    }
}
