//! Values and JSON text: every string is escaped, and members that hold secrets are masked.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use guard::outlet::hostile;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{MASK, Masked, escape_text};

/// Members whose value is enrolment or key material wherever they occur.
const SECRET_MEMBERS: &[&str] = &["nonce", "_client_config", "client_private_key", "private_key"];

/// Whether a member of this name is masked: it is named as a secret and there is a text, a list or
/// an object. A number or a truth value says nothing that could be used.
pub fn is_masked(name: &str, value: Option<&Value>) -> bool {
    let holds = match value {
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(members)) => !members.is_empty(),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => false,
    };
    holds && SECRET_MEMBERS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

/// Compact JSON of a value with its secrets masked and nothing else changed.
pub fn masked_json(value: &Value) -> String {
    fn has_secret(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(has_secret),
            Value::Object(members) => members
                .iter()
                .any(|(name, value)| is_masked(name, Some(value)) || has_secret(value)),
            _ => false,
        }
    }
    fn mask(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(mask),
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    if is_masked(name, Some(value)) {
                        *value = Value::from(MASK);
                    } else {
                        mask(value);
                    }
                }
            }
            _ => {}
        }
    }
    if !has_secret(value) {
        return value.to_string();
    }
    let mut value = value.clone();
    mask(&mut value);
    value.to_string()
}

/// Names the columns of rows as they are shown, in the list of columns and in the rows alike, so
/// that two which look the same once they are escaped are told apart everywhere.
pub fn name_columns(columns: &mut [String], rows: &mut [Map<String, Value>]) {
    if !columns.iter().any(|name| is_tricky(name)) {
        return;
    }
    let shown = shown_names(columns.iter().map(String::as_str));
    let names: HashMap<&str, &String> = columns.iter().map(String::as_str).zip(&shown).collect();
    for row in rows {
        let named = |(name, value): (String, Value)| match names.get(name.as_str()) {
            Some(shown) => ((*shown).clone(), value),
            None => (name, value),
        };
        *row = std::mem::take(row).into_iter().map(named).collect();
    }
    columns.clone_from_slice(&shown);
}

/// Escapes every string of a value, names of members included, and masks secrets.
pub fn escape_value(value: &mut Value) -> Masked {
    let mut masked = Masked::default();
    escape_into(value, &mut masked);
    masked
}

