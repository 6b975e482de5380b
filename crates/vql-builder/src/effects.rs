//! What a text of VQL can do, judged without running it.
//!
//! An allow-list says of every function, plugin and accessor of Velociraptor 0.77.2 what it can do
//! (`effects/table.tsv`). A text can do what the calls in it can do, wherever they stand: whether
//! a call is reached is not asked. What the list does not know, what is called by a name that only
//! the running query knows, and code in strings that are computed are [`Effect::Unknown`], which
//! never counts as reading.
//!
//! ```
//! use vql_builder::effects::{self, Effect, NoArtifacts};
//!
//! let report = effects::analyse("SELECT client_id FROM clients()", &NoArtifacts);
//! assert!(report.is_read());
//!
//! let report = effects::analyse("SELECT `execve`(argv='id') AS A FROM clients()", &NoArtifacts);
//! assert!(!report.is_read());
//! assert_eq!(report.strongest(), Effect::Exec); // a plugin, and taken for it as a function too
//!
//! let report = effects::analyse("SELECT clients() AS A FROM scope()", &NoArtifacts);
//! assert_eq!(report.strongest(), Effect::Unknown); // a plugin, and no function
//! ```

mod accessor;
mod artifact;
mod bindings;
mod code;
mod definition;
mod effect;
mod names;
mod profile;
mod report;
mod rules;
mod table;
mod text;
mod walk;

pub use definition::{Definition, NoArtifacts, Parameter, Resolver, Source};
pub use effect::{Effect, EffectSet};
pub use report::{Finding, Kind, Place, Report};
pub use table::{Entry, entries, lookup};

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// What a text can do. A text with errors is unknown: it is not for us to say that the engine
/// rejects it too.
pub fn analyse(text: &str, resolver: &dyn Resolver) -> Report {
    Analyser::new(resolver).text(text)
}

/// What an artifact can do when it is collected: its preconditions, sources and exports, with
/// whatever arguments.
pub fn analyse_artifact(definition: &Definition, resolver: &dyn Resolver) -> Report {
    Analyser::new(resolver).artifact(definition)
}

/// Analyses several texts over one set of artifacts; remembers what each artifact does.
pub struct Analyser<'r> {
    resolver: &'r dyn Resolver,
    known: RefCell<HashMap<String, Arc<Report>>>,
    /// How many artifacts were looked into; bounds the work on definitions that refer to each
    /// other in circles.
    expansions: Cell<u32>,
}

impl<'r> Analyser<'r> {
    /// An analyser that knows nothing yet.
    pub fn new(resolver: &'r dyn Resolver) -> Self {
        Self { resolver, known: RefCell::default(), expansions: Cell::new(0) }
    }

    /// As [`analyse`].
    pub fn text(&self, text: &str) -> Report {
        self.expansions.set(0);
        let mut stack = Vec::new();
        let mut run = walk::Run::new(self, &mut stack);
        run.text(text, None, &text::Outer::default());
        run.finish()
    }

    /// As [`analyse_artifact`].
    pub fn artifact(&self, definition: &Definition) -> Report {
        self.expansions.set(0);
        let mut stack = vec![definition.name.clone()];
        let mut run = walk::Run::new(self, &mut stack);
        run.definition(definition);
        run.finish()
    }
}
