//! Packages from the release host.

use std::time::Duration;

use hyper::header::ACCEPT;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::RootCertStore;
use tokio_util::sync::CancellationToken;

use crate::cache::{Cache, Hit};
use crate::digest::Digest;
use crate::error::PackageError;
use crate::http::{Bounds, Hosts, Http};
use crate::local::{self, MAX_SIGNATURE, off_the_executor};
use crate::package::Package;
use crate::platform::Platform;
use crate::source::{Fetching, PackageSource, Progress};
use crate::wanted::{Proof, Wanted};

mod attempts;
mod download;
mod listing;
mod part;

use attempts::Attempts;
pub use listing::Latest;

const DOWNLOADS: &str = "https://github.com/Velocidex/velociraptor/releases/download";
const NEWEST: &str = "https://api.github.com/repos/Velocidex/velociraptor/releases/latest";

/// The release host, and those of its own that its downloads redirect to.
const HOSTS: &[&str] = &[
    "github.com",
    "api.github.com",
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
];

/// How often is looked whether somebody else has finished the same download.
const LOCK_POLL: Duration = Duration::from_millis(100);

/// Downloads, kept in a cache.
#[expect(missing_debug_implementations, reason = "it holds proxies' passwords")]
pub struct Release {
    http: Http,
    cache: Cache,
    downloads: String,
    newest: String,
}

impl Release {
    /// The vendor's releases, through the proxy that the environment names.
    pub fn new(cache: Cache, bounds: Bounds) -> Self {
        let listed = HOSTS.iter().map(|host| (*host).to_owned()).collect();
        let http = Http::new(Hosts { listed, loopback: false }, Matcher::from_env(), bounds);
        Self { http, cache, downloads: DOWNLOADS.to_owned(), newest: NEWEST.to_owned() }
    }

    /// A release host of a test's own, on this machine. `also` are hosts that it may redirect to.
    ///
    /// Plain HTTP is spoken with it. Hosts are loopback addresses with a port; any other is dropped,
    /// so that it cannot be asked.
    pub fn on_loopback(cache: Cache, bounds: Bounds, host: &str, also: &[&str]) -> Self {
        let loopback = |host: &&str| {
            host.parse().is_ok_and(|address: std::net::SocketAddr| address.ip().is_loopback())
        };
        let hosts = [host].into_iter().chain(also.iter().copied()).filter(loopback);
        let listed = hosts.map(str::to_owned).collect();
        let http = Http::new(Hosts { listed, loopback: true }, Matcher::builder().build(), bounds);
        let (downloads, newest) =
            (format!("http://{host}/download"), format!("http://{host}/latest"));
        Self { http, cache, downloads, newest }
    }

    /// As [`Release::on_loopback`], with TLS, these roots, and a proxy (`http://HOST:PORT`).
    ///
    /// # Errors
    ///
    /// TLS cannot be set up.
    pub fn on_loopback_tls(
        cache: Cache,
        bounds: Bounds,
        host: &str,
        roots: RootCertStore,
        proxy: &str,
    ) -> Result<Self, PackageError> {
        let hosts = Hosts { listed: vec![host.to_owned()], loopback: true };
        let proxies = Matcher::builder().https(proxy.to_owned()).build();
        let http = Http::new(hosts, proxies, bounds).trust(crate::http::tls_config(roots)?);
        let downloads = format!("https://{host}/download");
        Ok(Self { http, cache, downloads, newest: format!("https://{host}/latest") })
    }

    /// Asks the host for the newest release that has a package for `platform`.
    ///
    /// What it answers is a name: the package is proved like any other.
    ///
    /// # Errors
    ///
    /// [`PackageError`] where the host is not reached or its list is not understood.
    pub async fn latest(
        &self,
        platform: Platform,
        cancel: &CancellationToken,
    ) -> Result<Latest, PackageError> {
        let headers = [(ACCEPT, "application/vnd.github+json".to_owned())];
        let asset = format!("the newest release for {platform}");
        let work = async {
            let mut attempts = Attempts::new(self.http.bounds());
            loop {
                match download::small(&self.http, &self.newest, &headers, listing::MAX_BYTES).await
                {
                    Ok(bytes) => return listing::read(&self.newest, &bytes, platform),
                    Err(error) => attempts.again(error).await?,
                }
            }
        };
        self.within(&asset, cancel, work).await
    }

