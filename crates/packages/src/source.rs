//! What every source of packages does.

use std::pin::Pin;

use tokio_util::sync::CancellationToken;

use crate::error::PackageError;
use crate::package::Package;
use crate::wanted::Wanted;

/// Hears how far a package has come.
pub trait Progress: Send + Sync {
    /// So many bytes are here, of so many where that is known. A broken transfer that has to begin
    /// anew goes back to zero.
    fn bytes(&self, done: u64, total: Option<u64>);
}

/// Nobody listens.
impl Progress for () {
    fn bytes(&self, _: u64, _: Option<u64>) {}
}

impl<F: Fn(u64, Option<u64>) + Send + Sync> Progress for F {
    fn bytes(&self, done: u64, total: Option<u64>) {
        self(done, total);
    }
}

/// A package on its way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Package, PackageError>> + Send + 'a>>;

/// Where packages come from. The [`contract`](crate::contract) says what holds for all.
pub trait PackageSource: Send + Sync {
    /// Where that is, for messages and plans.
    fn describe(&self) -> String;

    /// Brings a package, verified, or says why not.
    fn fetch<'a>(
        &'a self,
        wanted: &'a Wanted,
        progress: &'a dyn Progress,
        cancel: &'a CancellationToken,
    ) -> Fetching<'a>;
}
