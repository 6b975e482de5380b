//! Cutting the large fields of a single row, so that what remains is honest about it.

use serde_json::Value;

use super::Row;

/// The least that is left of a field, mark not counted.
const LEAST: usize = 40;

/// Cuts the largest fields until the row has about `budget` bytes as JSON, and gives the names of
/// those that were cut. A cut text keeps its beginning; a cut list or object is replaced by the
/// beginning of its JSON. Both end with a mark that says how large the whole is.
pub(super) fn cut_fields(row: &mut Row, budget: usize) -> Vec<String> {
    let mut sizes: Vec<(String, usize)> =
        row.iter().map(|(name, value)| (name.clone(), json_size(value))).collect();
    sizes.sort_unstable_by_key(|(_, size)| *size);
    // Names, quotes, colons and commas cannot be cut.
    let fixed: usize = row.keys().map(|name| name.len() + 6).sum::<usize>() + 2;
    let mut left = budget.saturating_sub(fixed);
    let mut cut = Vec::new();
    let mut fields = sizes.len();
    // Smallest first: what a small field does not need, the larger ones may use.
    for (name, size) in sizes {
        let share = (left / fields.max(1)).max(LEAST);
        fields = fields.saturating_sub(1);
        if size <= share {
            left = left.saturating_sub(size);
            continue;
        }
        if let Some(value) = row.get_mut(&name) {
            *value = Value::String(shortened(value, share));
            left = left.saturating_sub(json_size(value));
            cut.push(name);
        }
    }
    cut
}

/// The beginning of a value in `share` bytes of JSON, mark included where there is room for it.
fn shortened(value: &Value, share: usize) -> String {
    let (text, whole) = match value {
        Value::String(text) => (text.clone(), format!("{} bytes", text.len())),
        other => {
            let json = other.to_string();
            let whole = format!("{} bytes of JSON", json.len());
            (json, whole)
        }
    };
    let mark = format!("…[cut: {whole}]");
    let room = share.saturating_sub(mark.len() + 2).max(LEAST);
    let mut used = 0;
    let mut end = 0;
    for (at, c) in text.char_indices() {
        used += escaped_len(c);
        if used > room {
            break;
        }
        end = at + c.len_utf8();
    }
    format!("{}{mark}", &text[..end])
}

/// The bytes of a character inside a JSON string.
const fn escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\u{0}'..='\u{1f}' => 6,
        c => c.len_utf8(),
    }
}

fn json_size(value: &Value) -> usize {
    value.to_string().len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut(value: Value, budget: usize) -> (Row, Vec<String>) {
        let Value::Object(mut row) = value else { panic!("a row is an object") };
        let names = cut_fields(&mut row, budget);
        (row, names)
    }

    #[test]
    fn small_fields_stay_and_large_ones_share_the_rest() {
        let (row, names) =
            cut(json!({"a": "x".repeat(5000), "b": 7, "c": "y".repeat(9000), "d": "short"}), 1000);
        assert_eq!(names, ["a", "c"]);
        assert_eq!((&row["b"], &row["d"]), (&json!(7), &json!("short")));
        let size = Value::Object(row.clone()).to_string().len();
        assert!((900..=1000).contains(&size), "{size}");
        assert!(row["a"].as_str().unwrap().ends_with("…[cut: 5000 bytes]"));
        assert!(row["c"].as_str().unwrap().starts_with("yyyy"));
    }

    #[test]
    fn lists_and_escapes_and_wide_characters_keep_to_the_budget() {
        let list: Vec<String> = (0..3000).map(|n| format!("é\u{1}\"{n}")).collect();
        let (row, names) = cut(json!({"list": list, "text": "\u{1F600}\n".repeat(3000)}), 800);
        assert_eq!(names.len(), 2);
        let size = Value::Object(row.clone()).to_string().len();
        assert!(size <= 800, "{size}");
        assert!(row["list"].as_str().unwrap().contains("bytes of JSON]"));
    }

    #[test]
    fn many_columns_are_all_there() {
        let wide: Row = (0..100).map(|n| (format!("c{n}"), json!("z".repeat(500)))).collect();
        let (row, names) = cut(Value::Object(wide), 2000);
        assert_eq!((row.len(), names.len()), (100, 100));
    }
}
