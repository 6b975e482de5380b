//! Names and places of one deployment, known before anything of it is made.

use deploy_core::PlanError;

use super::{CONFIGURED_UNDER, LinuxOrder, PROGRAMS_UNDER};
use crate::beside::Beside;
use crate::configuration::ConfigurationSpec;
use crate::datastore::DatastoreSpec;
use crate::folder::{FolderSpec, OpenTo};
use crate::owner::Owner;
use crate::program::ProgramSpec;
use crate::user::UserSpec;

/// Names and places of one deployment.
pub(super) struct Site {
    pub(super) user: UserSpec,
    pub(super) program: ProgramSpec,
    pub(super) configuration: ConfigurationSpec,
    pub(super) beside: Beside,
}

impl Site {
    pub(super) fn new(owner: &Owner, order: &LinuxOrder) -> Result<Self, PlanError> {
        let name = owner.name("");
        let under = order.data_under.as_str();
        let sound = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let parts = || under.split('/').skip(1);
        if !under.starts_with('/')
            || !under.chars().all(sound)
            || parts().any(|part| part.is_empty() || part == "." || part == "..")
        {
            return Err(PlanError::Unfit {
                what: String::from("the folder of the data"),
                expected: String::from("a whole path of letters, digits, `.`, `_` and `-`"),
                found: format!("{:?}", under.chars().take(100).collect::<String>()),
                next: String::from("name another folder, as /var/lib or /srv"),
            });
        }
        let folder = |under: &str, open_to| FolderSpec { path: format!("{under}/{name}"), open_to };
        let group = || OpenTo::GroupOf(name.clone());
        let program = ProgramSpec {
            folder: folder(PROGRAMS_UNDER, OpenTo::All),
            binary: order.binary.clone(),
            sha256: order.sha256.clone(),
        };
        let configuration = ConfigurationSpec {
            folder: folder(CONFIGURED_UNDER, group()),
            file: String::from("server.config.yaml"),
            user: Some(name.clone()),
        };
        let datastore = DatastoreSpec { folder: folder(under, group()), user: name.clone() };
        let user = UserSpec { name: name.clone(), home: datastore.data() };
        let beside = Beside { program: program.path(), config: configuration.path(), datastore };
        Ok(Self { user, program, configuration, beside })
    }
}
