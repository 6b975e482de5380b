//! Where the binary of a deployment comes from.

use std::path::{Path, PathBuf};

use deploy_core::preflight::{Check, Verdict};
use packages::{
    Bounds, Cache, DEFAULT_VERSION, Digest, Folder, Here, Package, PackageError, PackageSource,
    Platform, Proof, Proven, Release, Version, Wanted,
};
use tokio_util::sync::CancellationToken;

use crate::context::ToolCx;
use crate::tool_error::{Code, ToolError};

/// Names a file or folder of packages that were carried here.
pub(super) const PACKAGES: &str = "MEGARAPTOR_PACKAGES";

/// Which binary is wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// Its version; the pinned one where none is said.
    pub(super) version: Option<String>,
    /// A file on this machine.
    pub(super) file: Option<PathBuf>,
    /// Its SHA-256.
    pub(super) sha256: Option<String>,
}

/// Brings the binary for a machine of this architecture, verified.
pub(super) async fn bring(
    asked: &Asked,
    architecture: &str,
    home: &Path,
    cx: &ToolCx<'_>,
) -> Result<Package, ToolError> {
    let platform = Platform::of_machine("linux", architecture)
        .map_err(|error| ToolError::new(Code::Conflict, error.to_string()))?;
    let version: Version = match &asked.version {
        Some(text) => text.parse().map_err(invalid)?,
        None => DEFAULT_VERSION,
    };
    let stated = asked.sha256.as_deref().map(str::parse::<Digest>).transpose().map_err(invalid)?;
    let proof = match stated {
        Some(digest) => Proof::Stated(digest),
        // Whoever names a file vouches for it, and the plan says so.
        None if asked.file.is_some() => Proof::Named,
        None => Proof::Pinned,
    };
    let wanted = Wanted { version, platform, proof };
    let progress = |done: u64, total: Option<u64>| {
        // What is here already is not fetched, and of a moment's work nothing is said.
        if total == Some(done) {
            return;
        }
        let of = total.map_or_else(String::new, |total| format!(" of {}", total >> 20));
        cx.progress.report(0, None, &format!("package: {}{of} MiB", done >> 20));
    };
    if let Some(file) = &asked.file {
        let package = one(&Here::named(file), wanted, &progress, &cx.cancel).await?;
        if package.proven() == &Proven::Named {
            is_velociraptor(&package).await?;
        }
        return Ok(package);
    }
    let carried = std::env::var_os(PACKAGES).filter(|path| !path.is_empty());
    if let Some(path) = carried {
        return one(&Folder::new(PathBuf::from(path)), wanted, &progress, &cx.cancel).await;
    }
    // A binary that is here already serves as well, where its hash is the wanted one.
    let here = Here::find().ok();
    if let Some(here) = &here
        && let Ok(package) = here.fetch(&wanted, &(), &cx.cancel).await
    {
        return Ok(package);
    }
    let cache = Cache::open(home.join("packages")).map_err(|error| told(&error))?;
    let release = Release::new(cache, Bounds::default());
    let own = Platform::of_machine("linux", std::env::consts::ARCH).ok();
    one(&release, wanted, &progress, &cx.cancel).await.map_err(|error| match here {
        // One of this machine is for its own processor.
        Some(here) if own == Some(platform) => error.next(format!(
            "a velociraptor that nobody vouches for is at {0}: do it yourself with --binary {0}, or \
             let this machine reach the release host",
            here.path().display()
        )),
        _ => error,
    })
}

async fn one(
    source: &dyn PackageSource,
    wanted: Wanted,
    progress: &dyn packages::Progress,
    cancel: &CancellationToken,
) -> Result<Package, ToolError> {
    source.fetch(&wanted, progress, cancel).await.map_err(|error| told(&error))
}

/// Refuses a file that was named by mistake. It is looked into, and not run: nobody has agreed to that
/// yet.
async fn is_velociraptor(package: &Package) -> Result<(), ToolError> {
    let looked = package.clone();
    let names = tokio::task::spawn_blocking(move || looked.names_velociraptor()).await;
    let names = names.map_err(|error| ToolError::new(Code::Internal, error.to_string()))?;
    if names.map_err(|error| told(&error))? {
        return Ok(());
    }
    let path = package.path().display();
    Err(ToolError::invalid(format!("{path} is no Velociraptor: it names Velociraptor nowhere")).next(
        "name Velociraptor's own binary; one that was packed is taken where its sha256 is said too",
    ))
}

/// What is said of it beside other checks.
pub(super) fn check(package: &Package) -> Check {
    let what = format!("the package {} for {}", package.version(), package.platform());
    let (proof, verdict) = match package.proven() {
        Proven::Pinned => ("its SHA-256 is the one that this program knows", Verdict::Fits),
        Proven::Stated => ("its SHA-256 is the one that was stated", Verdict::Fits),
        Proven::Signed(_) => ("the release's key signed it", Verdict::Fits),
        _ => ("nobody vouches for it but whoever named it", Verdict::Doubtful),
    };
    Check::new(what, "verified", format!("{}: {proof}", package.sha256()), verdict)
}

fn invalid(error: impl std::fmt::Display) -> ToolError {
    ToolError::invalid(error.to_string())
}

fn told(error: &PackageError) -> ToolError {
    let code = match error {
        PackageError::NotHere { .. } => Code::NotFound,
        _ => Code::Unavailable,
    };
    ToolError::new(code, error.to_string()).next(format!(
        "name a file with --binary and --sha256, a folder with {PACKAGES}, or let this machine \
         reach the release host"
    ))
}
