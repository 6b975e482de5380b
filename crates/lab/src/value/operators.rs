//! What the two-sided operators do. Types that do not fit give NULL or false, never an error.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use vql_builder::ast::BinaryOp;

use super::{Dict, Value};

/// Most bytes of a repeated text (0.77.2).
const LONGEST_REPEAT: usize = 100_000_000;

/// `+ - * /`.
pub(crate) fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Value {
    match (op, left, right) {
        (BinaryOp::Add, Value::Str(a), Value::Str(b)) => Value::str(format!("{a}{b}")),
        (BinaryOp::Add, Value::Null, _) => Value::Null,
        (BinaryOp::Add, Value::Dict(a), Value::Dict(b)) => {
            let mut joined = Dict::clone(a);
            joined.extend(b.iter().map(|(k, v)| (Arc::clone(k), v.clone())));
            Value::dict(joined)
        }
        (BinaryOp::Add, Value::Array(_), _) | (BinaryOp::Add, _, Value::Array(_)) => {
            let mut items = as_list(left);
            items.extend(as_list(right));
            Value::from(items)
        }
        (BinaryOp::Mul, Value::Str(text), _) => repeated(text, right),
        (_, Value::Int(a), Value::Int(b)) => match op {
            BinaryOp::Add => Value::Int(a.wrapping_add(*b)),
            BinaryOp::Sub => Value::Int(a.wrapping_sub(*b)),
            BinaryOp::Mul => Value::Int(a.wrapping_mul(*b)),
            _ if *b == 0 => Value::Null,
            _ if a % b == 0 => Value::Int(a / b),
            #[expect(clippy::cast_precision_loss, reason = "a division that leaves a rest")]
            _ => Value::Float(*a as f64 / *b as f64),
        },
        _ => match (left.as_float(), right.as_float()) {
            (Some(a), Some(b)) => match op {
                BinaryOp::Add => Value::Float(a + b),
                BinaryOp::Sub => Value::Float(a - b),
                BinaryOp::Mul => Value::Float(a * b),
                _ if b == 0.0 => Value::Null,
                _ => Value::Float(a / b),
            },
            _ => Value::Null,
        },
    }
}

/// A text so many times over. A negative number of times, and what would be longer than the engine
/// makes a text, is NULL, without a word in the log.
fn repeated(text: &str, times: &Value) -> Value {
    let times = times.as_int().and_then(|times| usize::try_from(times).ok());
    match times.and_then(|times| Some((times, times.checked_mul(text.len())?))) {
        Some((times, length)) if length <= LONGEST_REPEAT => Value::str(text.repeat(times)),
        _ => Value::Null,
    }
}

fn as_list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.to_vec(),
        other => vec![other.clone()],
    }
}

/// `=`: equal values of comparable types.
pub(crate) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(_), _) | (_, Value::Bool(_)) => {
            left.as_int().is_some() && left.as_int() == right.as_int()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b))
        }
        (Value::Dict(a), Value::Dict(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => compare(left, right) == Some(Ordering::Equal),
    }
}

/// The order of two values; `None` where their types have none.
pub(crate) fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        (Value::Time(a), Value::Time(b)) => Some(a.cmp(b)),
        // A time compares with seconds, and with text that is a time.
        (Value::Time(a), _) => other_time(right).map(|b| a.cmp(&b)),
        (_, Value::Time(b)) => other_time(left).map(|a| a.cmp(b)),
        _ => left.as_float()?.partial_cmp(&right.as_float()?),
    }
}

fn other_time(value: &Value) -> Option<jiff::Timestamp> {
    crate::eval::time_from(value)
}

/// `IN`: an element of an array, a key of a mapping, a part of a string.
pub(crate) fn contains(needle: &Value, haystack: &Value) -> bool {
    match haystack {
        Value::Array(items) => items.iter().any(|item| equal(needle, item)),
        Value::Dict(dict) => needle.as_str().is_some_and(|name| dict.contains_key(name)),
        Value::Str(text) => needle.as_str().is_some_and(|part| text.contains(part)),
        _ => false,
    }
}

/// Compiled expressions of one query run: `=~` is evaluated for each row.
#[derive(Default)]
pub(crate) struct RegexCache(RefCell<HashMap<String, Result<Regex, String>>>);

impl RegexCache {
    /// The expression, case-insensitive as all of them are.
    ///
    /// # Errors
    /// The text that the engine logs.
    pub(crate) fn get(&self, pattern: &str) -> Result<Regex, String> {
        if let Some(found) = self.0.borrow().get(pattern) {
            return found.clone();
        }
        let full = format!("(?i){pattern}");
        let compiled = Regex::new(&full)
            .map_err(|error| format!("error parsing regexp: {}: `{full}`", cause(&error)));
        self.0.borrow_mut().insert(pattern.to_owned(), compiled.clone());
        compiled
    }
}

/// The cause in the engine's words, where it has some.
fn cause(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    match last.as_str() {
        "unclosed group" => String::from("missing closing )"),
        "unopened group" => String::from("unexpected )"),
        "unclosed character class" => String::from("missing closing ]"),
        "repetition operator missing expression" => {
            String::from("missing argument to repetition operator")
        }
        _ => last,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::to_json;

    #[test]
    fn types_that_do_not_fit_give_null_or_false() {
        let null = |op, a: &Value, b: &Value| arithmetic(op, a, b).is_null();
        assert!(null(BinaryOp::Add, &Value::Int(1), &Value::str("a")));
        assert!(null(BinaryOp::Add, &Value::Null, &Value::Int(1)));
        assert!(null(BinaryOp::Div, &Value::Int(1), &Value::Int(0)));
        assert!(!equal(&Value::str("1"), &Value::Int(1)));
        assert!(equal(&Value::Float(1.0), &Value::Int(1)));
        assert_eq!(compare(&Value::str("1"), &Value::Int(1)), None);
    }

    #[test]
    fn a_text_is_repeated_within_the_bounds_of_the_engine() {
        let times = |n: Value| to_json(&arithmetic(BinaryOp::Mul, &Value::str("ab"), &n));
        assert_eq!(times(Value::Int(3)), "\"ababab\"");
        assert_eq!(times(Value::Float(2.7)), "\"abab\"");
        assert_eq!(times(Value::Int(0)), "\"\"");
        for beyond in [-1, 50_000_001, i64::MAX] {
            assert_eq!(times(Value::Int(beyond)), "null", "{beyond}");
        }
        assert_eq!(times(Value::str("2")), "null");
    }

    #[test]
    fn division_is_whole_where_it_leaves_no_rest() {
        let div = |a, b| to_json(&arithmetic(BinaryOp::Div, &Value::Int(a), &Value::Int(b)));
        assert_eq!(div(6, 2), "3");
        assert_eq!(div(7, 2), "3.5");
    }

    #[test]
    fn a_bad_expression_is_told_in_the_engines_words() {
        let error = RegexCache::default().get("(").unwrap_err();
        assert_eq!(error, "error parsing regexp: missing closing ): `(?i)(`");
    }
}
