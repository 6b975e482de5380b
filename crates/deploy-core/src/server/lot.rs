//! What tells one datastore from another at the same place.

use crate::deployer::StepError;

/// Draws a lot: sixteen hexadecimal digits that nothing else has.
///
/// # Errors
///
/// Where the system has no chance to give.
pub fn draw_lot() -> Result<String, StepError> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes)
        .map_err(|error| StepError::failed(error.to_string(), "look at the system"))?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}
