//! Why something could not be done on a host.

use crate::deployer::StepError;

/// Why something could not be done on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The host does not answer: nothing is known of what was asked.
    #[error("{host} does not answer: {cause}")]
    Unreachable {
        /// Which host.
        host: String,
        /// What was seen.
        cause: String,
    },
    /// There is no such program.
    #[error("{host} has no program {program}")]
    NoProgram {
        /// Which host.
        host: String,
        /// Its name.
        program: String,
    },
    /// A program ran for too long, and was ended.
    #[error("{program} did not end within {seconds} s, and was ended")]
    Late {
        /// Which one.
        program: String,
        /// The time that it had.
        seconds: u64,
    },
    /// There was more to read than was asked for.
    #[error("{what} is more than {most} bytes")]
    TooMuch {
        /// Of what.
        what: String,
        /// The bound.
        most: usize,
    },
    /// A file is not what it was to be.
    #[error("{path}: expected the SHA-256 {expected}, found {found}")]
    Differs {
        /// Which file.
        path: String,
        /// What it was to be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The host refused.
    #[error("{doing}: {cause}")]
    Failed {
        /// What was done.
        doing: String,
        /// What was seen.
        cause: String,
    },
}

impl TransportError {
    /// What a person can do about it.
    pub const fn next(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "make the host reachable, then resume or destroy it",
            Self::NoProgram { .. } => "install it on the host, then resume",
            Self::Late { .. } => "look what keeps the host busy, then resume",
            Self::TooMuch { .. } => "look at what is there; it is not of this program's making",
            Self::Differs { .. } => "get the file anew, and look at the host's disk",
            Self::Failed { .. } => "mend what it names, then resume or destroy it",
        }
    }
}

impl From<TransportError> for StepError {
    fn from(error: TransportError) -> Self {
        let next = error.next();
        match error {
            TransportError::Unreachable { host, cause } => {
                Self::Unreachable { target: host, cause }
            }
            other => Self::failed(other.to_string(), next),
        }
    }
}
