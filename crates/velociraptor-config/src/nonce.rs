//! What a deployment draws by lot.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secret::Secret;

use crate::error::ConfigError;

/// The enrolment nonce, which agents show, and the nonce that hides artifacts' names.
#[derive(Debug, Clone)]
pub struct Nonces {
    /// Who knows it may enrol as an agent.
    pub enrolment: Secret<String>,
    /// Kept for the life of the deployment, also when keys are rotated.
    pub obfuscation: Secret<String>,
}

impl Nonces {
    /// New ones. Velociraptor's own have 8 bytes; these have 16, which it takes as well.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Random`].
    pub fn draw() -> Result<Self, ConfigError> {
        Ok(Self { enrolment: draw()?, obfuscation: draw()? })
    }
}

fn draw() -> Result<Secret<String>, ConfigError> {
    Ok(Secret::new(STANDARD.encode(bytes::<16>()?)))
}

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], ConfigError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| ConfigError::Random(error.to_string()))?;
    Ok(bytes)
}