    /// Ends at the bound for the whole, and when the caller gives up.
    async fn within<T>(
        &self,
        asset: &str,
        cancel: &CancellationToken,
        work: impl Future<Output = Result<T, PackageError>>,
    ) -> Result<T, PackageError> {
        let whole = self.http.bounds().whole;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(PackageError::Cancelled { asset: asset.to_owned() }),
            done = tokio::time::timeout(whole, work) => done.unwrap_or_else(|_| {
                let cause = format!("{asset} did not come within {} s", whole.as_secs());
                let host = "the release host".to_owned();
                Err(PackageError::Unreachable { host, attempts: 1, cause })
            }),
        }
    }

    async fn get(
        &self,
        wanted: &Wanted,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Package, PackageError> {
        let asset = wanted.asset();
        if matches!(wanted.proof, Proof::Named) {
            let source_name = self.describe();
            return Err(PackageError::NeedsProof { asset, source_name });
        }
        let expected = wanted.digest()?;
        // Whoever else downloads the same is waited for, and then has filled the cache.
        let lock = loop {
            match self.cache.try_lock(&asset)? {
                Some(lock) => break lock,
                None => tokio::time::sleep(LOCK_POLL).await,
            }
        };
        let mut set_aside = None;
        match self.cached(wanted, expected, cancel).await? {
            Ok(package) => {
                progress.bytes(package.size, Some(package.size));
                return Ok(package);
            }
            Err(damaged) => set_aside = damaged.or(set_aside),
        }
        let mut package = self.download(wanted, expected, progress, cancel).await?;
        package.set_aside = set_aside;
        drop(lock);
        Ok(package)
    }

    /// What the cache has, proved, or where it put what was damaged.
    async fn cached(
        &self,
        wanted: &Wanted,
        expected: Option<Digest>,
        cancel: &CancellationToken,
    ) -> Result<Result<Package, Option<std::path::PathBuf>>, PackageError> {
        let (cache, wanted) = (self.cache.clone(), wanted.clone());
        off_the_executor(wanted.asset(), cancel, move || {
            let (digest, signature) = match expected {
                Some(digest) => (digest, None),
                None => match cache.recall(&wanted.asset()) {
                    Some((digest, signature)) => (digest, Some(signature)),
                    None => return Ok(Err(None)),
                },
            };
            match cache.find(digest, &wanted)? {
                Hit::Absent => Ok(Err(None)),
                Hit::SetAside(path) => Ok(Err(Some(path))),
                Hit::Have(looked) => {
                    match local::prove(looked, &wanted, || Ok(signature.unwrap_or_default())) {
                        Ok(package) => Ok(Ok(package)),
                        // A note of the cache that proves nothing: the host is asked again.
                        Err(PackageError::Signature { .. }) => Ok(Err(None)),
                        Err(error) => Err(error),
                    }
                }
            }
        })
        .await
    }

    async fn download(
        &self,
        wanted: &Wanted,
        expected: Option<Digest>,
        progress: &dyn Progress,
        cancel: &CancellationToken,
    ) -> Result<Package, PackageError> {
        let asset = wanted.asset();
        let urls = wanted.version.tags().map(|tag| format!("{}/{tag}/{asset}", self.downloads));
        let mut part = part::Part::open(self.cache.part(&asset)).await?;
        for url in &urls {
            // The signature first: without one there is no need for all the rest.
            let signature = match &wanted.proof {
                Proof::Signed(_) => match self.signature(url).await? {
                    Some(signature) => signature,
                    None => continue,
                },
                _ => Vec::new(),
            };
            let fetched =
                download::to_the_end(&self.http, url, wanted, expected, &mut part, progress);
            let Some(digest) = fetched.await? else { continue };
            let (path, url) = (part.close().await?, url.clone());
            let (cache, wanted) = (self.cache.clone(), wanted.clone());
            return off_the_executor(asset, cancel, move || {
                // Read once more: what is proved is what is on the disk.
                let looked = local::look(&path, &wanted).and_then(|looked| {
                    let same = looked.sha256 == digest;
                    let wrong = PackageError::WrongHash {
                        what: url.clone(),
                        expected: digest,
                        found: looked.sha256,
                    };
                    if same { Ok(looked) } else { Err(wrong) }
                });
                let proved =
                    looked.and_then(|it| local::prove(it, &wanted, || Ok(signature.clone())));
                match proved {
                    Ok(mut package) => {
                        package.path = cache.keep(&path, digest)?;
                        if matches!(wanted.proof, Proof::Signed(_)) {
                            cache.remember(&wanted.asset(), digest, &signature)?;
                        }
                        part::forget(&path)?;
                        Ok(package)
                    }
                    Err(error) => {
                        part::forget(&path)?;
                        Err(match error {
                            PackageError::Signature { source, .. } => {
                                PackageError::Signature { what: url, source }
                            }
                            other => other,
                        })
                    }
                }
            })
            .await;
        }
        part::forget(&part.close().await?)?;
        Err(PackageError::NotPublished { asset, tried: urls.into() })
    }

    /// The signature of an asset; nothing where the asset is not there either.
    async fn signature(&self, url: &str) -> Result<Option<Vec<u8>>, PackageError> {
        let mut attempts = Attempts::new(self.http.bounds());
        let of = format!("{url}.sig");
        loop {
            match download::small(&self.http, &of, &[], MAX_SIGNATURE).await {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(PackageError::Status { status: 404 | 410, .. }) => {
                    let there = download::is_there(&self.http, url).await?;
                    let asset = url.rsplit('/').next().unwrap_or_default().to_owned();
                    let missing = PackageError::Unsigned { asset, signature: of };
                    return if there { Err(missing) } else { Ok(None) };
                }
                Err(error) => attempts.again(error).await?,
            }
        }
    }
}

impl PackageSource for Release {
    fn describe(&self) -> String {
        self.downloads.clone()
    }

    fn fetch<'a>(
        &'a self,
        wanted: &'a Wanted,
        progress: &'a dyn Progress,
        cancel: &'a CancellationToken,
    ) -> Fetching<'a> {
        Box::pin(async move {
            self.within(&wanted.asset(), cancel, self.get(wanted, progress, cancel)).await
        })
    }
}
