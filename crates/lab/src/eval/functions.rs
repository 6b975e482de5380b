//! The functions that the lab has. Each family is a table in a file of its own.

mod aggregates;
mod artifacts;
mod clients;
mod collect;
mod data;
mod hunts;
mod lists;
mod server;
mod strings;
mod uploads;

pub(crate) use server::user_row;
pub(crate) use strings::bytes_text;

use super::{Arg, Call, Failure, run::Host};
use crate::value::Value;
use crate::world::accounts::Permission;

/// Where a name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Everywhere,
    Server,
    Endpoint,
}

impl Place {
    pub(super) const fn has(self, host: &Host) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Server => matches!(host, Host::Server),
            Self::Endpoint => matches!(host, Host::Endpoint(_)),
        }
    }
}

/// A function.
pub(crate) struct Function {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) place: Place,
    pub(crate) args: &'static [Arg],
    /// Takes arguments beyond the declared ones.
    pub(crate) free: bool,
    /// All are needed.
    pub(crate) permissions: &'static [Permission],
    pub(crate) call: fn(&Call<'_>) -> Result<Value, Failure>,
}

const TABLES: &[&[Function]] = &[
    aggregates::TABLE,
    artifacts::TABLE,
    clients::TABLE,
    collect::TABLE,
    data::TABLE,
    hunts::TABLE,
    lists::TABLE,
    server::TABLE,
    strings::TABLE,
    uploads::TABLE,
];

/// All functions.
pub(crate) fn all() -> impl Iterator<Item = &'static Function> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The function of that name on that host.
pub(crate) fn find(name: &str, host: &Host) -> Option<&'static Function> {
    all().find(|function| function.name == name && function.place.has(host))
}

/// A function that anybody may call anywhere.
const fn pure(
    name: &'static str,
    about: &'static str,
    args: &'static [Arg],
    call: fn(&Call<'_>) -> Result<Value, Failure>,
) -> Function {
    Function { name, about, place: Place::Everywhere, args, free: false, permissions: &[], call }
}

/// A function of the server.
const fn server(
    name: &'static str,
    about: &'static str,
    permissions: &'static [Permission],
    args: &'static [Arg],
    call: fn(&Call<'_>) -> Result<Value, Failure>,
) -> Function {
    Function { name, about, place: Place::Server, args, free: false, permissions, call }
}
