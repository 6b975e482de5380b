//! Work that waits for a disk or for another process: on a thread of its own, and not for ever.

use std::time::Duration;

/// How long what waits for a lock may take: longer than the lock itself is waited for, so that the
/// error that names the file comes first.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

/// Does it on a thread that may wait. What takes too long goes on there, and nobody waits for it.
///
/// # Errors
///
/// In words: it did not end in time.
pub(crate) async fn off<T: Send + 'static>(
    time: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(time, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(format!("it broke off: {error}")),
        Err(_) => Err(format!("the disk did not answer within {} s", time.as_secs())),
    }
}
