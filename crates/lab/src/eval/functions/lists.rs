//! Functions on collections, and `if`.

use super::{Function, pure};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Value, display};

pub(super) const TABLE: &[Function] = &[
    pure(
        "if",
        "One of two values.",
        &[
            Arg::needed("condition", Kind::Any),
            Arg::optional("then", Kind::Lazy),
            Arg::optional("else", Kind::Lazy),
        ],
        |call| {
            let branch = if call.flag("condition") { "then" } else { "else" };
            Ok(call.eval(branch))
        },
    ),
    pure(
        "get",
        "A member of a mapping, or an element.",
        &[
            Arg::optional("item", Kind::Any),
            Arg::optional("member", Kind::Str),
            Arg::optional("field", Kind::Any),
            Arg::optional("default", Kind::Any),
        ],
        get,
    ),
    pure("len", "The number of elements.", &[Arg::needed("list", Kind::Any)], |call| {
        Ok(match call.value("list") {
            Value::Array(items) => Value::from(items.len()),
            Value::Dict(dict) => Value::from(dict.len()),
            Value::Str(text) => Value::from(text.len()),
            Value::Bytes(bytes) => Value::from(bytes.len()),
            _ => Value::Int(0),
        })
    }),
    pure(
        "filter",
        "The elements that an expression matches, or that a lambda wants.",
        &[
            Arg::needed("list", Kind::Any),
            Arg::optional("filter", Kind::Str),
            Arg::optional("condition", Kind::Str),
            Arg::optional("regex", Kind::Str),
        ],
        filter,
    ),
    pure(
        "slice",
        "A part of a list.",
        &[
            Arg::needed("list", Kind::Any),
            Arg::needed("start", Kind::Int),
            Arg::needed("end", Kind::Int),
        ],
        // An end before the beginning of the list is its end, a start there gives nothing.
        |call| {
            let (start, end) = (call.int("start").unwrap_or(0), call.int("end"));
            if start < 0 {
                return Ok(Value::array([]));
            }
            Ok(call.value("list").slice(Some(start), end.filter(|end| *end >= 0)))
        },
    ),
    pure(
        "to_dict",
        "A mapping of rows with _key and _value.",
        &[Arg::needed("item", Kind::Any)],
        to_dict,
    ),
    pure(
        "sleep",
        "Waits.",
        &[Arg::optional("time", Kind::Int), Arg::optional("ms", Kind::Int)],
        |call| {
            let wait = call.int("time").unwrap_or(0) * 1000 + call.int("ms").unwrap_or(0);
            let wait = std::time::Duration::from_millis(u64::try_from(wait).unwrap_or(0));
            Ok(Value::Bool(call.scope.run.stop.sleep(wait)))
        },
    ),
    pure(
        "log",
        "Writes a log line.",
        &[
            Arg::needed("message", Kind::Str),
            Arg::optional("args", Kind::Any),
            Arg::optional("level", Kind::Str),
            Arg::optional("dedup", Kind::Int),
        ],
        log,
    ),
    pure("scope", "The current scope.", &[], |_| Ok(Value::from(crate::value::Dict::new()))),
];

/// Without an item: of the current scope.
fn get(call: &Call<'_>) -> Result<Value, Failure> {
    if !call.has("item") {
        let name = if call.has("member") { call.text("member") } else { call.text("field") };
        let mut parts = name.split('.');
        let first = parts.next().and_then(|name| call.scope.value(name));
        let found = first.and_then(|value| parts.try_fold(value, |value, name| value.member(name)));
        return Ok(found.unwrap_or_else(|| call.value("default")));
    }
    let item = call.value("item");
    let found = if call.has("member") {
        call.text("member").split('.').try_fold(item, |value, name| value.member(name))
    } else {
        match call.value("field") {
            Value::Int(at) => item.element(at),
            field => item.member(&display(&field)),
        }
    };
    Ok(found.unwrap_or_else(|| call.value("default")))
}

fn filter(call: &Call<'_>) -> Result<Value, Failure> {
    let items = call.value("list").into_items();
    let lambda = if call.has("condition") { "condition" } else { "filter" };
    if call.has(lambda) {
        let lambda = vql_builder::parse_lambda(&call.text(lambda))
            .map_err(|error| format!("lambda: {}", error.message))?;
        let keep = |item: &Value| call.apply(&lambda, item).truthy();
        return Ok(Value::array(items.into_iter().filter(keep)));
    }
    let pattern = call.text("regex");
    if matches!(pattern.as_str(), "" | "." | ".*") {
        return Ok(Value::from(items));
    }
    let regex = call.scope.run.regexes.get(&pattern)?;
    let keep = |item: &Value| !item.is_null() && regex.is_match(&display(item));
    Ok(Value::array(items.into_iter().filter(keep)))
}

fn to_dict(call: &Call<'_>) -> Result<Value, Failure> {
    let rows = call.value("item").into_items();
    Ok(Value::dict(
        rows.iter()
            .filter_map(|row| {
                let key = row.member("_key").filter(|key| !key.is_null())?;
                Some((display(&key).into(), row.member("_value").unwrap_or_default()))
            })
            .collect(),
    ))
}

/// Equal texts are written once, unless `dedup` is negative.
fn log(call: &Call<'_>) -> Result<Value, Failure> {
    let level = match call.text("level").to_uppercase() {
        level if level.is_empty() => String::from("DEFAULT"),
        level => level,
    };
    let line = format!("{level}:{}", call.text("message"));
    if call.int("dedup").unwrap_or(0) < 0 || call.scope.run.is_new_log(&line) {
        call.scope.run.log(line);
    }
    Ok(Value::Bool(true))
}
