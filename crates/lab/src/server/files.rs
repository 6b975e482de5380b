//! `VFSGetBuffer`: pieces of stored files.

use std::sync::Arc;

use tonic::Status;
use velociraptor_api::generated as proto;

use crate::eval::Session;
use crate::world::accounts::Permission;
use crate::world::{World, is_denied};

/// Reads a piece. Its end is an empty answer; offset and length of the answer stay zero.
pub(super) fn read(
    world: &Arc<World>,
    session: &Session,
    request: &proto::VfsFileBuffer,
) -> Result<proto::VfsFileBuffer, Status> {
    if !session.account.may(Permission::ReadResults) {
        return Err(Status::permission_denied("User is not allowed to view the VFS."));
    }
    if request.components.is_empty() {
        return Err(Status::invalid_argument("Invalid pathspec"));
    }
    if is_denied(&request.components) {
        return Err(Status::permission_denied("No access to filesystem path"));
    }
    let mut state = world.state();
    let files = &state.org(&session.org).files;
    // With a client id the server looks in another place, where nothing is.
    let found = if request.client_id.is_empty() { files.get(&request.components) } else { None };
    let file = found.ok_or_else(|| {
        let path = request.components.join("/");
        Status::not_found(format!("open /simulated/datastore/{path}: no such file or directory"))
    })?;
    let start = usize::try_from(request.offset).unwrap_or(usize::MAX).min(file.data.len());
    let end = start.saturating_add(request.length as usize).min(file.data.len());
    Ok(proto::VfsFileBuffer { data: file.data[start..end].to_vec(), ..Default::default() })
}
