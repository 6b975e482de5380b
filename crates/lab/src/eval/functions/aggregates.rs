//! Functions that remember what they saw in the rows before, within one query or group.

use super::{Function, pure};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Value, arithmetic, compare};
use vql_builder::ast::BinaryOp;

pub(super) const TABLE: &[Function] = &[
    pure("count", "Counts rows.", &[Arg::optional("items", Kind::Any)], count),
    pure("sum", "Adds up a column.", &[Arg::needed("item", Kind::Any)], sum),
    pure("max", "The largest value of a column.", &[Arg::needed("item", Kind::Any)], max),
    pure("min", "The smallest value of a column.", &[Arg::needed("item", Kind::Any)], min),
    pure("enumerate", "All values of a column.", &[Arg::needed("items", Kind::Any)], enumerate),
];

fn count(call: &Call<'_>) -> Result<Value, Failure> {
    Ok(call.scope.aggregates.update(call.place, |seen| Value::Int(seen.as_int().unwrap_or(0) + 1)))
}

fn sum(call: &Call<'_>) -> Result<Value, Failure> {
    let item = call.value("item");
    Ok(call.scope.aggregates.update(call.place, |seen| match seen {
        Value::Null => item,
        seen => arithmetic(BinaryOp::Add, &seen, &item),
    }))
}

fn max(call: &Call<'_>) -> Result<Value, Failure> {
    extreme(call, std::cmp::Ordering::Greater)
}

fn min(call: &Call<'_>) -> Result<Value, Failure> {
    extreme(call, std::cmp::Ordering::Less)
}

fn extreme(call: &Call<'_>, wanted: std::cmp::Ordering) -> Result<Value, Failure> {
    let item = call.value("item");
    Ok(call.scope.aggregates.update(call.place, |seen| {
        if seen.is_null() || compare(&item, &seen) == Some(wanted) { item } else { seen }
    }))
}

fn enumerate(call: &Call<'_>) -> Result<Value, Failure> {
    let item = call.value("items");
    Ok(call.scope.aggregates.update(call.place, |seen| {
        let mut items = seen.into_items();
        items.push(item);
        Value::from(items)
    }))
}
