//! What is in a kit, and where it goes on an endpoint. Paths, names and modes are those of the vendor's
//! own package, so that one can take the place of the other.

use std::path::Path;

use packages::{Arch, Os};
use systemd_units::{Confinement, Unit, agent_command};
use velociraptor_config::ClientPaths;

use crate::program::{self, Program};
use crate::{Kit, KitError};

/// The program.
pub const PROGRAM: &str = "/usr/local/bin/velociraptor_client";

/// The configuration.
pub const CONFIG: &str = "/etc/velociraptor/client.config.yaml";

/// The unit's file.
pub const UNIT: &str = "/etc/systemd/system/velociraptor_client.service";

/// The unit.
pub const SERVICE: &str = "velociraptor_client.service";

/// The agent's identity. A second copy has `.bak` behind its name.
pub const WRITEBACK: &str = "/etc/velociraptor.writeback.yaml";

/// What the agent keeps beside it: what it could not send yet, and what it downloaded. The vendor's
/// package has both under names that everybody knows in folders that everybody can write to.
pub const KEPT: &str = "/var/lib/velociraptor_client";

/// The three files of a kit.
pub(crate) struct Contents {
    pub(crate) program: Vec<u8>,
    pub(crate) looked: Program,
    pub(crate) config: Vec<u8>,
    pub(crate) unit: Vec<u8>,
}

impl Contents {
    pub(crate) fn of(kit: &Kit<'_>) -> Result<Self, KitError> {
        let (package, what) = (kit.package, kit.package.path().display().to_string());
        let platform = package.platform();
        if platform.os() != Os::Linux {
            return Err(KitError::NoProgram { what, why: format!("it is for {platform}") });
        }
        let mut program = Vec::with_capacity(usize::try_from(package.size()).unwrap_or_default());
        // Compared with what was proved while it is read.
        package.copy_to(&mut program)?;
        let looked = program::look(Path::new(&what), &program)?;
        if looked.arch != platform.arch() {
            let (expected, found) = (name(platform.arch()), name(looked.arch));
            return Err(KitError::OtherProcessor {
                what,
                expected: expected.to_owned(),
                found: found.to_owned(),
            });
        }
        let paths = ClientPaths {
            writeback: WRITEBACK.to_owned(),
            tempdir: format!("{KEPT}/tmp"),
            buffer: format!("{KEPT}/buffer.bin"),
        };
        let config = kit.client.with_paths(&paths).render();
        let unit = Unit {
            marker: &format!("Megaraptor deployment {}", kit.deployment),
            about: "the Velociraptor agent",
            command: &agent_command(PROGRAM, CONFIG),
            confinement: &Confinement::Agent,
        };
        let unit = unit.text()?.into_bytes();
        Ok(Self { program, looked, config: config.expose().clone().into_bytes(), unit })
    }
}

/// A processor, as Debian and Velociraptor call it.
pub const fn name(arch: Arch) -> &'static str {
    match arch {
        Arch::Amd64 => "amd64",
        Arch::Arm64 => "arm64",
        Arch::X86 => "i386",
        // No header that is understood here says so.
        _ => "unknown",
    }
}
