//! The functions, plugins and accessors of the connected server, with their arguments.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::error::QueryErrorKind;
use crate::fault::Fault;
use crate::near::near;
use crate::queries::server_info::HELP;
use crate::row;
use crate::session::Session;

/// What a name of VQL stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all(serialize = "snake_case"))]
pub enum SymbolKind {
    /// Gives a value: stands in expressions.
    Function,
    /// Gives rows: stands after FROM.
    Plugin,
    /// Opens files: stands in an argument `accessor`.
    Accessor,
}

/// A function, plugin or accessor.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "PascalCase"))]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// What it is.
    #[serde(rename(deserialize = "Type"))]
    pub kind: SymbolKind,
    /// What it does.
    #[serde(deserialize_with = "row::or_default")]
    pub description: String,
    /// Its arguments.
    #[serde(rename(deserialize = "Args"), deserialize_with = "row::or_default")]
    pub arguments: Vec<Argument>,
    /// The group in which the documentation has it.
    #[serde(deserialize_with = "row::text")]
    pub category: Option<String>,
    /// The permission that the documentation names; not all that is needed, in places.
    #[serde(rename(deserialize = "Metadata"), deserialize_with = "permissions")]
    pub permissions: Option<String>,
    /// The platforms on which it exists, such as `windows_amd64_cgo`; empty means that nothing is
    /// said.
    #[serde(deserialize_with = "row::or_default")]
    pub platforms: Vec<String>,
    /// Whether it takes arguments of any name.
    #[serde(deserialize_with = "row::or_default")]
    pub free_form_args: bool,
}

/// An argument.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename(deserialize = "type"), deserialize_with = "row::or_default")]
    pub kind: String,
    /// What it means.
    #[serde(deserialize_with = "row::or_default")]
    pub description: String,
    /// Whether it must be given.
    #[serde(deserialize_with = "row::or_default")]
    pub required: bool,
    /// Whether it takes several values.
    #[serde(deserialize_with = "row::or_default")]
    pub repeated: bool,
}

/// All symbols of a server.
#[derive(Clone, Debug)]
pub struct Symbols(Vec<Symbol>);

impl Symbols {
    /// The symbols, in the server's order.
    pub fn iter(&self) -> impl Iterator<Item = &Symbol> {
        self.0.iter()
    }

    /// Everything of that name: a name can be both a function and a plugin.
    pub fn find(&self, name: &str) -> Vec<&Symbol> {
        let exact: Vec<&Symbol> = self.0.iter().filter(|symbol| symbol.name == name).collect();
        if !exact.is_empty() {
            return exact;
        }
        self.0.iter().filter(|symbol| symbol.name.eq_ignore_ascii_case(name)).collect()
    }

    /// Names that resemble this one.
    pub fn near(&self, name: &str) -> Vec<String> {
        near(name, self.0.iter().map(|symbol| symbol.name.as_str()))
    }
}

/// The symbols of servers, each asked once in the life of this value: they change only with the
/// server's version, so they are kept by server and version. Nobody waits for another server, and
/// an ask that failed or was cancelled leaves nothing behind: the next one asks again.
#[derive(Debug, Default)]
pub struct HelpCache {
    known: Mutex<HashMap<(String, String), Entry>>,
}

/// The symbols of one server, once they are known.
type Entry = Arc<OnceCell<Arc<Symbols>>>;

impl HelpCache {
    /// The symbols of the session's server.
    ///
    /// # Errors
    ///
    /// [`Fault::Query`].
    pub async fn symbols(&self, session: &Session<'_>) -> Result<Arc<Symbols>, Fault> {
        let server = session.server();
        let identity = server.identity_for(session.org(), HELP.needs, session.cancel()).await?;
        let profile = server.profile(identity, session.org(), session.cancel()).await?;
        let key = (server.name().to_owned(), profile.version.clone());
        let entry = self.entry(key);
        let ask = async || symbols(session).await.map(Arc::new);
        tokio::select! {
            biased;
            // Who waits for another's ask goes when its own caller has gone.
            () = session.cancel().cancelled() => {
                Err(server.error(Some(identity), HELP.name, QueryErrorKind::Cancelled).into())
            }
            known = entry.get_or_try_init(ask) => known.map(Arc::clone),
        }
    }

    /// The place for a server's symbols. The lock is held for the look-up alone.
    fn entry(&self, key: (String, String)) -> Entry {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(key).or_default())
    }
}

/// Asks the server for its symbols.
///
/// # Errors
///
/// [`Fault::Query`].
pub async fn symbols(session: &Session<'_>) -> Result<Symbols, Fault> {
    Ok(Symbols(session.rows(&HELP, HELP.query()).await?))
}

fn permissions<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Metadata {
        permissions: Option<String>,
    }
    Ok(row::or_default::<D, Metadata>(input)?.permissions.filter(|text| !text.is_empty()))
}