fn escape_into(value: &mut Value, masked: &mut Masked) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(escaped) = escape_text(text) {
                *text = escaped;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| escape_into(item, masked)),
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                if is_masked(name, Some(value)) {
                    masked.note(&std::mem::replace(value, Value::from(MASK)));
                } else {
                    escape_into(value, masked);
                }
            }
            if members.keys().any(|name| is_tricky(name)) {
                let names = shown_names(members.keys().map(String::as_str));
                *members = names.into_iter().zip(std::mem::take(members).into_values()).collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Does to JSON text what [`escape_value`] does to a value. Text in which nothing needs it, which
/// is almost all, is given back as it came; of the rest, only what needs it is written anew, so
/// that numbers keep their spelling.
///
/// # Errors
///
/// None that text from this program's own writer can cause.
pub fn escape_json(json: Box<RawValue>) -> Result<(Box<RawValue>, Masked), serde_json::Error> {
    let mut masked = Masked::default();
    if is_clean(json.get()) {
        return Ok((json, masked));
    }
    let mut out = String::with_capacity(json.get().len() + 1024);
    rewrite(json.get(), &mut out, &mut masked)?;
    Ok((RawValue::from_string(out)?, masked))
}

fn rewrite(json: &str, out: &mut String, masked: &mut Masked) -> Result<(), serde_json::Error> {
    if is_clean(json) {
        out.push_str(json);
        return Ok(());
    }
    match json.as_bytes().first() {
        Some(b'{') => {
            let Members(members) = serde_json::from_str(json)?;
            let names = shown_names(members.iter().map(|(name, _)| name.as_ref()));
            let mut separator = '{';
            for (shown, (name, value)) in names.iter().zip(&members) {
                out.push(separator);
                separator = ',';
                out.push_str(&serde_json::to_string(shown)?);
                out.push(':');
                // Only where the name is one of a secret's is the value worth a parse.
                if SECRET_MEMBERS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) {
                    let value: Value = serde_json::from_str(value.get())?;
                    if is_masked(name, Some(&value)) {
                        masked.note(&value);
                        out.push_str(&serde_json::to_string(MASK)?);
                        continue;
                    }
                }
                rewrite(value.get(), out, masked)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let mut separator = '[';
            for item in serde_json::from_str::<Vec<&RawValue>>(json)? {
                out.push(separator);
                separator = ',';
                rewrite(item.get(), out, masked)?;
            }
            out.push(']');
        }
        Some(b'"') => {
            let text: Cow<'_, str> = serde_json::from_str(json)?;
            out.push_str(&serde_json::to_string(&escape_text(&text))?);
        }
        _ => out.push_str(json),
    }
    Ok(())
}

/// Whether a name is shown otherwise than it is.
fn is_tricky(name: &str) -> bool {
    escape_text(name) != name
}

/// The names of an object's members as they are shown. Two that look the same once they are
/// escaped are kept apart by a number: the one that was escaped carries it.
fn shown_names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut used: HashSet<String> =
        names.clone().filter(|name| !is_tricky(name)).map(str::to_owned).collect();
    let shown = |name: &str| {
        if !is_tricky(name) {
            return name.to_owned();
        }
        let escaped = escape_text(name).into_owned();
        let mut shown = escaped.clone();
        let mut count = 1;
        while !used.insert(shown.clone()) {
            count += 1;
            shown = format!("{escaped} ({count})");
        }
        shown
    };
    names.map(shown).collect()
}

/// Whether [`escape_value`] would change nothing in this JSON text, as this program's own writer
/// spells it: characters beyond ASCII as they are, letters never as `\u`. Said too rarely costs
/// time, and nothing else.
fn is_clean(json: &str) -> bool {
    let bytes = json.as_bytes();
    let follows = |at: usize, text: &str| {
        bytes
            .get(at..at + text.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(text.as_bytes()))
    };
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => {
                // \b, \f, \r and \u are control characters.
                if !matches!(bytes.get(at + 1), Some(b'"' | b'\\' | b'/' | b'n' | b't')) {
                    return false;
                }
                at += 1;
            }
            b'_' => {
                let key = at >= 7 && follows(at - 7, "private_key");
                if key || follows(at, "_client_config") {
                    return false;
                }
            }
            b'c' | b'C' if at >= 3 && follows(at - 3, "nonce") => return false,
            b'B' if at >= 5 && follows(at - 5, "-----BEGIN ") => return false,
            0x7f => return false,
            0x80.. => {
                let Some(c) = json.get(at..).and_then(|rest| rest.chars().next()) else {
                    return false;
                };
                if hostile::is_hostile(c) {
                    return false;
                }
                at += c.len_utf8() - 1;
            }
            _ => {}
        }
        at += 1;
    }
    true
}

