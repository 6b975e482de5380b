//! Handles: addresses of rows that the server keeps.
//!
//! A handle says where rows are, in a form that a person can read and a model can copy. It opens
//! nothing by itself: whoever gives one is judged like any reader, on the server and in the org of
//! the call.

use std::fmt;

use velociraptor_api::{ClientId, FlowId, HuntId};

use crate::tool_error::ToolError;

/// Longest handle that is looked at.
const LONGEST: usize = 1000;

/// Where rows are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handle {
    /// A table of a flow: `flow:C.…/F.…/Artifact/Source`.
    Flow {
        /// The client.
        client: ClientId,
        /// Its flow.
        flow: FlowId,
        /// The table.
        table: String,
    },
    /// A table of a hunt: `hunt:H.…/Artifact/Source`.
    Hunt {
        /// The hunt.
        hunt: HuntId,
        /// The table.
        table: String,
    },
    /// A query that is run again: `query:…`. Unlike the others it has a life, and belongs to its
    /// caller.
    Query(String),
}

impl Handle {
    /// The handle of a table of a flow.
    pub fn of_flow(client: &ClientId, flow: &FlowId, table: &str) -> Self {
        Self::Flow { client: client.clone(), flow: flow.clone(), table: table.to_owned() }
    }

    /// The handle of a table of a hunt.
    pub fn of_hunt(hunt: &HuntId, table: &str) -> Self {
        Self::Hunt { hunt: hunt.clone(), table: table.to_owned() }
    }

    /// Reads a handle.
    ///
    /// # Errors
    ///
    /// `invalid_input` saying what is wrong and what a handle looks like.
    pub fn parse(text: &str) -> Result<Self, ToolError> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(malformed("it has more than 1000 bytes"));
        }
        match text.split_once(':') {
            Some(("flow", place)) => {
                let (client, rest) = place.split_once('/').ok_or_else(|| lacks("flow"))?;
                let (flow, table) = flow_and_table(rest)?;
                Ok(Self::Flow {
                    client: ClientId::parse(client).map_err(|error| malformed(&error))?,
                    flow: FlowId::parse(flow).map_err(|error| malformed(&error))?,
                    table: named(table)?,
                })
            }
            Some(("hunt", place)) => {
                let (hunt, table) = place.split_once('/').ok_or_else(|| lacks("table"))?;
                Ok(Self::Hunt {
                    hunt: HuntId::parse(hunt).map_err(|error| malformed(&error))?,
                    table: named(table)?,
                })
            }
            Some(("query", id)) if is_id(id) => Ok(Self::Query(id.to_owned())),
            Some(("query", _)) => Err(malformed("a query has a number, a dot, letters and digits")),
            _ => Err(malformed("it begins with no kind of handle")),
        }
    }

    /// The table.
    pub fn table(&self) -> &str {
        match self {
            Self::Flow { table, .. } | Self::Hunt { table, .. } => table,
            Self::Query(_) => "query",
        }
    }
}

fn is_id(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.len() <= 64 && text.contains('.') && text.bytes().all(known)
}

/// What was collected into a flow later carries a number behind its id: `F.ABC/2`.
fn flow_and_table(text: &str) -> Result<(&str, &str), ToolError> {
    let (id, rest) = text.split_once('/').ok_or_else(|| lacks("table"))?;
    let number = rest.split('/').next().unwrap_or_default();
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok((id, rest));
    }
    let table = rest.get(number.len() + 1..).ok_or_else(|| lacks("table"))?;
    Ok((&text[..id.len() + 1 + number.len()], table))
}

fn named(table: &str) -> Result<String, ToolError> {
    let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if table.trim().is_empty() || table.split('/').any(str::is_empty) || table.contains(odd) {
        return Err(malformed(&format!("{table:?} is no table: expected Artifact/Source")));
    }
    Ok(table.to_owned())
}

fn lacks(part: &str) -> ToolError {
    malformed(&format!("it names no {part}"))
}

fn malformed(why: &(impl fmt::Display + ?Sized)) -> ToolError {
    ToolError::invalid(format!("that is no handle: {why}")).next(
        "a handle is flow:CLIENT_ID/FLOW_ID/Artifact/Source, hunt:HUNT_ID/Artifact/Source or \
         query:ID; copy one from an answer",
    )
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flow { client, flow, table } => write!(f, "flow:{client}/{flow}/{table}"),
            Self::Hunt { hunt, table } => write!(f, "hunt:{hunt}/{table}"),
            Self::Query(id) => write!(f, "query:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool_error::Code;

    #[test]
    fn a_handle_is_read_as_it_is_written() {
        for text in [
            "flow:C.0123456789abcdef/F.CVK1N4Q2/Windows.System.Pslist",
            "flow:C.0123456789abcdef-OV7NG/F.CVK1N4Q2/Generic.Client.Info/Basic Information",
            "flow:C.0123456789abcdef/F.CVK1N4Q2/2/Windows.System.Pslist/A",
            "flow:server/F.CVK1N4Q2.H/Custom.Of.Server",
            "hunt:H.CVK1N4Q2/Windows.System.Pslist",
            "query:17.k3J9x2-_AAAAAAAAAAAAAA",
        ] {
            assert_eq!(Handle::parse(&format!(" {text}\n")).unwrap().to_string(), text);
        }
        let Handle::Flow { flow, table, .. } = Handle::parse("flow:server/F.A/2/Table/3").unwrap()
        else {
            panic!("no flow")
        };
        assert_eq!((flow.as_str(), table.as_str()), ("F.A/2", "Table/3"));
    }

    #[test]
    fn what_is_no_handle_says_what_one_looks_like() {
        let long = format!("hunt:H.CVK1N4Q2/{}", "A".repeat(LONGEST));
        for text in [
            "",
            "Windows.System.Pslist",
            "flow:",
            "flow:C.0123456789abcdef",
            "flow:C.0123456789abcdef/F.A",
            "flow:C.0123456789abcdef/F.A/2",
            "flow:C.0123456789abcdef/F.A/",
            "flow:WS-07/F.A/Table",
            "flow:C.0123456789abcdef/F.A' OR 1/Table",
            "hunt:H.CVK1N4Q2",
            "hunt:H.CVK1N4Q2//",
            "hunt:H.CVK1N4Q2/A\n! B",
            "hunt:X/Table",
            "query:17",
            "query:17.a b",
            "velociraptor://hunts/H.CVK1N4Q2/results",
            &long,
        ] {
            let error = Handle::parse(text).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput, "{text}");
            assert!(error.next_step.unwrap().contains("flow:CLIENT_ID"), "{text}");
        }
    }
}
