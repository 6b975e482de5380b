//! SELECT: rows from a plugin through WHERE, GROUP BY, ORDER BY and LIMIT into a sink.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use indexmap::IndexMap;
use vql_builder::ast::{Column, ColumnValue, LetValue, Select};

use super::Sink;
use super::call::call_plugin;
use super::expr::{eval, rows_of};
use super::scope::{Binding, Names, Scope, Stored, Variables};
use super::text::column_name;
use crate::value::{Dict, Value, compare, display};

/// What `count()`, `sum()` and their like have seen so far: one value for each place in the code
/// that calls one. A group has its own.
#[derive(Default)]
pub(crate) struct Aggregates(RefCell<HashMap<usize, Value>>);

impl Aggregates {
    /// Replaces the value of the place by what `next` makes of it.
    pub(crate) fn update(&self, place: usize, next: impl FnOnce(Value) -> Value) -> Value {
        let mut seen = self.0.borrow_mut();
        let value = next(seen.remove(&place).unwrap_or_default());
        seen.insert(place, value.clone());
        value
    }
}

/// Runs a query.
pub(crate) fn run_select(scope: &Scope<'_>, select: &Select, sink: &mut Sink<'_>) {
    let aggregates = Aggregates::default();
    let marker = Variables::default();
    marker.set("$Query", Binding::Value(Value::Null));
    let scope = scope.counting(&aggregates);
    let scope = scope.with(&marker);
    if select.group_by.is_empty() && select.order_by.is_none() {
        stream(&scope, select, &mut |row| sink(row), select.limit);
        return;
    }
    let mut rows = if select.group_by.is_empty() {
        let mut rows = Vec::new();
        stream(
            &scope,
            select,
            &mut |row| {
                rows.push(row);
                ControlFlow::Continue(())
            },
            None,
        );
        rows
    } else {
        grouped(&scope, select)
    };
    if let Some(order) = &select.order_by {
        let key = |row: &Dict| row.get(order.column.name.as_str()).cloned().unwrap_or_default();
        rows.sort_by(|a, b| {
            let by = sort_order(&key(a), &key(b));
            if order.descending { by.reverse() } else { by }
        });
    }
    let limit = select.limit.map_or(usize::MAX, limit_rows);
    for row in rows.into_iter().take(limit) {
        if sink(row).is_break() {
            return;
        }
    }
}

/// LIMIT 0 and negative limits give one row.
fn limit_rows(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(0).max(1)
}

/// NULL first; values without an order keep theirs.
fn sort_order(a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        _ => compare(a, b).unwrap_or(Ordering::Equal),
    }
}

/// The rows that pass WHERE, one by one.
fn stream(scope: &Scope<'_>, select: &Select, sink: &mut Sink<'_>, limit: Option<i64>) {
    let mut left = limit.map(limit_rows);
    source(scope, select, &mut |row| {
        let row_scope = scope.with(&row);
        let columns = Columns::new(&row_scope, select, &row);
        if !passes(&row_scope.with(&columns), select) {
            return ControlFlow::Continue(());
        }
        sink(columns.into_row())?;
        match &mut left {
            Some(left) if *left <= 1 => ControlFlow::Break(()),
            Some(left) => {
                *left -= 1;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Continue(()),
        }
    });
}

/// One row for each group: the last one, with the group's own counters.
fn grouped(scope: &Scope<'_>, select: &Select) -> Vec<Dict> {
    let mut groups: IndexMap<String, (Aggregates, Dict)> = IndexMap::new();
    source(scope, select, &mut |row| {
        let row_scope = scope.with(&row);
        let columns = Columns::new(&row_scope, select, &row);
        let filter_scope = row_scope.with(&columns);
        if !passes(&filter_scope, select) {
            return ControlFlow::Continue(());
        }
        let mut quiet = filter_scope;
        quiet.quiet = true;
        // As the server does: what reads the same is the same, and a blank stands between values.
        let key: Vec<String> = select.group_by.iter().map(|by| read(&eval(&quiet, by))).collect();
        let (aggregates, last) = groups.entry(key.join(" ")).or_default();
        let group_scope = row_scope.counting(aggregates);
        *last = Columns::new(&group_scope, select, &row).into_row();
        ControlFlow::Continue(())
    });
    groups.into_values().map(|(_, row)| row).collect()
}

/// A value as rows are grouped by it.
fn read(value: &Value) -> String {
    match value {
        Value::Null => String::from("Null"),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(read).collect::<Vec<_>>().join(" "))
        }
        value => display(value),
    }
}

fn source(scope: &Scope<'_>, select: &Select, sink: &mut Sink<'_>) {
    let stop = &scope.run.stop;
    call_plugin(scope, &select.from, &mut |row| {
        if stop.is_set() { ControlFlow::Break(()) } else { sink(row) }
    });
}