/// The members of an object, in order, their values as text.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Both forms of the filter, which must agree.
    fn escaped(value: &Value) -> Value {
        let mut tree = value.clone();
        let by_value = escape_value(&mut tree);
        let raw = serde_json::value::to_raw_value(value).unwrap();
        let (raw, by_text) = escape_json(raw).unwrap();
        assert_eq!(raw.get(), tree.to_string());
        assert_eq!(by_value.0, by_text.0);
        tree
    }

    #[test]
    fn names_that_look_the_same_once_escaped_are_kept_apart() {
        let row = json!({
            "a\u{202e}": 1, "a\\u{202e}": 2, "a\u{202e}\u{200b}": 3,
            "a\\u{202e}\\u{200b}": 4, "a\\u{202e} (2)": 5,
        });
        let shown = escaped(&row);
        assert_eq!(
            shown,
            json!({
                "a\\u{202e} (3)": 1, "a\\u{202e}": 2, "a\\u{202e}\\u{200b} (2)": 3,
                "a\\u{202e}\\u{200b}": 4, "a\\u{202e} (2)": 5,
            })
        );
        assert_eq!(shown.as_object().unwrap().len(), 5);
    }

    #[test]
    fn columns_are_told_apart_in_the_list_and_in_the_rows() {
        let mut columns = ["b", "a\u{202e}", "a\\u{202e}"].map(String::from);
        let mut rows = [json!({"a\\u{202e}": 1, "b": 2, "a\u{202e}": 3}), json!({"a\u{202e}": 4})]
            .map(|row| row.as_object().unwrap().clone());
        name_columns(&mut columns, &mut rows);
        assert_eq!(columns, ["b", "a\\u{202e} (2)", "a\\u{202e}"]);
        assert_eq!(json!(rows[0]).to_string(), r#"{"a\\u{202e}":1,"b":2,"a\\u{202e} (2)":3}"#);
        assert_eq!(rows[1]["a\\u{202e} (2)"], 4);
    }

    #[test]
    fn a_secret_is_masked_whatever_its_form() {
        let value = json!({
            "Nonce": ["k7Ng73h7TCA=", {"deep": "anotherSecret42"}],
            "_client_config": {"nonce": "thirdSecret123", "n": 1},
            "private_key": {}, "nonce": 17, "client_private_key": null, "other": ["nonce"],
        });
        let shown = escaped(&value);
        assert_eq!((&shown["Nonce"], &shown["_client_config"]), (&json!(MASK), &json!(MASK)));
        assert_eq!((&shown["private_key"], &shown["nonce"]), (&json!({}), &json!(17)));
        assert_eq!(shown["other"], json!(["nonce"]));
        let masked = escape_value(&mut value.clone());
        let text = masked.in_text(String::from("k7Ng73h7TCA= anotherSecret42 thirdSecret123"));
        assert_eq!(text, format!("{MASK} {MASK} {MASK}"));
    }

    #[test]
    fn what_needs_nothing_is_given_back_as_it_came() {
        for clean in [
            r#"{"a":"C:\\Windows\\x.exe","b":[1,-9223372036854775808,18446744073709551615,1.50e3]}"#,
            r#"{"Ünïcode":"日本語 🦖","line":"a\nb\tc \"q\"","c":"_config nonces? non ce private key"}"#,
            "[]",
        ] {
            // The word alone is enough for a closer look, which then finds nothing.
            let raw = RawValue::from_string(clean.to_owned()).unwrap();
            let (raw, masked) = escape_json(raw).unwrap();
            assert_eq!((raw.get(), masked.0.len()), (clean, 0));
        }
        assert!(is_clean(r#"{"path":"C:\\new\\bin"}"#));
    }

    #[test]
    fn only_what_needs_it_is_written_anew() {
        let json = r#"[{"n":1.50e3,"t":"plain"},{"n":9007199254740993,"t":"x\r\ny"}]"#;
        let (raw, _) = escape_json(RawValue::from_string(json.to_owned()).unwrap()).unwrap();
        assert_eq!(raw.get(), json.replace(r"\r", r"\\u{d}"));
    }

    #[test]
    fn every_kind_of_trick_is_seen_in_json_text() {
        for hostile in [
            "\u{202e}",
            "\u{7f}",
            "\u{85}",
            "\r",
            "\u{8}",
            "\u{c}",
            "\u{0}",
            "\u{1b}[2J",
            "\u{e0041}",
            "nonce: k7Ng73h7TCA=",
            "-----BEGIN RSA PRIVATE KEY-----\nMII",
        ] {
            for value in [json!({"a": [hostile]}), json!(hostile), json!([{hostile: 1}])] {
                let text = escaped(&value).to_string();
                assert_ne!(text, value.to_string(), "{hostile:?}");
            }
        }
    }
}
