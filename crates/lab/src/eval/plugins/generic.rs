//! Plugins that only move rows about.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Place, Plugin, pure, send};
use crate::eval::call::run_rows;
use crate::eval::{Arg, Call, Failure, Kind, Rows, Sink};
use crate::value::{Dict, ParseJson, Value, display, row};

pub(super) const TABLE: &[Plugin] = &[
    pure("scope", "One empty row.", &[], |_, sink| {
        send([Dict::new()], sink);
        Ok(())
    }),
    pure(
        "range",
        "Numbers.",
        &[
            Arg::optional("start", Kind::Int),
            Arg::needed("end", Kind::Int),
            Arg::optional("step", Kind::Int),
        ],
        range,
    ),
    pure(
        "foreach",
        "Runs a query for each row of another.",
        &[
            Arg::needed("row", Kind::Rows),
            Arg::optional("query", Kind::Rows),
            Arg::optional("async", Kind::Bool),
            Arg::optional("workers", Kind::Int),
            Arg::optional("column", Kind::Str),
        ],
        foreach,
    ),
    pure(
        "if",
        "One of two queries.",
        &[
            Arg::needed("condition", Kind::Any),
            Arg::optional("then", Kind::Rows),
            Arg::optional("else", Kind::Rows),
        ],
        |call, sink| {
            let branch = if call.flag("condition") { "then" } else { "else" };
            call.each(call.scope, branch, sink);
            Ok(())
        },
    ),
    Plugin {
        name: "chain",
        about: "The rows of several queries, one after the other.",
        place: Place::Everywhere,
        args: &[],
        free: true,
        permissions: &[],
        call: |call, sink| {
            for value in call.free.values() {
                run_rows(call.scope, &Rows::Value(value.clone()), sink);
            }
            Ok(())
        },
    },
    pure("items", "A row for each member.", &[Arg::optional("item", Kind::Any)], items),
    pure(
        "parse_json_array",
        "The rows of a JSON array.",
        &[Arg::needed("data", Kind::Str)],
        |call, sink| {
            let read: Vec<serde_json::Value> =
                serde_json::from_str(&call.text("data")).map_err(|error| error.to_string())?;
            let rows = Value::array(read.into_iter().map(Value::from_json));
            run_rows(call.scope, &Rows::Value(rows), sink);
            Ok(())
        },
    ),
    pure(
        "flatten",
        "A row for each combination of array elements.",
        &[Arg::needed("query", Kind::Rows)],
        flatten,
    ),
    pure(
        "column_filter",
        "Chooses columns by expression.",
        &[
            Arg::needed("query", Kind::Rows),
            Arg::optional("exclude", Kind::Strings),
            Arg::optional("include", Kind::Strings),
        ],
        column_filter,
    ),
    pure(
        "clock",
        "A row every so often, without end.",
        &[Arg::optional("period", Kind::Int), Arg::optional("ms", Kind::Int)],
        clock,
    ),
];

fn range(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let step = call.int("step").filter(|step| *step != 0).unwrap_or(1);
    let end = call.int("end").unwrap_or(0);
    let mut at = call.int("start").unwrap_or(0);
    let name: Arc<str> = Arc::from("_value");
    while (step > 0 && at < end) || (step < 0 && at > end) {
        let row = Dict::from_iter([(Arc::clone(&name), Value::Int(at))]);
        if sink(row).is_break() {
            break;
        }
        at = at.saturating_add(step);
    }
    Ok(())
}

fn foreach(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let column = call.text("column");
    call.each(call.scope, "row", &mut |row| {
        if !column.is_empty() {
            let mut flow = ControlFlow::Continue(());
            let value = row.get(column.as_str()).cloned().unwrap_or_default();
            run_rows(call.scope, &Rows::Value(value), &mut |row| {
                flow = sink(row);
                flow
            });
            return flow;
        }
        if call.rows("query").is_none() {
            return sink(row);
        }
        let mut flow = ControlFlow::Continue(());
        call.each(&call.scope.with(&row), "query", &mut |row| {
            flow = sink(row);
            flow
        });
        flow
    });
    Ok(())
}

fn items(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    match call.value("item") {
        Value::Dict(dict) => send(
            dict.iter().map(|(key, value)| row! { "_key" => key, "_value" => value.clone() }),
            sink,
        ),
        other => send(
            other
                .into_items()
                .into_iter()
                .enumerate()
                .map(|(at, value)| row! { "_key" => at, "_value" => value }),
            sink,
        ),
    }
    Ok(())
}

fn flatten(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    call.each(call.scope, "query", &mut |row| {
        let mut rows = vec![Dict::new()];
        for (name, value) in &row {
            let choices = match value {
                Value::Array(items) => items.to_vec(),
                other => vec![other.clone()],
            };
            // The first column varies fastest.
            rows = choices
                .iter()
                .flat_map(|choice| {
                    rows.iter().map(|row| {
                        let mut row = row.clone();
                        row.insert(Arc::clone(name), choice.clone());
                        row
                    })
                })
                .collect();
        }
        rows.into_iter().try_for_each(&mut *sink)
    });
    Ok(())
}

fn column_filter(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let compile = |name| {
        call.strings(name)
            .iter()
            .map(|pattern| call.scope.run.regexes.get(pattern))
            .collect::<Result<Vec<_>, _>>()
    };
    let (include, exclude) = (compile("include")?, compile("exclude")?);
    call.each(call.scope, "query", &mut |row| {
        let keep = |name: &str| {
            (include.is_empty() || include.iter().any(|regex| regex.is_match(name)))
                && !exclude.iter().any(|regex| regex.is_match(name))
        };
        sink(row.into_iter().filter(|(name, _)| keep(name)).collect())
    });
    Ok(())
}

/// The members of a time, as the engine shows one.
fn clock(call: &Call<'_>, sink: &mut Sink<'_>) -> Result<(), Failure> {
    let period = match (call.int("period"), call.int("ms")) {
        (_, Some(ms)) if ms > 0 => Duration::from_millis(ms.unsigned_abs()),
        (Some(seconds), _) if seconds > 0 => Duration::from_secs(seconds.unsigned_abs()),
        _ => Duration::from_secs(1),
    };
    while call.scope.run.stop.sleep(period) {
        let now = Timestamp::now();
        let local = now.to_zoned(TimeZone::UTC);
        let row = row! {
            "Day" => i32::from(local.day()),
            "Hour" => i32::from(local.hour()),
            "ISOWeek" => i32::from(local.date().iso_week_date().year()),
            "IsDST" => false,
            "IsZero" => false,
            "Minute" => i32::from(local.minute()),
            "Month" => i32::from(local.month()),
            "Nanosecond" => local.subsec_nanosecond(),
            "Second" => i32::from(local.second()),
            "String" => display(&Value::Time(now)),
            "UTC" => now,
            "Unix" => now.as_second(),
            "UnixMicro" => now.as_microsecond(),
            "UnixMilli" => now.as_millisecond(),
            "UnixNano" => i64::try_from(now.as_nanosecond()).unwrap_or(0),
            "Weekday" => i32::from(local.weekday().to_sunday_zero_offset()),
            "Year" => i32::from(local.year()),
            "YearDay" => i32::from(local.day_of_year()),
            "Zone" => "UTC",
        };
        if sink(row).is_break() {
            break;
        }
    }
    Ok(())
}
