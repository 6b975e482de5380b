//! What the hosts of a hunt are called.

use std::collections::HashMap;

use velociraptor_api::hunt_results::HostOutcome;

/// How many clients of a hunt carry each host name.
pub(super) struct Names<'a>(HashMap<&'a str, usize>);

impl<'a> Names<'a> {
    pub(super) fn of(hosts: &'a [HostOutcome]) -> Self {
        let mut counts = HashMap::new();
        for name in hosts.iter().filter_map(|host| host.hostname.as_deref()) {
            *counts.entry(name).or_default() += 1;
        }
        Self(counts)
    }

    /// The host name, with the id where another client of the hunt has the same name.
    pub(super) fn name(&self, host: &HostOutcome) -> String {
        match host.hostname.as_deref() {
            None => host.client_id.to_string(),
            Some(name) if self.0.get(name).is_some_and(|count| *count > 1) => {
                format!("{name}/{}", host.client_id)
            }
            Some(name) => name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use velociraptor_api::ClientId;
    use velociraptor_api::hunt_results::Part;

    use super::*;

    fn host(number: u32, name: Option<&str>) -> HostOutcome {
        HostOutcome {
            client_id: ClientId::parse(&format!("C.{number:016x}")).unwrap(),
            hostname: name.map(str::to_owned),
            part: Part::NeverScheduled,
            rows: 0,
            reason: None,
            flow_id: None,
            last_seen: None,
            online: false,
            joined: false,
        }
    }

    #[test]
    fn only_hosts_of_the_same_name_carry_their_ids() {
        let hosts = [
            host(1, Some("db-01")),
            host(2, Some("web-01")),
            host(3, Some("db-01")),
            host(4, None),
        ];
        let names = Names::of(&hosts);
        let shown: Vec<String> = hosts.iter().map(|host| names.name(host)).collect();
        let expected = ["db-01/C.0000000000000001", "web-01", "db-01/C.0000000000000003"];
        assert_eq!(shown[..3], expected);
        assert_eq!(shown[3], "C.0000000000000004");
    }
}
