//! Profiles of the binary parser, in JSON or in YAML that is nearly JSON: their strings may be lambdas.

use std::borrow::Cow;

use serde_json::Value;

use super::code::Language;
use super::text::Text;
use super::walk::Run;
use crate::ast::Span;

impl Run<'_> {
    /// Looks at a profile of the binary parser: its strings may be lambdas.
    pub(super) fn profile(&mut self, text: &Text<'_>, profile: &str, span: Span) {
        if let Ok(json) = serde_json::from_str::<Value>(profile) {
            // Of two members of one name, the server may take the one that we do not see.
            let all = profile.matches("=>").count();
            if !profile.contains("\\u") && self.profile_lambdas(text, &json, span) == all {
                return;
            }
        }
        match yaml_strings(profile) {
            Some(strings) => {
                for lambda in strings.into_iter().filter(|string| string.contains("=>")) {
                    self.lambda(text, &lambda, span, Language::Lambda);
                }
            }
            None => {
                let why = "a profile that is no JSON, and too odd to find its lambdas";
                self.unknown_code(text, span, Language::Profile, why);
            }
        }
    }

    /// Looks at the lambdas, and returns how many arrows they hold.
    fn profile_lambdas(&mut self, text: &Text<'_>, profile: &Value, span: Span) -> usize {
        match profile {
            Value::String(lambda) if lambda.contains("=>") => {
                self.lambda(text, lambda, span, Language::Lambda);
                lambda.matches("=>").count()
            }
            Value::Array(items) => {
                items.iter().map(|item| self.profile_lambdas(text, item, span)).sum()
            }
            Value::Object(members) => {
                members.values().map(|item| self.profile_lambdas(text, item, span)).sum()
            }
            _ => 0,
        }
    }
}

/// The quoted strings of YAML that is JSON but for comments and commas; `None` where anything else
/// is met, so that strings begin and end here where they do for any reader of YAML.
fn yaml_strings(yaml: &str) -> Option<Vec<Cow<'_, str>>> {
    let bytes = yaml.as_bytes();
    let mut strings = Vec::new();
    // Whether a value may begin here, and whether the last thing was a string.
    let (mut may_open, mut after_string) = (true, false);
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' if may_open => {
                let string = quoted(&yaml[at + 1..])?;
                at += string.len() + 1;
                strings.push(unescaped(string)?);
                (may_open, after_string) = (false, true);
            }
            b'\'' if may_open => {
                let rest = &yaml[at + 1..];
                let string = &rest[..rest.find('\'')?];
                at += string.len() + 1;
                strings.push(Cow::Borrowed(string));
                (may_open, after_string) = (false, true);
            }
            b'#' if at == 0 || bytes[at - 1].is_ascii_whitespace() => {
                at += yaml[at..].lines().next().unwrap_or_default().len();
                continue;
            }
            b' ' | b'\n' => {}
            b'[' | b'{' | b',' => (may_open, after_string) = (true, false),
            b']' | b'}' => (may_open, after_string) = (false, false),
            // Without a blank behind it, it can be a letter of a name.
            b':' if after_string || bytes.get(at + 1).is_some_and(u8::is_ascii_whitespace) => {
                (may_open, after_string) = (true, false);
            }
            _ if after_string => return None,
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') => {
                may_open = false;
            }
            _ => return None,
        }
        at += 1;
    }
    Some(strings)
}

/// The text up to the quote that ends it.
fn quoted(rest: &str) -> Option<&str> {
    let mut escaped = false;
    let end = rest.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(&rest[..end])
}

/// A string without its escapes; `None` where it has others than JSON.
fn unescaped(string: &str) -> Option<Cow<'_, str>> {
    if !string.contains('\\') {
        return Some(Cow::Borrowed(string));
    }
    // A line break in a string is a blank.
    let string = string.replace('\n', " ");
    serde_json::from_str(&format!("\"{string}\"")).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::yaml_strings;

    #[test]
    fn strings_of_odd_json() {
        let profile = "[\n# it's a \"comment\\\n  [\"A\", \"x=>x.b + 'c'\", 1.5, [\n],],\n]";
        assert_eq!(yaml_strings(profile).unwrap(), ["A", "x=>x.b + 'c'"]);
        assert_eq!(yaml_strings(r#"['x=>"y"', "'"]"#).unwrap(), ["x=>\"y\"", "'"]);
        assert_eq!(yaml_strings("{a: \"b\", \"c\":\"d\"}").unwrap(), ["b", "c", "d"]);
        assert_eq!(yaml_strings(r#"["a\"\\", "=\u003e",]"#).unwrap(), ["a\"\\", "=>"]);
        assert_eq!(yaml_strings("{a: \"\\\\\n b\"}").unwrap(), ["\\  b"]);
        for profile in [
            r#"["a\x3e"]"#,
            r#"[x=>y]"#,
            r#"['x=>''y']"#,
            r#"[a"b, "x=>y"]"#,
            r#"["a" "b"]"#,
            "{a:\"b, # \"c}",
            "[\"a\"# \"x=>y\"]",
            "[\"a\", b#, \"x=>y\"]",
            "- |\n  x=>y",
            r#"["a"#,
        ] {
            assert_eq!(yaml_strings(profile), None, "{profile}");
        }
    }
}
