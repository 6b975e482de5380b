//! Plugins about clients, users, orgs and the server.

use super::{Place, Plugin, reads, send};
use crate::eval::functions::{self, user_row};
use crate::eval::{Arg, Call, Failure, Kind, Sink};
use crate::value::{Dict, Value, row};
use crate::world::accounts::Permission;

pub(super) const TABLE: &[Plugin] = &[
    reads(
        "clients",
        "Client records.",
        &[Arg::optional("search", Kind::Str), Arg::optional("client_id", Kind::Str)],
        clients,
    ),
    reads(
        "gui_users",
        "Users and what they may do.",
        &[Arg::optional("all_orgs", Kind::Bool)],
        users,
    ),
    Plugin {
        name: "orgs",
        about: "The orgs that the user can see.",
        place: Place::Server,
        args: &[],
        free: false,
        permissions: &[],
        call: orgs,
    },
    Plugin {
        name: "help",
        about: "All functions, plugins and accessors of this server.",
        place: Place::Server,
        args: &[],
        free: false,
        permissions: &[],
        call: help,
    },
    Plugin {
        name: "info",
        about: "The machine that the query runs on.",
        place: Place::Server,
        args: &[],
        free: false,
        permissions: &[Permission::MachineState],
        call: |call, sink| {
            send([call.scope.run.world.fleet.server_info()], sink);
            Ok(())
        },
    },
];

fn clients(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let id = call.text("client_id");
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let org = &*state.org(&run.session.org);
        let found = if id.is_empty() {
            org.search(&call.text("search"))?
        } else {
            org.clients.get(&id).into_iter().collect()
        };
        found.iter().map(|record| record.row(org.in_flight(&record.id))).collect()
    };
    send(rows, sink);
    Ok(())
}

fn users(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let all = call.flag("all_orgs");
    let rows: Vec<Dict> = {
        let mut state = run.world.state();
        let names: Vec<(String, String)> =
            state.orgs.iter().map(|(id, org)| (id.clone(), org.name.clone())).collect();
        let own = run.session.org.clone();
        let state = &mut *state;
        state
            .users
            .iter()
            .flat_map(|(user, orgs)| {
                names
                    .iter()
                    .filter(|(id, _)| all || *id == own)
                    .filter_map(|(id, name)| Some(user_row(user, id, name, orgs.get(id)?)))
            })
            .collect()
    };
    send(rows, sink);
    Ok(())
}

fn orgs(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let rows: Vec<Dict> = {
        let state = run.world.state();
        let mine = state.users.get(&run.session.user);
        state
            .orgs
            .iter()
            .filter(|(id, _)| mine.is_some_and(|orgs| orgs.contains_key(*id)))
            .map(|(id, org)| row! { "Name" => &org.name, "OrgId" => id, "_client_config" => "" })
            .collect()
    };
    send(rows, sink);
    Ok(())
}

/// An honest list: what the lab has, and nothing else.
fn help(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let host = &call.scope.run.host;
    let functions = functions::all()
        .filter(|function| function.place.has(host))
        .map(|f| help_row(f.name, f.about, "Function", f.args, f.free, f.permissions));
    let plugins = super::all()
        .filter(|plugin| plugin.place.has(host))
        .map(|p| help_row(p.name, p.about, "Plugin", p.args, p.free, p.permissions));
    let accessor = help_row("data", "The text itself as a file.", "Accessor", &[], false, &[]);
    let mut rows: Vec<Dict> = functions.chain(plugins).chain([accessor]).collect();
    rows.sort_by_key(|row| row.get("name").map(crate::value::display));
    send(rows, sink);
    Ok(())
}

fn help_row(
    name: &str,
    about: &str,
    kind: &str,
    args: &[Arg],
    free: bool,
    permissions: &[Permission],
) -> Dict {
    let args = args.iter().map(|arg| {
        Value::from(row! {
            "name" => arg.name,
            "type" => match arg.kind {
                Kind::Str | Kind::Strings => "string",
                Kind::Int => "int64",
                Kind::Float => "float64",
                Kind::Bool => "bool",
                Kind::Dict => "ordereddict.Dict",
                Kind::Any | Kind::Time => "Any",
                Kind::Rows => "StoredQuery",
                Kind::Lazy => "LazyExpr",
            },
            "description" => "",
            "repeated" => arg.kind == Kind::Strings,
            "required" => arg.required,
        })
    });
    let names: Vec<&str> = permissions.iter().map(|p| p.name()).collect();
    let metadata = if names.is_empty() {
        Dict::new()
    } else {
        row! { "permissions" => names.join(",") }
    };
    row! {
        "name" => name,
        "description" => about,
        "type" => kind,
        "version" => 1,
        "args" => Value::array(args),
        "category" => "lab",
        "metadata" => metadata,
        "platforms" => Value::strings(["linux_amd64_cgo"]),
        "free_form_args" => free,
    }
}
