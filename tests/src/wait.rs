//! Waiting for a condition, with a deadline and with what was last seen.

use std::fmt::Display;
use std::time::Duration;

use anyhow::bail;
use tokio::time::{Instant, sleep};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(50);

/// Asks `probe` until it gives a value.
///
/// An `Err` of the probe is not a failure but the state that was seen instead; when `limit` has
/// passed, the last one is told. The probe always runs at least once, and one that never answers
/// is given up at the limit too.
///
/// # Errors
/// The limit passed. The message names `what` and the state last seen.
pub async fn until<T, E, F>(
    what: &str,
    limit: Duration,
    mut probe: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let end = Instant::now() + limit;
    let mut last_seen = String::from("nothing: the first look did not end");
    loop {
        match tokio::time::timeout_at(end, probe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last_seen = format!("{seen:#}"),
            Err(_) => bail!("waited {limit:?} for {what}; last seen: {last_seen}"),
        }
        if Instant::now() >= end {
            bail!("waited {limit:?} for {what}; last seen: {last_seen}");
        }
        sleep(PERIOD).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_state_is_told_when_the_limit_passes() {
        let mut looks = 0;
        let error = until("the moon", Duration::from_millis(10), || {
            looks += 1;
            let seen = format!("look {looks}");
            async move { Err::<(), _>(seen) }
        })
        .await
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("for the moon; last seen: look "), "{text}");
    }

    #[tokio::test]
    async fn a_probe_that_hangs_is_given_up() {
        let error = until("an answer", Duration::from_millis(10), || {
            std::future::pending::<Result<(), String>>()
        })
        .await
        .unwrap_err();
        assert!(error.to_string().contains("the first look did not end"), "{error}");
    }

    #[tokio::test]
    async fn a_value_ends_the_waiting() {
        let mut looks = 0;
        let value = until("the third look", Duration::from_secs(5), || {
            looks += 1;
            std::future::ready(if looks == 3 { Ok(looks) } else { Err(looks) })
        })
        .await
        .unwrap();
        assert_eq!(value, 3);
    }
}
