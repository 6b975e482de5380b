//! Pages: where reading goes on, and how much fits into one answer.
//!
//! A [`Binding`] makes and reads cursors. A cursor is opaque, carries its version, and belongs to
//! one request: passed with other arguments, to another tool, server or org it is refused, because
//! it would go on somewhere that nobody meant. It is a safeguard against mistakes and no secret.
//!
//! [`fit`] keeps whole rows within a budget of bytes. A row that is larger than the budget is
//! never left out: it is handed over alone with its large fields cut and marked, and the page
//! says which.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

mod cut;
mod fit;
mod rows;

pub use fit::{Page, fit, fit_whole};
pub use rows::Rows;

/// How many bytes of rows an answer holds, as JSON, unless a tool says otherwise.
pub const BYTES: usize = 40_000;

/// What every cursor starts with: the form below, version 1.
const VERSION: &str = "m1.";

/// Bytes of the hash that a cursor carries.
const TAG: usize = 8;

/// The request that a cursor belongs to.
#[derive(Clone, Debug)]
pub struct Binding(Sha256);

impl Binding {
    /// Binds to the tool, its server and org, and the arguments that decide which rows there are
    /// and in what order. The cursor itself and the size of a page are not among them.
    ///
    /// # Errors
    ///
    /// Where `arguments` cannot be written as JSON.
    pub fn of(
        cx: &ToolCx<'_>,
        tool: &'static str,
        arguments: &impl Serialize,
    ) -> Result<Self, ToolError> {
        Self::new(cx.server.name(), cx.org.as_str(), tool, arguments)
    }

    fn new(
        server: &str,
        org: &str,
        tool: &str,
        arguments: &impl Serialize,
    ) -> Result<Self, ToolError> {
        // As JSON, so that no two different requests are the same bytes.
        let request = serde_json::to_vec(&(server, org, tool, arguments)).map_err(internal)?;
        Ok(Self(Sha256::new().chain_update(request)))
    }

    /// The cursor that goes on at `place`.
    ///
    /// # Errors
    ///
    /// Where `place` cannot be written as JSON.
    pub fn seal(&self, place: &impl Serialize) -> Result<String, ToolError> {
        let place = serde_json::to_vec(place).map_err(internal)?;
        let mut bytes = self.tag(&place);
        bytes.extend_from_slice(&place);
        Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// The place in a cursor that was given back.
    ///
    /// # Errors
    ///
    /// `invalid_input` for what is no cursor, is one of another version, or belongs to another
    /// request.
    pub fn open<P: DeserializeOwned>(&self, cursor: &str) -> Result<P, ToolError> {
        let Some(body) = cursor.trim().strip_prefix(VERSION) else {
            return Err(ToolError::invalid("cursor is not one that this version gave")
                .next("leave cursor out to start from the beginning"));
        };
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| damaged())?;
        let (tag, place) = bytes.split_at_checked(TAG).ok_or_else(damaged)?;
        if tag != self.tag(place) {
            return Err(ToolError::invalid(
                "cursor belongs to another request, or was changed on the way",
            )
            .next(
                "pass it with exactly the arguments of the call that gave it, or leave it out to \
                 start from the beginning",
            ));
        }
        serde_json::from_slice(place).map_err(|_| damaged())
    }

    fn tag(&self, place: &[u8]) -> Vec<u8> {
        let hash = self.0.clone().chain_update(place).finalize();
        hash.iter().copied().take(TAG).collect()
    }
}

fn damaged() -> ToolError {
    ToolError::invalid("cursor is damaged").next("leave cursor out to start from the beginning")
}

fn internal(error: serde_json::Error) -> ToolError {
    ToolError::new(Code::Internal, error.to_string())
}

/// A row with fields of any kind, columns in order.
pub type Row = Map<String, Value>;

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(server: &str, org: &str, tool: &str, arguments: &impl Serialize) -> Binding {
        Binding::new(server, org, tool, arguments).unwrap()
    }

    #[test]
    fn a_cursor_gives_its_place_back_to_the_request_that_made_it() {
        let request = binding("acme", "root", "list_flows", &("C.1", Some("RUNNING")));
        let cursor = request.seal(&(17_u64, "F.9")).unwrap();
        let place: (u64, String) = request.open(&cursor).unwrap();
        assert_eq!(place, (17, String::from("F.9")));
        let same = binding("acme", "root", "list_flows", &("C.1", Some("RUNNING")));
        assert!(same.open::<(u64, String)>(&format!(" {cursor}\n")).is_ok());
    }

    #[test]
    fn another_request_is_refused() {
        let cursor = binding("acme", "root", "t", &("ab", "c")).seal(&5_u64).unwrap();
        for other in [
            binding("acme", "root", "t", &("a", "bc")),
            binding("acme", "root", "u", &("ab", "c")),
            binding("acme", "O1", "t", &("ab", "c")),
            binding("acme2", "root", "t", &("ab", "c")),
        ] {
            let error = other.open::<u64>(&cursor).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput);
            assert!(error.message.contains("another request"), "{}", error.message);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let request = binding("acme", "root", "t", &());
        let good = request.seal(&5_u64).unwrap();
        let mut changed = good.clone().into_bytes();
        let last = changed.len() - 1;
        changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        for bad in ["", "17", "m1.", "m1.!!!!", "m2.AAAA", changed.as_str(), &good[..8]] {
            let error = request.open::<u64>(bad).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput, "{bad}");
            assert!(error.next_step.is_some(), "{bad}");
        }
        // The right tag on a place of another form.
        let text = request.seal(&"far").unwrap();
        assert_eq!(request.open::<u64>(&text).unwrap_err().code, Code::InvalidInput);
    }
}
