//! Artifacts: their definitions, and what calls of them do.

use std::sync::Arc;

use super::Effect;
use super::definition::Definition;
use super::report::{Kind, Report};
use super::text::{Outer, Text};
use super::walk::Run;
use crate::ast::Span;

/// How deeply artifacts may call artifacts; the engine stops at 10.
const MAX_DEPTH: usize = 32;

/// How many artifacts are looked into for one text.
const MAX_EXPANSIONS: u32 = 5_000;

impl Run<'_> {
    /// Looks at all parts of a definition.
    pub(super) fn definition(&mut self, definition: &Definition) {
        let Definition { name, precondition, sources, export, .. } = definition;
        let kind = definition.kind.to_ascii_lowercase();
        self.on_endpoint = matches!(kind.as_str(), "" | "client" | "client_event");
        for parameter in &definition.parameters {
            self.parameters.insert(parameter.name.clone());
            self.bindings.parameter(&parameter.name, &parameter.default);
        }
        let mut texts = Vec::new();
        texts.extend(precondition.iter().map(|vql| (part(name, "precondition"), vql.as_str())));
        texts.extend(export.iter().map(|vql| (part(name, "export"), vql.as_str())));
        for source in sources {
            let of = |what: &str| match source.name.as_str() {
                "" => part(name, what),
                source => part(name, &format!("{what} {source}")),
            };
            texts.extend(
                source.precondition.iter().map(|vql| (of("precondition of"), vql.as_str())),
            );
            texts.extend(source.queries.iter().map(|vql| (of("source"), vql.as_str())));
        }
        texts.retain(|(_, vql)| !vql.trim().is_empty());

        let place = part(name, "definition");
        let head = Text::new("", place.as_deref(), Outer::default());
        for import in &definition.imports {
            self.import(&head, import, Span::default());
        }
        if definition.impersonate.as_ref().is_some_and(|user| !user.is_empty()) {
            let why = "it runs with the rights of another user";
            let (kind, effect) = (Kind::Text, Effect::Exec.into());
            self.found(&head, Span::default(), kind, "impersonate", effect, why);
        }
        for tool in &definition.tools {
            let why = "a collection downloads the tool";
            self.found(&head, Span::default(), Kind::Text, tool, Effect::Net.into(), why);
        }
        self.texts(&texts, &Outer::default());
    }

    /// Looks at what another artifact exports, which then runs in this scope.
    pub(super) fn import(&mut self, text: &Text<'_>, name: &str, span: Span) {
        if !self.imported.insert(name.to_owned()) {
            return;
        }
        let Some(definition) = self.analyser.resolver.artifact(name) else {
            let why = "what the imported artifact exports is not known";
            return self.found(text, span, Kind::Artifact, name, Effect::Unknown.into(), why);
        };
        if let Some(export) = &definition.export {
            self.text(export, part(name, "export").as_deref(), text.outer());
        }
    }

    /// Looks into an artifact that is called or referred to.
    pub(super) fn expand(&mut self, text: &Text<'_>, name: &str, span: Span) {
        // `Artifact.Name/Source` runs one source; all are looked at.
        let name = name.split('/').next().unwrap_or(name);
        if let Some(at) = self.stack.iter().position(|open| open == name) {
            // What it does is being found already.
            self.refers_to = self.refers_to.min(at);
            return self.found(
                text,
                span,
                Kind::Artifact,
                name,
                Effect::Meta.into(),
                "it calls itself",
            );
        }
        match self.inside(name) {
            Ok(report) => {
                if report.other_orgs {
                    self.names_other_org();
                }
                let why = report.obstacles().first().map(ToString::to_string).unwrap_or_default();
                let effects = report.effects.with(Effect::Meta.into());
                self.found(text, span, Kind::Artifact, name, effects, why);
            }
            Err(why) => self.found(text, span, Kind::Artifact, name, Effect::Unknown.into(), why),
        }
    }

    fn inside(&mut self, name: &str) -> Result<Arc<Report>, &'static str> {
        let analyser = self.analyser;
        if let Some(report) = analyser.known.borrow().get(name) {
            return Ok(report.clone());
        }
        let Some(definition) = analyser.resolver.artifact(name) else {
            return Err("the artifact's definition is not known here");
        };
        let expansions = analyser.expansions.get() + 1;
        analyser.expansions.set(expansions);
        if self.stack.len() >= MAX_DEPTH || expansions > MAX_EXPANSIONS {
            return Err("artifacts call artifacts, too deep to follow");
        }
        let place = self.stack.len();
        self.stack.push(name.to_owned());
        let mut run = Run::new(analyser, self.stack);
        run.definition(definition);
        let refers_to = run.refers_to;
        let report = Arc::new(run.finish());
        self.stack.pop();
        if refers_to < place {
            // It calls an artifact that is still open, so that this is only a part of the truth.
            self.refers_to = self.refers_to.min(refers_to);
        } else {
            analyser.known.borrow_mut().insert(name.to_owned(), report.clone());
        }
        Ok(report)
    }
}

fn part(artifact: &str, what: &str) -> Option<String> {
    Some(format!("{artifact}, {what}"))
}
