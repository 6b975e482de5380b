//! Functions on text.

use super::{Function, pure};
use crate::eval::{Arg, Call, Failure, Kind};
use crate::value::{Value, display, rfc3339};

pub(super) const TABLE: &[Function] = &[
    pure("upcase", "Upper case.", &[Arg::needed("string", Kind::Str)], |call| {
        Ok(Value::str(call.text("string").to_uppercase()))
    }),
    pure("lowcase", "Lower case.", &[Arg::needed("string", Kind::Str)], |call| {
        Ok(Value::str(call.text("string").to_lowercase()))
    }),
    pure(
        "split",
        "Splits a text at a separator.",
        &[
            Arg::needed("string", Kind::Str),
            Arg::optional("sep", Kind::Str),
            Arg::optional("sep_string", Kind::Str),
        ],
        split,
    ),
    pure(
        "join",
        "Joins texts.",
        &[Arg::needed("array", Kind::Strings), Arg::optional("sep", Kind::Str)],
        |call| Ok(Value::str(call.strings("array").join(&call.text("sep")))),
    ),
    pure(
        "regex_replace",
        "Replaces what an expression matches.",
        &[
            Arg::needed("source", Kind::Str),
            Arg::optional("replace", Kind::Str),
            Arg::needed("re", Kind::Str),
        ],
        |call| {
            let regex = regex(call, &call.text("re"))?;
            let replaced =
                regex.replace_all(&call.text("source"), call.text("replace")).into_owned();
            Ok(Value::str(replaced))
        },
    ),
    pure(
        "format",
        "Fills values into a text.",
        &[Arg::needed("format", Kind::Str), Arg::optional("args", Kind::Any)],
        |call| {
            let args = match call.value("args") {
                Value::Array(items) => items.to_vec(),
                _ if !call.has("args") => Vec::new(),
                other => vec![other],
            };
            Ok(Value::str(fill(&call.text("format"), &args)))
        },
    ),
    pure(
        "humanize",
        "A number for reading.",
        &[Arg::optional("bytes", Kind::Int), Arg::optional("comma", Kind::Int)],
        |call| {
            Ok(match (call.int("bytes"), call.int("comma")) {
                (Some(bytes), _) => Value::str(bytes_text(u64::try_from(bytes).unwrap_or(0))),
                (None, Some(number)) => Value::str(with_commas(number)),
                (None, None) => Value::Null,
            })
        },
    ),
];

fn regex(call: &Call<'_>, pattern: &str) -> Result<regex::Regex, Failure> {
    call.scope.run.regexes.get(pattern).map_err(|error| format!("Compile regexp: {error}"))
}

fn split(call: &Call<'_>) -> Result<Value, Failure> {
    let text = call.text("string");
    if call.has("sep_string") {
        return Ok(Value::strings(text.split(&call.text("sep_string"))));
    }
    let regex = regex(call, &call.text("sep"))?;
    Ok(Value::strings(regex.split(&text)))
}

/// The verbs `%v %s %d %x %q` with an optional width; `%0Nd` pads with zeros.
fn fill(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut rest = args.iter();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut width = String::new();
        while let Some(digit) =
            chars.peek().filter(|c| c.is_ascii_digit() || matches!(c, '.' | '-'))
        {
            width.push(*digit);
            chars.next();
        }
        let verb = chars.next();
        if verb == Some('%') {
            out.push('%');
            continue;
        }
        let Some(value) = rest.next() else {
            out.push_str("%!");
            out.extend(verb);
            out.push_str("(MISSING)");
            continue;
        };
        let (width, digits) = width.split_once('.').unwrap_or((&width, ""));
        let text = match (verb, value) {
            (Some('x'), Value::Int(number)) => format!("{number:x}"),
            (Some('f'), Value::Float(number)) => {
                format!("{number:.*}", digits.parse().unwrap_or(6))
            }
            (Some('q'), _) => format!("{:?}", display(value)),
            (_, Value::Null) => String::from("Null"),
            (_, Value::Time(time)) => rfc3339(*time),
            _ => display(value),
        };
        let wanted = width.trim_start_matches(['0', '-']).parse().unwrap_or(0);
        let missing = usize::saturating_sub(wanted, text.chars().count());
        let pad = if width.starts_with('0') { "0" } else { " " };
        out.push_str(&pad.repeat(missing));
        out.push_str(&text);
    }
    out
}

/// A size in decimal units, two digits: `999 B`, `1.5 kB`, `12 kB`.
pub(crate) fn bytes_text(bytes: u64) -> String {
    const UNITS: &[&str] = &["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    if unit > 0 && size < 10.0 {
        format!("{size:.1} {}", UNITS[unit])
    } else {
        format!("{size:.0} {}", UNITS[unit])
    }
}

fn with_commas(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if number < 0 { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_are_filled_in_order() {
        let args = [Value::Int(1), Value::str("x"), Value::Int(255)];
        assert_eq!(fill("%v-%s %x 100%%", &args), "1-x ff 100%");
        assert_eq!(fill("%03d", &[Value::Int(7)]), "007");
    }

    #[test]
    fn sizes_have_two_digits() {
        assert_eq!(bytes_text(2), "2 B");
        assert_eq!(bytes_text(1500), "1.5 kB");
        assert_eq!(bytes_text(12_345), "12 kB");
        assert_eq!(with_commas(-1_234_567), "-1,234,567");
    }
}