fn passes(scope: &Scope<'_>, select: &Select) -> bool {
    let Some(filter) = &select.filter else { return true };
    let mut scope = *scope;
    scope.quiet = true;
    rows_of(&scope, eval(&scope, filter)).truthy()
}

/// The columns of one row, each computed at most once and only when it is asked for.
struct Columns<'a> {
    scope: &'a Scope<'a>,
    select: &'a Select,
    row: &'a Dict,
    names: Vec<String>,
    values: RefCell<Vec<Option<Value>>>,
    /// The column that is being computed: its own name then means the source's column.
    busy: Cell<Option<usize>>,
}

impl<'a> Columns<'a> {
    fn new(scope: &'a Scope<'a>, select: &'a Select, row: &'a Dict) -> Self {
        let names = select.columns.iter().map(|column| column_name(scope.text, column)).collect();
        let values = RefCell::new(vec![None; select.columns.len()]);
        Self { scope, select, row, names, values, busy: Cell::new(None) }
    }

    fn value(&self, at: usize) -> Value {
        if let Some(value) = &self.values.borrow()[at] {
            return value.clone();
        }
        let before = self.busy.replace(Some(at));
        let value = column_value(self.scope, &self.select.columns[at]);
        self.busy.set(before);
        self.values.borrow_mut()[at] = Some(value.clone());
        value
    }

    fn into_row(self) -> Dict {
        if self.select.star && self.select.columns.is_empty() {
            return self.row.clone();
        }
        let mut out = if self.select.star { self.row.clone() } else { Dict::new() };
        for (at, column) in self.select.columns.iter().enumerate() {
            if matches!(column.value, ColumnValue::Star) {
                for (name, value) in self.row {
                    out.entry(Arc::clone(name)).or_insert_with(|| value.clone());
                }
            } else {
                out.insert(Arc::from(self.names[at].as_str()), self.value(at));
            }
        }
        out
    }
}

impl Names for Columns<'_> {
    fn lookup(&self, name: &str) -> Option<Binding> {
        let at = self.names.iter().rposition(|own| own == name)?;
        if self.busy.get() == Some(at) || matches!(self.select.columns[at].value, ColumnValue::Star)
        {
            return None;
        }
        Some(Binding::Value(self.value(at)))
    }

    fn names(&self) -> Option<Vec<String>> {
        None
    }
}

fn column_value(scope: &Scope<'_>, column: &Column) -> Value {
    match &column.value {
        ColumnValue::Star => Value::Null,
        ColumnValue::Expr(expr) => rows_of(scope, eval(scope, expr)),
        ColumnValue::Select(select) => compact(collect_select(scope, select)),
    }
}

/// A sub-select in a column: one column gives its values, one row gives itself.
fn compact(rows: Value) -> Value {
    let items: Vec<Value> = rows
        .into_items()
        .into_iter()
        .map(|row| match &row {
            Value::Dict(dict) if dict.len() == 1 => dict[0].clone(),
            _ => row,
        })
        .collect();
    match items.len() {
        0 => Value::Null,
        1 => items.into_iter().next().unwrap_or_default(),
        _ => Value::from(items),
    }
}

/// Runs a stored query.
pub(crate) fn run_stored(scope: &Scope<'_>, stored: &Stored, sink: &mut Sink<'_>) {
    let Some(scope) = scope.deeper() else { return };
    match &stored.statement.value {
        LetValue::Select(select) => run_select(&scope.reading(&stored.text), select, sink),
        LetValue::Expr(expr) => {
            let value = eval(&scope.reading(&stored.text), expr);
            run_value(&scope, value, sink);
        }
    }
}

/// A value as rows: an array's elements, a mapping itself, anything else as `_value`.
pub(crate) fn run_value(scope: &Scope<'_>, value: Value, sink: &mut Sink<'_>) {
    match value {
        Value::Null => {}
        Value::Query(stored) => run_stored(scope, &stored, sink),
        Value::Array(items) => {
            for item in items.iter() {
                if sink(as_row(item)).is_break() {
                    return;
                }
            }
        }
        // The query ends here in any case.
        other => drop(sink(as_row(&other))),
    }
}

fn as_row(value: &Value) -> Dict {
    match value {
        Value::Dict(dict) => Dict::clone(dict),
        other => crate::value::row! { "_value" => other.clone() },
    }
}

/// All rows of a query as an array.
pub(crate) fn collect_select(scope: &Scope<'_>, select: &Select) -> Value {
    collect(|sink| run_select(scope, select, sink))
}

/// All rows of a stored query as an array.
pub(crate) fn collect_stored(scope: &Scope<'_>, stored: &Stored) -> Value {
    collect(|sink| run_stored(scope, stored, sink))
}

fn collect(run: impl FnOnce(&mut Sink<'_>)) -> Value {
    let mut rows = Vec::new();
    run(&mut |row| {
        rows.push(Value::dict(row));
        ControlFlow::Continue(())
    });
    Value::from(rows)
}
