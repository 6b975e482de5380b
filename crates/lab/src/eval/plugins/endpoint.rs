//! Plugins of an endpoint: the tables of the simulated machine.

use super::{Place, Plugin};
use crate::eval::{Arg, Call, Failure, Kind, Sink};

const fn table(
    name: &'static str,
    about: &'static str,
    call: fn(&Call<'_>, &mut Sink<'_>) -> Result<(), Failure>,
) -> Plugin {
    Plugin { name, about, place: Place::Endpoint, args: &[], free: false, permissions: &[], call }
}

pub(super) const TABLE: &[Plugin] = &[
    table("info", "The machine.", |call, sink| rows(call, "info", sink)),
    table("pslist", "Processes.", |call, sink| rows(call, "processes", sink)),
    table("process_tracker_pslist", "Processes.", |call, sink| rows(call, "processes", sink)),
    table("netstat", "Connections.", |call, sink| rows(call, "connections", sink)),
    table("interfaces", "Network interfaces.", |call, sink| rows(call, "interfaces", sink)),
    Plugin {
        name: "lab_table",
        about: "A table of the simulated machine, by name.",
        place: Place::Endpoint,
        args: &[Arg::needed("name", Kind::Str)],
        free: true,
        permissions: &[],
        call: |call, sink| rows(call, &call.text("name"), sink),
    },
];

/// A fault of the machine is an error in the flow's log, as a failing plugin's would be.
fn rows(call: &Call<'_>, table: &str, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let run = call.scope.run;
    let Some(endpoint) = run.endpoint() else { return Ok(()) };
    match endpoint.table(table, &call.free) {
        Ok(rows) => super::send(rows, sink),
        Err(fault) => run.log(format!("ERROR:{fault}")),
    }
    Ok(())
}
