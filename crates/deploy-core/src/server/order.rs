//! What is decided about a server before anything of it is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use velociraptor_config::{
    Administrator, Bind, Deployment, Host, Listen, Nonces, Profile, ServerConfig, ServerKeys,
};

use crate::plan::PlanError;

/// Longest certificate of a server, in days.
const LONGEST: u64 = 3650;

/// A host and a port, as others reach something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    host: Host,
    port: u16,
}

/// What is decided about a server. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerOrder {
    /// The size, by its name.
    pub profile: String,
    /// Where agents reach it.
    pub agents_at: Place,
    /// Where people reach the GUI.
    pub gui_at: Place,
    /// Where the API is reached.
    pub api_at: Place,
    /// Where it listens: the agents' port, the GUI, the API and the metrics, as `ADDRESS:PORT`.
    pub listen: [std::net::SocketAddr; 4],
    /// The folder of its data.
    pub datastore: String,
    /// The folder of its logs; without one all lines go to the process's output.
    pub logs: Option<String>,
    /// Who logs in to the GUI first.
    pub gui_user: String,
    /// Labels that agents get when they enrol.
    pub labels: Vec<String>,
}

impl Place {
    /// A place.
    pub const fn new(host: Host, port: u16) -> Self {
        Self { host, port }
    }

    /// The host.
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for Place {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        let unfit = |next: &str| PlanError::Unfit {
            what: String::from("agents_at"),
            expected: String::from("HOST:PORT, as in velociraptor.example.org:8000"),
            found: format!("{:?}", text.chars().take(100).collect::<String>()),
            next: next.to_owned(),
        };
        if text.contains("://") {
            return Err(unfit("leave out what stands before the host, as https://"));
        }
        let (host, port) =
            text.trim().rsplit_once(':').ok_or_else(|| unfit("name the port too"))?;
        let port = port.parse().ok().filter(|port| *port != 0);
        let port = port.ok_or_else(|| unfit("a port is a number from 1 to 65535"))?;
        let host = host.parse().map_err(|error| unfit(&format!("{error}")))?;
        Ok(Self { host, port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl TryFrom<String> for Place {
    type Error = PlanError;

    fn try_from(text: String) -> Result<Self, PlanError> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl ServerOrder {
    /// The profile.
    ///
    /// # Errors
    ///
    /// Where there is none of that name.
    pub fn profile(&self) -> Result<&'static Profile, PlanError> {
        self.profile.parse().map_err(unfit("the profile"))
    }

    /// Days that the server's certificates hold.
    ///
    /// # Errors
    ///
    /// As of [`ServerOrder::profile`].
    pub fn days(&self) -> Result<u16, PlanError> {
        let days = self.profile()?.file.certificate_validity_days.clamp(1, LONGEST);
        Ok(u16::try_from(days).unwrap_or(u16::MAX))
    }

    /// Checks all that can be checked before there are keys.
    ///
    /// # Errors
    ///
    /// [`PlanError::Unfit`] naming the wish.
    pub fn check(&self) -> Result<(), PlanError> {
        self.profile()?;
        Administrator::with_random_password(&self.gui_user).map_err(unfit("the GUI's user"))?;
        Ok(())
    }

    /// The configuration that was meant by it, with the keys and lots of the real one: where the two
    /// differ, somebody decided otherwise since.
    ///
    /// # Errors
    ///
    /// Where no configuration can be made of it, in words.
    pub fn meant(&self, real: &ServerConfig) -> Result<ServerConfig, String> {
        let (anybody, _) = Administrator::with_random_password(&self.gui_user)
            .map_err(|error| error.to_string())?;
        Ok(self.config(real.keys(), anybody)?.with_lots_of(real))
    }

    /// The configuration with these keys.
    pub(super) fn config(
        &self,
        keys: ServerKeys,
        administrator: Administrator,
    ) -> Result<ServerConfig, String> {
        let [frontend, gui, api, monitoring] =
            self.listen.map(|at| Bind { address: at.ip(), port: at.port() });
        let place = |place: &Place| (place.host.clone(), place.port);
        let deployment = Deployment {
            profile: self.profile().map_err(|error| error.to_string())?,
            keys,
            nonces: Nonces::draw().map_err(|error| error.to_string())?,
            listen: Listen { frontend, gui, api, monitoring },
            agents_at: place(&self.agents_at),
            gui_at: place(&self.gui_at),
            api_at: self.api_at.host.clone(),
            datastore: self.datastore.clone(),
            logs: self.logs.clone(),
            administrator: Some(administrator),
            labels: self.labels.clone(),
        };
        deployment.config().map_err(|error| error.to_string())
    }
}

fn unfit<E: fmt::Display>(what: &'static str) -> impl FnOnce(E) -> PlanError {
    move |error| PlanError::Unfit {
        what: what.to_owned(),
        expected: String::from("one that Velociraptor takes"),
        found: error.to_string(),
        next: String::from("give another"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d28_places_are_read_and_written() {
        for (text, shown) in [
            ("Vr.Example.org:8000", "vr.example.org:8000"),
            (" 192.0.2.7:1 ", "192.0.2.7:1"),
            ("[::1]:8000", "[::1]:8000"),
        ] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), shown);
        }
        for wrong in ["", "host", "host:", "host:0", "host:65536", "a b:1", ":1", "10.0.0.300:1"] {
            let error = wrong.parse::<Place>().unwrap_err().to_string();
            assert!(error.contains("HOST:PORT"), "{wrong}: {error}");
        }
    }
}
