//! The envelope around every answer, and how answers are rendered.

use guard::outlet;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use velociraptor_api::Session;

use crate::clock;
use crate::context::ToolCx;
use crate::evidence;
use crate::services::HERE;
use crate::tool::{Detail, Finished};
use crate::tool_error::{Code, ToolError};

/// How far an answer can be trusted to be the whole truth.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// All there is.
    Complete,
    /// There is more, or a part failed: see the warnings and the cursor.
    Partial,
    /// Work was handed over and has not ended.
    Pending,
    /// The client is not connected; work waits for it.
    Offline,
    /// It was looked, and there is nothing.
    Empty,
    /// It ran out of time before it could be looked.
    Expired,
}

impl State {
    /// The word for reading.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Pending => "pending",
            Self::Offline => "offline",
            Self::Empty => "empty",
            Self::Expired => "expired",
        }
    }
}

/// An answer: where it comes from, how complete it is, and the tool's own data.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Answer<T> {
    /// The server's name in the configuration.
    pub server: String,
    /// The org in which it was asked.
    pub org: String,
    /// The user that asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When it was true, UTC.
    #[schemars(with = "String")]
    pub as_of: Timestamp,
    /// How complete it is.
    pub state: State,
    /// How many there are in all, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many are in this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// Pass it back to read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What to keep in mind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The same in the server's own pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The tool's own data.
    #[serde(flatten)]
    pub data: T,
}

/// How a tool's data is written for reading: a table, or a few lines.
pub trait Render {
    /// Writes it. The envelope writes server, state and warnings around it.
    fn render(&self, out: &mut String);
}

impl<T> Answer<T> {
    /// An answer that is complete, with nothing else said yet.
    pub fn complete(cx: &ToolCx<'_>, data: T) -> Self {
        Self {
            server: cx.server.name().to_owned(),
            org: cx.org.to_string(),
            identity: None,
            as_of: clock::now(),
            state: State::Complete,
            total: None,
            returned: None,
            cursor: None,
            warnings: Vec::new(),
            link: None,
            data,
        }
    }

    /// An answer by way of the facade: who asked and what was remarked come from the session.
    pub fn of(cx: &ToolCx<'_>, session: &Session<'_>, data: T) -> Self {
        let identity = identity_of(session);
        Self { identity, warnings: session.warnings(), ..Self::complete(cx, data) }
    }

    /// Says how complete it is.
    #[must_use]
    pub fn state(self, state: State) -> Self {
        Self { state, ..self }
    }

    /// Says who asked.
    #[must_use]
    pub fn identity(self, identity: impl Into<String>) -> Self {
        Self { identity: Some(identity.into()), ..self }
    }

    /// Says how many there are in all, how many of them are here, and where the next ones begin.
    #[must_use]
    pub fn page(self, total: u64, returned: usize, cursor: Option<String>) -> Self {
        Self { total: Some(total), returned: Some(returned as u64), cursor, ..self }
    }

    /// Says how far a list goes: how many there are, how many of them are here, where the next ones
    /// begin. A summary is of all of them, and holds none.
    #[must_use]
    pub fn listed(
        self,
        detail: Detail,
        total: u64,
        returned: usize,
        cursor: Option<String>,
    ) -> Self {
        let state = match (&cursor, total) {
            (Some(_), _) => State::Partial,
            (None, 0) => State::Empty,
            (None, _) => State::Complete,
        };
        let answer = self.state(state).page(total, returned, cursor);
        let returned = answer.returned.filter(|_| detail != Detail::Summary);
        Self { returned, ..answer }
    }

    /// Names the same in the server's own pages, where they can be linked.
    #[must_use]
    pub fn link(self, link: Option<String>) -> Self {
        Self { link, ..self }
    }

    /// Adds warnings.
    #[must_use]
    pub fn warn(mut self, warnings: impl IntoIterator<Item = String>) -> Self {
        self.warnings.extend(warnings);
        self
    }
}

impl<T: Serialize> Answer<T> {
    /// The data alone, as the text of an object, and who asked. Every string passes the filter.
    pub(crate) fn data(self) -> Result<(String, Option<String>), ToolError> {
        let internal = |error: serde_json::Error| ToolError::new(Code::Internal, error.to_string());
        let json = serde_json::value::to_raw_value(&self).map_err(internal)?;
        let (data, notes) = evidence::data(json).map_err(internal)?;
        let data: Box<str> = evidence::with_notes(data, &notes).map_err(internal)?.into();
        Ok((data.into(), self.identity))
    }
}

impl<T: Serialize + Render> Answer<T> {
    /// Turns the answer into its two forms. Every string in both passes the filter.
    pub(crate) fn finish(self) -> Result<Finished, ToolError> {
        let internal = |error: serde_json::Error| ToolError::new(Code::Internal, error.to_string());
        let json = serde_json::value::to_raw_value(&self).map_err(internal)?;
        let (structured, mut notes) = evidence::data(json).map_err(internal)?;
        let mut text = outlet::rendering(&self.text(), &mut notes);
        evidence::push_notes(&mut text, &notes);
        text.push_str(&evidence::text(&self.tail()));
        let structured = evidence::with_notes(structured, &notes).map_err(internal)?;
        let (state, goes_on) = (self.state, self.cursor.is_some());
        Ok(Finished { structured, text, state, goes_on, identity: self.identity })
    }

    fn text(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        out.push_str(&self.server);
        // This machine has no orgs.
        if self.server != HERE {
            let _ = write!(out, " {}", self.org);
        }
        if let Some(identity) = &self.identity {
            let _ = write!(out, " as {identity}");
        }
        let _ = write!(out, " {} {}", self.as_of, self.state.as_str().to_uppercase());
        match (self.returned, self.total) {
            (Some(returned), Some(total)) => {
                let _ = write!(out, " {returned} of {total}");
            }
            (Some(returned), None) => {
                let _ = write!(out, " {returned}");
            }
            _ => {}
        }
        out.push('\n');
        let head = out.len();
        self.data.render(&mut out);
        // What stands between tables is no use before the first.
        let blank = out[head..].len() - out[head..].trim_start_matches('\n').len();
        out.drain(head..head + blank);
        for warning in &self.warnings {
            let _ = write!(out, "\n! {}", warning.replace(['\n', '\r'], " "));
        }
        out
    }

    /// Where it goes on, after everything else.
    fn tail(&self) -> String {
        use std::fmt::Write;
        let mut out = String::new();
        if let Some(cursor) = &self.cursor {
            let _ = write!(out, "\nMORE  cursor {cursor}");
        }
        if let Some(link) = &self.link {
            let _ = write!(out, "\nGUI   {link}");
        }
        out
    }
}

/// The users that asked in a session, where one did.
pub(crate) fn identity_of(session: &Session<'_>) -> Option<String> {
    let identities = session.identities();
    (!identities.is_empty()).then(|| identities.join(", "))
}
