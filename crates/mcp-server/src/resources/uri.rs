//! Addresses of resources: `velociraptor://clients/C.1?org=O1`.

use serde_json::{Map, Value};

use crate::tool_error::ToolError;

/// What every address begins with.
pub const SCHEME: &str = "velociraptor://";

/// Path and parameters of an address.
pub(super) fn split(address: &str) -> Option<(&str, &str)> {
    let rest = address.strip_prefix(SCHEME)?;
    Some(rest.split_once('?').unwrap_or((rest, "")))
}

/// A path in which `{name}` stands for one part.
pub(super) struct Pattern(pub(super) &'static str);

impl Pattern {
    pub(super) fn has_variables(&self) -> bool {
        self.0.contains('{')
    }

    /// The variables, still encoded, where the path fits. An empty part fits nothing.
    pub(super) fn matches<'a>(&self, path: &'a str) -> Option<Vec<(&'static str, &'a str)>> {
        let mut found = Vec::new();
        let mut given = path.split('/');
        for wanted in self.0.split('/') {
            let part = given.next()?;
            match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) if !part.is_empty() => found.push((name, part)),
                None if part == wanted => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(found)
    }
}

/// What an address says beside the kind of resource.
pub(super) struct Params<'a> {
    variables: Vec<(&'static str, &'a str)>,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Params<'a> {
    pub(super) fn new(variables: Vec<(&'static str, &'a str)>, query: &'a str) -> Self {
        let parameters = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .collect();
        Self { variables, parameters }
    }

    /// The names after the question mark.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().map(|(name, _)| *name)
    }

    /// As arguments of a tool: the variables under the tool's names, the parameters under theirs.
    pub(super) fn into_arguments(
        self,
        names: &[(&str, &str)],
        path: &str,
    ) -> Result<Map<String, Value>, ToolError> {
        let mut arguments = Map::new();
        let variables = self.variables.into_iter().map(|(variable, value)| {
            let name = names.iter().find(|(from, _)| *from == variable);
            (name.map_or(variable, |(_, to)| to), value)
        });
        for (name, value) in variables.chain(self.parameters) {
            let value = decode(value)
                .ok_or_else(|| ToolError::invalid(format!("{path}: {value:?} is not encoded as an address wants it: % and two digits stand for a byte of UTF-8")))?;
            if arguments.insert(name.to_owned(), Value::String(value)).is_some() {
                return Err(ToolError::invalid(format!("{path}: {name} is given twice")));
            }
        }
        Ok(arguments)
    }
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        if *first != b'%' {
            bytes.push(*first);
            rest = tail;
            continue;
        }
        let digit = |index: usize| (*tail.get(index)? as char).to_digit(16);
        let byte = digit(0)? * 16 + digit(1)?;
        bytes.push(u8::try_from(byte).ok()?);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_paths_only() {
        let pattern = Pattern("hunts/{hunt_id}/results");
        assert_eq!(pattern.matches("hunts/H.1/results"), Some(vec![("hunt_id", "H.1")]));
        for path in ["hunts", "hunts/H.1", "hunts//results", "hunts/H.1/results/x", "x/H.1/results"]
        {
            assert_eq!(pattern.matches(path), None, "{path}");
        }
    }

    #[test]
    fn values_are_decoded_and_broken_ones_refused() {
        for (text, value) in [
            ("a%20b", Some("a b")),
            ("%C3%9Cber", Some("Über")),
            ("plain+x", Some("plain+x")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(text).as_deref(), value, "{text}");
        }
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let params = Params::new(vec![("client", "C.1")], "org=a&org=b");
        assert!(params.into_arguments(&[], "clients/{client}").is_err());
    }
}
