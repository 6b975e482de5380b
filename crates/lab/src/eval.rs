//! The evaluator: VQL over the simulated world.
//!
//! It evaluates what the product's own queries need. Everything else gets the answer that the real
//! server gives for a name it does not know.
//!
//! A query runs on a thread of its own and pushes its rows into a sink; a sink that breaks, the
//! deadline and a cancellation all end it at the next row.

mod call;
mod expr;
mod functions;
mod plugins;
mod program;
mod refused;
mod run;
mod scope;
mod select;
mod text;
mod times;

pub(crate) use call::{Arg, Call, Kind, Rows};
pub(crate) use functions::bytes_text;
pub(crate) use program::{Event, Text, environment, run_artifact_source, run_program};
pub(crate) use run::{Host, Run, Session, Stop};
pub(crate) use scope::Stored;
pub(crate) use times::time_from;

use std::ops::ControlFlow;

use crate::value::Dict;

/// Where a query's rows go. Breaking ends the query.
pub(crate) type Sink<'s> = dyn FnMut(Dict) -> ControlFlow<()> + 's;

/// Why a function or plugin gave nothing: the text after `name: ` in the log.
pub(crate) type Failure = String;
