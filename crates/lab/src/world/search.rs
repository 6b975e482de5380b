//! The search language of `clients(search=)`.

use regex::Regex;

use super::{ClientRecord, Org};

/// Whether a client is meant: by itself, or by a text of it that matches.
type Test = fn(&ClientRecord, &dyn Fn(&str) -> bool) -> bool;

impl Org {
    /// The clients that a search finds, in the order of their ids.
    ///
    /// # Errors
    /// The message about an unknown verb.
    pub(crate) fn search(&self, search: &str) -> Result<Vec<&ClientRecord>, String> {
        let search = search.trim();
        let (verb, term) = match search.split_once(':') {
            Some((verb, term)) => (verb.to_lowercase(), term),
            None if search.is_empty() || search.eq_ignore_ascii_case("all") => {
                return Ok(self.clients.values().filter(|c| !c.is_ghost()).collect());
            }
            None if search.starts_with("C.") => (String::from("client"), search),
            None => (String::from("host"), search),
        };
        let matches = pattern(term);
        let found: Test = match verb.as_str() {
            "label" if term.eq_ignore_ascii_case("none") => |client, _| client.labels.is_empty(),
            "label" => |client, matches| client.labels.iter().any(|label| matches(label)),
            "host" => |client, matches| !client.is_ghost() && matches(client.hostname()),
            "client" => |client, matches| matches(&client.id),
            "mac" => |client, matches| client.endpoint.as_ref().is_some_and(|e| matches(&e.mac)),
            "ip" => |client, matches| client.endpoint.as_ref().is_some_and(|e| matches(&e.ip)),
            // The views of API users are not remembered.
            "recent" => |_, _| false,
            other => return Err(format!("Invalid search operator {other}")),
        };
        Ok(self.clients.values().filter(|client| found(client, &matches)).collect())
    }
}

/// A prefix in any case, with `*` for anything.
fn pattern(term: &str) -> impl Fn(&str) -> bool {
    let escaped = term.split('*').map(regex::escape).collect::<Vec<_>>().join(".*");
    let regex = Regex::new(&format!("(?is)^{escaped}"));
    move |text| regex.as_ref().is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_prefixes_with_wildcards() {
        assert!(pattern("fin")("FIN-WS07"));
        assert!(!pattern("ws07")("FIN-WS07"));
        assert!(pattern("*ws07")("FIN-WS07"));
        assert!(pattern("a.b")("a.bc"));
        assert!(!pattern("a.b")("axb"));
    }
}
