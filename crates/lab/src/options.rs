//! What can be chosen when a lab is started.

/// How a lab is started.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LabOptions {
    /// Port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// How many times faster than usual simulated work is done. At 1 a collection takes about half
    /// a second; tests choose 100 or so.
    pub speed: f64,
    /// The host name of one more machine of the first org, which is also its user, its label and
    /// its release. An endpoint chooses all but the label itself.
    pub strange_host: Option<String>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self { port: 0, speed: 1.0, strange_host: None }
    }
}

impl LabOptions {
    /// With another port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With one more machine, of this host name.
    #[must_use]
    pub fn strange_host(mut self, name: impl Into<String>) -> Self {
        self.strange_host = Some(name.into());
        self
    }

    /// With another speed, above zero.
    #[must_use]
    pub const fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }
}

/// An identity that the lab has an API file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// `reader,api`: runs queries and reads results.
    Reader,
    /// `investigator`: also labels, collects and hunts.
    Investigator,
    /// `administrator`: everything.
    Administrator,
    /// A certificate to which no user belongs.
    Nobody,
    /// `reader` without `api`: it may not even query.
    PlainReader,
    /// `analyst`: reads and labels.
    Analyst,
}

impl Role {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::Reader,
        Self::Investigator,
        Self::Administrator,
        Self::Nobody,
        Self::PlainReader,
        Self::Analyst,
    ];

    /// The user's name.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Reader => "lab-reader",
            Self::Investigator => "lab-investigator",
            Self::Administrator => "lab-administrator",
            Self::Nobody => "lab-nobody",
            Self::PlainReader => "lab-plainreader",
            Self::Analyst => "lab-analyst",
        }
    }

    /// The roles that the server grants in the first org.
    pub(crate) const fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Reader => &["reader", "api"],
            Self::Investigator => &["investigator"],
            Self::Administrator => &["administrator"],
            Self::Nobody => &[],
            Self::PlainReader => &["reader"],
            Self::Analyst => &["analyst"],
        }
    }
}
