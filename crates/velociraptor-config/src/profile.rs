//! The four sizes of a deployment.
//!
//! Each number is read by somebody: [`FileNumbers`] by the rendered configuration, [`PlanNumbers`]
//! by whoever plans a deployment. Both are taken apart field by field where they are read, so that a
//! number without a reader does not compile.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::ConfigError;

const MB: u64 = 1 << 20;
const GB: u64 = 1 << 30;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A size of deployment.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What the server's configuration says.
    pub file: FileNumbers,
    /// What a plan asks of the host and grants the server.
    pub plan: PlanNumbers,
}

/// Numbers of the server's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileNumbers {
    /// Agents that the server makes room for.
    pub expected_clients: u64,
    /// New connections that agents may make in a second.
    pub connections_per_second: u64,
    /// Messages of agents that are worked on at a time.
    pub concurrency: u64,
    /// Seconds between snapshots of what is known of agents. Below some 12 none is ever written;
    /// at the default of 300 a crash loses every agent of the last five minutes.
    pub client_info_write_time: u64,
    /// Bytes of one message of an agent.
    pub max_upload_size: u64,
    /// Connections of the GUI to the API.
    pub grpc_pool_max_size: u64,
    /// Hours that a hunt runs unless it says otherwise.
    pub hunt_expiry_hours: u64,
    /// Notebook cells that are computed at a time.
    pub notebook_workers: u64,
    /// Seconds until a change of rights on the command line is seen.
    pub acl_lru_timeout_sec: u64,
    /// Days that certificates are valid which the server's own commands make.
    pub certificate_validity_days: u64,
    /// Megabytes of free disk below which the server takes nothing from agents.
    pub min_allowed_file_space_mb: u64,
    /// Seconds after which a log file is closed.
    pub log_rotation_time: u64,
    /// Seconds after which a log file goes.
    pub log_max_age: u64,
    /// Seconds that an agent waits at most before it asks again, after it lost its server.
    pub max_poll: u64,
    /// Seconds of chance that are added to that.
    pub max_poll_std: u64,
    /// Bytes that an agent keeps in memory while it cannot send.
    pub buffer_memory_size: u64,
    /// Bytes that it keeps on disk.
    pub buffer_disk_size: u64,
}

/// Numbers of the plan of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanNumbers {
    /// Bytes of memory that the server may use.
    pub memory_limit: u64,
    /// Thousandths of a processor that it may use.
    pub cpu_millis: u64,
    /// Bytes that have to be free on the datastore's disk before it starts.
    pub disk_free: u64,
    /// Files that it has to be able to open: one for each agent that is connected, and some.
    pub open_files: u64,
    /// After how long the deployment is reported as due.
    pub due_after: Option<Duration>,
}

const STANDARD: Profile = Profile {
    name: "standard",
    about: "some thousand agents for weeks",
    file: FileNumbers {
        expected_clients: 10_000,
        connections_per_second: 100,
        concurrency: 32,
        client_info_write_time: 20,
        max_upload_size: 100 * MB,
        grpc_pool_max_size: 100,
        hunt_expiry_hours: 168,
        notebook_workers: 5,
        acl_lru_timeout_sec: 10,
        certificate_validity_days: 365,
        min_allowed_file_space_mb: 500,
        log_rotation_time: 7 * DAY,
        log_max_age: 365 * DAY,
        max_poll: 60,
        max_poll_std: 30,
        buffer_memory_size: 50 * MB,
        buffer_disk_size: GB,
    },
    plan: PlanNumbers {
        memory_limit: 8 * GB,
        cpu_millis: 4000,
        disk_free: 100 * GB,
        open_files: 20_000,
        due_after: None,
    },
};

impl Profile {
    /// 512 MB, for a laptop or a lab: it serves, and does not build packages.
    pub const MINIMAL: Self = Self {
        name: "minimal",
        about: "up to some hundred agents in 512 MB; packages are built elsewhere",
        file: FileNumbers {
            expected_clients: 500,
            connections_per_second: 50,
            concurrency: 4,
            max_upload_size: 20 * MB,
            grpc_pool_max_size: 20,
            notebook_workers: 1,
            min_allowed_file_space_mb: 100,
            log_max_age: 30 * DAY,
            buffer_memory_size: 10 * MB,
            buffer_disk_size: 100 * MB,
            ..STANDARD.file
        },
        plan: PlanNumbers {
            memory_limit: 512 * MB,
            cpu_millis: 1000,
            disk_free: 2 * GB,
            open_files: 4096,
            due_after: None,
        },
    };

    /// An incident: up quickly, agents come back quickly, due after three days.
    pub const RAPID: Self = Self {
        name: "rapid",
        about: "one incident; agents are back within seconds, and it is due after 72 hours",
        file: FileNumbers {
            expected_clients: 2_000,
            concurrency: 16,
            client_info_write_time: 15,
            hunt_expiry_hours: 72,
            acl_lru_timeout_sec: 5,
            certificate_validity_days: 30,
            min_allowed_file_space_mb: 200,
            log_max_age: 30 * DAY,
            max_poll: 10,
            max_poll_std: 5,
            ..STANDARD.file
        },
        plan: PlanNumbers {
            memory_limit: 2 * GB,
            cpu_millis: 2000,
            disk_free: 20 * GB,
            open_files: 8192,
            due_after: Some(Duration::from_secs(72 * HOUR)),
        },
    };

