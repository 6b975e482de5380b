//! Statuses that the server sends, by code and text.
//!
//! The code alone says little: a server that does not run verbosely answers UNAVAILABLE where a
//! verbose one answers UNKNOWN, and both mean "I was asked and it went wrong". So the text comes
//! first, and no such answer counts as unreachable.

use tonic::Code;

use super::{denial, engine};
use crate::error::QueryErrorKind as Kind;

/// A call that the server refused.
pub(crate) struct Refusal<'a> {
    pub(crate) code: Code,
    pub(crate) message: &'a str,
    /// The user that called.
    pub(crate) user: &'a str,
    /// The org that was asked for.
    pub(crate) org: &'a str,
    /// The largest message that is accepted.
    pub(crate) max_receive: usize,
    /// The call's time limit in seconds.
    pub(crate) seconds: u64,
}

impl Refusal<'_> {
    /// Names the cause.
    pub(crate) fn kind(&self) -> Kind {
        let message = self.message.trim();
        let detail = || engine::first_line(message);
        if message.starts_with("User not found") {
            return Kind::UnknownUser { user: self.user.to_owned() };
        }
        if message.ends_with("Org not found") {
            return Kind::UnknownOrg { org: Some(self.org.to_owned()) };
        }
        if message.contains("received message larger than max") {
            return Kind::RequestTooLarge;
        }
        match self.code {
            Code::Cancelled => Kind::Cancelled,
            Code::DeadlineExceeded => Kind::Timeout { seconds: self.seconds },
            Code::PermissionDenied => denial::in_status(message),
            // The server's text holds the path of its datastore, which is nobody's business.
            Code::NotFound => {
                Kind::NotFound { detail: String::from("the server has no such file") }
            }
            Code::InvalidArgument => Kind::BadArgument { detail: detail() },
            // Made on this side: a message of the server went beyond our limit.
            Code::OutOfRange => Kind::TooLarge { limit: self.max_receive },
            Code::ResourceExhausted if message.contains("message larger than max") => {
                Kind::TooLarge { limit: self.max_receive }
            }
            _ if message.contains("Unknown artifact ") => {
                let at = message.find("Unknown artifact ").unwrap_or_default();
                Kind::NotFound { detail: engine::first_line(&message[at..]) }
            }
            _ if message == "Query should be specified." => Kind::BadArgument { detail: detail() },
            _ if message.starts_with("Only servers can write ") => {
                Kind::BadArgument { detail: detail() }
            }
            Code::Unknown | Code::Unavailable => Kind::Failed { detail: detail() },
            code => Kind::Failed { detail: format!("{}: {}", code.description(), detail()) },
        }
    }
}
