//! One file from the release host: continued where it broke off, and bounded.

use hyper::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_RANGE, RANGE,
};

use super::attempts::Attempts;
use super::part::{Origin, Part};
use crate::digest::Digest;
use crate::error::PackageError;
use crate::executable;
use crate::http::{Answer, Http, shown};
use crate::source::Progress;
use crate::wanted::Wanted;

/// Gets a small file whole.
pub(super) async fn small(
    http: &Http,
    url: &str,
    headers: &[(HeaderName, String)],
    limit: u64,
) -> Result<Vec<u8>, PackageError> {
    let mut answer = http.get(url, headers).await?;
    let status = answer.response.status();
    if status != 200 {
        return Err(PackageError::Status { url: shown(url), status: status.as_u16() });
    }
    let mut bytes = Vec::new();
    while let Some(more) = next(http, url, &mut answer, bytes.len() as u64, None).await? {
        if (bytes.len() + more.len()) as u64 > limit {
            return Err(PackageError::TooLarge { from: shown(url), limit });
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

/// Whether there is something at an address.
pub(super) async fn is_there(http: &Http, url: &str) -> Result<bool, PackageError> {
    let headers = [(RANGE, "bytes=0-0".to_owned())];
    let status = http.get(url, &headers).await?.response.status();
    match status.as_u16() {
        200 | 206 => Ok(true),
        404 | 410 => Ok(false),
        status => Err(PackageError::Status { url: shown(url), status }),
    }
}

/// Gets a package whole, compared with what is expected; nothing where the host has none there.
pub(super) async fn to_the_end(
    http: &Http,
    url: &str,
    wanted: &Wanted,
    expected: Option<Digest>,
    part: &mut Part,
    progress: &dyn Progress,
) -> Result<Option<Digest>, PackageError> {
    let mut attempts = Attempts::new(http.bounds());
    // A beginning from an earlier run may be damaged: then everything is fetched anew, once.
    let mut taken_up = part.continues(url).is_some();
    loop {
        let before = part.length();
        match once(http, url, wanted, part, progress).await {
            Ok(false) => return Ok(None),
            Ok(true) => {
                let found = part.digest();
                match expected.filter(|expected| *expected != found) {
                    None => return Ok(Some(found)),
                    Some(_) if taken_up => {
                        taken_up = false;
                        part.restart(None).await?;
                    }
                    Some(expected) => {
                        part.restart(None).await?;
                        let what = shown(url);
                        return Err(PackageError::WrongHash { what, expected, found });
                    }
                }
            }
            Err(error) => {
                if part.length() > before {
                    attempts.reset();
                }
                if !error.is_transient() {
                    part.restart(None).await?;
                }
                attempts.again(error).await?;
            }
        }
    }
}

/// One request. `false` where there is no such file.
async fn once(
    http: &Http,
    url: &str,
    wanted: &Wanted,
    part: &mut Part,
    progress: &dyn Progress,
) -> Result<bool, PackageError> {
    let (from, headers) = match part.continues(url) {
        Some(etag) => {
            let range = format!("bytes={}-", part.length());
            (part.length(), vec![(RANGE, range), (IF_RANGE, etag.to_owned())])
        }
        None => (0, Vec::new()),
    };
    let mut answer = http.get(url, &headers).await?;
    let limit = http.bounds().bytes;
    let total = match begin(url, &answer, part, from).await? {
        Beginning::Here(total) => total,
        Beginning::Missing => return Ok(false),
    };
    if total.is_some_and(|total| total > limit) {
        return Err(PackageError::TooLarge { from: shown(url), limit });
    }
    progress.bytes(part.length(), total);
    let mut looked = false;
    while let Some(bytes) = next(http, url, &mut answer, part.length(), total).await? {
        if part.length() + bytes.len() as u64 > limit {
            return Err(PackageError::TooLarge { from: shown(url), limit });
        }
        part.add(&bytes).await?;
        if !looked && part.length() >= executable::LOOKED_AT as u64 {
            looked = true;
            executable::check(
                &shown(url),
                &part.first(executable::LOOKED_AT).await?,
                wanted.platform,
            )?;
        }
        progress.bytes(part.length(), total);
    }
    if total.is_some_and(|total| part.length() != total) {
        return Err(broken(url, part.length(), total));
    }
    if !looked {
        executable::check(&shown(url), &part.first(executable::LOOKED_AT).await?, wanted.platform)?;
    }
    Ok(true)
}

enum Beginning {
    /// Bytes follow, up to this size of the whole.
    Here(Option<u64>),
    Missing,
}

/// Makes the part fit what the host is about to send; it was asked for all after `from`.
async fn begin(
    url: &str,
    answer: &Answer,
    part: &mut Part,
    from: u64,
) -> Result<Beginning, PackageError> {
    let headers = answer.response.headers();
    match answer.response.status().as_u16() {
        206 => match continued(headers, from).filter(|_| from > 0) {
            Some(total) => Ok(Beginning::Here(total)),
            // It sends another piece than the one asked for.
            None => {
                part.restart(None).await?;
                Err(broken(url, 0, None))
            }
        },
        200 => {
            if text(headers, CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")) {
                return Err(PackageError::NotAPackage {
                    from: shown(url),
                    expected: "a package".to_owned(),
                    begins: "a web page".to_owned(),
                });
            }
            // A weak mark does not promise the same bytes.
            let etag = text(headers, ETAG).filter(|etag| etag.starts_with('"'));
            let origin = etag.map(|etag| Origin { url: url.to_owned(), etag: etag.to_owned() });
            part.restart(origin).await?;
            Ok(Beginning::Here(text(headers, CONTENT_LENGTH).and_then(|it| it.parse().ok())))
        }
        // What is here is longer than the file: it is not its beginning.
        416 if from > 0 => {
            part.restart(None).await?;
            Err(broken(url, 0, None))
        }
        404 | 410 => Ok(Beginning::Missing),
        status => Err(PackageError::Status { url: shown(url), status }),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The size of the whole, where the piece begins where it should.
fn continued(headers: &HeaderMap, from: u64) -> Option<Option<u64>> {
    let range = text(headers, CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (piece, total) = range.split_once('/')?;
    let (first, _) = piece.split_once('-')?;
    (first.parse() == Ok(from)).then(|| total.parse().ok())
}

async fn next(
    http: &Http,
    url: &str,
    answer: &mut Answer,
    got: u64,
    total: Option<u64>,
) -> Result<Option<hyper::body::Bytes>, PackageError> {
    match tokio::time::timeout(http.bounds().silence, answer.next()).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            tracing::debug!("{}: {error}", shown(url));
            Err(broken(url, got, total))
        }
        Err(_) => Err(broken(url, got, total)),
    }
}

fn broken(url: &str, got: u64, total: Option<u64>) -> PackageError {
    let expected = total.map_or_else(|| "an unknown number".to_owned(), |it| it.to_string());
    PackageError::Truncated { url: shown(url), got, expected, attempts: 1 }
}
