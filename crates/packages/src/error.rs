//! Why there is no package, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::signature::SignatureError;

/// Why there is no package. Each message says what was found, what was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The caller gave up. What was downloaded is kept and continued the next time.
    #[error("fetching {asset} was cancelled; what has come is kept and continued the next time")]
    Cancelled {
        /// What was being fetched.
        asset: String,
    },
    /// No answer, after every attempt.
    #[error(
        "{host} was not reached in {attempts} attempts: {cause}; check the network and the proxy \
         (HTTPS_PROXY, NO_PROXY), or name a file or folder that holds the package"
    )]
    Unreachable {
        /// Which host.
        host: String,
        /// How often it was tried.
        attempts: u32,
        /// What the last attempt said.
        cause: String,
    },
    /// A proxy that cannot be used is configured.
    #[error(
        "the proxy {proxy} is of a kind that is not spoken here; expected http://HOST:PORT in HTTPS_PROXY"
    )]
    Proxy {
        /// Which, without a password.
        proxy: String,
    },
    /// The machine trusts nobody.
    #[error(
        "no CA certificate was found on this machine, so no download host can be recognised; install \
         the system's CA certificates or name a file of them in SSL_CERT_FILE"
    )]
    NoRoots,
    /// The host leads somewhere else.
    #[error(
        "{from} redirects to {to}, which is not a host of the releases; nothing was fetched from there"
    )]
    Redirect {
        /// Which address.
        from: String,
        /// Where to.
        to: String,
    },
    /// The host answers with something else than a file.
    #[error(
        "{url} answered {status}; try again later, or name a file or folder that holds the package"
    )]
    Status {
        /// Which address.
        url: String,
        /// The status of the answer.
        status: u16,
    },
    /// The release has no such asset.
    #[error("{asset} is not published; looked at {}; check the version and the platform", tried.join(" and "))]
    NotPublished {
        /// What was looked for.
        asset: String,
        /// Every address that was tried.
        tried: Vec<String>,
    },
    /// The release host's list cannot be read.
    #[error(
        "the list of releases at {url} is not as expected: {cause}; name a version instead of asking for the latest"
    )]
    Listing {
        /// Which address.
        url: String,
        /// What is wrong.
        cause: String,
    },
    /// A program for another machine.
    #[error("{from} is {found}, and {expected} is needed: take the one for this machine")]
    OtherMachine {
        /// Which address or file.
        from: String,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A page, or whatever else is no program.
    #[error(
        "{from} is not {expected}: it begins with {begins}; a proxy or a sign-in page may have answered instead"
    )]
    NotAPackage {
        /// Which address or file.
        from: String,
        /// What it should be.
        expected: String,
        /// Its first bytes, escaped.
        begins: String,
    },
    /// Less came than was announced.
    #[error(
        "{url} broke off: {got} of {expected} bytes came in {attempts} attempts; run it again, it continues from there"
    )]
    Truncated {
        /// Which address.
        url: String,
        /// What is here.
        got: u64,
        /// What was announced, in words where it was not.
        expected: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// More than any package has.
    #[error("{from} is larger than {limit} bytes, which no package is; nothing of it was kept")]
    TooLarge {
        /// Which address or file.
        from: String,
        /// The bound.
        limit: u64,
    },
    /// The bytes are not those that were expected.
    #[error(
        "{what} has the SHA-256 {found}, expected {expected}; it is not used. Compare the expected value \
         with the vendor's download page; if that is right, somebody changed the file on its way"
    )]
    WrongHash {
        /// Which file or address.
        what: String,
        /// What was expected.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// The signature does not prove the bytes.
    #[error("{what} is not used: {source}")]
    Signature {
        /// Which file or address.
        what: String,
        /// Why.
        source: SignatureError,
    },
    /// There is no signature.
    #[error(
        "{signature} is missing, so {asset} cannot be proved; put the release's .sig beside it or state its SHA-256"
    )]
    Unsigned {
        /// What should be signed.
        asset: String,
        /// Where the signature should be.
        signature: String,
    },
    /// This build knows no SHA-256 of it.
    #[error(
        "this build knows no SHA-256 of {asset}; state the one of the vendor's download page, or give the \
         release key to check its signature"
    )]
    NotPinned {
        /// What was asked for.
        asset: String,
    },
    /// Naming a file proves nothing about a download.
    #[error(
        "{asset} from {source_name} needs a proof: its pinned SHA-256, a stated one, or the release key"
    )]
    NeedsProof {
        /// What was asked for.
        asset: String,
        /// Where it would come from.
        source_name: String,
    },
    /// The local place does not hold it.
    #[error("{asset} was not found; looked at {}; put it there under that name", join(looked))]
    NotHere {
        /// What was looked for.
        asset: String,
        /// Everywhere that was looked.
        looked: Vec<PathBuf>,
    },
    /// A binary was found by itself, and nobody vouches for it.
    #[error(
        "{} was found, with the SHA-256 {found}; nothing proves that it is {asset}: state this SHA-256 if you \
         trust the file, or name the file itself", path.display()
    )]
    Unproved {
        /// Which file.
        path: PathBuf,
        /// What was asked for.
        asset: String,
        /// Its digest.
        found: Digest,
    },
    /// The cache is open to others.
    #[error("the cache {} may be changed by others ({why}); make it yours alone (chmod 700) or name another", path.display())]
    OpenCache {
        /// Which folder.
        path: PathBuf,
        /// Who may.
        why: String,
    },
    /// The file system refused.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl PackageError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_path_buf(), source }
    }

    /// Whether the same request may do better a moment later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Truncated { .. } => true,
            Self::Status { status, .. } => matches!(*status, 408 | 429 | 500..),
            _ => false,
        }
    }

    /// Whether it says that the package is not there, as against wrong or out of reach.
    pub const fn is_missing(&self) -> bool {
        matches!(self, Self::NotPublished { .. } | Self::NotHere { .. })
    }
}

fn join(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" and ")
}
