//! Expressions.

use std::sync::Arc;

use vql_builder::ast::{ArgValue, BinaryOp, Expr, ExprKind, Ident, LetValue};

use super::call::call_function;
use super::scope::{Binding, Scope, Stored};
use super::select::{collect_select, collect_stored};
use crate::value::{Value, arithmetic, compare, contains, display, equal};

/// The value of an expression. Whatever fails is logged and gives NULL.
pub(crate) fn eval(scope: &Scope<'_>, expr: &Expr) -> Value {
    match &expr.kind {
        ExprKind::Null => Value::Null,
        ExprKind::Bool(value) => Value::Bool(*value),
        ExprKind::Int(value) => Value::Int(*value),
        ExprKind::Float(value) => Value::Float(*value),
        ExprKind::Str(text) => Value::str(text),
        ExprKind::Name(path) => eval_name(scope, path),
        ExprKind::Call { path, arguments } => call_function(scope, expr, path, arguments),
        ExprKind::Member { value, name } => {
            member(scope, &eval(scope, value), &name.name).unwrap_or_default()
        }
        ExprKind::Index { value, index } => {
            let value = eval(scope, value);
            let lazy = matches!(value, Value::Query(_));
            let value = rows_of(scope, value);
            match eval(scope, index) {
                // A query that has not run knows no end to count from, and no round.
                Value::Int(at) if lazy => {
                    let rows = value.into_items();
                    let row = usize::try_from(at).ok().and_then(|at| rows.into_iter().nth(at));
                    row.unwrap_or_default()
                }
                Value::Int(at) => value.element(at).unwrap_or_default(),
                Value::Str(name) => value.member(&name).unwrap_or_default(),
                _ => Value::Null,
            }
        }
        ExprKind::Slice { value, start, end } => {
            let at = |end: &Option<Box<Expr>>| end.as_ref().and_then(|e| eval(scope, e).as_int());
            rows_of(scope, eval(scope, value)).slice(at(start), at(end))
        }
        ExprKind::Negate(value) => arithmetic(BinaryOp::Sub, &Value::Int(0), &eval(scope, value)),
        ExprKind::Not(value) => Value::Bool(!rows_of(scope, eval(scope, value)).truthy()),
        ExprKind::Binary { op, left, right } => binary(scope, *op, left, right),
        ExprKind::Array(items) => Value::array(items.iter().map(|item| eval(scope, item))),
        ExprKind::Group(inner) => eval(scope, inner),
    }
}

/// The value of an argument; a sub-select gives its rows.
pub(crate) fn eval_argument(scope: &Scope<'_>, value: &ArgValue) -> Value {
    match value {
        ArgValue::Expr(expr) => eval(scope, expr),
        ArgValue::Array(items) => Value::array(items.iter().map(|item| eval(scope, item))),
        ArgValue::Select(select) => collect_select(scope, select),
    }
}

/// The value of a LET expression.
pub(crate) fn eval_stored(scope: &Scope<'_>, stored: &Arc<Stored>) -> Value {
    let Some(scope) = scope.deeper() else { return Value::Null };
    match &stored.statement.value {
        LetValue::Expr(expr) => eval(&scope.reading(&stored.text), expr),
        LetValue::Select(_) => Value::Query(Arc::clone(stored)),
    }
}

/// A stored query as the array of its rows, anything else as it is.
pub(crate) fn rows_of(scope: &Scope<'_>, value: Value) -> Value {
    match value {
        Value::Query(stored) => collect_stored(scope, &stored),
        other => other,
    }
}

fn eval_name(scope: &Scope<'_>, path: &[Ident]) -> Value {
    let Some((first, rest)) = path.split_first() else { return Value::Null };
    let Some(mut value) = scope.value(&first.name) else {
        if !scope.quiet {
            let whole = join(path);
            let subject = if rest.is_empty() {
                format!("Symbol {whole}")
            } else {
                format!("While resolving {whole} Symbol {}", first.name)
            };
            scope
                .run
                .log(format!("ERROR:{subject} not found. Current Scope is {}", scope.describe()));
        }
        return Value::Null;
    };
    for ident in rest {
        value = match member(scope, &value, &ident.name) {
            Some(value) => value,
            None => return Value::Null,
        };
    }
    value
}

fn member(scope: &Scope<'_>, value: &Value, name: &str) -> Option<Value> {
    match value {
        // One column of all the rows.
        Value::Query(stored) => {
            let rows = collect_stored(scope, stored).into_items();
            Some(Value::array(rows.iter().map(|row| row.member(name).unwrap_or_default())))
        }
        other => other.member(name),
    }
}

/// A dotted name as text.
pub(super) fn join(path: &[Ident]) -> String {
    path.iter().map(|ident| ident.name.as_str()).collect::<Vec<_>>().join(".")
}

fn binary(scope: &Scope<'_>, op: BinaryOp, left: &Expr, right: &Expr) -> Value {
    let value = |expr| rows_of(scope, eval(scope, expr));
    match op {
        BinaryOp::And => Value::Bool(value(left).truthy() && value(right).truthy()),
        BinaryOp::Or => Value::Bool(value(left).truthy() || value(right).truthy()),
        BinaryOp::AndValue => {
            let left = value(left);
            if left.truthy() { value(right) } else { left }
        }
        BinaryOp::OrValue => {
            let left = value(left);
            if left.truthy() { left } else { value(right) }
        }
        BinaryOp::NeAngle => Value::Bool(false),
        BinaryOp::Match => Value::Bool(matches(scope, &value(left), &value(right))),
        BinaryOp::In => Value::Bool(contains(&value(left), &value(right))),
        BinaryOp::Eq => Value::Bool(equal(&value(left), &value(right))),
        BinaryOp::Ne => Value::Bool(!equal(&value(left), &value(right))),
        BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
            let order = compare(&value(left), &value(right));
            Value::Bool(order.is_some_and(|order| match op {
                BinaryOp::Lt => order.is_lt(),
                BinaryOp::Le => order.is_le(),
                BinaryOp::Gt => order.is_gt(),
                _ => order.is_ge(),
            }))
        }
        BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div => {
            arithmetic(op, &value(left), &value(right))
        }
    }
}

/// `=~`: any element of an array may match, and the patterns that match everything match NULL too.
fn matches(scope: &Scope<'_>, subject: &Value, pattern: &Value) -> bool {
    if pattern.is_null() {
        return false;
    }
    if matches!(pattern.as_str(), Some("" | "." | ".*")) {
        return true;
    }
    if let Value::Array(items) = subject {
        return items.iter().any(|item| matches(scope, item, pattern));
    }
    if subject.is_null() {
        return false;
    }
    match scope.run.regexes.get(&display(pattern)) {
        Ok(regex) => regex.is_match(&display(subject)),
        Err(error) => {
            scope.run.log(format!("Compile regexp: {error}"));
            false
        }
    }
}

/// What a name stands for when it is called: a definition with parameters.
pub(super) fn callable(scope: &Scope<'_>, name: &str) -> Option<Arc<Stored>> {
    match scope.lookup(name)? {
        Binding::Stored(stored) => Some(stored),
        Binding::Value(_) => None,
    }
}