    /// The ordinary one.
    pub const STANDARD: Self = STANDARD;

    /// Large: one server with as many agents as one server carries.
    pub const ENTERPRISE: Self = Self {
        name: "enterprise",
        about: "more than ten thousand agents on one server",
        file: FileNumbers {
            expected_clients: 50_000,
            connections_per_second: 500,
            concurrency: 64,
            client_info_write_time: 30,
            notebook_workers: 10,
            acl_lru_timeout_sec: 60,
            min_allowed_file_space_mb: 2_000,
            max_poll: 120,
            max_poll_std: 60,
            ..STANDARD.file
        },
        plan: PlanNumbers {
            memory_limit: 16 * GB,
            cpu_millis: 8000,
            disk_free: 500 * GB,
            open_files: 65_536,
            due_after: None,
        },
    };

    /// All, from the smallest.
    pub const ALL: [&Self; 4] = [&Self::MINIMAL, &Self::RAPID, &Self::STANDARD, &Self::ENTERPRISE];
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for &'static Profile {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let unknown = || ConfigError::Profile(text.chars().take(40).collect());
        Profile::ALL.into_iter().find(|profile| profile.name == text).ok_or_else(unknown)
    }
}

impl FileNumbers {
    /// Every number with the place in the server's configuration where it is read.
    pub fn declared(&self) -> [(&'static str, u64); 17] {
        let Self {
            expected_clients,
            connections_per_second,
            concurrency,
            client_info_write_time,
            max_upload_size,
            grpc_pool_max_size,
            hunt_expiry_hours,
            notebook_workers,
            acl_lru_timeout_sec,
            certificate_validity_days,
            min_allowed_file_space_mb,
            log_rotation_time,
            log_max_age,
            max_poll,
            max_poll_std,
            buffer_memory_size,
            buffer_disk_size,
        } = *self;
        [
            ("Frontend.resources.expected_clients", expected_clients),
            ("Frontend.resources.connections_per_second", connections_per_second),
            ("Frontend.resources.concurrency", concurrency),
            ("Frontend.resources.client_info_write_time", client_info_write_time),
            ("Frontend.resources.max_upload_size", max_upload_size),
            ("Frontend.GRPC_pool_max_size", grpc_pool_max_size),
            ("defaults.hunt_expiry_hours", hunt_expiry_hours),
            ("defaults.notebook_number_of_local_workers", notebook_workers),
            ("defaults.acl_lru_timeout_sec", acl_lru_timeout_sec),
            ("security.certificate_validity_days", certificate_validity_days),
            ("Datastore.min_allowed_file_space_mb", min_allowed_file_space_mb),
            ("Logging.info.rotation_time", log_rotation_time),
            ("Logging.info.max_age", log_max_age),
            ("Client.max_poll", max_poll),
            ("Client.max_poll_std", max_poll_std),
            ("Client.local_buffer.memory_size", buffer_memory_size),
            ("Client.local_buffer.disk_size", buffer_disk_size),
        ]
    }
}

impl PlanNumbers {
    /// Every number with its name, as a plan shows it to a person.
    pub fn declared(&self) -> [(&'static str, Option<u64>); 5] {
        let Self { memory_limit, cpu_millis, disk_free, open_files, due_after } = *self;
        [
            ("memory limit in bytes", Some(memory_limit)),
            ("thousandths of a processor", Some(cpu_millis)),
            ("bytes free on the disk", Some(disk_free)),
            ("files that can be open", Some(open_files)),
            ("seconds until it is due", due_after.map(|it| it.as_secs())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_found_by_name_and_grow() {
        for profile in Profile::ALL {
            assert_eq!(profile.name.parse(), Ok(profile));
        }
        let error = "huge".parse::<&Profile>().unwrap_err().to_string();
        assert!(error.contains("minimal, rapid, standard and enterprise"), "{error}");
        assert!(Profile::ALL.is_sorted_by_key(|it| it.plan.memory_limit));
        assert!(Profile::ALL.is_sorted_by_key(|it| it.file.expected_clients));
    }

    #[test]
    fn what_was_promised_and_what_was_learnt_holds() {
        assert_eq!(Profile::MINIMAL.plan.memory_limit, 512 << 20);
        assert_eq!(Profile::RAPID.plan.due_after, Some(Duration::from_secs(72 * 3600)));
        for Profile { name, file, plan, .. } in Profile::ALL {
            assert!((15..=30).contains(&file.client_info_write_time), "{name}");
            assert!(plan.open_files > 2000 && file.declared().iter().all(|(_, value)| *value > 0));
            assert!(plan.declared()[..4].iter().all(|(_, value)| value.is_some()), "{name}");
            // A deployment does not outlive its certificates.
            let life = Duration::from_secs(file.certificate_validity_days * DAY);
            assert!(plan.due_after.is_none_or(|due| due < life), "{name}");
        }
    }
}
