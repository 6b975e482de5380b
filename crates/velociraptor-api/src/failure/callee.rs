//! Lines of functions and plugins: `name: message`, without a level word.

use super::{denial, engine};
use crate::error::QueryErrorKind as Kind;

/// Functions also say what they do; a line that begins like this is no failure.
const REMARKS: &[&str] = &[
    "Adding global destructor ",
    "Closing ",
    "Completed ",
    "Downloading ",
    "Found ",
    "Installing ",
    "Opened ",
    "SUCCESS ",
    "Uploading ",
    "Warning ",
    "Will ",
    "added ",
    "creating new ",
    "removed ",
    "removing ",
    "successfully ",
];

/// Reads the line as the failure of a function or plugin. `None` where it is none.
pub(super) fn failure(text: &str) -> Option<Kind> {
    let (name, message) = text.split_once(": ")?;
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(word) {
        return None;
    }
    // `source: source: One of …`
    let message = message.strip_prefix(name).and_then(|m| m.strip_prefix(": ")).unwrap_or(message);
    if REMARKS.iter().any(|remark| message.starts_with(remark)) {
        return None;
    }
    let detail = || format!("{name}: {}", engine::first_line(message));
    // What echoes the caller's data comes first: the data may read like any other failure.
    if is_bad_data(name, message) {
        return Some(Kind::BadArgument { detail: detail() });
    }
    if let Some(permission) = denial::in_line(message) {
        return Some(Kind::Denied { permission, detail: detail() });
    }
    if message == "Org not found" {
        return Some(Kind::UnknownOrg { org: None });
    }
    if is_not_found(message) {
        return Some(Kind::NotFound { detail: not_found_detail(name, message) });
    }
    if is_bad_argument(message) {
        return Some(Kind::BadArgument { detail: detail() });
    }
    Some(Kind::Failed { detail: detail() })
}

/// The callee could not read a value as JSON or YAML, or VQL within it as VQL.
fn is_bad_data(name: &str, message: &str) -> bool {
    let json = || {
        ["invalid character ", "unexpected end of JSON", "json: ", "unexpected EOF"]
            .iter()
            .any(|start| message.starts_with(start))
    };
    (name.starts_with("parse_json") && json())
        || message.starts_with("yaml: ")
        || message.starts_with("While parsing source query ")
        || message.starts_with("While parsing precondition ")
}

fn is_bad_argument(message: &str) -> bool {
    let field = || {
        let (_, rest) = message.strip_prefix("Field ")?.split_once(' ')?;
        (rest.starts_with("is required") || rest.starts_with("should be ")).then_some(())
    };
    message.starts_with("Unexpected arg ")
        || field().is_some()
        || message.starts_with("Expecting a path arg type")
        || message.starts_with("Invalid search operator ")
        || message.starts_with("Parameter refers to an unknown artifact ")
        || message == "ClientId is not valid"
        || message == "no artifacts to collect!"
        || message.starts_with("OS condition invalid ")
        || message.starts_with("Unknown filesystem accessor ")
        || message.starts_with("Parsing Policy: ")
        || message.starts_with("You must provide either ")
        || message.starts_with("Password is not set or too short")
        || message.ends_with(" should be specified.")
        || message.ends_with(" should be specified")
        || message.ends_with(" must be specified")
}

fn is_not_found(message: &str) -> bool {
    message.ends_with("NotFoundError")
        || message.ends_with(" not known")
        || message.ends_with(" not found")
        || message == "Not Found"
        || message.starts_with("User not found: ")
        || message.starts_with("Flow not found: ")
        || message.starts_with("Unknown artifact ")
        || (message.starts_with("artifact ") && message.contains(" not available in hunt. "))
}

/// The server's words without its own error names and the paths of its datastore.
fn not_found_detail(name: &str, message: &str) -> String {
    if message.starts_with("While opening ") {
        return format!("{name}: not found");
    }
    let message = message.strip_suffix(": NotFoundError").unwrap_or(message);
    // `flows: unable to get client C.…: Client ID C.… not known in this org`
    let message = match message.split_once(": Client ID ") {
        Some((_, rest)) => format!("Client ID {rest}"),
        None => message.to_owned(),
    };
    format!("{name}: {message}")
}
