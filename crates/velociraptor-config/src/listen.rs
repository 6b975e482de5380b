//! Where a server listens, and who can reach that.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::error::ConfigError;

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// What listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Service {
    /// The agents' port.
    Frontend,
    /// The web interface.
    Gui,
    /// The API.
    Api,
    /// The metrics, which ask nobody who they are.
    Monitoring,
}

/// A server's four ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// The agents' port.
    pub frontend: Bind,
    /// The web interface.
    pub gui: Bind,
    /// The API.
    pub api: Bind,
    /// The metrics.
    pub monitoring: Bind,
}

/// A service that others than this machine can reach. Plans and records have to show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exposure {
    /// Which service.
    pub service: Service,
    /// Where.
    pub bind: Bind,
}

impl Listen {
    /// Velociraptor's usual ports: agents may come from anywhere, all else is for this machine.
    pub const USUAL: Self = Self::on([8000, 8889, 8001, 8003], IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// The same inside a container, whose ports nobody reaches until they are published. The plan
    /// has to look at [`Listen::exposures`] of what it publishes.
    pub const CONTAINER: Self =
        Self::on([8000, 8889, 8001, 8003], IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// Ports for agents, GUI, API and metrics; all but the agents' at this address. Metrics are for
    /// the server's own machine in any case.
    pub const fn on(ports: [u16; 4], address: IpAddr) -> Self {
        let [frontend, gui, api, monitoring] = ports;
        let anywhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            frontend: Bind { address: anywhere, port: frontend },
            gui: Bind { address, port: gui },
            api: Bind { address, port: api },
            monitoring: Bind { address: here, port: monitoring },
        }
    }

    fn all(&self) -> [(Service, Bind); 4] {
        [
            (Service::Frontend, self.frontend),
            (Service::Gui, self.gui),
            (Service::Api, self.api),
            (Service::Monitoring, self.monitoring),
        ]
    }

    /// What others can reach, apart from the agents' port, which is there to be reached.
    pub fn exposures(&self) -> Vec<Exposure> {
        let open = |(service, bind): (Service, Bind)| {
            let open = service != Service::Frontend && !bind.address.is_loopback();
            open.then_some(Exposure { service, bind })
        };
        self.all().into_iter().filter_map(open).collect()
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let all = self.all();
        for (at, (service, bind)) in all.iter().enumerate() {
            if bind.port == 0 {
                return Err(ConfigError::NoPort(service.name()));
            }
            if let Some((other, _)) = all[..at].iter().find(|(_, other)| other.port == bind.port) {
                let (one, other) = (other.name(), service.name());
                return Err(ConfigError::PortTwice { one, other, port: bind.port });
            }
        }
        Ok(())
    }
}

impl Service {
    /// Its name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frontend => "the agents' port",
            Self::Gui => "the GUI",
            Self::Api => "the API",
            Self::Monitoring => "the metrics",
        }
    }
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, address) = (self.service.name(), self.bind.address);
        let whom = if address.is_unspecified() { "every network of the host" } else { "others" };
        write!(f, "{name} listens on {address}:{} and can be reached from {whom}", self.bind.port)?;
        match self.service {
            Service::Monitoring => f.write_str("; it answers without asking who is there"),
            _ => f.write_str("; keep it on loopback unless somebody else needs it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_exposed_on_purpose_is_exposed() {
        assert_eq!(Listen::USUAL.exposures(), []);
        let mut listen = Listen::USUAL;
        listen.gui.address = "0.0.0.0".parse().unwrap();
        listen.monitoring.address = "192.0.2.7".parse().unwrap();
        let told: Vec<String> = listen.exposures().iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("the GUI listens on 0.0.0.0:8889") && told[0].contains("every"));
        assert!(told[1].contains("without asking"), "{told:?}");
        assert_eq!(Listen::CONTAINER.exposures().len(), 2);
    }

    #[test]
    fn each_service_has_a_port_of_its_own() {
        assert_eq!(Listen::USUAL.check(), Ok(()));
        let mut twice = Listen::USUAL;
        twice.api.port = 8889;
        let error = twice.check().unwrap_err().to_string();
        assert!(error.contains("the GUI and the API") && error.contains("8889"), "{error}");
        let mut none = Listen::USUAL;
        none.gui.port = 0;
        assert_eq!(none.check(), Err(ConfigError::NoPort("the GUI")));
    }
}
