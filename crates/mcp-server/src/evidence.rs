//! Text from endpoints is written by an adversary: what may trick a reader is shown, not obeyed.
//!
//! Control, bidirectional, invisible and tag characters are shown escaped, as `\u{202e}`. Private
//! keys and enrolment nonces are masked. Every answer, resource and prompt passes through here.

use std::borrow::Cow;

use guard::outlet::hostile;
use serde_json::Value;

mod members;

pub use members::{escape_json, escape_value, is_masked, masked_json, name_columns};

/// What stands in place of a secret.
pub const MASK: &str = "[masked: secret]";

/// Shortest secret that is looked for in a rendering; a nonce has 12 characters.
const SHORTEST: usize = 12;

/// Secrets that were found in a value, so that the same secrets are found in its rendering.
#[derive(Debug, Default)]
pub struct Masked(Vec<String>);

impl Masked {
    /// Takes in every text of a secret.
    fn note(&mut self, secret: &Value) {
        match secret {
            Value::String(text) if !text.is_empty() => self.0.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(members) => members.values().for_each(|value| self.note(value)),
            _ => {}
        }
    }

    /// Masks in a text what was masked in the value.
    pub fn in_text(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            // A short one is no nonce, and an endpoint that names a column so must not be able to
            // blot out ordinary words.
            let long = secret.len() >= SHORTEST;
            if long && text.contains(secret.as_str()) {
                text.replace(secret.as_str(), MASK)
            } else {
                text
            }
        })
    }
}

/// Escapes what may trick a reader and masks private keys. Line feeds and tabs stay.
pub fn escape_text(text: &str) -> Cow<'_, str> {
    match mask_nonces(mask_private_keys(text)) {
        Cow::Borrowed(text) => hostile::escape(text),
        Cow::Owned(masked) => Cow::Owned(hostile::escape(&masked).into_owned()),
    }
}

/// Where a key that nothing ends is over: after its line and the lines of base64 below. The rest
/// of a text is not hidden, else one planted header would hide all evidence after it.
fn after_key_lines(body: &str) -> &str {
    let mut rest = body.find('\n').map_or("", |end| &body[end..]);
    while let Some(line) = rest.strip_prefix('\n') {
        let end = line.find('\n').unwrap_or(line.len());
        let text = line[..end].trim();
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
        if text.len() < 16 || !text.bytes().all(base64) {
            break;
        }
        rest = &line[end..];
    }
    rest
}

/// Masks the value after `nonce:`, as client configurations and dumped objects write it.
fn mask_nonces(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains("nonce") {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    while let Some(at) = rest.find("nonce") {
        let (before, after) = rest.split_at(at + "nonce".len());
        out.push_str(before);
        let value = after.trim_start_matches(['"', '\\', '\'', ':', '=', ' ']);
        let token = value.len()
            - value
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "+/=".contains(c))
                .len();
        let separated = after[..after.len() - value.len()].contains([':', '=']);
        if separated && token >= 8 {
            out.push_str(&after[..after.len() - value.len()]);
            out.push_str(MASK);
            rest = &value[token..];
        } else {
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn mask_private_keys(text: &str) -> Cow<'_, str> {
    const BEGIN: &str = "-----BEGIN ";
    let mut rest = text;
    let mut out = String::new();
    while let Some(start) = rest.find(BEGIN) {
        let after = &rest[start + BEGIN.len()..];
        let Some(label_end) = after.find("-----") else { break };
        if !after[..label_end].ends_with("PRIVATE KEY") {
            out.push_str(&rest[..start + BEGIN.len()]);
            rest = after;
            continue;
        }
        out.push_str(&rest[..start]);
        out.push_str(MASK);
        let body = &after[label_end..];
        rest = body
            .find("-----END ")
            .and_then(|end| {
                let tail = &body[end + 9..];
                tail.find("-----").map(|close| &tail[close + 5..])
            })
            .unwrap_or_else(|| after_key_lines(body));
    }
    if out.is_empty() {
        Cow::Borrowed(text)
    } else {
        out.push_str(rest);
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_characters_are_shown() {
        let hostile = "a\u{202e}b\u{200b}c\u{1b}[2Jd\u{e0041}\r\n\te";
        let shown = escape_text(hostile);
        assert_eq!(shown, "a\\u{202e}b\\u{200b}c\\u{1b}[2Jd\\u{e0041}\\u{d}\n\te");
    }

    #[test]
    fn what_is_masked_in_the_data_is_masked_in_its_rendering() {
        let mut value = serde_json::json!({"org": {"nonce": "k7Ng73h7TCA="}});
        let masked = escape_value(&mut value);
        assert_eq!(masked.in_text("a k7Ng73h7TCA= b".into()), format!("a {MASK} b"));
    }

    #[test]
    fn a_planted_header_hides_its_own_line_and_no_other() {
        let text = "row 1  -----BEGIN RSA PRIVATE KEY-----\\nMII…\nrow 2  evidence";
        assert_eq!(escape_text(text), format!("row 1  {MASK}\nrow 2  evidence"));
        let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGx0123456789\n  AAAAAAAAAAAAAAAAAAAAAA==\nnext";
        assert_eq!(escape_text(key), format!("{MASK}\nnext"));
    }

    #[test]
    fn a_nonce_inside_a_text_is_masked_and_the_word_alone_is_not() {
        for text in
            ["nonce: k7Ng73h7TCA=", "{\"nonce\":\"k7Ng73h7TCA=\"}", "nonce=\\\"k7Ng73h7TCA="]
        {
            assert!(!escape_text(text).contains("k7Ng73h7TCA"), "{text}");
        }
        assert_eq!(escape_text("the nonce is secret"), "the nonce is secret");
    }

    #[test]
    fn d18_private_keys_and_nonces_are_masked_and_certificates_are_not() {
        let mut value = serde_json::json!({
            "nonce": "abc", "name": "x",
            "text": "see -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- end",
            "cert": "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        });
        escape_value(&mut value);
        assert_eq!(value["nonce"], MASK);
        assert_eq!(value["text"], format!("see {MASK} end"));
        assert!(value["cert"].as_str().unwrap().contains("MII"));
    }
}
